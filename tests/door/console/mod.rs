//! The console: what its page asks, answered from a real DuckDB.

mod attacks;
mod files;
mod page;
mod results;
mod statements;
mod tables;
mod types;

use serde_json::{Value, json};
use test_support::{Door, DuckDb, UiClient};

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
