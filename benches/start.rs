//! Time until DuckDB's UI answers: in a session, and without one (the floor).
//! `cargo bench --bench start`
#![allow(clippy::unwrap_used)]

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use test_support::{ReservedPort, Session, UiClient, lake, tools};
use tokio::process::Command;

const ROUNDS: usize = 11;

#[tokio::main]
async fn main() {
    lake().s3.add_key("AKIAQUICK", "a-quick-secret");
    let (mut bare, mut ours) = (Vec::new(), Vec::new());
    // Measured in turns, so that both see the same load of the machine.
    for _ in 0..ROUNDS {
        bare.push(bare_start().await);
        let begin = Instant::now();
        let session = Session::start("AKIAQUICK", "a-quick-secret");
        session.wait_for_ui().await;
        ours.push(begin.elapsed());
    }
    let [bare, ours] = [bare, ours].map(median);
    let ratio = ours.as_secs_f64() / bare.as_secs_f64();
    println!("UI answers: bare DuckDB {bare:.0?}, session {ours:.0?}, {ratio:.2} times as long");
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

async fn bare_start() -> Duration {
    let port = ReservedPort::reserve().number();
    let home = tempfile::TempDir::new().unwrap();
    std::fs::create_dir(home.path().join(".duckdb")).unwrap();
    let sql = format!(
        "SET extension_directory = '{}'; SET ui_local_port = {port}; LOAD ui; CALL start_ui_server();",
        tools::duckdb().join("extensions").display(),
    );
    let begin = Instant::now();
    let _running = Command::new(tools::duckdb().join("duckdb"))
        .env("HOME", home.path())
        .args(["-init", "/dev/null", "-cmd", &sql])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    assert!(UiClient::at(port, port).is_answering().await);
    begin.elapsed()
}
