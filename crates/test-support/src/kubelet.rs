//! Stand-in for a node in tests that run no containers. Writes the status of Pods that a kubelet
//! would report, and answers for their doors that DuckDB answers. [`Node`](crate::Node) is the real
//! one.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, OnceLock},
};

use axum::{Router, routing::get};
use chrono::Utc;
use futures_util::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, ResourceExt,
    api::{Patch, PatchParams},
    runtime::{WatchStreamExt, wait::await_condition, watcher},
};
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpSocket},
    task::JoinHandle,
};

use crate::wait::WAIT_TIMEOUT;

/// Writes the status of Pods in one namespace.
#[derive(Clone)]
pub struct Kubelet {
    pods: Api<Pod>,
    doors: Arc<OnceLock<Doors>>,
}

/// Listens on the port of doors, at an address of this machine or at all of them. A test program that listens at all of
/// them may run beside one that listens at some.
pub fn listen_as_door(address: Ipv4Addr) -> std::io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseport(true)?;
    socket.bind((address, 8081).into())?;
    socket.listen(1024)
}

/// Answers `/ready` for the doors of all Pods, which share an address.
struct Doors {
    address: IpAddr,
    serving: JoinHandle<()>,
}

impl Doors {
    fn start() -> Self {
        // Each environment has another address of this machine, because the port is always the same.
        let [a, b, c, ..] = *uuid::Uuid::new_v4().as_bytes();
        let address = Ipv4Addr::new(127, 100 + a % 100, b, c.max(1));
        let listener = listen_as_door(address).unwrap();
        let app = Router::new().route("/ready", get(async || "ready"));
        Self {
            address: address.into(),
            serving: tokio::spawn(async move { axum::serve(listener, app).await.unwrap() }),
        }
    }
}

impl Drop for Doors {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Kubelet {
    pub fn new(pods: Api<Pod>) -> Self {
        Self {
            pods,
            doors: Arc::default(),
        }
    }

    /// Waits until the Pod of a session exists.
    pub async fn wait_for_pod(&self, session: &str) {
        let name = format!("duckui-{session}");
        let is_there = |pod: Option<&Pod>| pod.is_some();
        let seen = await_condition(self.pods.clone(), &name, is_there);
        let seen = tokio::time::timeout(WAIT_TIMEOUT, seen).await;
        seen.expect("the Pod was created in time").unwrap();
    }

    /// Reports the Pod as scheduled.
    pub async fn schedule(&self, session: &str) {
        let scheduled = json!([{ "type": "PodScheduled", "status": "True" }]);
        self.report(
            session,
            json!({ "phase": "Pending", "conditions": scheduled }),
        )
        .await;
    }

    /// Reports the Pod as ready. Its DuckDB answers.
    pub async fn mark_ready(&self, session: &str) {
        let address = self.doors.get_or_init(Doors::start).address;
        self.report(session, ready(address)).await;
    }

    /// Reports the Pod as ready, with a door that can't be reached.
    pub async fn mark_ready_without_door(&self, session: &str) {
        self.report(session, ready(Ipv4Addr::new(127, 99, 99, 99).into()))
            .await;
    }

    /// Reports the Pod as failed, with this message.
    pub async fn mark_failed(&self, session: &str, message: &str) {
        self.report(session, json!({ "phase": "Failed", "message": message }))
            .await;
    }

    /// Reports that DuckDB ran out of memory, and was restarted once. The Pod stays ready.
    pub async fn mark_restarted(&self, session: &str) {
        let last = json!({ "terminated": { "exitCode": 137, "reason": "OOMKilled" } });
        let duckdb = json!({ "name": "duckdb", "image": "duckui:1", "imageID": "", "ready": true,
            "restartCount": 1, "lastState": last });
        self.report(session, json!({ "containerStatuses": [duckdb] }))
            .await;
    }

    async fn report(&self, session: &str, status: Value) {
        self.wait_for_pod(session).await;
        let name = format!("duckui-{session}");
        let patch = Patch::Merge(json!({ "status": status }));
        self.pods
            .patch_status(&name, &PatchParams::default(), &patch)
            .await
            .unwrap();
    }

    /// Reports each new Pod as ready, until the returned task is aborted.
    pub fn ready_all_pods(&self) -> JoinHandle<()> {
        let pods = self.pods.clone();
        let address = self.doors.get_or_init(Doors::start).address;
        tokio::spawn(async move {
            let all = watcher(pods.clone(), watcher::Config::default()).default_backoff();
            let mut seen = Box::pin(all.touched_objects());
            while let Some(pod) = seen.next().await {
                // The watcher recovers by itself.
                let Ok(pod) = pod else { continue };
                let is_new = pod.status.as_ref().is_none_or(|it| it.conditions.is_none());
                if is_new && pod.metadata.deletion_timestamp.is_none() {
                    // Merges the conditions: a later one may have come meanwhile.
                    let mut status = ready(address);
                    status["containerStatuses"] = running_containers(&pod);
                    let patch = Patch::Strategic(json!({ "status": status }));
                    // The Pod may be gone by now.
                    let _ = pods
                        .patch_status(&pod.name_any(), &PatchParams::default(), &patch)
                        .await;
                }
            }
        })
    }
}

/// Statuses of the Pod's containers, all of which run.
fn running_containers(pod: &Pod) -> Value {
    let containers = pod.spec.iter().flat_map(|it| &it.containers);
    let running = containers.map(|it| {
        json!({ "name": it.name, "image": it.image, "imageID": "", "ready": true, "started": true,
            "restartCount": 0, "state": { "running": { "startedAt": Utc::now() } } })
    });
    running.collect()
}

fn ready(address: IpAddr) -> Value {
    let conditions =
        ["PodScheduled", "Ready"].map(|kind| json!({ "type": kind, "status": "True" }));
    json!({ "phase": "Running", "conditions": conditions, "podIP": address,
        "podIPs": [{ "ip": address }] })
}
