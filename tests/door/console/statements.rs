//! Statements, and the tabs in which they run.

use std::{pin::pin, sync::Arc};

use futures_util::future::join_all;
use serde_json::json;
use test_support::{ConsoleTab, Door, DuckDb};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    sync::{Notify, watch},
};

use super::{rows, start};

const ENDLESS: &str = "SELECT count(*) FROM range(1_000_000_000) a, range(1_000_000_000) b";

#[tokio::test]
async fn statements_run_and_show_their_results() {
    let (_duckdb, door) = start().await;
    let tab = ConsoleTab::open(&door, "a").await;
    let info = tab.call("info", json!({})).await;
    assert_eq!(
        (&info["session"], &info["owner"]),
        (&json!("977a26"), &json!("Ana"))
    );
    assert_eq!(info["duckdb"], "v1.5.5");

    let answer = tab
        .run(
            "1",
            "SELECT 7 AS n, '' AS empty, NULL AS none, [1, NULL] AS list",
        )
        .await;
    let types: Vec<_> = answer["columns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["type"])
        .collect();
    assert_eq!(types, ["INTEGER", "VARCHAR", "INTEGER", "INTEGER[]"]);
    assert_eq!(answer["first"], json!([["7", "", null, "[1, NULL]"]]));
    assert_eq!(
        (&answer["rows"], &answer["complete"]),
        (&json!(1), &json!(true))
    );

    // Several statements, of which the last one is shown. Effects stay.
    let several =
        "CREATE TABLE ducks (name VARCHAR); INSERT INTO ducks VALUES ('teal'), ('🦆'); FROM ducks;";
    assert_eq!(tab.rows("2", several).await, json!([["teal"], ["🦆"]]));
    for statement in [
        "EXPLAIN SELECT 1",
        "PRAGMA version",
        "SHOW TABLES",
        "SET VARIABLE x = 1",
        "DESCRIBE ducks",
        "SUMMARIZE ducks",
        "CREATE VIEW teals AS FROM ducks WHERE name = 'teal'",
        "CHECKPOINT",
    ] {
        let answer = tab.run("3", statement).await;
        assert!(
            answer["columns"][0]["name"].is_string(),
            "{statement}: {answer}"
        );
    }

    // Columns of one name.
    let twice = tab.run("4", "SELECT 1 AS a, 2 AS a; -- both").await;
    assert_eq!(twice["first"], json!([["1", "2"]]));
    assert_eq!(twice["columns"][1]["name"], "a_1");
    let (_, why) = tab
        .error(
            "4",
            "INSERT INTO ducks VALUES ('wigeon') RETURNING name, name",
        )
        .await;
    assert_eq!(why, "Two columns of the result are called \"name\".");
    let count = tab.rows("4", "SELECT count(*) FROM ducks").await;
    assert_eq!(count, json!([["3"]]), "it ran once");

    // Errors.
    let mistake = tab.run("5", "SELECT '🦆é', nope").await;
    let mistake = &mistake["error"];
    assert_eq!(
        (&mistake["kind"], &mistake["position"]),
        (&json!("sql"), &json!(14))
    );
    let missing = tab.run("5", "FROM duck").await;
    assert_eq!(missing["error"]["hint"], "Did you mean \"ducks\"?");
    for nothing in ["", " ;", "-- no more"] {
        let (_, why) = tab.error("5", nothing).await;
        assert_eq!(why, "There is no statement in this text.", "{nothing:?}");
    }

    let history = tab.call("history", json!({})).await;
    let newest = &history["statements"][0];
    assert_eq!(
        (&newest["sql"], &newest["outcome"]),
        (&json!("-- no more"), &json!("error"))
    );
    let oldest = history["statements"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (&oldest["outcome"], &oldest["rows"]),
        (&json!("rows"), &json!(1))
    );
}

#[tokio::test]
async fn two_tabs_do_not_disturb_each_other() {
    let (_duckdb, door) = start().await;
    let one = ConsoleTab::open(&door, "one").await;
    let two = one.another("two");
    one.rows("1", "CREATE TABLE work.t (x INT)").await;
    one.rows("1", "BEGIN").await;
    one.rows("1", "INSERT INTO work.t VALUES (1)").await;
    assert_eq!(
        two.rows("1", "SELECT count(*) FROM work.t").await,
        json!([["0"]])
    );
    assert_eq!(
        one.rows("1", "SELECT count(*) FROM work.t").await,
        json!([["1"]])
    );
    one.rows("1", "COMMIT").await;
    let kept = two.run("1", "SELECT count(*) FROM work.t").await;
    assert_eq!(kept["first"], json!([["1"]]));

    // A statement of one tab is cancelled, and the other one goes on.
    let cancelled = async {
        door.wait_for_activity(|it| it.queries == 1).await;
        assert_eq!(one.error("2", "SELECT 1").await.0, "busy");
        assert_eq!(two.rows("3", "SELECT 2").await, json!([["2"]]));
        one.cancel().await;
    };
    let ((kind, _), ()) = tokio::join!(one.error("2", ENDLESS), cancelled);
    assert_eq!(kind, "cancelled");

    // A statement that waits in the door is cancelled there, and one whose browser goes away never begins.
    let tabs = ["q1", "q2", "q3"].map(|it| one.another(it));
    let long = join_all(tabs.iter().map(|tab| tab.error("1", ENDLESS)));
    let queued = async {
        door.wait_for_activity(|it| it.queries == 3).await;
        let cancelled = async {
            door.wait_for_activity(|it| it.queued == 1).await;
            one.cancel().await;
        };
        let ((kind, _), ()) =
            tokio::join!(one.error("2", "CREATE TABLE work.late (x INT)"), cancelled);
        assert_eq!(kind, "cancelled");
        let mut gone = pin!(one.run("2", "CREATE TABLE work.late (x INT)"));
        let waits = door.wait_for_activity(|it| it.queued == 1);
        tokio::select! {
            answer = &mut gone => panic!("{answer}"),
            () = waits => {}
        }
        gone.set(one.run("2", "SELECT 1"));
        door.wait_for_activity(|it| it.queued == 0).await;
        join_all(tabs.iter().map(ConsoleTab::cancel)).await;
    };
    tokio::join!(long, queued);
    let late = "SELECT count(*) FROM duckdb_tables() WHERE table_name = 'late'";
    assert_eq!(two.rows("3", late).await, json!([["0"]]));

    // The end of one tab takes only its results.
    one.close().await;
    assert_eq!(
        two.call("rows", rows(&kept, 0, 1)).await["rows"],
        json!([["1"]])
    );
    let tables = two
        .rows(
            "4",
            "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'duckbot' AND table_name LIKE 'r%'",
        )
        .await;
    assert_eq!(tables.as_array().unwrap().len(), 2, "{tables}");
    two.rows(
        "5",
        &format!(
            "DROP TABLE memory.duckbot.{}",
            kept["result"].as_str().unwrap()
        ),
    )
    .await;
    let gone = two.call("rows", rows(&kept, 0, 1)).await;
    assert_eq!(gone["error"]["kind"], "gone");

    // The results of a door that has ended are dropped by the next one.
    let again = door
        .restart_with(door.duckdb(), &[("DOOR_UI", "console")])
        .await;
    let tab = ConsoleTab::open(&again, "one").await;
    let tables = tab.rows(
        "1",
        "SELECT count(*) FROM duckdb_tables() WHERE schema_name = 'duckbot' AND table_name LIKE 'r%'",
    );
    assert_eq!(tables.await, json!([["0"]]));
}

#[tokio::test]
async fn a_statement_runs_while_its_result_cannot_be_kept() {
    let (_duckdb, door) = start().await;
    let tab = ConsoleTab::open(&door, "a").await;
    let other = tab.another("b");
    for (spoil, mend) in [
        (
            "SET GLOBAL max_expression_depth = 3",
            "RESET GLOBAL max_expression_depth",
        ),
        ("BEGIN; DROP SCHEMA memory.duckbot CASCADE", "ROLLBACK"),
    ] {
        tab.run("1", spoil).await;
        let (_, why) = tab.error("1", mend).await;
        assert!(why.starts_with("The statement has run"), "{spoil}: {why}");
        for tab in [&tab, &other] {
            assert_eq!(tab.rows("1", "SELECT 7").await, json!([["7"]]), "{spoil}");
        }
    }
}

/// Port that passes requests on to DuckDB, and holds statements whose result goes into a table.
struct HoldingPort {
    port: u16,
    /// Number of statements that are held.
    held: watch::Receiver<usize>,
    let_go: Arc<Notify>,
}

impl HoldingPort {
    async fn start(duckdb: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (count, held) = watch::channel(0);
        let let_go = Arc::new(Notify::new());
        let (count, wait) = (Arc::new(count), let_go.clone());
        tokio::spawn(async move {
            while let Ok((mut door, _)) = listener.accept().await {
                let (count, wait) = (count.clone(), wait.clone());
                tokio::spawn(async move {
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        head.push(door.read_u8().await?);
                    }
                    let head = String::from_utf8(head).unwrap();
                    if head.contains("x-duckdb-ui-result-table-name") {
                        count.send_modify(|it| *it += 1);
                        wait.notified().await;
                    }
                    // DuckDB answers only to its own name.
                    let own = format!("localhost:{duckdb}");
                    let head = head.replace(&format!("localhost:{port}"), &own);
                    let mut duckdb = TcpStream::connect(own).await?;
                    duckdb.write_all(head.as_bytes()).await?;
                    copy_bidirectional(&mut door, &mut duckdb).await
                });
            }
        });
        Self { port, held, let_go }
    }
}

#[tokio::test]
async fn a_statement_that_is_cancelled_before_duckdb_begins_it_ends_too() {
    let (_duckdb, port) = DuckDb::start_ui().await;
    let mut between = HoldingPort::start(port).await;
    let door = Door::start_with(between.port, &[("DOOR_UI", "console")]).await;
    let tab = ConsoleTab::open(&door, "a").await;
    let cancelled = async {
        between.held.wait_for(|held| *held == 1).await.unwrap();
        tab.cancel().await;
        between.let_go.notify_one();
    };
    let ((kind, _), ()) = tokio::join!(tab.error("1", ENDLESS), cancelled);
    assert_eq!(kind, "cancelled");
}
