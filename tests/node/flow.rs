//! More than DuckDB's threads can do at once, in a Pod.

use futures_util::future::join_all;
use k8s_openapi::api::core::v1::PodCondition;
use test_support::{TestEnv, assert_says, wait_until};

use super::pod;
use crate::door::flow::Query;

#[tokio::test]
async fn a_busy_session_stays_ready_and_each_query_can_be_interrupted() {
    let Some(env) = TestEnv::start_on_node(&[]).await else {
        return;
    };
    let id = env.ready_session(&env.ana).await;
    env.wait_until_prepared(&id).await;
    let ui = env.open_ui(&env.ana, &id).await;
    let before = readiness(&env, &id).await;
    let _tabs = join_all((0..8).map(|_| ui.open_tab())).await;
    let mut queries: Vec<_> = (0..12).map(|it| Query::send(&ui, it)).collect();

    let status = async || env.reply_to(&env.ana, "/duck status").await.content;
    let full = "4 running queries, 8 waiting, 8 open browser tabs.";
    wait_until(status, |it| it.contains(full)).await;
    assert_eq!(ui.tokenize("SELECT 42").await, 200);
    for query in &mut queries {
        query.interrupt().await;
    }
    ui.run_sql("SELECT 42").await.unwrap();

    // Its last change is from before, so the Pod was ready throughout.
    let after = readiness(&env, &id).await;
    assert_eq!(after.status, "True");
    assert_eq!(after.last_transition_time, before.last_transition_time);
    let status = env.reply_to(&env.ana, "/duck status").await;
    assert_says(&status, "Activity: no running query (last query ended <t:");
    env.assert_clean().await;
}

/// Readiness of a session's Pod, as the kubelet reports it.
async fn readiness(env: &TestEnv, session: &str) -> PodCondition {
    let status = pod(env, session).await.status.unwrap();
    let conditions = status.conditions.unwrap_or_default();
    let ready = conditions.into_iter().find(|it| it.type_ == "Ready");
    ready.expect("the kubelet reports the readiness")
}
