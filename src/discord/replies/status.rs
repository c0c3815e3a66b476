//! Replies to `/duck status`, and to the button that shows a log.

use std::fmt::Write;

use super::{
    format::{plain, relative_time},
    kept::state_of_work,
    reaping::stops,
    reply::{Emphasis, Reply},
    sessions::{session_summary, usage_text},
};
use crate::{
    discord::buttons::Button,
    door::activity::Activity,
    service::Status,
    session::{OwnerId, Pod, PodEvent, PodState, Record, Size, Stage},
};

/// Maximum number of cluster events shown.
const MAX_EVENTS: usize = 6;

/// Shows one session in detail. `size` is its size, if the settings still have it. With `dry_run`,
/// no rule stops sessions. `who` reads it.
pub(crate) fn status(status: &Status, size: Option<&Size>, dry_run: bool, who: OwnerId) -> Reply {
    let Status {
        watched,
        activity,
        details,
        work,
        due,
    } = status;
    let seen = &watched.seen;
    let stops = due.as_ref().map(|due| stops(due, dry_run));
    let more = usage_text(&watched.usage) + &stops.unwrap_or_default();
    let kind = if seen.record.is_runner() {
        ""
    } else {
        "Session "
    };
    let mut text = format!("{kind}{}{more}.", session_summary(seen));
    let mut say = |line: String| {
        let _ = write!(text, "\n- {line}");
    };
    if let Some(node) = &details.node {
        say(format!("Cluster node: {}.", plain(node)));
    }
    if let Some(trouble) = seen.pod.as_ref().and_then(trouble) {
        say(trouble);
    }
    if let Some(restarts) = seen.pod.as_ref().and_then(restarts) {
        say(restarts);
    }
    if let Some(activity) = activity {
        say(describe_activity(activity));
    }
    if let Some(bytes) = details.memory {
        say(describe_memory(bytes, size));
    }
    if let Some(expire) = seen.record.credentials_expire {
        say(format!(
            "Expiry of its S3 credentials: {}.",
            relative_time(expire)
        ));
    }
    if let Some(work) = work {
        say(state_of_work(work, seen.record.owner == who));
    }
    text.push_str(&recent_events(&details.events));
    let reply = Reply::new(text);
    match seen.record.stage {
        Stage::Stopping { .. } => reply,
        _ => reply.with(
            Emphasis::Secondary,
            "Show log",
            Button::Log(seen.record.id.clone()),
        ),
    }
}

/// Shows the last lines of a session's log. `words` is `None` if credentials can't be removed from
/// it.
pub(crate) fn log(record: &Record, words: Option<String>) -> Reply {
    let id = &record.id;
    match words {
        None => Reply::new(format!(
            "The log of session `{id}` can't be shown, because it may contain credentials. They \
             were replaced or deleted after the session started, and it still has the previous \
             ones, so I can't remove them from the log."
        )),
        Some(words) if words.trim().is_empty() => {
            Reply::new(format!("The log of session `{id}` is empty."))
        }
        Some(words) => Reply::new(format!(
            "The last log lines of DuckDB in session `{id}`, without credentials."
        ))
        .with_log(record, words),
    }
}

/// Describes the problem that keeps a Pod from running.
fn trouble(pod: &Pod) -> Option<String> {
    let incident = match &pod.state {
        PodState::Pending { incident, .. } => incident.as_ref()?,
        PodState::Crashing { incident, .. }
        | PodState::Stuck(incident)
        | PodState::Failed(incident)
        | PodState::Disrupted(incident) => incident,
        PodState::Ready | PodState::Terminating => return None,
    };
    Some(format!("Problem: {}.", plain(&incident.why)))
}

fn restarts(pod: &Pod) -> Option<String> {
    let why = pod.last_end.as_ref()?;
    let times = match pod.restarts {
        0 => return None,
        1 => "once".to_owned(),
        times => format!("{times} times"),
    };
    let why = plain(&why.why);
    Some(format!(
        "DuckDB was restarted {times}; latest reason: {why}."
    ))
}

fn describe_activity(activity: &Activity) -> String {
    let many = |count: u32, one: &str, several: &str| match count {
        0 => format!("no {one}"),
        1 => format!("1 {one}"),
        count => format!("{count} {several}"),
    };
    let queries = many(activity.queries, "running query", "running queries");
    let queued = match activity.queued {
        0 => String::new(),
        count => format!(", {count} waiting"),
    };
    let tabs = many(activity.tabs, "open browser tab", "open browser tabs");
    let last = activity
        .last_query
        .filter(|_| activity.queries + activity.queued == 0);
    let last = last.map(|at| format!(" (last query ended {})", relative_time(at)));
    let last = last.unwrap_or_default();
    format!("Activity: {queries}{queued}{last}, {tabs}.")
}

fn describe_memory(bytes: u64, size: Option<&Size>) -> String {
    let mebibytes = bytes >> 20;
    match size {
        Some(size) => format!("Memory: {mebibytes} MiB of {}B.", size.memory),
        None => format!("Memory: {mebibytes} MiB."),
    }
}

/// Lists the latest events of the cluster, in plain words where [`explain_event`] has some.
fn recent_events(events: &[PodEvent]) -> String {
    if events.is_empty() {
        return String::new();
    }
    let last = &events[events.len().saturating_sub(MAX_EVENTS)..];
    let lines = last.iter().map(|said| {
        let words = explain_event(said)
            .unwrap_or_else(|| plain(&format!("{}: {}", said.reason, said.message)));
        format!("\n-# {} {words}", relative_time(said.at))
    });
    "\nLatest cluster events:".to_owned() + &lines.collect::<String>()
}

/// Explains the event reasons of a healthy session (Kubernetes 1.35,
/// `pkg/kubelet/events/event.go`, and the scheduler's). Other events are shown as they are.
fn explain_event(said: &PodEvent) -> Option<String> {
    let words = match said.reason.as_str() {
        "Scheduled" => "assigned to a cluster node",
        "Pulling" => "downloading an image",
        "Pulled" => "image is on the node",
        "Created" => "container created",
        "Started" => "container started",
        "Killing" => "stopping a container",
        "Unhealthy" => "readiness check failed",
        _ => return None,
    };
    Some(words.to_owned())
}
