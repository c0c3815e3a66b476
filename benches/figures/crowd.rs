//! Sessions in large numbers. Their Pods are simulated by kwok, ready as soon as they have a node, and
//! this program answers for their doors.

use std::{
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use axum::{Json, Router, routing::get};
use chrono::{TimeDelta, Utc};
use duckbot::{
    door::{ACTIVITY_PATH, READY_PATH, activity::Activity},
    runtime::kubernetes::build,
    session::{Record, Stage},
};
use futures_util::{StreamExt, stream};
use k8s_openapi::api::core::v1::{Container, PodSpec};
use kube::{
    ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use test_support::{Bot, Kwok, TestEnv, listen_as_door};
use tokio_util::task::AbortOnDropHandle;

use super::{
    binary,
    floor::Floor,
    setup::{env, resident},
};

/// Maximum time until all sessions run.
const TIMEOUT: Duration = Duration::from_secs(1800);
/// Number of sessions that are written at a time.
const WRITERS: usize = 24;

/// Creates an environment on kwok's node, with the program of the production image.
pub async fn kwok_env(people: usize) -> TestEnv {
    let settings = [
        // Sweeps only at the start, and when an admin asks for the plan.
        ("DUCKBOT_REAPER__EVERY", "1h"),
        ("DUCKBOT_LOG__FILTER", "info,duckbot::reaper=debug"),
    ];
    let mut env = env(people, Some(Kwok::NODE), &settings).await;
    env.program = binary::program();
    env
}

/// Answers for the doors of all Pods, until it is dropped: DuckDB answers, and no query runs.
pub fn serve_doors() -> AbortOnDropHandle<()> {
    let listener = listen_as_door(Ipv4Addr::UNSPECIFIED).unwrap();
    let since = Some(Utc::now());
    let activity = async move || {
        Json(Activity {
            since,
            ..Activity::default()
        })
    };
    let app = Router::new()
        .route(READY_PATH, get(async || "ready"))
        .route(ACTIVITY_PATH, get(activity));
    let served = async { axum::serve(listener, app).await.unwrap() };
    AbortOnDropHandle::new(tokio::spawn(served))
}

/// ID and owner of the session with this number.
fn identity(number: usize) -> (String, u64) {
    let id = format!("{:06x}", 0xa0_0000 + number);
    (id, 1_000_000 + number as u64)
}

/// Time at which the sessions were created: too long ago for a private reply that a new bot continues.
fn created() -> chrono::DateTime<Utc> {
    Utc::now() - TimeDelta::minutes(20)
}

/// Creates the records of sessions with the numbers `first..last`, each with another owner, and waits until the bot
/// has started all of them.
pub async fn start_sessions(env: &mut TestEnv, first: usize, last: usize) {
    const RUNS: &str = ": announcing its URL";
    let before = env.bot().log().matches(RUNS).count();
    let created = created().to_rfc3339();
    stream::iter(first..last)
        .for_each_concurrent(WRITERS, async |number| {
            let (id, owner) = identity(number);
            // Without a channel: Discord allows only five messages in five seconds.
            env.create_record_in(None, &id, owner, 0, &created).await;
        })
        .await;
    let begin = Instant::now();
    while env.bot().log().matches(RUNS).count() < before + last - first {
        assert!(begin.elapsed() < TIMEOUT, "not all sessions run");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Writes sessions with the numbers `first..last` that run already, with the objects that the bot would have created.
/// No bot needs to run.
///
/// Their Pods have no node, and the status that kwok would write. Their Services have no address and select nothing: the
/// API server assigns few addresses a second, and the Pods' addresses are refused in EndpointSlices.
pub async fn write_sessions(env: &TestEnv, first: usize, last: usize) {
    let writer = Floor::new(&env.variables, env.cluster.admin.clone());
    stream::iter(first..last)
        .for_each_concurrent(WRITERS, async |number| {
            let record = running_record(env, number);
            let map = build::record(&writer.settings, &record, None);
            let params = PostParams::default();
            let made = env.cluster.records().create(&params, &map).await.unwrap();
            let (mut pod, mut service, route) = writer.objects(&record, &made.uid().unwrap());
            let spec = pod.spec.as_mut().unwrap();
            spec.scheduler_name = Some("none".into());
            let status = running_status(number, spec);
            let spec = service.spec.as_mut().unwrap();
            (spec.selector, spec.cluster_ip) = (None, Some("None".into()));
            let (pods, services) = (env.cluster.pods(), env.cluster.services());
            let routes = env.cluster.routes();
            let placed = async {
                pods.create(&params, &pod).await?;
                let patch = Patch::Merge(json!({ "status": status }));
                pods.patch_status(&pod.name_any(), &PatchParams::default(), &patch)
                    .await
            };
            let (pod, service, route) = tokio::join!(
                placed,
                services.create(&params, &service),
                routes.create(&params, &route)
            );
            pod.unwrap();
            service.unwrap();
            route.unwrap();
        })
        .await;
}

/// Status of a Pod that runs, with an address of its own.
fn running_status(number: usize, spec: &PodSpec) -> Value {
    let now = Utc::now();
    let condition = |kind| json!({ "type": kind, "status": "True", "lastTransitionTime": now });
    let container = |it: &Container| {
        json!({ "name": it.name, "image": it.image, "imageID": "", "ready": true,
            "restartCount": 0, "state": { "running": { "startedAt": now } } })
    };
    let address = Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 98, 0, 1)) + number as u32);
    let conditions = ["PodScheduled", "Initialized", "ContainersReady", "Ready"].map(condition);
    let containers: Vec<_> = spec.containers.iter().map(container).collect();
    json!({ "phase": "Running", "startTime": now, "podIP": address, "podIPs": [{ "ip": address }],
        "conditions": conditions, "containerStatuses": containers })
}

/// Record of a session that was ready as soon as it was created.
fn running_record(env: &TestEnv, number: usize) -> Record {
    let (id, owner) = identity(number);
    let created = created();
    let map = env.record_in(None, &id, owner, 0, &created.to_rfc3339());
    let mut document: Value = serde_json::from_str(&map.data.unwrap()["record.json"]).unwrap();
    document["ready"] = json!(created);
    document["stage"] = json!(Stage::Running)["stage"].take();
    serde_json::from_value(document).unwrap()
}

/// Ends the bot and deletes all Pods. [`TestEnv`] would delete them one by one.
pub async fn end(mut env: TestEnv) {
    env.mark_all_read().await;
    env.kill_bot().await;
    let now = DeleteParams::default().grace_period(0);
    // The API server ends a call after a minute.
    while env
        .cluster
        .pods()
        .delete_collection(&now, &ListParams::default())
        .await
        .is_err()
    {}
}

/// Resident memory of the bot in MB, after 5 s without work.
pub async fn idle_memory(bot: &Bot) -> f64 {
    tokio::time::sleep(Duration::from_secs(5)).await;
    resident(bot, false)
}
