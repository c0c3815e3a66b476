//! Translates a Pod's status and Events into a [`Pod`]. Pure.
//!
//! The reasons come from the kubelet and the scheduler of Kubernetes 1.35:
//! `pkg/kubelet/container/sync_result.go`, `pkg/kubelet/images/types.go`, `pkg/kubelet/eviction`,
//! and the Pod conditions of `k8s.io/api/core/v1`. `tests/node` causes the common ones on a real
//! node. The tests below cover all of them.

use chrono::{DateTime, Utc};
use k8s_openapi::{
    api::core::v1::{ContainerStatus, Event, Pod as KubePod, PodStatus},
    apimachinery::pkg::apis::meta::v1::Time,
};

use super::build::{DOOR, DUCKDB, SECRET_PREFIX};
use crate::session::{Failure, Incident, Pod, PodEvent, PodState, StartupStep, without_queries};

/// Minimum run time of a container, in seconds. One that ends sooner counts as crashing.
const MIN_UPTIME_SECONDS: i64 = 60;
/// Reasons of Events about a failed preparation of a Pod, which the node retries.
const OBSTACLES: [(&str, Failure); 3] = [
    ("FailedMount", Failure::Mount),
    ("FailedAttachVolume", Failure::Mount),
    ("FailedCreatePodSandBox", Failure::Container),
];

/// Returns true if an Event with this reason can say more than the Pod's status.
pub(super) fn is_relevant(reason: &str) -> bool {
    matches!(reason, "Pulling" | "Pulled") || obstacle(reason).is_some()
}

fn obstacle(reason: &str) -> Option<Failure> {
    let found = OBSTACLES.iter().find(|(name, _)| *name == reason)?;
    Some(found.1)
}

/// Parsed status of a Pod.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ParsedStatus {
    /// The Pod, without the information from its Events.
    pub pod: Pod,
    is_pulling: bool,
}

/// Parses the status of a Pod. Ready means that all containers run.
pub(super) fn parse(stored: &KubePod) -> ParsedStatus {
    let nothing = PodStatus::default();
    let status = stored.status.as_ref().unwrap_or(&nothing);
    let duckdb = containers(status).find(|it| it.name == DUCKDB);
    let pod = Pod {
        state: state(stored, status),
        restarts: duckdb.map_or(0, restarts),
        last_end: duckdb.and_then(last_end),
        unready_since: unready_since(status),
    };
    ParsedStatus {
        pod,
        is_pulling: is_pulling(status),
    }
}

impl ParsedStatus {
    /// Returns true if all containers run.
    pub(super) fn is_running(&self) -> bool {
        self.pod.state == PodState::Ready || self.pod.state == Pod::at(StartupStep::Starting).state
    }

    /// Returns the Pod, with the information from its Events. They matter only while a node
    /// prepares the Pod.
    pub(super) fn with_events<'a>(&self, events: impl Iterator<Item = &'a PodEvent>) -> Pod {
        let mut pod = self.pod.clone();
        if pod.state == Pod::at(StartupStep::Placed).state {
            pod.state = self.preparation(events);
        }
        pod
    }

    /// Returns how far the node's preparation of the Pod is.
    fn preparation<'a>(&self, events: impl Iterator<Item = &'a PodEvent>) -> PodState {
        let pending = |step, incident| PodState::Pending { step, incident };
        let mut relevant: Vec<_> = events.filter(|it| is_relevant(&it.reason)).collect();
        // Within the same second, sort image pulls last: they follow all other preparation.
        relevant.sort_by_key(|it| (it.at, obstacle(&it.reason).is_none()));
        if let Some(last) = relevant.last()
            && let Some(failure) = obstacle(&last.reason)
        {
            let incident = Incident::new(failure, last.message.clone());
            return pending(StartupStep::Placed, Some(incident));
        }
        match relevant.iter().find(|it| it.reason == "Pulling") {
            Some(first) if self.is_pulling => pending(StartupStep::Pulling(first.at), None),
            _ => pending(StartupStep::Placed, None),
        }
    }
}

