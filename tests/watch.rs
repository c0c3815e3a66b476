//! Tests of the view: changes that arrive late, twice or not at all.

use discord_loopback::RestCall;
use serde_json::json;
use test_support::{ApiFault, TestEnv, assert_says};

#[tokio::test]
async fn a_watch_that_looks_open_but_is_silent_is_restarted() {
    let env = TestEnv::start_with(&[("DUCKBOT_KUBERNETES__WATCH_SILENCE", "2s")]).await;
    let id = env.ready_session(&env.ana).await;
    env.api.silence_watches();
    env.delete_pod(&id).await;
    assert_rescheduled(&env, &id).await;
    env.assert_clean().await;
}

/// Checks that the session was rescheduled because the bot did not see why its Pod is gone.
async fn assert_rescheduled(env: &TestEnv, session: &str) {
    env.cluster
        .wait_for_stage(&env.record_name(&env.ana, 0), "starting")
        .await;
    env.kubelet.mark_ready(session).await;
    let told = env.ana.read("#data").await;
    assert_says(
        &told,
        "Your DuckDB is ready again. Its Pod disappeared from the cluster",
    );
}

#[tokio::test]
async fn where_nothing_happens_no_watch_is_taken_for_broken() {
    let env = TestEnv::start_with(&[("DUCKBOT_KUBERNETES__WATCH_SILENCE", "10s")]).await;
    // The server has ended the first watch without an event.
    env.api.wait_for_call("WATCH", "events", 2).await;
    assert!(!env.log().contains("a watch of the cluster failed"));
    env.assert_clean().await;
}

#[tokio::test]
async fn a_watch_that_is_too_old_begins_with_a_list() {
    let words = "too old resource version: 1 (2)";
    assert_relists(ApiFault::Answer(410, words.into())).await;
}

#[tokio::test]
async fn a_watch_that_becomes_too_old_begins_with_a_list() {
    let status = json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": "too old resource version: 1 (2)", "reason": "Expired", "code": 410 });
    assert_relists(ApiFault::Body(json!({ "type": "ERROR", "object": status }))).await;
}

async fn assert_relists(answer: ApiFault) {
    let env = TestEnv::start().await;
    let id = env.ready_session(&env.ana).await;
    let asked = |method, route| {
        let same = move |call: &&RestCall| call.method == method && call.route == route;
        env.api.calls().iter().filter(same).count()
    };
    let lists = asked("GET", "pods");
    env.api.set_faults(move |call| {
        let is_watch = call.method == "WATCH" && call.route == "pods";
        is_watch.then(|| answer.clone())
    });
    env.api.cut_watches();
    env.delete_pod(&id).await;
    env.api.wait_for_call("GET", "pods", lists + 1).await;
    env.api.clear_faults();
    assert_rescheduled(&env, &id).await;
    env.assert_clean().await;
}

#[tokio::test]
async fn while_nothing_is_heard_the_list_says_since_when() {
    let mut env = TestEnv::start().await;
    let id = env.ready_session(&env.ana).await;
    env.api
        .set_faults(|_| Some(ApiFault::Answer(503, "the API server is ill".into())));
    env.api.cut_watches();
    env.bot()
        .wait_for_log_times("a watch of the cluster failed", 5)
        .await;
    let listed = env.reply_to(&env.ana, "/duck list").await;
    assert_says(&listed, &id);
    assert_says(&listed, "The last update from the cluster came <t:");
    env.api.clear_faults();
    env.bot().wait_for_log_times("works again", 5).await;
    let listed = env.reply_to(&env.ana, "/duck list").await;
    assert!(
        !listed.content.contains("last update from the cluster"),
        "{}",
        listed.content
    );
    env.assert_clean().await;
}

#[tokio::test]
async fn a_session_is_not_moved_because_its_pod_was_not_heard_of() {
    let mut env = TestEnv::start().await;
    let id = env.ready_session(&env.ana).await;
    env.kill_bot().await;
    assert_stale_list_is_shown(&mut env, &id).await;
    env.assert_clean().await;
}

async fn assert_stale_list_is_shown(env: &mut TestEnv, id: &str) {
    // Answer like an API server whose data is stale.
    env.api.set_faults(|call| match (call.method.as_str(), call.route.as_str()) {
        ("GET", "pods") => Some(ApiFault::Body(json!({
            "kind": "PodList", "apiVersion": "v1", "metadata": { "resourceVersion": "1" }, "items": [],
        }))),
        ("WATCH", "pods") => Some(ApiFault::Hang(std::time::Duration::from_secs(60))),
        _ => None,
    });
    env.start_bot().await;
    env.api.wait_for_call("GET", "pods/{name}", 2).await;
    assert_eq!(
        env.cluster.objects().await,
        env.session_objects(&env.ana, 0, id)
    );
    env.api.clear_faults();
    let listed = env.reply_to(&env.ana, "/duck list").await;
    assert_says(&listed, id);
}
