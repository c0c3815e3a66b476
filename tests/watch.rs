//! The bot's view of the cluster: news that come late, twice, or not at all.

use duckbot::sandbox::discord::RestCall;
use serde_json::json;

use crate::support::{ApiFault, TestEnv, assert_says};

#[tokio::test]
async fn a_watch_that_looks_open_but_says_nothing_is_begun_anew() {
    let team = TestEnv::start_with(&[("DUCKBOT_KUBERNETES__WATCH_SILENCE", "2s")]).await;
    let id = team.ready_session(&team.ana).await;
    team.api.silence_watches();
    team.delete_pod(&id).await;
    assert_rescheduled(&team, &id).await;
}

/// The bot did not see why the Pod went, so the session starts again.
async fn assert_rescheduled(team: &TestEnv, session: &str) {
    team.cluster
        .wait_for_stage(&team.record_name(&team.ana, 0), "starting")
        .await;
    team.kubelet.mark_ready(session).await;
    let told = team.ana.read("#data").await;
    assert_says(
        &told,
        "Your DuckDB is ready again. It was gone from the cluster",
    );
}

#[tokio::test]
async fn where_nothing_happens_no_watch_is_taken_for_broken() {
    let team = TestEnv::start_with(&[("DUCKBOT_KUBERNETES__WATCH_SILENCE", "10s")]).await;
    // The first one ended without a word.
    team.api.wait_for_call("WATCH", "events", 2).await;
    assert!(!team.log().contains("a watch of the cluster broke"));
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
    let team = TestEnv::start().await;
    let id = team.ready_session(&team.ana).await;
    let asked = |method, route| {
        let same = move |call: &&RestCall| call.method == method && call.route == route;
        team.api.calls().iter().filter(same).count()
    };
    let lists = asked("GET", "pods");
    team.api.set_faults(move |call| {
        let is_watch = call.method == "WATCH" && call.route == "pods";
        is_watch.then(|| answer.clone())
    });
    team.api.cut_watches();
    team.delete_pod(&id).await;
    team.api.wait_for_call("GET", "pods", lists + 1).await;
    team.api.clear_faults();
    assert_rescheduled(&team, &id).await;
}

#[tokio::test]
async fn while_nothing_is_heard_the_list_says_since_when() {
    let mut team = TestEnv::start().await;
    let id = team.ready_session(&team.ana).await;
    team.api
        .set_faults(|_| Some(ApiFault::Answer(503, "the API server is ill".into())));
    team.api.cut_watches();
    team.bot()
        .wait_for_log_times("a watch of the cluster broke", 5)
        .await;
    let listed = team.reply_to(&team.ana, "/duck list").await;
    assert_says(&listed, &id);
    assert_says(&listed, "I have heard nothing of the cluster since <t:");
    team.api.clear_faults();
    team.bot().wait_for_log_times("works again", 5).await;
    let listed = team.reply_to(&team.ana, "/duck list").await;
    assert!(
        !listed.content.contains("heard nothing"),
        "{}",
        listed.content
    );
}

#[tokio::test]
async fn a_session_is_not_moved_because_its_pod_was_not_heard_of() {
    let mut team = TestEnv::start().await;
    let id = team.ready_session(&team.ana).await;
    team.kill_bot().await;
    assert_stale_list_is_shown(&mut team, &id).await;
}

#[tokio::test]
async fn a_session_that_was_moved_is_not_ended_because_its_pod_was_not_heard_of() {
    let mut team = TestEnv::start().await;
    let id = team.ready_session(&team.ana).await;
    team.kill_bot().await;
    let moved = json!({ "at": "2026-11-23T12:00:00Z", "failure": "evicted", "why": "drained" });
    let record = team.record_name(&team.ana, 0);
    team.cluster
        .edit_record(&record, |document| document["moved"] = moved)
        .await;
    assert_stale_list_is_shown(&mut team, &id).await;
}

async fn assert_stale_list_is_shown(team: &mut TestEnv, id: &str) {
    // As from an API server that lags behind.
    team.api.set_faults(|call| match (call.method.as_str(), call.route.as_str()) {
        ("GET", "pods") => Some(ApiFault::Body(json!({
            "kind": "PodList", "apiVersion": "v1", "metadata": { "resourceVersion": "1" }, "items": [],
        }))),
        ("WATCH", "pods") => Some(ApiFault::Hang(std::time::Duration::from_secs(60))),
        _ => None,
    });
    team.start_bot().await;
    team.api.wait_for_call("GET", "pods/{name}", 2).await;
    assert_eq!(
        team.cluster.objects().await,
        team.session_objects(&team.ana, 0, id)
    );
    team.api.clear_faults();
    let listed = team.reply_to(&team.ana, "/duck list").await;
    assert_says(&listed, id);
}