fn state(stored: &KubePod, status: &PodStatus) -> PodState {
    let is_deleted = stored.metadata.deletion_timestamp.is_some();
    let has_ended = matches!(status.phase.as_deref(), Some("Failed" | "Succeeded"));
    // The condition alone is only an intention, which may be dropped.
    if (is_deleted || has_ended)
        && let Some(incident) = disruption(status)
    {
        return PodState::Disrupted(incident);
    }
    match has_ended.then(|| terminal_state(status)) {
        Some(PodState::Disrupted(incident)) => return PodState::Disrupted(incident),
        // A deleted Pod ends while it terminates, so its end is no failure.
        _ if is_deleted => return PodState::Terminating,
        Some(ended) => return ended,
        None => {}
    }
    if let Some(incident) = containers(status).find_map(stuck_incident) {
        return PodState::Stuck(incident);
    }
    if let Some(crashing) = containers(status).find_map(crash_loop) {
        return crashing;
    }
    if has_condition(status, "Ready") {
        return PodState::Ready;
    }
    startup_state(stored, status)
}

/// Returns the incident if the cluster took the Pod, for a reason outside this session.
fn disruption(status: &PodStatus) -> Option<Incident> {
    let mut conditions = status.conditions.iter().flatten();
    let condition = conditions.find(|it| it.type_ == "DisruptionTarget" && it.status == "True")?;
    // For an eviction, the status has the kubelet's message with the amounts.
    let message = status.message.as_ref().or(condition.message.as_ref());
    let message = message.cloned().unwrap_or_default();
    let failure = match condition.reason.as_deref() {
        Some("DeletionByTaintManager" | "DeletionByPodGC") => Failure::NodeGone,
        _ => eviction(&message),
    };
    Some(Incident::new(failure, message))
}

/// Tells whether a Pod was evicted for its own disk use or for the node's needs. The phrases come
/// from the kubelet's `pkg/kubelet/eviction/helpers.go`.
fn eviction(message: &str) -> Failure {
    const OWN: [&str; 3] = [
        "exceeds the limit",
        "exceeds the total limit",
        "exceeded its local ephemeral storage limit",
    ];
    if OWN.iter().any(|words| message.contains(words)) {
        Failure::DiskFull
    } else {
        Failure::Evicted
    }
}

/// State of a Pod that has ended as a whole, so that its containers are not restarted.
fn terminal_state(status: &PodStatus) -> PodState {
    let reason = status.reason.as_deref().unwrap_or_default();
    let message = status
        .message
        .as_deref()
        .unwrap_or("the Pod ended without a message");
    match reason {
        "Evicted"
        | "NodeShutdown"
        | "Terminated"
        | "Preempting"
        | "NodeAffinity"
        | "UnexpectedAdmissionError" => {
            PodState::Disrupted(Incident::new(eviction(message), message))
        }
        // The node had fewer free resources than the scheduler assumed.
        _ if reason.starts_with("OutOf") => {
            PodState::Disrupted(Incident::new(Failure::Evicted, message))
        }
        _ => PodState::Failed(Incident::new(Failure::Other, message)),
    }
}

/// Returns the incident if a container waits for something that will not happen.
fn stuck_incident(container: &ContainerStatus) -> Option<Incident> {
    let (reason, message) = waiting_reason(container)?;
    let failure = match reason {
        "InvalidImageName" | "ErrImageNeverPull" => Failure::ImageMissing,
        "SignatureValidationFailed" => Failure::ImageRefused,
        // The kubelet first reports ErrImagePull. That one is ignored here, because the registry
        // may only have had a short outage.
        "ImagePullBackOff" => match pull_failure(message) {
            Failure::ImageUnavailable => return None,
            failure => failure,
        },
        "CreateContainerConfigError" => config_failure(message)?,
        "CrashLoopBackOff" => {
            return last_end(container).filter(|end| end.failure == Failure::Container);
        }
        _ => return None,
    };
    Some(Incident::new(failure, message))
}

