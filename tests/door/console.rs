//! The console: what its page asks, answered from a real DuckDB.

use serde_json::{Value, json};
use test_support::{ConsoleTab, Door, DuckDb, HOST, ORIGIN, UiClient, wait_until};

/// Starts DuckDB as in a session, and a door that serves the console.
async fn start() -> (DuckDb, Door) {
    start_with(&[]).await
}

async fn start_with(variables: &[(&str, &str)]) -> (DuckDb, Door) {
    let (duckdb, port) = DuckDb::start_ui().await;
    let ui = UiClient::at(port, port);
    ui.run_sql("ATTACH ':memory:' AS work").await.unwrap();
    let variables = [&[("DOOR_UI", "console")], variables].concat();
    (duckdb, Door::start_with(port, &variables).await)
}

fn rows(result: &Value, from: u64, count: u64) -> Value {
    json!({ "result": result["result"], "from": from, "count": count })
}

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
    const ENDLESS: &str = "SELECT count(*) FROM range(1_000_000_000) a, range(1_000_000_000) b";
    let cancelled = async {
        door.wait_for_activity(|it| it.queries == 1).await;
        assert_eq!(one.error("2", "SELECT 1").await.0, "busy");
        assert_eq!(two.rows("3", "SELECT 2").await, json!([["2"]]));
        // DuckDB may not have begun it.
        let cancelled = async || {
            one.cancel().await;
            door.activity().await.queries
        };
        wait_until(cancelled, |queries| *queries == 0).await;
    };
    let ((kind, _), ()) = tokio::join!(one.error("2", ENDLESS), cancelled);
    assert_eq!(kind, "cancelled");

    // The end of one tab takes only its results.
    one.close().await;
    assert_eq!(
        two.call("rows", rows(&kept, 0, 1)).await["rows"],
        json!([["1"]])
    );
    let tables = two
        .rows(
            "4",
            "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'duckbot'",
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
        "SELECT count(*) FROM duckdb_tables() WHERE schema_name = 'duckbot'",
    );
    assert_eq!(tables.await, json!([["0"]]));
}

