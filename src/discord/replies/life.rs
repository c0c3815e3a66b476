//! What is said of one session from its start to its end.

use chrono::TimeDelta;

use super::{Button, Emphasis, Reply, duration, reaped, since};
use crate::{
    discord::replies::ago,
    session::{
        Cause, Ending, Failure, Incident, Pod, PodState, Record, Rule, SessionId, Stage,
        StartupStep,
    },
};

/// While a session gets ready; `usual` is how long that takes here.
pub fn progress(record: &Record, pod: Option<&Pod>, usual: Option<TimeDelta>) -> Reply {
    let (place, state) = match pod.map(|pod| &pod.state) {
        Some(PodState::Coming { step, incident }) => {
            let (place, state) = at(*step);
            (place, incident.as_ref().map_or(state, hindered))
        }
        Some(PodState::Ready) => (STARTUP_STEPS, "DuckDB answers".into()),
        Some(_) => (0, "leaving the machine that it was on".into()),
        None => (0, "asking the cluster for a place".into()),
    };
    let again = match (&record.rescheduled, &record.stage) {
        (None, Stage::Starting) => "starts",
        _ => "starts again",
    };
    let usual = usual.map(|usual| format!("; that usually takes about {}", rounded(usual)));
    Reply::new(format!(
        "{} Session `{}` ({}, {}) {again}: {state}…\n\
         Asked for {}{}. Its link will be posted in this channel.",
        bar(place),
        record.id,
        record.size,
        record.catalog,
        since(record),
        usual.unwrap_or_default(),
    ))
}

/// Queued, placed, pulling, starting, ready.
const STARTUP_STEPS: usize = 5;

fn at(step: StartupStep) -> (usize, String) {
    match step {
        StartupStep::Queued => (1, "waiting for a place on the cluster".into()),
        StartupStep::Placed => (2, "a machine prepares it".into()),
        StartupStep::Pulling(began) => (
            3,
            format!("the machine fetches the software, since {}", ago(began)),
        ),
        StartupStep::Starting => (4, "DuckDB is getting ready".into()),
    }
}

fn hindered(incident: &Incident) -> String {
    let state = match incident.failure {
        Failure::NoRoom => "no machine of the cluster has room for it at the moment, so it waits",
        Failure::NoNode => "no machine of the cluster may take it at the moment, so it waits",
        Failure::Mount => "a disk of it can't be attached yet, so it waits",
        Failure::ImageMissing | Failure::ImageRefused | Failure::ImageUnavailable => {
            "the software can't be fetched yet, so it is tried again"
        }
        _ => "something is in the way, so it waits",
    };
    format!("{state} ({})", plain(&incident.why))
}

fn bar(place: usize) -> String {
    "▰".repeat(place) + &"▱".repeat(STARTUP_STEPS - place)
}

/// Whole seconds, and at least one.
fn rounded(usual: TimeDelta) -> String {
    duration(usual.num_seconds().max(1))
}

/// To the owner, when it is ready.
pub fn ready(id: &SessionId, url: &str) -> Reply {
    let text = format!("Session `{id}` is ready: <{url}>");
    Reply::new(text).with(Emphasis::Main, "Open", Button::Open(id.clone()))
}

/// To everybody, when it is ready.
pub fn announcement(record: &Record, url: &str) -> Reply {
    let news = match &record.rescheduled {
        // One that was never ready before has lost nothing.
        Some(moved) if record.was_ready() => format!(
            "Your DuckDB is ready again. {} {LOST}\nThe link is the same",
            taken(record, moved.incident.failure)
        ),
        _ => "Your DuckDB is ready".to_owned(),
    };
    Reply::new(format!(
        "<@{}> {news}: <{url}>\nSession `{}`, {}, tables of `{}`. Only its owner can open it. \
         `/duck stop` ends it.",
        record.owner, record.id, record.size, record.catalog
    ))
    .with(Emphasis::Main, "Open", Button::Open(record.id.clone()))
}

