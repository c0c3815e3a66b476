//! Time to the first rows of a large result in the console, against DuckDB's UI server without a door.

use std::time::{Duration, Instant};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::json;
use test_support::{ConsoleTab, Door, DuckDb};

use super::{
    stats::time_stats,
    table::{Aim, Row},
};

const ROUNDS: usize = 7;
const ROWS: usize = 1_000_000;

/// A result of a million rows and 20 columns.
fn query() -> String {
    let columns: Vec<_> = (1..20).map(|at| format!("range + {at} AS c{at}")).collect();
    format!("SELECT range, {} FROM range({ROWS})", columns.join(", "))
}

/// DuckDB, without the door.
struct Floor {
    port: u16,
    client: reqwest::Client,
}

impl Floor {
    /// Runs the query as DuckDB's UI does: with the result in a table, and its first rows in the answer.
    async fn time_one(&self) -> Duration {
        let url = format!("http://localhost:{}/ddb/run", self.port);
        let request = |sql: String| {
            let origin = format!("http://localhost:{}", self.port);
            self.client.post(&url).header("origin", origin).body(sql)
        };
        let name = |name: &str| BASE64_STANDARD.encode(name);
        let begin = Instant::now();
        let answer = request(query())
            .header("x-duckdb-ui-result-database-name", name("memory"))
            .header("x-duckdb-ui-result-schema-name", name("main"))
            .header("x-duckdb-ui-result-table-name", name("floor"))
            .header("x-duckdb-ui-result-row-limit", "200");
        let answer = answer.send().await.unwrap().bytes().await.unwrap();
        let took = begin.elapsed();
        assert!(answer.len() > 10_000, "{answer:?}");
        let dropped = request("DROP TABLE memory.main.floor".to_owned());
        dropped.send().await.unwrap().bytes().await.unwrap();
        took
    }
}

pub async fn rows() -> Vec<Row> {
    let (_duckdb, port) = DuckDb::start_ui().await;
    let door = Door::start_with(port, &[("DOOR_UI", "console")]).await;
    let tab = ConsoleTab::open(&door, "figures").await;
    let floor = Floor {
        port,
        client: reqwest::Client::builder().no_proxy().build().unwrap(),
    };
    let (mut with, mut without, mut middle) = (vec![], vec![], vec![]);
    for _ in 0..ROUNDS {
        without.push(floor.time_one().await);
        let begin = Instant::now();
        let answer = tab.run("one", &query()).await;
        with.push(begin.elapsed());
        assert_eq!(answer["rows"], ROWS, "{answer}");
        let begin = Instant::now();
        let body = json!({ "result": answer["result"], "from": ROWS / 2, "count": 200 });
        let page = tab.call("rows", body).await;
        middle.push(begin.elapsed());
        assert_eq!(page["rows"][0][0], (ROWS / 2).to_string());
    }
    let middle = time_stats(&middle);
    vec![
        Row::of_times(
            "console: first rows of 1,000,000 × 20",
            ("at most 1.3", &[1.3]),
            &[with, without],
        ),
        Row {
            what: "console: 200 rows in the middle of it",
            aim: "measured only",
            floor: String::new(),
            ours: format!("{:.0} ms", middle.median),
            p95: format!("{:.0} ms", middle.p95),
            figure: 0.0,
            is_ratio: false,
            limits: Aim::None,
        },
    ]
}
