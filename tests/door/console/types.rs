//! Values of all types.

use std::process::Command;

use serde_json::{Value, json};
use test_support::{ConsoleTab, tools};

use super::start;

/// Rows of a query as DuckDB's command line shows them.
fn shown(query: &str) -> Value {
    let [value, row, null] = ["\x1f", "\x1e", "\x1d"];
    let output = Command::new(tools::duckdb().join("duckdb"))
        .args(["-list", "-noheader", "-separator", value, "-newline", row])
        .args(["-nullvalue", null, "-c", query])
        .output()
        .unwrap();
    assert!(output.status.success(), "{query}: {output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let rows = text.split_terminator(row).map(|row| {
        let values = row.split(value);
        values
            .map(|it| (it != null).then(|| it.to_owned()))
            .collect::<Vec<_>>()
    });
    json!(rows.collect::<Vec<_>>())
}

#[tokio::test]
async fn every_type_looks_as_in_the_command_line() {
    let (_duckdb, door) = start().await;
    let tab = ConsoleTab::open(&door, "a").await;
    for value in [
        "COLUMNS(*)",
        "[COLUMNS(*)]",
        "array_value(COLUMNS(*), NULL)",
        "{'k': COLUMNS(*), 'a b': NULL}",
        "map {'k': COLUMNS(*)}",
        "union_value(k := COLUMNS(*))",
        "COLUMNS(*)::VARIANT",
    ] {
        let query = format!("SELECT {value} FROM test_all_types()");
        let result = tab.run("1", &query).await;
        let columns = result["columns"].as_array().unwrap();
        assert!(columns.len() > 50, "{value}");
        assert_eq!(result["first"], shown(&query), "{value}");
    }
    let query = "SELECT '[1, null]'::JSON, TIMESTAMPTZ '2020-01-01 00:00:00+05', 'nan'::FLOAT, 1e300, \
                 '-infinity'::DATE, INTERVAL '-1 month 3 seconds', x'00ff', 12::BIT, -0.0, ''";
    assert_eq!(tab.rows("1", query).await, shown(query));
}
