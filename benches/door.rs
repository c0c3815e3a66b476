//! Cost of the door for a small query, compared with direct access to DuckDB (the floor) in the same run, and its
//! memory. `cargo bench --bench figures -- relay` measures a large result.
//! `cargo bench --bench door`
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use test_support::{Door, DuckDb, UiClient};

const ROUNDS: usize = 400;
/// About 100 MB.
const LARGE: &str = "SELECT repeat('x', 1000) AS x FROM range(100_000)";

#[tokio::main]
async fn main() {
    let (_duckdb, port) = DuckDb::start_ui().await;
    let begin = Instant::now();
    let door = Door::start(port).await;
    let listening = begin.elapsed();
    let through = door.ui(&door.admit().await);
    let straight = UiClient::at(port, port);
    let idle = door.memory();

    let (mut with, mut without) = (Vec::new(), Vec::new());
    // Measured in turns, so that both see the same load of the machine.
    for _ in 0..ROUNDS {
        without.push(time_query(&straight).await);
        with.push(time_query(&through).await);
    }
    let (with, without) = (median(with), median(without));
    let ratio = with.as_secs_f64() / without.as_secs_f64();
    println!(
        "a small query: direct {without:.2?}, through the door {with:.2?}, {ratio:.2} times as long"
    );

    let mut most = idle;
    let mut streams = std::pin::pin!(through.answer_length(LARGE));
    loop {
        tokio::select! {
            _ = &mut streams => break,
            () = tokio::task::yield_now() => most = most.max(door.memory()),
        }
    }
    println!("memory: {idle} KiB idle, at most {most} KiB while streaming");
    println!("time until the door listens: {listening:.0?}");
}

async fn time_query(ui: &UiClient) -> Duration {
    let begin = Instant::now();
    ui.answer_length("SELECT 42").await;
    begin.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
