//! Hostile and long statements in the console: it goes on, and its memory has a limit.

use std::pin::pin;

use futures_util::future::join_all;
use serde_json::json;
use test_support::ConsoleTab;

use super::start;

/// Most memory of a door's process after all of this, in KiB. A Pod's door has 64 MiB; the program of the
/// tests is not optimized and needs more.
const MAX_KIB: u64 = 150_000;

#[tokio::test]
async fn hostile_statements_leave_the_console_working_and_small() {
    let (_duckdb, door) = start().await;
    let tab = ConsoleTab::open(&door, "a").await;

    // Functions of a person have the names of DuckDB's, and a notebook has cells that are not JSON.
    let cells = json!([{ "id": "1", "kind": "sql", "text": "SELECT 1" }]);
    let save = json!({ "id": "mine", "title": "Mine", "cells": cells, "version": 0 });
    tab.call("save", save).await;
    for sql in [
        "CREATE MACRO work.main.duckdb_tables() AS TABLE SELECT 1 AS x",
        "CREATE MACRO work.main.duckdb_databases() AS TABLE SELECT 1 AS x",
        "CREATE MACRO work.main.json_array_length(x) AS error('hostile')",
        "CREATE MACRO work.main.length(x) AS error('hostile')",
        "CREATE MACRO memory.main.duckdb_views() AS TABLE SELECT 1 AS x",
        "CREATE MACRO memory.main.length(x) AS error('hostile')",
        "CREATE MACRO work.main.sql_auto_complete(x) AS TABLE SELECT 1 AS x",
        "CREATE TABLE work.main.nest AS SELECT 7 AS eggs",
        "INSERT INTO work.duckbot.notebooks VALUES ('bad', 'Bad', '{{{', 1, now())",
    ] {
        let answer = tab.run("1", sql).await;
        assert!(answer["error"].is_null(), "{sql}: {answer}");
    }
    let place = json!({ "database": "work", "schema": "main" });
    let tables = tab.call("tables", place).await;
    assert_eq!(tables["tables"][0]["name"], "nest", "{tables}");
    let notebooks = tab.call("notebooks", json!({})).await;
    assert_eq!(
        notebooks["notebooks"].as_array().map(Vec::len),
        Some(2),
        "{notebooks}"
    );
    assert_eq!(tab.rows("1", "FROM work.main.nest").await, json!([["7"]]));

    // Without the database of the results, this statement has none, and the next one does.
    assert!(tab.run("1", "DETACH memory").await["error"].is_object());
    assert_eq!(tab.rows("1", "FROM work.main.nest").await, json!([["7"]]));

    // Long texts, errors and names take no memory for long.
    let long = json!({ "sql": ";".repeat(1_000_000) });
    assert_eq!(tab.call("tokens", long).await["tokens"], json!([]));
    // DuckDB would take minutes for these, or end.
    let operators = json!({ "sql": "+".repeat(5000) });
    assert_eq!(tab.call("tokens", operators).await["tokens"], json!([]));
    for brackets in [30, 20_000] {
        let nested = json!({ "sql": format!("SELECT {}", "(".repeat(brackets)) });
        let suggested = tab.call("complete", nested).await;
        assert_eq!(suggested["suggestions"], json!([]));
    }
    let suggested = json!({ "sql": "SELECT (((1))); FROM work.main.nes" });
    let suggested = tab.call("complete", suggested).await;
    assert_eq!(suggested["suggestions"][0]["text"], "nest", "{suggested}");
    let ducks = "🦆".repeat(9000);
    for _ in 0..20 {
        let answer = tab.run("2", &format!("SELECT error('{ducks}')")).await;
        assert_eq!(answer["error"]["kind"], "sql");
    }
    let errors = join_all((0..8).map(|number| {
        let tab = tab.another(&format!("e{number}"));
        async move { tab.run("1", "SELECT error(repeat('x', 3000000))").await }
    }));
    for answer in errors.await {
        assert!(answer.to_string().len() < 40_000);
    }
    let names: Vec<_> = (0..120)
        .map(|at| format!("1 AS \"{}{at}\"", "n".repeat(30_000)))
        .collect();
    let answer = tab.run("3", &format!("SELECT {}", names.join(", "))).await;
    assert_eq!(answer["error"]["kind"], "limit", "{answer}");
    let history = tab.call("history", json!({})).await;
    assert!(history.to_string().len() < 1_000_000);
    assert!(door.memory() < MAX_KIB, "{}", door.memory());
}

#[tokio::test]
async fn long_statements_of_all_tabs_leave_room_for_the_rest() {
    // Their texts are long, too.
    let long = format!(
        "SELECT count(*) FROM range(1000000) a, range(1000000) b -- {}",
        "x".repeat(3_000_000)
    );
    let (_duckdb, door) = start().await;
    let tab = ConsoleTab::open(&door, "a").await;
    let others: Vec<_> = (0..4)
        .map(|number| tab.another(&format!("t{number}")))
        .collect();
    let mut running = pin!(join_all(others.iter().map(|it| it.run("1", &long))));
    let used = async {
        door.wait_for_activity(|it| it.queries == 3 && it.queued == 1)
            .await;
        // All of these need DuckDB.
        tab.call("databases", json!({})).await;
        let cells = json!([{ "id": "1", "kind": "sql", "text": "'".repeat(3_000_000) }]);
        let title = format!("Mine\0{}", "!".repeat(2000));
        let save = json!({ "id": "mine", "title": title, "cells": cells, "version": 0 });
        assert_eq!(tab.call("save", save).await["version"], 1);
        for other in &others {
            other.cancel().await;
        }
    };
    let (answers, ()) = tokio::join!(&mut running, used);
    for answer in answers {
        assert_eq!(answer["error"]["kind"], "cancelled", "{answer}");
    }
}
