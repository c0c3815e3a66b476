//! What a Pod's status and its Events mean. Pure.
//!
//! The reasons are those of the kubelet and the scheduler (Kubernetes 1.35,
//! `pkg/kubelet/container/sync_result.go`, `pkg/kubelet/images/types.go`,
//! `pkg/kubelet/eviction`, and the Pod conditions of `k8s.io/api/core/v1`).
//! `tests/node` makes the common ones happen on a real node; the rest stand in
//! the tests below.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use k8s_openapi::{
    api::core::v1::{ContainerStatus, Event, Pod as Stored, PodStatus},
    apimachinery::pkg::apis::meta::v1::Time,
};

use super::build::DUCKDB;
use crate::session::{Failure, Incident, Pod, PodState, Station};

/// Whether an event can tell more than the status does.
pub fn is_telling(event: &Event) -> bool {
    matches!(event.reason.as_deref(), Some("Pulling" | "FailedMount"))
}

/// Reads a Pod, with the events about it that are [telling](is_telling).
/// Only one that is on its way needs them.
pub fn read(stored: &Stored, events: impl Iterator<Item = Arc<Event>>) -> Pod {
    let nothing = PodStatus::default();
    let status = stored.status.as_ref().unwrap_or(&nothing);
    let duckdb = containers(status).find(|it| it.name == DUCKDB);
    Pod {
        state: state(stored, status, events),
        restarts: duckdb.map_or(0, |it| it.restart_count.try_into().unwrap_or(0)),
        last_end: duckdb.and_then(last_end),
    }
}

fn state(
    stored: &Stored,
    status: &PodStatus,
    events: impl Iterator<Item = Arc<Event>>,
) -> PodState {
    if let Some(incident) = disruption(status) {
        return PodState::Taken(incident);
    }
    let ended =
        matches!(status.phase.as_deref(), Some("Failed" | "Succeeded")).then(|| ended(status));
    match ended {
        Some(PodState::Taken(incident)) => return PodState::Taken(incident),
        // A Pod that is deleted ends on its way out.
        _ if stored.metadata.deletion_timestamp.is_some() => return PodState::Going,
        Some(ended) => return ended,
        None => {}
    }
    if let Some(incident) = containers(status).find_map(hopeless) {
        return PodState::Failed(incident);
    }
    if let Some(incident) = containers(status).find_map(crash_loop) {
        return PodState::Crashing(incident);
    }
    if holds(status, "Ready") {
        return PodState::Ready;
    }
    on_the_way(stored, status, events)
}

/// Somebody or something that has nothing to do with this session took its Pod away.
fn disruption(status: &PodStatus) -> Option<Incident> {
    let mut conditions = status.conditions.iter().flatten();
    let condition = conditions.find(|it| it.type_ == "DisruptionTarget" && it.status == "True")?;
    let failure = match condition.reason.as_deref() {
        Some("DeletionByTaintManager" | "DeletionByPodGC") => Failure::NodeGone,
        _ => Failure::Evicted,
    };
    // What the kubelet says of an eviction stands in the status, with numbers.
    let message = status.message.as_ref().or(condition.message.as_ref());
    Some(Incident::new(failure, message.cloned().unwrap_or_default()))
}

/// The Pod as a whole has ended; its containers are not restarted any more.
fn ended(status: &PodStatus) -> PodState {
    let reason = status.reason.as_deref().unwrap_or_default();
    let message = status.message.as_deref().unwrap_or("it ended by itself");
    match reason {
        "Evicted"
        | "NodeShutdown"
        | "Terminated"
        | "Preempting"
        | "NodeAffinity"
        | "UnexpectedAdmissionError" => PodState::Taken(Incident::new(Failure::Evicted, message)),
        // The kubelet had less free than the scheduler thought.
        _ if reason.starts_with("OutOf") => {
            PodState::Taken(Incident::new(Failure::Evicted, message))
        }
        _ => PodState::Failed(Incident::new(Failure::Other, message)),
    }
}

/// What a container waits for in vain.
fn hopeless(container: &ContainerStatus) -> Option<Incident> {
    let (reason, message) = waits(container)?;
    match reason {
        "CrashLoopBackOff" if container.name != DUCKDB => {
            let end = crash_loop(container)?;
            Some(Incident::new(Failure::Door, end.why))
        }
        "InvalidImageName" | "ErrImageNeverPull" => {
            Some(Incident::new(Failure::ImageMissing, message))
        }
        "ErrImagePull" | "ImagePullBackOff" => match pull_failure(message) {
            Failure::ImageUnavailable => None,
            failure => Some(Incident::new(failure, message)),
        },
        "CreateContainerConfigError" => Some(Incident::new(config_failure(message), message)),
        _ => None,
    }
}

