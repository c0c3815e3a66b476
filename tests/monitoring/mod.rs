//! Monitoring (`deploy/chart/monitoring`): alerts, and the dashboard. A real Prometheus reads a bot. The tests of
//! `deploy` apply the objects to a cluster with the kinds of the Prometheus operator.

mod alerts;
mod cases;
mod dashboard;

use std::process::Stdio;

use serde_json::Value;
use test_support::{ApiEnv, ApiFault, Prometheus, tools, wait_until};
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
    let work = ("DUCKBOT_CATALOGS__LAKE__WORK", "s3://lake/duckbot/");
    let env = admin::env_without_bot(&[work]).await;
    let mut api_env = ApiEnv::start_with_env(env).await;
    let url = admin::admin_url(api_env.env.bot()).await;
    api_env.env.ready_session(&api_env.env.ana).await;
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

    // At its start, Prometheus had not read the bot's metrics yet.
    let alerts = async || prometheus.get("alerts", &[]).await.unwrap()["alerts"].clone();
    wait_until(alerts, |it| it == &serde_json::json!([])).await;
    make_all_happen(&api_env).await;
    dashboard::assert_filled(&prometheus).await;
    let unsaved = "duckbot_saves_total{outcome=\"failed\"} > 0";
    assert_ne!(prometheus.query(unsaved).await, Ok(Vec::new()));
    api_env.assert_clean().await;
}

/// Makes happen what is counted, also what is only counted after a failure. Ana has a session.
async fn make_all_happen(api_env: &ApiEnv) {
    let env = &api_env.env;
    assert_eq!(api_env.get("/sessions", &api_env.ana).await.0, 200);
    // Her session can't be told to save its work, because no DuckDB runs in its Pod.
    env.stop_session(&env.ana).await;
    let query = env.ana.run_command("#data", "/duck tables").await.unwrap();
    let runner = async || env.cluster.documents().await;
    let records = wait_until(runner, |it| it.len() == 1).await;
    let runner = records[0]["id"].as_str().unwrap();
    env.kubelet.mark_ready(runner).await;
    query.until(|it| it.content.contains("Reference: ")).await;
    env.kubelet.mark_failed(runner, "out of luck").await;
    env.api.set_faults(|call| {
        let is_pod = call.method == "POST" && call.route == "pods";
        is_pod.then(|| ApiFault::Answer(403, "pods \"x\" is forbidden: no".into()))
    });
    env.cluster.store_credentials(env.ben.id()).await;
    let (refused, _) = env.start_session(&env.ben, "").await;
    refused
        .until(|it| it.content.contains("could not be created"))
        .await;
    env.api.set_faults(|call| {
        let is_watch = ["LIST", "WATCH"].contains(&&*call.method);
        (is_watch && call.route == "pods").then(|| ApiFault::Answer(503, "not now".into()))
    });
    env.api.cut_watches();
    env.wait_for_log("a watch of the cluster failed").await;
    env.api.clear_faults();
    env.mark_all_read().await;
}