fn crash_loop(container: &ContainerStatus) -> Option<PodState> {
    let (reason, _) = waiting_reason(container)?;
    let is_loop = reason == "CrashLoopBackOff" && was_short_lived(container);
    is_loop.then_some(())?;
    Some(PodState::Crashing {
        incident: last_end(container)?,
        restarts: restarts(container),
    })
}

fn restarts(container: &ContainerStatus) -> u32 {
    container.restart_count.try_into().unwrap_or(0)
}

fn was_short_lived(container: &ContainerStatus) -> bool {
    let seconds = || {
        let last = container.last_state.as_ref()?.terminated.as_ref()?;
        let (Time(from), Time(to)) = (last.started_at.as_ref()?, last.finished_at.as_ref()?);
        Some(to.as_second() - from.as_second())
    };
    seconds().is_none_or(|seconds| seconds < MIN_UPTIME_SECONDS)
}

/// Returns why the container last ended.
fn last_end(container: &ContainerStatus) -> Option<Incident> {
    let last = container.last_state.as_ref()?.terminated.as_ref()?;
    let reason = last.reason.as_deref().unwrap_or("no reason given");
    if matches!(reason, "StartError" | "ContainerCannotRun") {
        let message = last.message.clone().unwrap_or_default();
        return Some(Incident::new(Failure::Container, message));
    }
    let code = last.exit_code;
    Some(match (&container.name[..], reason) {
        (DUCKDB, "OOMKilled") => Incident::new(Failure::OutOfMemory, reason),
        (DUCKDB, _) => Incident::new(Failure::Crashed, format!("{reason}, exit code {code}")),
        (DOOR, _) => Incident::new(Failure::Door, format!("{reason}, exit code {code}")),
        // A container that an admin or the cluster added.
        (name, _) => Incident::new(
            Failure::Container,
            format!("{name}: {reason}, exit code {code}"),
        ),
    })
}