fn crash_loop(container: &ContainerStatus) -> Option<Incident> {
    let (reason, _) = waits(container)?;
    (reason == "CrashLoopBackOff").then(|| last_end(container))?
}

/// Why a container ended the last time.
fn last_end(container: &ContainerStatus) -> Option<Incident> {
    let last = container.last_state.as_ref()?.terminated.as_ref()?;
    Some(match last.reason.as_deref() {
        Some("OOMKilled") => Incident::new(Failure::OutOfMemory, "OOMKilled"),
        reason => {
            let reason = reason.unwrap_or("no reason given");
            let why = format!("{reason}, exit code {}", last.exit_code);
            Incident::new(Failure::Crashed, why)
        }
    })
}

/// Registries and container runtimes agree on the codes of the distribution
/// specification, but not on how they spell them.
fn pull_failure(message: &str) -> Failure {
    let message = message.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if says(&["not found", "manifest unknown", "name unknown", "no such"])
        && !says(&["no such host"])
    {
        Failure::ImageMissing
    } else if says(&[
        "unauthorized",
        "denied",
        "forbidden",
        "authorization failed",
    ]) {
        Failure::ImageRefused
    } else {
        Failure::ImageUnavailable
    }
}

/// What a container waits for, though the kubelet tries on: a busy node, or a
/// registry that is down.
fn hindered(container: &ContainerStatus) -> Option<Incident> {
    let (reason, message) = waits(container)?;
    let failure = match reason {
        "ErrImagePull" | "ImagePullBackOff" => Failure::ImageUnavailable,
        "CreateContainerError" | "RunContainerError" => Failure::Container,
        _ => return None,
    };
    Some(Incident::new(failure, message))
}

fn config_failure(message: &str) -> Failure {
    match message.contains("secret") {
        true => Failure::KeysMissing,
        false => Failure::Container,
    }
}

fn on_the_way(
    stored: &Stored,
    status: &PodStatus,
    events: impl Iterator<Item = Arc<Event>>,
) -> PodState {
    let coming = |station, incident| PodState::Coming { station, incident };
    if !holds(status, "PodScheduled") {
        return coming(Station::Queued, no_room(stored, status));
    }
    if let Some(incident) = containers(status).find_map(hindered) {
        return coming(Station::Placed, Some(incident));
    }
    // A container that never ran has not been fetched, or is being made.
    let waits_for_first = containers(status).any(|it| {
        waits(it).is_some_and(|(reason, _)| reason == "ContainerCreating") && it.restart_count == 0
    });
    if containers(status).next().is_some() && !waits_for_first {
        return coming(Station::Starting, None);
    }
    let events: Vec<_> = events.collect();
    let told = events.iter();
    let mut told: Vec<_> = told
        .filter_map(|it| Some((seen_at(it)?, it.reason.as_deref()?, it)))
        .collect();
    told.sort_by_key(|(at, ..)| *at);
    if let Some((_, "FailedMount", event)) = told.last() {
        let message = event.message.as_deref().unwrap_or_default();
        let incident = Incident::new(Failure::Mount, message);
        return coming(Station::Placed, Some(incident));
    }
    let mut pulling = told.iter().filter(|(_, reason, _)| *reason == "Pulling");
    match pulling.next() {
        Some((since, ..)) if is_pulling(status) => coming(Station::Pulling(*since), None),
        _ => coming(Station::Placed, None),
    }
}

/// A container without an image id has not been fetched yet.
fn is_pulling(status: &PodStatus) -> bool {
    containers(status).any(|it| it.image_id.is_empty())
}

fn waits(container: &ContainerStatus) -> Option<(&str, &str)> {
    let waiting = container.state.as_ref()?.waiting.as_ref()?;
    let message = waiting.message.as_deref().unwrap_or_default();
    Some((waiting.reason.as_deref()?, message))
}

/// What the scheduler says when no node has room, after what was asked for.
fn no_room(stored: &Stored, status: &PodStatus) -> Option<Incident> {
    let mut conditions = status.conditions.iter().flatten();
    let message = conditions
        .find(|it| it.type_ == "PodScheduled" && it.reason.as_deref() == Some("Unschedulable"))?
        .message
        .as_deref()
        .unwrap_or_default();
    // What follows the first sentence is about taking the place of other Pods.
    let message = message.split(". ").next().unwrap_or_default();
    let asked = asked(stored).unwrap_or_default();
    Some(Incident::new(Failure::NoRoom, format!("{asked}{message}")))
}