const LOST: &str = "What was only in it is lost: tables and notebooks that were not saved \
                    elsewhere. What is in S3 stays.";

/// To everybody, when a session was taken from its machine and starts again.
pub fn rescheduled(record: &Record, why: &Incident) -> Reply {
    Reply::new(format!(
        "<@{}> Session `{}` starts again. {} {LOST} Its link is told anew below.\n{}",
        record.owner,
        record.id,
        taken(record, why.failure),
        detail(&why.why),
    ))
}

fn taken(record: &Record, failure: Failure) -> String {
    match failure {
        Failure::NodeGone => "The machine that it was on has failed.".into(),
        Failure::DiskFull => format!("It filled the disk that size `{}` has.", record.size),
        Failure::Vanished => "It was gone from the cluster, and I did not see why.".into(),
        _ => "The cluster needed the machine that it was on, or the space there.".into(),
    }
}

/// To everybody, when DuckDB ended and was started again; `larger` is a size
/// with more memory.
pub fn came_back(record: &Record, why: &Incident, larger: Option<&str>) -> Reply {
    let what = match (why.failure, larger) {
        (Failure::OutOfMemory, Some(larger)) => format!(
            "needed more memory than size `{}` has, and was started again. (`/duck stop`, then \
             `/duck start size:{larger}` gives it more.)",
            record.size
        ),
        (Failure::OutOfMemory, None) => format!(
            "needed more memory than size `{}` has, and was started again.",
            record.size
        ),
        _ => "ended by itself, and was started again.".to_owned(),
    };
    Reply::new(format!(
        "<@{}> Your DuckDB in session `{}` {what} The link is the same. Queries that ran, and \
         tables that were only in memory, are lost.\n{}",
        record.owner,
        record.id,
        detail(&why.why),
    ))
}

/// To admins, with the log as a file.
pub fn last_words(record: &Record, log: &str) -> Reply {
    Reply::new(format!(
        "DuckDB in session `{}` of {} keeps ending, so I take it down. This is what it wrote last.",
        record.id,
        plain(&record.display_name)
    ))
    .with_log(record, log.to_owned())
}

/// How a session ended; `larger` is a size that has more of what it lacked.
pub fn ended(record: &Record, ending: &Ending, larger: Option<&str>) -> Reply {
    let session = format!("<@{}> Session `{}`", record.owner, record.id);
    // Its owner knows what they end themselves.
    let lost = match record.was_ready() {
        true => format!(" {LOST}"),
        false => String::new(),
    };
    let text = match &ending.cause {
        Cause::Stopped { by } if by == &record.owner => {
            return Reply::new(format!("{session} has ended: its owner stopped it."));
        }
        Cause::Stopped { by } => {
            return Reply::new(format!("{session} has ended: <@{by}> stopped it."));
        }
        Cause::Restarted { .. } => {
            return Reply::new(format!(
                "{session} has ended: its owner had it started again with new keys. The link of the \
                 new one will be posted here."
            ));
        }
        Cause::Refused { why, reference } => {
            format!("{session} could not be made. {why}{lost} (Reference: `{reference}`)")
        }
        Cause::TookTooLong { after_seconds } => format!(
            "{session} was not ready{} after {}, so I took it down.{lost} Please try again; \
             if it happens again, tell an admin.",
            again(record),
            duration(*after_seconds)
        ),
        Cause::Failed(incident) => {
            let what = failed(record, incident.failure);
            format!("{session} {what}{lost}\n{}", detail(&incident.why))
        }
        Cause::Lost => {
            format!("{session} has ended: somebody deleted it on the cluster.{lost}")
        }
        Cause::Reaped { rule, since } => {
            let ended = format!("{session} has ended: {}{lost}", reaped(*rule, *since));
            return match rule {
                Rule::OwnerLeft => Reply::new(ended),
                _ => with_retry(Reply::new(ended), record, "Start again"),
            };
        }
    };
    let reply = with_retry(Reply::new(text), record, "Try again");
    match larger {
        Some(larger) if can_retry(record) => reply.with(
            Emphasis::Main,
            "Try again, one size up",
            retry(record, larger),
        ),
        _ => reply,
    }
}