/// Classifies the error of an image pull. Registries and container runtimes use the error codes of
/// the OCI distribution specification, but spell them differently.
fn pull_failure(message: &str) -> Failure {
    let message = message.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if says(&["not found", "manifest unknown", "name unknown"]) {
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

/// Returns the incident if a container waits while the kubelet retries, for example because the
/// node is busy or a registry is down.
fn retried_incident(container: &ContainerStatus) -> Option<Incident> {
    let (reason, message) = waiting_reason(container)?;
    let failure = match reason {
        "ErrImagePull" | "ImagePullBackOff" => pull_failure(message),
        "ImageInspectError" | "RegistryUnavailable" => Failure::ImageUnavailable,
        "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => {
            Failure::Container
        }
        "CrashLoopBackOff" => return last_end(container),
        _ => return None,
    };
    Some(Incident::new(failure, message))
}

/// Classifies an error in a container's configuration. Returns None if the kubelet is only slow.
fn config_failure(message: &str) -> Option<Failure> {
    if message.contains("failed to sync") || message.contains("timed out") {
        return None;
    }
    Some(if message.contains(SECRET_PREFIX) {
        Failure::CredentialsMissing
    } else {
        Failure::Container
    })
}

fn startup_state(stored: &KubePod, status: &PodStatus) -> PodState {
    let pending = |step, incident| PodState::Pending { step, incident };
    if !has_condition(status, "PodScheduled") {
        return pending(StartupStep::Queued, unschedulable(stored, status));
    }
    if let Some(incident) = containers(status).find_map(retried_incident) {
        return pending(StartupStep::Placed, Some(incident));
    }
    // A container that never ran waits for its image or is being created.
    let waits_for_first = containers(status).any(|it| {
        let first = |(reason, _)| matches!(reason, "ContainerCreating" | "PodInitializing");
        waiting_reason(it).is_some_and(first) && it.restart_count == 0
    });
    if containers(status).next().is_some() && !waits_for_first {
        pending(StartupStep::Starting, None)
    } else {
        pending(StartupStep::Placed, None)
    }
}

/// Returns true if a container has no image ID, so its image is not pulled yet.
fn is_pulling(status: &PodStatus) -> bool {
    containers(status).any(|it| it.image_id.is_empty())
}

fn waiting_reason(container: &ContainerStatus) -> Option<(&str, &str)> {
    let waiting = container.state.as_ref()?.waiting.as_ref()?;
    let message = waiting.message.as_deref().unwrap_or_default();
    Some((waiting.reason.as_deref()?, message))
}

/// Returns the incident if the scheduler finds no node: the Pod's requests and the scheduler's
/// message.
fn unschedulable(stored: &KubePod, status: &PodStatus) -> Option<Incident> {
    let mut conditions = status.conditions.iter().flatten();
    let message = conditions
        .find(|it| it.type_ == "PodScheduled" && it.reason.as_deref() == Some("Unschedulable"))?
        .message
        .as_deref()
        .unwrap_or_default();
    // Keep only the first sentence. The rest is about preemption.
    let message = message.split(". ").next().unwrap_or_default();
    let requests = resource_requests(stored).unwrap_or_default();
    let is_room = ["Insufficient", "Too many pods"];
    let failure = if is_room.iter().any(|words| message.contains(words)) {
        Failure::NoRoom
    } else {
        Failure::NoNode
    };
    Some(Incident::new(failure, format!("{requests}{message}")))
}

fn resource_requests(stored: &KubePod) -> Option<String> {
    let containers = &stored.spec.as_ref()?.containers;
    let duckdb = containers.iter().find(|it| it.name == DUCKDB)?;
    let requests = duckdb.resources.as_ref()?.requests.as_ref()?;
    let amounts = [
        ("cpu", "CPU"),
        ("memory", "memory"),
        ("ephemeral-storage", "disk"),
    ];
    let amounts = amounts.iter().filter_map(|(key, name)| {
        let amount = requests.get(*key)?;
        Some(format!("{} {name}", amount.0))
    });
    let amounts: Vec<_> = amounts.collect();
    Some(format!("requested {}: ", amounts.join(", ")))
}

fn has_condition(status: &PodStatus, condition: &str) -> bool {
    let mut conditions = status.conditions.iter().flatten();
    conditions.any(|it| it.type_ == condition && it.status == "True")
}

/// Returns the status of each container. Init containers, which an admin added, come first.
fn containers(status: &PodStatus) -> impl Iterator<Item = &ContainerStatus> {
    let init = status.init_container_statuses.iter().flatten();
    init.chain(status.container_statuses.iter().flatten())
}

/// Time since which the Pod is not ready, or time of a container's last end if that is later.
/// Before that end, the Pod may only have been too busy to answer.
fn unready_since(status: &PodStatus) -> Option<DateTime<Utc>> {
    let mut conditions = status.conditions.iter().flatten();
    let unready = conditions.find(|it| it.type_ == "Ready" && it.status != "True")?;
    let ended = containers(status).filter_map(|it| {
        let last = it.last_state.as_ref()?.terminated.as_ref()?;
        time(last.finished_at.as_ref()?)
    });
    let since = time(unready.last_transition_time.as_ref()?)?;
    ended.chain([since]).max()
}

/// Converts a Kubernetes time, to whole seconds.
pub(super) fn time(Time(at): &Time) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(at.as_second(), 0)
}

/// Converts an Event. Returns None if it has no time.
pub(super) fn pod_event(event: &Event) -> Option<PodEvent> {
    Some(PodEvent {
        at: last_seen(event)?,
        reason: event.reason.clone().unwrap_or_default(),
        message: without_queries(event.message.as_deref().unwrap_or_default()),
    })
}

