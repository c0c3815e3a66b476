//! Cost of the door, compared with direct access to DuckDB (the floor) in the same run.
//! `cargo bench --bench door`
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use test_support::{Door, DuckDb, UiClient};
use tokio::{
    io::copy_bidirectional_with_sizes,
    net::{TcpListener, TcpStream},
};

const ROUNDS: usize = 400;
const LARGE_ROUNDS: usize = 31;
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
        without.push(time_query(&straight, "SELECT 42").await.0);
        with.push(time_query(&through, "SELECT 42").await.0);
    }
    report("a small query", median(with), median(without));

    let relayed = UiClient::at(relay(port), port);
    let (mut with, mut without, mut by_relay, mut bytes) = (vec![], vec![], vec![], 0);
    for _ in 0..LARGE_ROUNDS {
        without.push(time_query(&straight, LARGE).await.0);
        by_relay.push(time_query(&relayed, LARGE).await.0);
        let (time, length) = time_query(&through, LARGE).await;
        with.push(time);
        bytes = length;
    }
    let large = format!("{} MB", bytes / 1_000_000);
    let without = median(without);
    report(&large, median(with), without);
    report(
        &format!("{large}, through a bare TCP relay instead"),
        median(by_relay),
        without,
    );

    // Measuring memory takes time, so it has its own round.
    let mut most = idle;
    let mut streams = std::pin::pin!(time_query(&through, LARGE));
    loop {
        tokio::select! {
            _ = &mut streams => break,
            () = tokio::task::yield_now() => most = most.max(door.memory()),
        }
    }
    println!("memory: {idle} KiB idle, at most {most} KiB while streaming");
    println!("time until the door listens: {listening:.0?}");
}

/// Starts a relay that only copies bytes, on its own thread. Returns its port. It shows the minimum
/// cost of one more process in the path.
fn relay(to: u16) -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .unwrap();
    std::thread::spawn(move || {
        runtime.block_on(async {
            let listener = TcpListener::from_std(listener).unwrap();
            loop {
                let (mut near, _) = listener.accept().await.unwrap();
                let mut far = TcpStream::connect(("localhost", to)).await.unwrap();
                tokio::spawn(async move {
                    copy_bidirectional_with_sizes(&mut near, &mut far, 256 << 10, 256 << 10).await
                });
            }
        })
    });
    port
}

async fn time_query(ui: &UiClient, sql: &str) -> (Duration, usize) {
    let begin = Instant::now();
    let length = ui.answer_length(sql).await;
    (begin.elapsed(), length)
}

fn report(what: &str, with: Duration, without: Duration) {
    let ratio = with.as_secs_f64() / without.as_secs_f64();
    println!("{what}: direct {without:.2?}, through the door {with:.2?}, {ratio:.2} times as long");
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
