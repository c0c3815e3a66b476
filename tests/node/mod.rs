//! Sessions on a real node: kubelet, container runtime, scheduler and DuckDB are real, and so are
//! their failures.

mod additions;
mod clients;
mod door;
mod failures;
mod flow;
mod ipv6;
mod kept;
mod life;
mod recovery;
mod shipped;
mod status;
pub mod tables;

use discord_loopback::{Interaction, MessageView};
use futures_util::TryStreamExt;
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{
    Api,
    api::{ApiResource, AttachParams, DynamicObject, GroupVersionKind, PostParams},
};
use serde_json::Value;
use std::sync::{Arc, Mutex};
use test_support::{TestEnv, assert_says};
use tokio::task::JoinHandle;

/// Setting of the session image. The tests' images differ in behaviour.
const IMAGE: &str = "DUCKBOT_SESSIONS__IMAGE";

/// Pod of a session, read by a cluster admin.
async fn pod(env: &TestEnv, session: &str) -> Pod {
    env.cluster
        .pods()
        .get(&format!("duckui-{session}"))
        .await
        .unwrap()
}

/// Number of container restarts in a session's Pod.
async fn restart_count(env: &TestEnv, session: &str) -> i32 {
    let status = pod(env, session).await.status.unwrap();
    let containers = status.container_statuses.into_iter().flatten();
    containers.map(|it| it.restart_count).sum()
}

/// Runs a command in DuckDB's container.
async fn exec(env: &TestEnv, session: &str, command: &[&str]) {
    let params = AttachParams::default().container("duckdb").stderr(false);
    let (pods, name) = (env.cluster.pods(), format!("duckui-{session}"));
    let process = pods.exec(&name, command.iter().copied(), &params);
    let ended = process.await.unwrap().take_status().unwrap().await.unwrap();
    assert_eq!(ended.status.as_deref(), Some("Success"), "{ended:?}");
}

/// Creates an object in the sessions' namespace.
async fn create_object(env: &TestEnv, object: Value) {
    let text = |name: &str| object[name].as_str().unwrap();
    let resource = resource(text("apiVersion"), text("kind"));
    let objects: Api<DynamicObject> =
        Api::namespaced_with(env.cluster.admin.clone(), &env.cluster.sessions, &resource);
    let object = serde_json::from_value(object.clone()).unwrap();
    objects
        .create(&PostParams::default(), &object)
        .await
        .unwrap();
}

fn resource(version: &str, kind: &str) -> ApiResource {
    let (group, version) = version.split_once('/').unwrap_or(("", version));
    ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind))
}

/// Starts a session of Ana that will fail, and waits for its end.
///
/// If `kubectl` is `Some`, an admin must have seen this reason in the Pod's status; otherwise no
/// reason at all. Returns the last private reply, and the ending in her record. Checks that no
/// object is left.
async fn start_and_fail(env: &TestEnv, kubectl: Option<&str>) -> (MessageView, Value) {
    let recorder = StatusRecorder::of(env);
    env.cluster.store_credentials(env.ana.id()).await;
    // Start waiting before the command, because a rejected session is soon gone.
    let record = env.record_name(&env.ana, 0);
    let (ending, (asked, _)) = tokio::join!(
        env.cluster.wait_for_ending(&record),
        env.start_session(&env.ana, "")
    );
    let end = (wait_for_last_reply(env, &asked).await, ending);
    let read = recorder.reasons();
    match kubectl {
        Some(reason) => assert!(read.iter().any(|it| it == reason), "{reason}: {read:?}"),
        None => assert_eq!(read, [""; 0]),
    }
    end
}

/// Waits for the end of a session that was already started. Returns the same as [`start_and_fail`].
async fn wait_for_failure(env: &TestEnv, asked: &Interaction) -> (MessageView, Value) {
    let ending = env
        .cluster
        .wait_for_ending(&env.record_name(&env.ana, 0))
        .await;
    (wait_for_last_reply(env, asked).await, ending)
}

/// Waits until Ana's session has failed and no object is left. Returns her last private reply. The
/// channel must not repeat the cause.
async fn wait_for_last_reply(env: &TestEnv, asked: &Interaction) -> MessageView {
    let last = asked
        .until(|reply| reply.button("Try again").is_some())
        .await;
    env.wait_until_nothing_left(&env.ana).await;
    // A start that failed after a minute has a notice.
    for notice in env.discord.unread() {
        assert_says(&notice, "did not start. My reply to your command says why.");
    }
    env.mark_all_read().await;
    last
}

/// Waits until `/duck list` shows `phase`, and checks that the Pod has the phase `kubectl`.
async fn wait_for_status(env: &TestEnv, session: &str, phase: &str, kubectl: &str) {
    let agrees = async {
        while !env
            .reply_to(&env.ana, "/duck list")
            .await
            .content
            .contains(phase)
        {}
    };
    let agreed = tokio::time::timeout(std::time::Duration::from_secs(30), agrees).await;
    assert!(agreed.is_ok(), "`/duck list` never showed {phase:?}");
    let status = pod(env, session).await.status.unwrap();
    assert_eq!(status.phase.as_deref(), Some(kubectl));
}

/// Records all reasons that an admin sees in the STATUS column of the team's Pods.
struct StatusRecorder {
    read: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl StatusRecorder {
    fn of(env: &TestEnv) -> Self {
        let read = Arc::new(Mutex::new(Vec::new()));
        let (pods, all) = (env.cluster.pods(), read.clone());
        let task = tokio::spawn(async move {
            let seen = watcher(pods, watcher::Config::default()).touched_objects();
            let mut seen = Box::pin(seen);
            while let Ok(Some(pod)) = seen.try_next().await {
                let status = serde_json::to_value(pod.status).unwrap();
                let kinds = ["initContainerStatuses", "containerStatuses"];
                let containers = kinds.iter().filter_map(|kind| status[kind].as_array());
                for container in containers.flatten() {
                    for path in [
                        "/state/waiting",
                        "/state/terminated",
                        "/lastState/terminated",
                    ] {
                        let reason = container.pointer(path).and_then(|it| it["reason"].as_str());
                        all.lock().unwrap().extend(reason.map(str::to_owned));
                    }
                }
            }
        });
        Self { read, task }
    }

    /// Stops recording, and returns the reasons.
    fn reasons(self) -> Vec<String> {
        self.task.abort();
        self.read.lock().unwrap().clone()
    }
}

/// Reasons of the Events about a session's Pod.
async fn events(env: &TestEnv, session: &str) -> Vec<String> {
    let events: Api<Event> = Api::namespaced(env.cluster.admin.clone(), &env.cluster.sessions);
    let all = events.list(&Default::default()).await.unwrap();
    let about = all
        .items
        .into_iter()
        .filter(|it| it.involved_object.name.as_deref() == Some(&format!("duckui-{session}")));
    about.filter_map(|it| it.reason).collect()
}
