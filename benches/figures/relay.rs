//! A large result through the door, against a relay that only copies bytes.

use std::time::{Duration, Instant};

use test_support::{Door, DuckDb, UiClient};
use tokio::{
    io::copy_bidirectional_with_sizes,
    net::{TcpListener, TcpStream},
};

use super::{
    stats::time_stats,
    table::{Aim, Row},
};

const ROUNDS: usize = 31;
/// About 100 MB.
const LARGE: &str = "SELECT repeat('x', 1000) AS x FROM range(100_000)";
/// Size of the relay's buffers. It is the door's.
const BUFFER: usize = 256 << 10;

pub async fn rows() -> Vec<Row> {
    let (_duckdb, port) = DuckDb::start_ui().await;
    let door = Door::start(port).await;
    let through = door.ui(&door.admit().await);
    let relayed = UiClient::at(relay(port), port);
    let (mut ours, mut floor, mut bytes) = (Vec::new(), Vec::new(), 0);
    for _ in 0..ROUNDS {
        floor.push(time_query(&relayed).await.0);
        let (time, length) = time_query(&through).await;
        ours.push(time);
        bytes = length;
    }
    let megabytes = |milliseconds: f64| bytes as f64 / 1000.0 / milliseconds;
    let (ours, floor) = (time_stats(&ours), time_stats(&floor));
    vec![Row {
        what: "door: a result of 100 MB, against a relay that only copies bytes",
        aim: "at least 0.95 of its rate",
        floor: format!("{:.0} MB/s", megabytes(floor.median)),
        ours: format!("{:.0} MB/s", megabytes(ours.median)),
        p95: String::new(),
        figure: floor.median / ours.median,
        is_ratio: true,
        limits: Aim::Over(&[0.95]),
    }]
}

/// Starts a relay on its own thread. Returns its port.
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
                    copy_bidirectional_with_sizes(&mut near, &mut far, BUFFER, BUFFER).await
                });
            }
        })
    });
    port
}

async fn time_query(ui: &UiClient) -> (Duration, usize) {
    let begin = Instant::now();
    let length = ui.answer_length(LARGE).await;
    (begin.elapsed(), length)
}