fn asked(stored: &Stored) -> Option<String> {
    let containers = &stored.spec.as_ref()?.containers;
    let duckdb = containers.iter().find(|it| it.name == DUCKDB)?;
    let requests = duckdb.resources.as_ref()?.requests.as_ref()?;
    let (cpu, memory) = (requests.get("cpu")?, requests.get("memory")?);
    Some(format!("asked for {} CPU and {}: ", cpu.0, memory.0))
}

fn holds(status: &PodStatus, condition: &str) -> bool {
    let mut conditions = status.conditions.iter().flatten();
    conditions.any(|it| it.type_ == condition && it.status == "True")
}

fn containers(status: &PodStatus) -> impl Iterator<Item = &ContainerStatus> {
    status.container_statuses.iter().flatten()
}

/// When an event was seen last.
fn seen_at(event: &Event) -> Option<DateTime<Utc>> {
    let newest = event.last_timestamp.as_ref().map(|Time(at)| at);
    let at = newest.or(event.event_time.as_ref().map(|it| &it.0))?;
    DateTime::from_timestamp(at.as_second(), 0)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(status: Value) -> Pod {
        pod_with(json!({}), status, &[])
    }

    fn pod_with(metadata: Value, status: Value, events: &[Value]) -> Pod {
        let resources = json!({ "requests": { "cpu": "2", "memory": "8Gi" } });
        let spec = json!({ "containers": [{ "name": "duckdb", "resources": resources }] });
        let stored = json!({ "metadata": metadata, "spec": spec, "status": status });
        let events = events
            .iter()
            .map(|event| Arc::new(serde_json::from_value(event.clone()).expect("an Event")));
        let stored = serde_json::from_value(stored).expect("a Pod");
        read(&stored, events)
    }

    fn conditions(names: &[&str]) -> Value {
        names
            .iter()
            .map(|name| json!({ "type": name, "status": "True" }))
            .collect()
    }

    /// On a node, with DuckDB's container in that state.
    fn placed(state: Value) -> Value {
        json!({ "phase": "Pending", "conditions": conditions(&["PodScheduled"]),
            "containerStatuses": [container("duckdb", state)] })
    }

    fn container(name: &str, state: Value) -> Value {
        json!({ "name": name, "ready": false, "restartCount": 0, "image": "", "imageID": "",
            "state": state })
    }

    fn waiting(reason: &str, message: &str) -> Value {
        json!({ "waiting": { "reason": reason, "message": message } })
    }

    fn event(reason: &str, second: u8, message: &str) -> Value {
        json!({ "metadata": {}, "involvedObject": {}, "reason": reason, "message": message,
            "lastTimestamp": format!("2026-11-23T12:00:{second:02}Z") })
    }

    fn coming(station: Station) -> PodState {
        Pod::at(station).state
    }

    #[test]
    fn a_pod_is_queued_placed_pulled_started_and_ready() {
        let since = "2026-11-23T12:00:03Z".parse().expect("a time");
        let creating = || placed(waiting("ContainerCreating", ""));
        let pulling = [event("Pulling", 9, "door"), event("Pulling", 3, "duckdb")];
        let running = placed(json!({ "running": {} }));
        let ready =
            json!({ "phase": "Running", "conditions": conditions(&["PodScheduled", "Ready"]) });
        for (state, expected) in [
            (pod(json!({})).state, coming(Station::Queued)),
            (pod(creating()).state, coming(Station::Placed)),
            (
                pod_with(json!({}), creating(), &pulling).state,
                coming(Station::Pulling(since)),
            ),
            (pod(running).state, coming(Station::Starting)),
            (pod(ready).state, PodState::Ready),
        ] {
            assert_eq!(state, expected);
        }
    }

    #[test]
    fn what_may_mend_is_waited_for() {
        let unschedulable = json!({ "phase": "Pending", "conditions": [{ "type": "PodScheduled",
            "status": "False", "reason": "Unschedulable", "message":
            "0/1 nodes are available: 1 Insufficient memory. no new claims to deallocate, preemption: …" }] });
        let mount = [
            event("Pulling", 1, ""),
            event("FailedMount", 2, "secret \"x\" not found"),
        ];
        let creating = placed(waiting("ContainerCreating", ""));
        let unavailable = placed(waiting("ImagePullBackOff", "dial tcp: no such host"));
        for (pod, station, failure, why) in [
            (
                pod(unschedulable),
                Station::Queued,
                Failure::NoRoom,
                "asked for 2 CPU and 8Gi: 0/1 nodes are available: 1 Insufficient memory",
            ),
            (
                pod_with(json!({}), creating, &mount),
                Station::Placed,
                Failure::Mount,
                "secret \"x\" not found",
            ),
            (
                pod(unavailable),
                Station::Placed,
                Failure::ImageUnavailable,
                "dial tcp: no such host",
            ),
            (
                pod(placed(waiting(
                    "CreateContainerError",
                    "context deadline exceeded",
                ))),
                Station::Placed,
                Failure::Container,
                "context deadline exceeded",
            ),
        ] {
            let incident = Some(Incident::new(failure, why));
            assert_eq!(pod.state, PodState::Coming { station, incident });
        }
    }

    /// DuckDB ended that way, and its next start is put off.
    fn last(reason: &str) -> Value {
        let ended = json!({ "exitCode": 137, "reason": reason });
        let mut status = placed(waiting("CrashLoopBackOff", "back-off 10s"));
        status["containerStatuses"][0]["lastState"] = json!({ "terminated": ended });
        status
    }

    #[test]
    fn what_will_not_mend_is_a_failure() {
        let mut door = last("Error");
        door["containerStatuses"][0]["name"] = "door".into();
        let too_long = json!({ "phase": "Failed", "reason": "DeadlineExceeded", "message": "why" });
        for (status, failure) in [
            (
                placed(waiting("ErrImagePull", "x: not found")),
                Failure::ImageMissing,
            ),
            (
                placed(waiting("InvalidImageName", "")),
                Failure::ImageMissing,
            ),
            (
                placed(waiting("ImagePullBackOff", "401 Unauthorized")),
                Failure::ImageRefused,
            ),
            (
                placed(waiting(
                    "CreateContainerConfigError",
                    "secret \"x\" not found",
                )),
                Failure::KeysMissing,
            ),
            (door, Failure::Door),
            (too_long, Failure::Other),
        ] {
            match pod(status.clone()).state {
                PodState::Failed(incident) => assert_eq!(incident.failure, failure, "{status}"),
                other => panic!("{other:?} for {status}"),
            }
        }
    }

    #[test]
    fn what_the_cluster_takes_away_may_start_elsewhere() {
        let disrupted = |reason: &str| {
            json!({ "phase": "Running", "conditions":
            [{ "type": "DisruptionTarget", "status": "True", "reason": reason, "message": "why" }] })
        };
        let failed =
            |reason: &str| json!({ "phase": "Failed", "reason": reason, "message": "why" });
        for (status, failure) in [
            (disrupted("EvictionByEvictionAPI"), Failure::Evicted),
            (disrupted("PreemptionByScheduler"), Failure::Evicted),
            (disrupted("DeletionByTaintManager"), Failure::NodeGone),
            (failed("Evicted"), Failure::Evicted),
            (failed("OutOfmemory"), Failure::Evicted),
            (failed("NodeShutdown"), Failure::Evicted),
        ] {
            let deleted = json!({ "deletionTimestamp": "2026-11-23T12:00:00Z" });
            let expected = PodState::Taken(Incident::new(failure, "why"));
            assert_eq!(
                pod_with(deleted, status.clone(), &[]).state,
                expected,
                "{status}"
            );
            assert_eq!(pod(status).state, expected);
        }
        let deleted = json!({ "deletionTimestamp": "2026-11-23T12:00:00Z" });
        assert_eq!(pod_with(deleted, json!({}), &[]).state, PodState::Going);
    }

    #[test]
    fn duckdb_that_ends_again_and_again_says_why_and_how_often() {
        for (reason, failure, why) in [
            ("Error", Failure::Crashed, "Error, exit code 137"),
            ("OOMKilled", Failure::OutOfMemory, "OOMKilled"),
        ] {
            let mut status = last(reason);
            status["containerStatuses"][0]["restartCount"] = 2.into();
            let incident = Incident::new(failure, why);
            let expected = Pod {
                state: PodState::Crashing(incident.clone()),
                restarts: 2,
                last_end: Some(incident),
            };
            assert_eq!(pod(status), expected);
        }
    }
}
