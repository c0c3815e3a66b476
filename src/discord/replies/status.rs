//! What is said of one session to somebody who looks closely.

use std::fmt::Write;

use chrono::{DateTime, Utc};

use super::{Button, Emphasis, Reply, ago, line_of, plain, stops, used};
use crate::{
    door::activity::Activity,
    service::Status,
    session::{Details, Pod, PodEvent, PodState, Record, Size, Stage},
};

/// How much of what the cluster said is shown.
const MAX_EVENTS: usize = 6;

/// How a session is; `size` is its size, if the settings still have that. With `dry_run` no
/// rule stops any.
pub fn status(status: &Status, size: Option<&Size>, dry_run: bool) -> Reply {
    let Status {
        watched,
        activity,
        details,
        due,
    } = status;
    let seen = &watched.seen;
    let stops = due.as_ref().map(|due| stops(due, dry_run));
    let more = used(&watched.usage) + &stops.unwrap_or_default();
    let mut text = format!("Session {}{more}.", line_of(seen));
    let mut say = |line: String| {
        let _ = write!(text, "\n- {line}");
    };
    if let Some(node) = &details.node {
        say(format!("It is on the machine {}.", plain(node)));
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
        say(format!("Its keys expire {}.", ago(expire)));
    }
    text.push_str(&recent_events(details, seen.record.created));
    let reply = Reply::new(text);
    match seen.record.stage {
        Stage::Stopping { .. } => reply,
        _ => reply.with(
            Emphasis::Quiet,
            "Show its log",
            Button::Log(seen.record.id.clone()),
        ),
    }
}

/// The last lines that DuckDB wrote; none if they can't be shown.
pub fn log(record: &Record, words: Option<String>) -> Reply {
    let id = &record.id;
    match words {
        None => Reply::new(format!(
            "The keys of session `{id}` were replaced or forgotten since it was started, so I \
             can't take them out of its log, and don't show it."
        )),
        Some(words) if words.trim().is_empty() => {
            Reply::new(format!("DuckDB in session `{id}` has written nothing."))
        }
        Some(words) => Reply::new(format!(
            "The last lines that DuckDB in session `{id}` wrote, without keys."
        ))
        .with_log(record, words),
    }
}

/// What keeps it from running as it should.
fn trouble(pod: &Pod) -> Option<String> {
    let incident = match &pod.state {
        PodState::Coming { incident, .. } => incident.as_ref()?,
        PodState::Crashing { incident, .. }
        | PodState::Stuck(incident)
        | PodState::Failed(incident)
        | PodState::Disrupted(incident) => incident,
        PodState::Ready | PodState::Terminating => return None,
    };
    Some(format!(
        "Something is in its way: {}.",
        plain(&incident.why)
    ))
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
        "DuckDB ended and was started again {times}; the last time: {why}."
    ))
}

fn describe_activity(activity: &Activity) -> String {
    let many = |count: u32, one: &str, several: &str| match count {
        0 => format!("no {one}"),
        1 => format!("1 {one}"),
        count => format!("{count} {several}"),
    };
    let queries = many(activity.queries, "query runs", "queries run");
    let tabs = many(
        activity.tabs,
        "browser tab shows it",
        "browser tabs show it",
    );
    let last = activity.last_query.filter(|_| activity.queries == 0);
    let last = last.map(|at| format!(" (the last one ended {})", ago(at)));
    format!("Now {queries}{}, and {tabs}.", last.unwrap_or_default())
}

fn describe_memory(bytes: u64, size: Option<&Size>) -> String {
    let mebibytes = bytes >> 20;
    match size {
        Some(size) => format!("DuckDB takes {mebibytes} MiB of {}B.", size.memory),
        None => format!("DuckDB takes {mebibytes} MiB."),
    }
}

/// What the cluster said last, in plain words where there are some.
fn recent_events(details: &Details, since: DateTime<Utc>) -> String {
    // Of a session that had the same name there may be some left.
    let said = details.events.iter().filter(|said| said.at >= since);
    let said: Vec<_> = said.collect();
    if said.is_empty() {
        return String::new();
    }
    let last = &said[said.len().saturating_sub(MAX_EVENTS)..];
    let lines = last.iter().map(|said| {
        let words = explain_event(said)
            .unwrap_or_else(|| plain(&format!("{}: {}", said.reason, said.message)));
        format!("\n-# {} {words}", ago(said.at))
    });
    "\nWhat the cluster said last:".to_owned() + &lines.collect::<String>()
}

/// The reasons that a healthy session has (Kubernetes 1.35, `pkg/kubelet/events/event.go`, and
/// the scheduler's). What else there is needs its own words.
fn explain_event(said: &PodEvent) -> Option<String> {
    let words = match said.reason.as_str() {
        "Scheduled" => "it got a place on a machine",
        "Pulling" => "the machine fetches software",
        "Pulled" => "the machine has the software",
        "Created" => "a part of it was made",
        "Started" => "a part of it was started",
        "Killing" => "a part of it is being ended",
        "Unhealthy" => "it did not answer when it was asked whether it is ready",
        _ => return None,
    };
    Some(words.to_owned())
}
