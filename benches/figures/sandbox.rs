//! Time from `/duck start` to the first result through the door, on one machine as in the sandbox.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use test_support::{LocalEnv, ReservedPort, UiClient, link_of, tools};
use tokio::process::Command;

use super::{
    stats::time_stats,
    table::{Aim, Row},
};

const ROUNDS: usize = 11;

async fn time_one(home: &LocalEnv) -> Duration {
    let begin = Instant::now();
    let asked = home.ana.run_command("#data", "/duck start").await.unwrap();
    asked
        .until(|reply| reply.content.contains("is ready"))
        .await;
    let opened = home.ana.run_command("#data", "/duck open").await.unwrap();
    let link = link_of(&opened.reply().await, "Open DuckDB");
    let door = &link[..link.find("/.duckbot").unwrap()];
    let port = door.rsplit(':').next().unwrap();
    let ui = UiClient::enter(&link, &format!("http://127.0.0.1:{port}")).await;
    assert_eq!(ui.rows("SELECT 42 AS x").await.unwrap()[0]["x"], 42);
    let took = begin.elapsed();

    let asked = home.ana.run_command("#data", "/duck stop").await.unwrap();
    let pressed = home
        .ana
        .press(&asked.reply().await, "Stop it")
        .await
        .unwrap();
    pressed
        .until(|reply| reply.content.contains("is stopped"))
        .await;
    home.wait_until_empty().await;
    took
}

/// Starts DuckDB's command line with its UI. Returns the time until the first result.
async fn bare() -> Duration {
    let port = ReservedPort::reserve().number();
    let home = tempfile::TempDir::new().unwrap();
    std::fs::create_dir(home.path().join(".duckdb")).unwrap();
    let extensions = tools::duckdb().join("extensions");
    let sql = format!(
        "SET extension_directory = '{}'; SET ui_local_port = {port}; LOAD ui; CALL start_ui_server();",
        extensions.display(),
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
    let ui = UiClient::at(port, port);
    assert!(ui.is_answering().await);
    assert_eq!(ui.rows("SELECT 42 AS x").await.unwrap()[0]["x"], 42);
    begin.elapsed()
}

pub async fn rows() -> Vec<Row> {
    let mut home = LocalEnv::start().await;
    home.skip_end_check();
    home.variables
        .insert("DUCKBOT_LOG__FILTER".into(), "info".into());
    home.restart_bot().await;
    home.enter_credentials(&home.ana.clone()).await;
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        without.push(bare().await);
        with.push(time_one(&home).await);
    }
    let (with, without) = (time_stats(&with), time_stats(&without));
    vec![Row {
        what: "sandbox: from `/duck start` to the first result",
        aim: "under 1.5 s",
        floor: format!("{:.0} ms", without.median),
        ours: format!("{:.0} ms", with.median),
        p95: format!("{:.0} ms", with.p95),
        figure: with.median / 1000.0,
        is_ratio: false,
        limits: Aim::Under(&[1.5]),
    }]
}
