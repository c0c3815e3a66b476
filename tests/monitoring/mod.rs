//! Monitoring (`deploy/chart/monitoring`): alerts, and the dashboard. A real Prometheus reads a bot. The tests of
//! `deploy` apply the objects to a cluster with the kinds of the Prometheus operator.

mod alerts;
mod cases;
mod dashboard;

use std::process::Stdio;

use serde_json::Value;
use test_support::{Prometheus, tools, wait_until};
use tokio::{io::AsyncWriteExt, process::Command};

use crate::admin;

/// The rules, as Prometheus reads them from a file.
fn rules() -> Value {
    let object: Value =
        serde_saphyr::from_str(include_str!("../../deploy/chart/monitoring/rules.yaml")).unwrap();
    object["spec"].clone()
}

/// Runs a program with this input. Returns its output, and whether it succeeded.
async fn run(program: &mut Command, input: &str) -> (bool, String) {
    let mut tool = program
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut keyboard = tool.stdin.take().unwrap();
    keyboard.write_all(input.as_bytes()).await.unwrap();
    drop(keyboard);
    let said = tool.wait_with_output().await.unwrap();
    let words = String::from_utf8_lossy(&said.stderr) + String::from_utf8_lossy(&said.stdout);
    (said.status.success(), words.into_owned())
}

#[tokio::test]
async fn prometheus_reads_a_healthy_bot_and_fills_the_dashboard() {
    let (env, url) = admin::env().await;
    env.ready_session(&env.ana).await;
    let prometheus = Prometheus::start(&url, &rules().to_string());

    let (_, metrics) = admin::get(&url, "/metrics").await;
    let mut promtool = Command::new(tools::prometheus().join("promtool"));
    let checked = run(promtool.args(["check", "metrics"]), &metrics).await;
    assert_eq!(checked, (true, String::new()));

    // All rules were evaluated, and none has an error.
    let evaluated = async || {
        let answer = prometheus.get("rules", &[]).await;
        let answer = answer.unwrap_or_default();
        let rules = answer["groups"][0]["rules"].as_array().cloned();
        rules.unwrap_or_default()
    };
    let is_done = |rules: &Vec<Value>| {
        let mut rules = rules.iter();
        rules.len() > 0 && rules.all(|rule| rule["health"] != "unknown")
    };
    for rule in wait_until(evaluated, is_done).await {
        assert_eq!(rule["health"], "ok", "{rule}");
    }

    dashboard::assert_filled(&prometheus).await;
    // At its start, Prometheus had not read the bot's metrics yet.
    let alerts = async || prometheus.get("alerts", &[]).await.unwrap()["alerts"].clone();
    wait_until(alerts, |it| it == &serde_json::json!([])).await;
    env.assert_clean().await;
}
