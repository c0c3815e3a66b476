//! The tables of the session, among them the notebooks.

use serde_json::{Value, json};
use test_support::{ConsoleTab, wait_until};

use super::start;

#[tokio::test]
async fn ten_thousand_tables_are_listed_in_parts() {
    let (mut duckdb, door) = start().await;
    let tab = ConsoleTab::open(&door, "a").await;
    let tables = (0..10_000).map(|it| format!("CREATE TABLE work.main.t{it:05} (x INT);"));
    duckdb
        .run(&format!("BEGIN; {} COMMIT;", tables.collect::<String>()))
        .await;
    let count = async || {
        tab.rows(
            "1",
            "SELECT count(*) FROM duckdb_tables() WHERE table_name LIKE 't0%'",
        )
        .await
    };
    wait_until(count, |count| *count == json!([["10000"]])).await;
    let part = async |after: Option<&str>, search: Option<&str>| {
        let place =
            json!({ "database": "work", "schema": "main", "after": after, "search": search });
        let part = tab.call("tables", place).await;
        let tables = part["tables"].as_array().unwrap().clone();
        let name = |it: Option<&Value>| it.map(|it| it["name"].as_str().unwrap().to_owned());
        (
            tables.len(),
            name(tables.first()),
            name(tables.last()),
            part["more"].clone(),
        )
    };
    let text = |it: &str| Some(it.to_owned());
    assert_eq!(
        part(None, None).await,
        (200, text("t00000"), text("t00199"), json!(true))
    );
    assert_eq!(
        part(Some("t00199"), None).await,
        (200, text("t00200"), text("t00399"), json!(true))
    );
    assert_eq!(
        part(Some("t09799"), None).await,
        (200, text("t09800"), text("t09999"), json!(false))
    );
    assert_eq!(
        part(None, Some("T0123")).await,
        (10, text("t01230"), text("t01239"), json!(false))
    );

    // The console's own tables are not shown.
    tab.call(
        "save",
        json!({ "id": "n", "title": "", "cells": [], "version": 0 }),
    )
    .await;
    let databases = tab.call("databases", json!({})).await;
    let expected = json!([
        { "name": "memory", "kind": "memory", "schemas": ["main"] },
        { "name": "work", "kind": "work", "schemas": ["main"] },
    ]);
    assert_eq!(databases["databases"], expected);
    let found = tab.call("tables", json!({ "search": "notebook" })).await;
    assert_eq!(found["tables"], json!([]));

    // Suggestions and tokens.
    let suggested = tab
        .call("complete", json!({ "sql": "SELECT '🦆é' FROM t0999" }))
        .await;
    assert_eq!(suggested["from"], 18);
    assert_eq!(suggested["suggestions"][0]["text"], "t09990");
    let tokens = tab
        .call("tokens", json!({ "sql": "SELECT '🦆é' -- x\n, \"y\"" }))
        .await;
    let expected = json!([
        [0, "keyword"],
        [7, "string"],
        [13, "comment"],
        [18, "operator"],
        [20, "identifier"],
    ]);
    assert_eq!(tokens["tokens"], expected);
}

#[tokio::test]
async fn notebooks_are_kept_in_the_sessions_database() {
    let (_duckdb, door) = start().await;
    let one = ConsoleTab::open(&door, "one").await;
    let two = one.another("two");
    assert_eq!(
        one.call("notebooks", json!({})).await,
        json!({ "notebooks": [] })
    );
    let cells = json!([
        { "id": "1", "kind": "sql", "text": "SELECT 'it''s' -- \"\\" },
        { "id": "2", "kind": "text", "text": "# 🦆\n" },
    ]);
    let save = |title: &str, version: i64| json!({ "id": "n-1", "title": title, "cells": cells, "version": version });
    assert_eq!(one.call("save", save("Ducks", 0)).await["version"], 1);
    assert_eq!(
        two.call("save", save("It's \"ducks\"", 1)).await["version"],
        2
    );
    let (status, conflict) = one.try_call("save", save("Geese", 1).to_string()).await;
    assert_eq!((status, &conflict["version"]), (409, &json!(2)));
    assert_eq!(conflict["error"]["kind"], "conflict");
    let (status, _) = one.try_call("save", save("Geese", 0).to_string()).await;
    assert_eq!(status, 409, "its ID is taken");
    let saved = one.call("notebook", json!({ "id": "n-1" })).await;
    assert_eq!(
        (&saved["title"], &saved["version"]),
        (&json!("It's \"ducks\""), &json!(2))
    );
    assert_eq!(saved["cells"], cells);
    let list = one.call("notebooks", json!({})).await;
    assert_eq!(list["notebooks"][0]["cells"], 2);
    let table = "SELECT count(*) FROM work.duckbot.notebooks";
    assert_eq!(one.rows("1", table).await, json!([["1"]]));

    one.call("delete", json!({ "id": "n-1" })).await;
    let gone = two.call("notebook", json!({ "id": "n-1" })).await;
    assert_eq!(gone["error"]["kind"], "gone");
    let (status, conflict) = two.try_call("save", save("Ducks", 2).to_string()).await;
    assert_eq!((status, &conflict["version"]), (409, &json!(0)));
    one.call("delete", json!({ "id": "n-1" })).await;
}