/// Keys of its own went with it; and an address of a lab's catalog is no button's matter.
fn can_retry(record: &Record) -> bool {
    record.uses_owner_credentials() && !record.catalog.contains(':')
}

fn with_retry(reply: Reply, record: &Record, label: &'static str) -> Reply {
    match can_retry(record) {
        true => reply.with(Emphasis::Quiet, label, retry(record, &record.size)),
        false => reply,
    }
}

/// For sessions that were ready once.
fn again(record: &Record) -> &'static str {
    match record.was_ready() {
        true => " again",
        false => "",
    }
}

fn failed(record: &Record, failure: Failure) -> String {
    const ADMIN: &str = "Only an admin can mend that.";
    let (size, again) = (&record.size, again(record));
    match failure {
        Failure::NoRoom => format!(
            "got no place: no machine of the cluster has room for size `{size}`. Try again later, \
             or with a smaller size."
        ),
        Failure::NoNode => {
            format!("got no place: no machine of the cluster may take it. {ADMIN}")
        }
        Failure::ImageMissing => {
            format!("could not start{again}: its software is not where the settings say. {ADMIN}")
        }
        Failure::ImageRefused => {
            format!("could not start{again}: the cluster may not fetch its software. {ADMIN}")
        }
        Failure::ImageUnavailable => format!(
            "could not start{again}: its software could not be fetched in time. Try again; if it \
             happens again, tell an admin."
        ),
        Failure::CredentialsMissing if !record.uses_owner_credentials() => {
            format!("could not start{again}: the keys that it was asked for with were not kept.")
        }
        Failure::CredentialsMissing => format!(
            "could not start{again}: your S3 credentials are no longer there. Hand them in with \
             `/duck setup`, then try again."
        ),
        Failure::Mount => {
            format!("could not start{again}: a disk of it could not be attached in time. {ADMIN}")
        }
        Failure::Container => {
            format!("could not start{again}: the cluster can't run it as it is set up. {ADMIN}")
        }
        Failure::Crashed => "has ended: DuckDB ended again and again. Please tell an admin.".into(),
        Failure::OutOfMemory => {
            format!("has ended: DuckDB needed more memory than size `{size}` has, again and again.")
        }
        Failure::Door => {
            format!("has ended: the door in front of it ended again and again. {ADMIN}")
        }
        Failure::DiskFull => {
            format!(
                "has ended: it filled the disk that size `{size}` has, and it was started again once \
                 already."
            )
        }
        Failure::Evicted => "has ended: the cluster took it from its machine, and it was started \
             again once already."
            .into(),
        Failure::NodeGone => {
            "has ended: the machine that it was on has failed, and it was started \
             again once already."
                .into()
        }
        Failure::Vanished => {
            "has ended: it was gone from the cluster, I did not see why, and it was \
             started again once already."
                .into()
        }
        Failure::Other => "has failed.".into(),
    }
}

fn retry(record: &Record, size: &str) -> Button {
    Button::Retry {
        session: record.id.clone(),
        owner: record.owner,
        size: size.to_owned(),
        catalog: record.catalog.clone(),
    }
}

/// For an engineer, small.
fn detail(why: &str) -> String {
    match why.trim() {
        "" => String::new(),
        why => format!("-# The cluster says: {}", plain(why)),
    }
}

/// The cluster's words, so that they can't break the message or ping anybody.
pub(super) fn plain(text: &str) -> String {
    let harmless = text.chars().filter(|c| !matches!(c, '`' | '\n' | '\r'));
    format!("`{}`", harmless.take(300).collect::<String>())
}