/// Time at which an Event last occurred.
fn last_seen(event: &Event) -> Option<DateTime<Utc>> {
    let precise = || DateTime::from_timestamp(event.event_time.as_ref()?.0.as_second(), 0);
    event
        .last_timestamp
        .as_ref()
        .and_then(time)
        .or_else(precise)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(status: Value) -> Pod {
        pod_with(json!({}), status, &[])
    }

    fn pod_with(metadata: Value, status: Value, events: &[Value]) -> Pod {
        let resources =
            json!({ "requests": { "cpu": "2", "memory": "8Gi", "ephemeral-storage": "40Gi" } });
        let spec = json!({ "containers": [{ "name": "duckdb", "resources": resources }] });
        let stored = json!({ "metadata": metadata, "spec": spec, "status": status });
        let event = |it: &Value| serde_json::from_value(it.clone()).expect("an Event");
        let events: Vec<_> = events
            .iter()
            .map(|it| pod_event(&event(it)).expect("an Event with a time"))
            .collect();
        let stored = serde_json::from_value(stored).expect("a Pod");
        parse(&stored).with_events(events.iter())
    }

    fn conditions(names: &[&str]) -> Value {
        names
            .iter()
            .map(|name| json!({ "type": name, "status": "True" }))
            .collect()
    }

    /// Status of a Pod on a node, with DuckDB's container in the given state.
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

    fn pending(step: StartupStep) -> PodState {
        Pod::at(step).state
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
            (pod(json!({})).state, pending(StartupStep::Queued)),
            (pod(creating()).state, pending(StartupStep::Placed)),
            (
                pod_with(json!({}), creating(), &pulling).state,
                pending(StartupStep::Pulling(since)),
            ),
            (pod(running).state, pending(StartupStep::Starting)),
            (pod(ready).state, PodState::Ready),
        ] {
            assert_eq!(state, expected);
        }
    }

    #[test]
    fn temporary_obstacles_are_waited_for() {
        let unschedulable = |why: &str| {
            json!({ "phase": "Pending", "conditions": [{ "type": "PodScheduled", "status": "False",
            "reason": "Unschedulable", "message": why }] })
        };
        let full = "0/1 nodes are available: 1 Insufficient memory. no new claims to deallocate: …";
        let tainted = "0/1 nodes are available: 1 node(s) had untolerated taint(s).";
        let mut restarted = last("duckdb", "Error", 61);
        restarted["containerStatuses"][0]["restartCount"] = 9.into();
        for (status, step, failure, why) in [
            (
                unschedulable(full),
                StartupStep::Queued,
                Failure::NoRoom,
                "requested 2 CPU, 8Gi memory, 40Gi disk: 0/1 nodes are available: 1 Insufficient memory",
            ),
            (
                unschedulable(tainted),
                StartupStep::Queued,
                Failure::NoNode,
                "requested 2 CPU, 8Gi memory, 40Gi disk: 0/1 nodes are available: 1 node(s) had untolerated taint(s).",
            ),
            (
                placed(waiting("ImagePullBackOff", "dial tcp: no such host")),
                StartupStep::Placed,
                Failure::ImageUnavailable,
                "dial tcp: no such host",
            ),
            (
                placed(waiting("ImagePullBackOff", "open /x: no such file")),
                StartupStep::Placed,
                Failure::ImageUnavailable,
                "open /x: no such file",
            ),
            // The registry may have been starting during the first attempt.
            (
                placed(waiting("ErrImagePull", "401 Unauthorized")),
                StartupStep::Placed,
                Failure::ImageRefused,
                "401 Unauthorized",
            ),
            (
                placed(waiting("RegistryUnavailable", "later")),
                StartupStep::Placed,
                Failure::ImageUnavailable,
                "later",
            ),
            (
                placed(waiting("CreateContainerError", "context deadline exceeded")),
                StartupStep::Placed,
                Failure::Container,
                "context deadline exceeded",
            ),
            (
                placed(waiting(
                    "CreateContainerConfigError",
                    "failed to sync secret cache: timed out waiting for the condition",
                )),
                StartupStep::Placed,
                Failure::Container,
                "failed to sync secret cache: timed out waiting for the condition",
            ),
            // The container ran for more than a minute, so the number of restarts does not count.
            (
                restarted,
                StartupStep::Placed,
                Failure::Crashed,
                "Error, exit code 137",
            ),
        ] {
            let incident = Some(Incident::new(failure, why));
            let expected = PodState::Pending { step, incident };
            assert_eq!(pod(status).state, expected);
        }
    }

    #[test]
    fn a_failed_preparation_is_shown_until_it_continues() {
        let creating = || placed(waiting("ContainerCreating", ""));
        let first = |events: &[Value]| pod_with(json!({}), creating(), events).state;
        for (reason, failure) in OBSTACLES {
            let incident = Some(Incident::new(failure, "why"));
            let retried_incident = PodState::Pending {
                step: StartupStep::Placed,
                incident,
            };
            let events = [event("Pulling", 1, ""), event(reason, 2, "why")];
            assert_eq!(first(&events), retried_incident);
            let goes_on = [event("Pulled", 2, ""), event(reason, 2, "why")];
            assert_eq!(first(&goes_on), pending(StartupStep::Placed));
        }
    }

    /// Status of a Pod whose container ended for `reason` after `seconds`, and is in back-off.
    fn last(name: &str, reason: &str, seconds: u8) -> Value {
        let from = "2026-11-23T12:00:00Z";
        let to = format!("2026-11-23T12:{:02}:{:02}Z", seconds / 60, seconds % 60);
        let ended = json!({ "exitCode": 137, "reason": reason, "message": "why",
            "startedAt": from, "finishedAt": to });
        let mut status = placed(waiting("CrashLoopBackOff", "back-off 10s"));
        let container = &mut status["containerStatuses"][0];
        container["name"] = name.into();
        container["lastState"] = json!({ "terminated": ended });
        status
    }

    /// Turns the container of `status` into an init container.
    fn init(mut status: Value) -> Value {
        status["initContainerStatuses"] = status["containerStatuses"].take();
        status["containerStatuses"] = json!([container("duckdb", waiting("PodInitializing", ""))]);
        status
    }

    #[test]
    fn a_pod_is_being_prepared_while_init_containers_run() {
        let runs = init(placed(json!({ "running": {} })));
        assert_eq!(pod(runs).state, pending(StartupStep::Placed));
    }

    #[test]
    fn a_permanent_obstacle_is_stuck() {
        for (status, failure) in [
            (
                placed(waiting("ImagePullBackOff", "x: not found")),
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
                placed(waiting("SignatureValidationFailed", "unsigned")),
                Failure::ImageRefused,
            ),
            (
                placed(waiting(
                    "CreateContainerConfigError",
                    "secret \"duckbot-s3-7\" not found",
                )),
                Failure::CredentialsMissing,
            ),
            (
                placed(waiting(
                    "CreateContainerConfigError",
                    "secret \"theirs\" not found",
                )),
                Failure::Container,
            ),
            (last("duckdb", "StartError", 0), Failure::Container),
            (last("theirs", "Error", 0), Failure::Container),
            (init(last("fetch", "Error", 0)), Failure::Container),
        ] {
            match pod(status.clone()).state {
                PodState::Stuck(incident) => assert_eq!(incident.failure, failure, "{status}"),
                other => panic!("{other:?} for {status}"),
            }
        }
    }

    #[test]
    fn a_pod_that_the_cluster_takes_is_disrupted() {
        let disrupted = |reason: &str| {
            json!({ "phase": "Running", "conditions":
            [{ "type": "DisruptionTarget", "status": "True", "reason": reason, "message": "why" }] })
        };
        let failed =
            |reason: &str| json!({ "phase": "Failed", "reason": reason, "message": "why" });
        let deleted = || json!({ "deletionTimestamp": "2026-11-23T12:00:00Z" });
        for (status, failure) in [
            (disrupted("EvictionByEvictionAPI"), Failure::Evicted),
            (disrupted("PreemptionByScheduler"), Failure::Evicted),
            (disrupted("DeletionByTaintManager"), Failure::NodeGone),
            (failed("Evicted"), Failure::Evicted),
            (failed("OutOfmemory"), Failure::Evicted),
            (failed("NodeShutdown"), Failure::Evicted),
        ] {
            let expected = PodState::Disrupted(Incident::new(failure, "why"));
            assert_eq!(pod_with(deleted(), status.clone(), &[]).state, expected);
            if status["phase"] == "Failed" {
                assert_eq!(pod(status).state, expected);
            }
        }
        // The eviction was announced, but has not happened and may never happen.
        let meant = pod(disrupted("EvictionByEvictionAPI")).state;
        assert!(!matches!(meant, PodState::Disrupted(_)), "{meant:?}");
        let going = pod_with(deleted(), json!({}), &[]).state;
        assert_eq!(going, PodState::Terminating);
        let over = json!({ "phase": "Failed", "reason": "DeadlineExceeded", "message": "why" });
        let over = pod(over).state;
        assert_eq!(over, PodState::Failed(Incident::new(Failure::Other, "why")));
    }

    #[test]
    fn evictions_for_own_disk_use_and_for_the_nodes_needs_are_distinguished() {
        for (message, failure) in [
            (
                "Usage of EmptyDir volume \"work\" exceeds the limit \"64Mi\". ",
                Failure::DiskFull,
            ),
            (
                "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi. ",
                Failure::DiskFull,
            ),
            (
                "The node was low on resource: memory. Container duckdb was using 9Gi, request is \
                 8Gi, has larger consumption of memory. ",
                Failure::Evicted,
            ),
        ] {
            let status = json!({ "phase": "Failed", "reason": "Evicted", "message": message });
            let expected = PodState::Disrupted(Incident::new(failure, message));
            assert_eq!(pod(status).state, expected);
        }
    }

    #[test]
    fn a_crashing_container_has_a_reason_and_a_restart_count() {
        for (name, reason, failure, why) in [
            ("duckdb", "Error", Failure::Crashed, "Error, exit code 137"),
            ("duckdb", "OOMKilled", Failure::OutOfMemory, "OOMKilled"),
            ("door", "Error", Failure::Door, "Error, exit code 137"),
        ] {
            let mut status = last(name, reason, 2);
            status["containerStatuses"][0]["restartCount"] = 2.into();
            let incident = Incident::new(failure, why);
            let is_duckdb = name == "duckdb";
            let expected = Pod {
                restarts: if is_duckdb { 2 } else { 0 },
                last_end: is_duckdb.then(|| incident.clone()),
                ..Pod::new(PodState::Crashing {
                    incident,
                    restarts: 2,
                })
            };
            assert_eq!(pod(status), expected);
        }
    }

    #[test]
    fn the_time_since_which_a_pod_is_not_ready_is_known() {
        let since = "2026-11-23T12:00:03Z";
        let mut status = placed(json!({ "running": {} }));
        status["conditions"] = json!([{ "type": "Ready", "status": "False",
            "lastTransitionTime": since }]);
        let at = |text: &str| Some(text.parse().expect("a time"));
        assert_eq!(pod(status.clone()).unready_since, at(since));
        // The Pod was too busy for a minute, then its container ended.
        let ended = last("duckdb", "OOMKilled", 61);
        status["containerStatuses"] = ended["containerStatuses"].clone();
        assert_eq!(pod(status).unready_since, at("2026-11-23T12:01:01Z"));
    }
}
