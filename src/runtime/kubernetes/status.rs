//! What a Pod's status and its Events mean. Pure.
//!
//! The reasons are those of the kubelet and the scheduler (Kubernetes 1.35,
//! `pkg/kubelet/container/sync_result.go`, `pkg/kubelet/images/types.go`,
//! `pkg/kubelet/eviction`, and the Pod conditions of `k8s.io/api/core/v1`);
//! `tests/node` makes each of them happen on a real node.

use chrono::{DateTime, Utc};
use k8s_openapi::{
    api::core::v1::{ContainerStateTerminated, ContainerStatus, Event, Pod as Stored, PodStatus},
    apimachinery::pkg::apis::meta::v1::Time,
};

use super::build::DUCKDB;
use crate::session::{Failure, Incident, Pod, PodState, Station};

/// How often DuckDB may end while people use it, before its session is given
/// up. Only ends in quick succession count: the kubelet forgets after ten
/// minutes without one.
const MOST_RESTARTS: i32 = 3;

/// Whether an event can tell more than the status does.
pub fn is_telling(event: &Event) -> bool {
    matches!(event.reason.as_deref(), Some("Pulling" | "FailedMount"))
}

/// Reads a Pod, with the events about it that are [telling](is_telling).
pub fn read<'a>(stored: &Stored, events: impl Iterator<Item = &'a Event>) -> Pod {
    let nothing = PodStatus::default();
    let status = stored.status.as_ref().unwrap_or(&nothing);
    let duckdb = containers(status).find(|it| it.name == DUCKDB);
    let last_end = duckdb.and_then(|it| {
        let last = it.last_state.as_ref()?.terminated.as_ref()?;
        Some(end(last))
    });
    Pod {
        state: state(stored, status, events),
        restarts: duckdb.map_or(0, |it| it.restart_count.try_into().unwrap_or(0)),
        last_end,
    }
}

fn state<'a>(
    stored: &Stored,
    status: &PodStatus,
    events: impl Iterator<Item = &'a Event>,
) -> PodState {
    if let Some(incident) = disruption(status) {
        return PodState::Taken(incident);
    }
    if stored.metadata.deletion_timestamp.is_some() {
        return PodState::Going;
    }
    if let Some("Failed" | "Succeeded") = status.phase.as_deref() {
        return ended(status);
    }
    if let Some(incident) = containers(status).find_map(hopeless) {
        return PodState::Failed(incident);
    }
    if holds(status, "Ready") {
        return PodState::Ready;
    }
    on_the_way(stored, status, events)
}

/// Somebody or something that has nothing to do with this session took its Pod away.
fn disruption(status: &PodStatus) -> Option<Incident> {
    let conditions = status.conditions.iter().flatten();
    let condition = conditions
        .filter(|it| it.type_ == "DisruptionTarget" && it.status == "True")
        .next()?;
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
    let waiting = container.state.as_ref()?.waiting.as_ref()?;
    let message = waiting.message.as_deref().unwrap_or_default();
    match waiting.reason.as_deref()? {
        "CrashLoopBackOff" => crash_loop(container),
        "InvalidImageName" | "ErrImageNeverPull" => {
            Some(Incident::new(Failure::ImageMissing, message))
        }
        "ErrImagePull" | "ImagePullBackOff" => match pull_failure(message) {
            Failure::ImageUnavailable => None,
            failure => Some(Incident::new(failure, message)),
        },
        "CreateContainerConfigError" => Some(Incident::new(config_failure(message), message)),
        "CreateContainerError" | "RunContainerError" => {
            Some(Incident::new(Failure::Container, message))
        }
        _ => None,
    }
}

fn crash_loop(container: &ContainerStatus) -> Option<Incident> {
    let last = container.last_state.as_ref()?.terminated.as_ref()?;
    let end = end(last);
    if container.name != DUCKDB {
        return Some(Incident::new(Failure::Door, end.why));
    }
    // It was ready before if it had run for a while; then it may be tried more often.
    let (Some(Time(began)), Some(Time(finished))) = (&last.started_at, &last.finished_at) else {
        return Some(end);
    };
    let ran = finished.as_second() - began.as_second();
    (ran < 10 || container.restart_count >= MOST_RESTARTS).then_some(end)
}

/// Why DuckDB ended.
fn end(last: &ContainerStateTerminated) -> Incident {
    match last.reason.as_deref() {
        Some("OOMKilled") => Incident::new(Failure::OutOfMemory, "OOMKilled"),
        reason => {
            let reason = reason.unwrap_or("no reason given");
            let why = format!("{reason}, exit code {}", last.exit_code);
            Incident::new(Failure::Crashed, why)
        }
    }
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

fn config_failure(message: &str) -> Failure {
    match message.contains("secret") {
        true => Failure::KeysMissing,
        false => Failure::Container,
    }
}

fn on_the_way<'a>(
    stored: &Stored,
    status: &PodStatus,
    events: impl Iterator<Item = &'a Event>,
) -> PodState {
    let coming = |station, incident| PodState::Coming { station, incident };
    if !holds(status, "PodScheduled") {
        return coming(Station::Queued, no_room(stored, status));
    }
    let mut reasons = containers(status).filter_map(waits);
    if let Some((_, message)) =
        reasons.find(|(reason, _)| ["ErrImagePull", "ImagePullBackOff"].contains(reason))
    {
        let incident = Incident::new(Failure::ImageUnavailable, message);
        return coming(Station::Placed, Some(incident));
    }
    // A container that never ran has not been fetched, or is being made.
    let waits_for_first = containers(status).any(|it| {
        waits(it).is_some_and(|(reason, _)| reason == "ContainerCreating") && it.restart_count == 0
    });
    if containers(status).next().is_some() && !waits_for_first {
        return coming(Station::Starting, None);
    }
    let mut newest: Vec<_> = events.filter_map(|it| Some((seen_at(it)?, it))).collect();
    newest.sort_by_key(|(at, _)| *at);
    match newest.last() {
        Some((_, event)) if event.reason.as_deref() == Some("FailedMount") => {
            let message = event.message.as_deref().unwrap_or_default();
            coming(
                Station::Placed,
                Some(Incident::new(Failure::Mount, message)),
            )
        }
        Some((at, _)) if is_pulling(status) => coming(Station::Pulling(*at), None),
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
    // What follows is about taking the place of other Pods.
    let message = message.split(" preemption:").next().unwrap_or_default();
    let message = message.trim_end_matches(|c: char| !c.is_alphanumeric() && c != ')');
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
