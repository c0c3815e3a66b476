//! Tests of the view: changes that arrive late, twice or not at all.

use discord_loopback::RestCall;
use serde_json::{Value, json};
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
        "Your DuckDB is ready again. It disappeared from the cluster",
    );
}

#[tokio::test]
async fn where_nothing_happens_no_watch_is_taken_for_broken() {
    let env = TestEnv::start_with(&[("DUCKBOT_KUBERNETES__WATCH_SILENCE", "10s")]).await;
    // The server has ended the first two watches without an event.
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
    let lists = asked("LIST", "pods");
    env.api.set_faults(move |call| {
        let is_watch = call.method == "WATCH" && call.route == "pods";
        is_watch.then(|| answer.clone())
    });
    env.api.cut_watches();
    env.delete_pod(&id).await;
    env.api.wait_for_call("LIST", "pods", lists + 1).await;
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
    env.api
        .set_faults(|call| match (call.method.as_str(), call.route.as_str()) {
            ("LIST", "pods") => Some(ApiFault::Body(bookmark(json!({
                "k8s.io/initial-events-end": "true",
            })))),
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

/// Event of a watch that says how far it is.
fn bookmark(annotations: Value) -> Value {
    let metadata = json!({ "resourceVersion": "1", "annotations": annotations });
    let object = json!({ "kind": "Pod", "apiVersion": "v1", "metadata": metadata });
    json!({ "type": "BOOKMARK", "object": object })
}

#[tokio::test]
async fn at_its_start_the_bot_reads_each_kind_of_object_in_one_call() {
    let mut env = TestEnv::start().await;
    let id = env.ready_session(&env.ana).await;
    env.kill_bot().await;
    let before = env.api.calls().len();
    env.start_bot().await;
    assert_says(&env.reply_to(&env.ana, "/duck list").await, &id);
    let calls = env.api.calls().split_off(before);
    let lists = calls.iter().filter(|it| is_list(it));
    let mut lists: Vec<_> = lists
        .map(|it| format!("{} {}", it.method, it.route))
        .collect();
    lists.sort();
    let kinds = ["configmaps", "events", "ingressroutes", "pods", "services"];
    // The bot lists one route to find out whether the cluster has this kind.
    let expected = kinds.map(|kind| format!("LIST {kind}"));
    assert_eq!(lists[1..], expected);
    assert_eq!(lists[0], "GET ingressroutes");
    env.assert_clean().await;
}

fn is_list(call: &RestCall) -> bool {
    call.method == "LIST" || call.method == "GET" && !call.route.contains("{name}")
}

/// The API servers of Kubernetes 1.33 refuse the option with this answer, unless their feature `WatchList` is on.
#[tokio::test]
async fn an_api_server_that_does_not_stream_lists_is_asked_for_pages() {
    let mut env = TestEnv::start().await;
    env.ready_session(&env.ana).await;
    env.kill_bot().await;
    let refusal = "ListOptions.meta.k8s.io \"\" is invalid: sendInitialEvents: Forbidden: \
        sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled";
    env.api.set_faults(
        move |call| match (call.method.as_str(), call.route.as_str()) {
            // A server, or a proxy before it, that ends the stream too early.
            ("LIST", "services") => Some(ApiFault::Body(bookmark(json!({})))),
            ("LIST", _) => Some(ApiFault::Answer(422, refusal.into())),
            _ => None,
        },
    );
    env.start_bot().await;
    assert_says(&env.reply_to(&env.ana, "/duck list").await, ": running,");
    assert!(!env.log().contains("a watch of the cluster failed"));
    // The watches that follow the lists show the end of each object.
    env.clean_up().await;
    env.assert_clean().await;
}
