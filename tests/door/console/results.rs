//! Results: large ones, hostile ones, and their charts.

use serde_json::{Value, json};
use test_support::ConsoleTab;

use super::{rows, start, start_with};

#[tokio::test]
async fn large_results_come_in_parts() {
    let (_duckdb, door) = start().await;
    let tab = ConsoleTab::open(&door, "a").await;
    let columns: Vec<_> = (0..17).map(|it| format!("i + {it} AS c{it}")).collect();
    let million = format!(
        "SELECT range AS i, 'row ' || i AS s, (i % 7)::VARCHAR AS r, {} FROM range(1_000_000)",
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

    // A chart shows all rows.
    let choice = json!({ "kind": "bar", "along": 2, "numbers": [0], "series": null });
    let chart = json!({ "result": result["result"], "choice": choice, "format": "svg" });
    let chart = tab.call("chart", chart).await;
    let alt = chart["alt"].as_str().unwrap();
    assert!(
        alt.starts_with("Bars of i by r: 0 71,428,928,571, 6 "),
        "{alt}"
    );

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

    // The last rows have the largest numbers, and names that differ at their end only.
    let many = tab
        .run(
            "2",
            "SELECT repeat('é', 100) || i AS name, i::HUGEINT * 10::HUGEINT ** 32 AS n, \
             'line ' || i AS line, DATE '2024-01-01' + (i // 100_000)::INTEGER AS day \
             FROM range(200_000) t(i)",
        )
        .await;
    let choice = json!({ "kind": "bar", "along": 0, "numbers": [1], "series": null });
    let bars = draw(&many, choice, "svg").await;
    assert!(
        bars["alt"].as_str().unwrap().contains("1.99999e+37"),
        "{bars}"
    );
    let notes = bars["notes"].to_string();
    assert!(
        notes.contains("know only the 50000 largest bars"),
        "{notes}"
    );
    let choice = json!({ "kind": "line", "along": 3, "numbers": [1], "series": 2 });
    let lines = draw(&many, choice, "svg").await;
    assert!(
        lines["alt"].as_str().unwrap().contains("2024-01-02"),
        "{lines}"
    );
    let notes = lines["notes"].to_string();
    assert!(notes.contains("There are more than 99 lines"), "{notes}");
    let few = tab
        .run(
            "2",
            "SELECT repeat('é', 100) || i AS name, ('1' || repeat('0', 95 + i))::BIGNUM AS n \
             FROM range(20) t(i)",
        )
        .await;
    let choice = json!({ "kind": "bar", "along": 0, "numbers": [1], "series": null });
    let bars = draw(&few, choice, "svg").await;
    let notes = bars["notes"].to_string();
    assert!(notes.contains("The chart lacks 15 rows"), "{notes}");
    let own = tab
        .run(
            "2",
            "SELECT i AS \"duckbot row\", i AS c1, i AS t, rowid_ AS place, i // 10_000 AS part FROM \
             (SELECT range AS i, range AS rowid_ FROM range(60_000))",
        )
        .await;
    let choice = json!({ "kind": "line", "along": null, "numbers": [0], "series": null });
    let line = draw(&own, choice, "svg").await;
    assert!(line["alt"].as_str().unwrap().contains("row"), "{line}");
    // Numbers of the same place are added up, not their averages.
    let choice = json!({ "kind": "line", "along": 4, "numbers": [1], "series": null });
    let line = draw(&own, choice, "svg").await;
    let alt = line["alt"].as_str().unwrap();
    assert!(alt.contains("highest 549,995,000 at 5"), "{line}");

    // A person's order is not the console's.
    tab.run("3", "SET GLOBAL default_order = 'DESC'").await;
    let page = tab.call("rows", rows(&own, 1, 2)).await;
    assert_eq!(
        page["rows"],
        json!([["1", "1", "1", "1", "0"], ["2", "2", "2", "2", "0"]])
    );
}