#[tokio::test]
async fn large_results_come_in_parts() {
    let (_duckdb, door) = start().await;
    let tab = ConsoleTab::open(&door, "a").await;
    let columns: Vec<_> = (0..17).map(|it| format!("i + {it} AS c{it}")).collect();
    let million = format!(
        "SELECT range AS i, 'row ' || i AS s, i % 7 AS r, {} FROM range(1_000_000)",
        columns.join(", ")
    );
    let result = tab.run("1", &million).await;
    assert_eq!(
        (&result["rows"], &result["complete"]),
        (&json!(1_000_000), &json!(true))
    );
    assert_eq!(result["first"].as_array().unwrap().len(), 200);
    for from in [0, 500_000, 999_999] {
        let page = tab.call("rows", rows(&result, from, 1)).await;
        let row = &page["rows"][0];
        assert_eq!(
            (&row[1], &row[19]),
            (
                &json!(format!("row {from}")),
                &json!((from + 16).to_string())
            )
        );
    }
    let mut sorted = rows(&result, 999_998, 5);
    sorted["sort"] = json!({ "column": 0, "descending": true });
    let page = tab.call("rows", sorted).await;
    let first = |page: &Value| -> Vec<Value> {
        page["rows"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row[0].clone())
            .collect()
    };
    assert_eq!(first(&page), ["1", "0"], "as numbers, not as texts");
    let value = json!({ "result": result["result"], "row": 0, "column": 1,
        "sort": { "column": 0, "descending": true } });
    assert_eq!(tab.call("value", value).await["value"], "row 999999");

    let endless = tab.run("1", "FROM range(1_000_000_000)").await;
    assert_eq!(
        (&endless["rows"], &endless["complete"]),
        (&json!(1_000_000), &json!(false))
    );
    assert_eq!(
        tab.call("rows", rows(&endless, 999_999, 9)).await["rows"],
        json!([["999999"]])
    );

    // Wide rows and long values: fewer rows, and the first characters.
    let wide: Vec<_> = (0..1000)
        .map(|it| format!("i + {it} AS \"c {it}\""))
        .collect();
    let wide = tab
        .run(
            "2",
            &format!("SELECT {} FROM range(2000) t(i)", wide.join(", ")),
        )
        .await;
    assert_eq!(wide["columns"].as_array().unwrap().len(), 1000);
    assert_eq!(wide["first"][199][999], "1198");
    let long = tab
        .run(
            "3",
            "SELECT repeat('é', 1_048_576) AS v, range FROM range(300)",
        )
        .await;
    assert_eq!(long["first"][0][0], json!(["é".repeat(1000), 1_048_576]));
    let value = json!({ "result": long["result"], "row": 299, "column": 0 });
    let value = tab.call("value", value).await;
    assert_eq!(value["value"].as_str().unwrap().len(), 2 << 20);
    let huge = tab.run("3", "SELECT repeat('x', 9_000_000) AS v").await;
    let value = json!({ "result": huge["result"], "row": 0, "column": 0 });
    assert_eq!(tab.call("value", value).await["error"]["kind"], "limit");
    let fat: Vec<_> = (0..300)
        .map(|it| format!("repeat('é', 2000) AS c{it}"))
        .collect();
    let fat = tab
        .run("3", &format!("SELECT {} FROM range(100)", fat.join(", ")))
        .await;
    let first = fat["first"].as_array().unwrap().len();
    assert!((1..100).contains(&first), "{first}");
    let page = tab.call("rows", rows(&fat, 99, 1)).await;
    assert_eq!(page["rows"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn hostile_names_and_values_come_as_they_are() {
    let (_duckdb, door) = start_with(&[]).await;
    let tab = ConsoleTab::open(&door, "a").await;
    let hostile = [
        "<img src=x onerror=alert(1)>",
        "'; DROP TABLE t; --",
        "\"",
        "\u{202e}evil\u{2066}",
        "\u{1}\t\r\n\u{7f}",
        "COLUMNS(*)",
        "rowid",
        "$$",
        "🦆é",
    ];
    let quoted =
        |quote: &str, it: &str| format!("{quote}{}{quote}", it.replace(quote, &quote.repeat(2)));
    let columns: Vec<_> = hostile
        .iter()
        .map(|it| format!("{} AS {}", quoted("'", it), quoted("\"", it)))
        .collect();
    let result = tab
        .run("1", &format!("SELECT {}", columns.join(", ")))
        .await;
    let names: Vec<_> = result["columns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["name"])
        .collect();
    assert_eq!(json!(names), json!(hostile));
    assert_eq!(result["first"], json!([hostile]));
    for column in 0..hostile.len() {
        let mut sorted = rows(&result, 0, 1);
        sorted["sort"] = json!({ "column": column, "descending": false });
        assert_eq!(tab.call("rows", sorted).await["rows"], json!([hostile]));
        let value = json!({ "result": result["result"], "row": 0, "column": column });
        assert_eq!(tab.call("value", value).await["value"], hostile[column]);
    }

    // Names of schemas and tables.
    let name = "it's \"a\" <table>";
    let sql = format!(
        "CREATE SCHEMA work.{0}; CREATE TABLE work.{0}.{0} AS SELECT 1 AS {0}",
        quoted("\"", name)
    );
    tab.rows("2", &sql).await;
    let place = json!({ "database": "work", "schema": name });
    let tables = tab.call("tables", place.clone()).await;
    assert_eq!(tables["tables"][0]["name"], name);
    let mut place = place;
    place["table"] = json!(name);
    let columns = tab.call("columns", place).await;
    assert_eq!(
        columns["columns"],
        json!([{ "name": name, "type": "INTEGER" }])
    );
    let found = tab.call("tables", json!({ "search": "It's \"A\"" })).await;
    assert_eq!(found["tables"][0]["schema"], name);

    // Names of tabs, results and cells.
    for (name, input) in [
        (
            "run",
            json!({ "tab": "a b", "cell": "1", "sql": "SELECT 1" }),
        ),
        ("run", json!({ "tab": "", "cell": "1", "sql": "SELECT 1" })),
        (
            "run",
            json!({ "tab": "a", "cell": "x".repeat(65), "sql": "SELECT 1" }),
        ),
        ("run", json!({ "tab": "a" })),
        ("rows", json!([])),
        ("nothing", json!({})),
    ] {
        let (status, answer) = tab.try_call(name, input.to_string()).await;
        assert!([400, 404].contains(&status), "{name} {input}: {answer}");
        assert_eq!(answer["error"]["kind"], "refused");
    }
    let other = json!({ "result": "work.main.t", "from": 0, "count": 1 });
    assert_eq!(tab.call("rows", other).await["error"]["kind"], "gone");
    let large = format!("{{\"sql\": \"{}\"}}", "x".repeat(5 << 20));
    assert_eq!(tab.try_call("run", large).await.0, 413);
}

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

#[tokio::test]
async fn charts_are_drawn_as_in_the_chat() {
    let (_duckdb, door) = start().await;
    let tab = ConsoleTab::open(&door, "a").await;
    let result = tab
        .run(
            "1",
            "SELECT 'teal ' || range AS species, range AS grams FROM range(3)",
        )
        .await;
    let draw = async |result: &Value, choice: Value, format: &str| {
        let input = json!({ "result": result["result"], "choice": choice, "format": format });
        tab.call("chart", input).await
    };
    let chart = draw(&result, Value::Null, "svg").await;
    assert_eq!(
        chart["alt"],
        "Bars of grams by species: teal 2 2, teal 1 1, teal 0 0."
    );
    assert!(chart["svg"].as_str().unwrap().starts_with("<svg"));
    let choice = json!({ "kind": "bar", "along": 0, "numbers": [1], "series": null });
    assert_eq!(chart["choice"], choice);
    assert_eq!(
        chart["choices"][0],
        json!({ "choice": choice, "label": "Bars: grams by species" })
    );
    let png = draw(&result, choice, "png").await;
    assert!(png["png"].as_str().unwrap().starts_with("iVBOR"));
    for numbers in [json!([0]), json!([9])] {
        let choice = json!({ "kind": "bar", "along": 0, "numbers": numbers, "series": null });
        let why = &draw(&result, choice, "svg").await["why"];
        assert!(
            why.as_str()
                .unwrap()
                .starts_with("There is no chart, because"),
            "{why}"
        );
    }
}

#[tokio::test]
async fn files_come_and_go_without_a_trace() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().to_str().unwrap();
    let (_duckdb, door) = start_with(&[("DOOR_FILES", path)]).await;
    let tab = ConsoleTab::open(&door, "a").await;
    assert_eq!(tab.call("info", json!({})).await["files"], true);
    let result = tab
        .run("1", "SELECT range AS n, 'é' AS s FROM range(300_000)")
        .await;
    for (format, kind) in [
        ("csv", "text/csv; charset=utf-8"),
        ("json", "application/json"),
        ("parquet", "application/vnd.apache.parquet"),
    ] {
        let input = json!({ "result": result["result"], "format": format });
        let file = tab.call("download", input).await;
        let url = file["url"].as_str().unwrap();
        let answer = tab.get(url).await;
        let name = format!("attachment; filename=\"result.{format}\"");
        assert_eq!(answer.headers()["content-disposition"], name);
        assert_eq!(answer.headers()["content-type"], kind);
        let content = answer.bytes().await.unwrap();
        assert_eq!(tab.get(url).await.status(), 404, "once");

        // The way back.
        let (status, table) = tab
            .try_call(&format!("upload?name=my%20ducks.{format}"), content)
            .await;
        assert_eq!((status, &table["rows"]), (200, &json!(300_000)), "{table}");
        let sum = format!(
            "SELECT sum(n)::BIGINT, any_value(s) FROM {}",
            table["table"].as_str().unwrap()
        );
        assert_eq!(tab.rows("2", &sum).await, json!([["44999850000", "é"]]));
    }
    let names = "SELECT table_name FROM duckdb_tables() WHERE database_name = 'work' ORDER BY ALL";
    let expected = json!([["my_ducks"], ["my_ducks_2"], ["my_ducks_3"]]);
    assert_eq!(tab.rows("2", names).await, expected);

    // A result that is not complete runs once more, for all of its rows.
    let large = "SELECT range FROM range(1_000_010); -- all";
    let result = tab.run("3", large).await;
    let input =
        |sql: &str| json!({ "result": result["result"], "format": "csv", "sql": sql, "tab": "a" });
    let file = tab.call("download", input(large)).await;
    let content = tab
        .get(file["url"].as_str().unwrap())
        .await
        .text()
        .await
        .unwrap();
    assert_eq!(content.lines().count(), 1_000_011);
    let refused = tab.call("download", input("SELECT 1; SELECT 2")).await;
    assert_eq!(refused["error"]["kind"], "refused");

    // Files that are no data, and names that are no names.
    for (name, content, kind) in [
        ("x.parquet", "no", "sql"),
        ("x.json", "{", "sql"),
        ("x.exe", "no", "refused"),
        ("..%2F..%2Fetc%2Fpasswd", "no", "refused"),
    ] {
        let (_, answer) = tab.try_call(&format!("upload?name={name}"), content).await;
        assert_eq!(answer["error"]["kind"], kind, "{name}: {answer}");
        assert!(!answer.to_string().contains(path), "{answer}");
    }
    for url in [
        "/.duckbot/console/files/",
        "/.duckbot/console/files/..%2f..%2fetc%2fpasswd",
    ] {
        assert_eq!(tab.get(url).await.status(), 404, "{url}");
    }
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn the_page_and_its_files_come_from_the_door_alone() {
    let (_duckdb, door) = start().await;
    let tab = ConsoleTab::open(&door, "a").await;
    let page = tab.get("/.duckbot/console").await;
    let policy = page.headers()["content-security-policy"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(
        policy.starts_with("default-src 'self'; style-src 'self' 'nonce-"),
        "{policy}"
    );
    let again = tab.get("/.duckbot/console").await;
    assert_ne!(
        again.headers()["content-security-policy"],
        policy.as_str(),
        "a nonce per page"
    );
    assert_eq!(
        tab.get("/").await.text().await.unwrap().len(),
        page.text().await.unwrap().len()
    );
    for path in [
        "/assets/index.js",
        "/config",
        "/.duckbot/console/editor.js",
        "/.duckbot/x",
    ] {
        assert_eq!(tab.get(path).await.status(), 404, "{path}");
    }
    for path in ["/.duckbot/console", "/.duckbot/console/info"] {
        let answer = door.get(path).send().await.unwrap();
        assert_eq!(answer.status(), 401, "{path}");
    }
    let call = door
        .post("/.duckbot/console/databases", "{}")
        .send()
        .await
        .unwrap();
    assert_eq!(call.status(), 401);
    let elsewhere = format!(
        "POST /.duckbot/console/databases HTTP/1.1\r\nhost: {HOST}\r\norigin: {ORIGIN}.evil.example\r\n\
         content-length: 2\r\nconnection: close\r\n\r\n{{}}"
    );
    assert!(door.send_raw(&elsewhere).await.starts_with("HTTP/1.1 403"));
}

#[tokio::test]
async fn a_door_of_before_has_no_console() {
    let (_duckdb, port) = DuckDb::start_ui().await;
    let door = Door::start(port).await;
    let tab = ConsoleTab::open(&door, "a").await;
    assert_eq!(tab.get("/.duckbot/console").await.status(), 404);
}

#[tokio::test]
async fn without_duckdbs_pages_the_console_is_shown() {
    // Nobody listens at the proxy, so DuckDB can't fetch the pages.
    let (mut duckdb, port) = DuckDb::start_at_port().await;
    duckdb
        .run("SET GLOBAL http_proxy = '127.0.0.1:1'; CALL start_ui_server();")
        .await;
    let door = Door::start_with(port, &[("DOOR_UI", "auto")]).await;
    wait_until(async || door.readiness().await, |it| *it == 200).await;
    let tab = ConsoleTab::open(&door, "a").await;
    let page = tab.get("/").await;
    assert!(page.headers().contains_key("content-security-policy"));
    assert_eq!(page.status(), 200);
    assert_eq!(tab.call("info", json!({})).await["duckdb_ui"], false);
    let page = tab.get("/?ui=duckdb").await;
    assert_eq!(page.status(), 502);
    let page = page.text().await.unwrap();
    assert!(
        page.contains("The console works without these pages."),
        "{page}"
    );
}
