//! Messages about one session, from its start to its end.

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    errors::error_text,
    format::{duration, plain, relative_time, session_name, started},
    kept::{after_the_end, spaced, when_ready, while_rescheduled},
    reply::{Emphasis, Reply},
    startup::startup,
};
use crate::{
    discord::buttons::Button,
    session::{Cause, Ending, Failure, Incident, Pod, Record, Rule, Stage, WorkReport},
};

/// Progress while a session starts. `usual` is the usual time until a session is ready.
pub(crate) fn progress(record: &Record, pod: Option<&Pod>, usual: Option<TimeDelta>) -> Reply {
    let again = match (&record.rescheduled, &record.stage) {
        (None, Stage::Starting) => "Starting",
        _ => "Restarting",
    };
    let what = format!(
        "{again} session {} ({}, `{}`)",
        session_name(record),
        record.size,
        record.catalog
    );
    let usual =
        usual.map(|usual| format!(", usually ready within about {}", round_duration(usual)));
    Reply::new(format!(
        "{}…\nRequested {}{}. The link will be posted in this channel.",
        startup(&what, pod),
        started(record),
        usual.unwrap_or_default(),
    ))
}

/// Rounds down to whole seconds, at least one.
fn round_duration(usual: TimeDelta) -> String {
    duration(usual.num_seconds().max(1))
}

/// Private reply to the owner when the session is ready. `url` is `None` if the message in the
/// channel has it.
pub(crate) fn ready(record: &Record, url: Option<&str>) -> Reply {
    let url = url.map_or(".".to_owned(), |url| format!(": <{url}>"));
    let text = format!("Session {} is ready{url}", session_name(record));
    let open = Button::Open(record.id.clone());
    Reply::new(text).with(Emphasis::Primary, "Open", open)
}

/// Public message when the session is ready, also after a rescheduling. `work` is the session's report
/// about its work, if it gave one.
pub(crate) fn announcement(record: &Record, url: &str, work: Option<&WorkReport>) -> Reply {
    let kept = when_ready(record, work);
    let (news, kept) = match &record.rescheduled {
        // A session that was never ready before has lost nothing.
        Some(moved) if record.was_ready() => {
            let news = format!(
                "Your DuckDB is ready again. {}{}\nThe link is the same",
                disruption_text(record, moved.incident.failure),
                spaced(&kept)
            );
            (news, String::new())
        }
        _ if kept.is_empty() => ("Your DuckDB is ready".to_owned(), kept),
        _ => ("Your DuckDB is ready".to_owned(), format!("\n{kept}")),
    };
    Reply::new(format!(
        "<@{}> {news}: <{url}>{kept}\nSession {} ({}, catalog `{}`). Only its owner can open it. \
         Stop it with `/duck stop`.",
        record.owner,
        session_name(record),
        record.size,
        record.catalog
    ))
    .with(Emphasis::Primary, "Open", Button::Open(record.id.clone()))
}

/// Public message when a session lost its Pod and is being rescheduled.
pub(crate) fn rescheduled(record: &Record, why: &Incident) -> Reply {
    Reply::new(format!(
        "<@{}> Session {} is restarting. {} {} The link will be posted again when it is \
         ready.\n{}",
        record.owner,
        session_name(record),
        disruption_text(record, why.failure),
        while_rescheduled(record, why.failure),
        detail(&why.why),
    ))
}

fn disruption_text(record: &Record, failure: Failure) -> String {
    match failure {
        Failure::NodeGone => "Its cluster node failed.".into(),
        Failure::DiskFull => format!("It filled the disk of size `{}`.", record.size),
        Failure::Vanished => "It disappeared from the cluster; the cause is unknown.".into(),
        Failure::BotEnded => "The bot was restarted, and your DuckDB with it.".into(),
        _ => "The cluster took its node away.".into(),
    }
}

/// Public message when DuckDB exited and was restarted. `larger` is a size with more memory.
pub(crate) fn restart_notice(record: &Record, why: &Incident, larger: Option<&str>) -> Reply {
    let what = match (why.failure, larger) {
        (Failure::OutOfMemory, Some(larger)) => format!(
            "ran out of memory (size `{}`) and was restarted. For more memory, run `/duck stop`, \
             then `/duck start size:{larger}`.",
            record.size
        ),
        (Failure::OutOfMemory, None) => format!(
            "ran out of memory (size `{}`) and was restarted.",
            record.size
        ),
        _ => "exited unexpectedly and was restarted.".to_owned(),
    };
    Reply::new(format!(
        "<@{}> Your DuckDB in session {} {what} Running queries and temporary tables are lost; \
         notebooks and other tables are still there. The link is the same.\n{}",
        record.owner,
        session_name(record),
        detail(&why.why),
    ))
}

/// Message to admins before a session whose DuckDB keeps crashing is stopped, with its log. `why` is
/// the line of the log that says why DuckDB ended.
pub(crate) fn crash_log(record: &Record, why: &str, log: &str) -> Reply {
    let why: String = why.chars().take(500).collect();
    Reply::new(format!(
        "DuckDB in session `{}` of {} keeps crashing, so the session is being stopped. Its last \
         log lines are attached.\n-# Message from DuckDB: {}",
        record.id,
        plain(&record.display_name),
        plain(&why)
    ))
    .with_log(record, log.to_owned())
}

/// Message of a session that was ready, after a later message said why it ended.
pub(crate) fn ended_briefly(record: &Record) -> Reply {
    Reply::new(format!(
        "<@{}> Session {} has ended. A later message says why.",
        record.owner,
        session_name(record)
    ))
}

/// Public message if a start failed after a while. The private reply has the cause.
pub(crate) fn start_failed_notice(record: &Record) -> Reply {
    let text = format!(
        "<@{}> Session {} did not start. My reply to your command says why.",
        record.owner,
        session_name(record)
    );
    with_retry(Reply::new(text), record, "Try again")
}

/// Message about how a session ended. `larger` is a size with more of the resource that
/// ran out.
pub(crate) fn ended(record: &Record, ending: &Ending, larger: Option<&str>) -> Reply {
    let session = format!("<@{}> Session {}", record.owner, session_name(record));
    let lost = spaced(&after_the_end(record));
    // People who end a session themselves have confirmed the loss.
    let saved = if record.keeps_work { lost.as_str() } else { "" };
    let text = match &ending.cause {
        Cause::Stopped { by } if by == &record.owner => {
            return Reply::new(format!("{session} was stopped by its owner.{saved}"));
        }
        Cause::Stopped { by } => {
            return Reply::new(format!("{session} was stopped by <@{by}>.{saved}"));
        }
        Cause::OverQuota => {
            return Reply::new(format!(
                "{session} was not started: another start took the last place. Try again later with \
                 `/duck start`."
            ));
        }
        Cause::Restarted { .. } => {
            return Reply::new(format!(
                "{session} was stopped to restart it with new credentials.{saved} The link to the new \
                 session will be posted here."
            ));
        }
        Cause::Refused { error, reference } => format!(
            "{session} could not be created. {}{lost} (Reference: `{reference}`)",
            error_text(error)
        ),
        Cause::TookTooLong { after_seconds } => format!(
            "{session} was not ready{} within {} and was stopped.{lost} Try again. If \
             this happens again, tell an admin.",
            again(record),
            duration(*after_seconds)
        ),
        Cause::Failed(incident) => {
            let what = failed(record, incident.failure);
            format!("{session} {what}{lost}\n{}", detail(&incident.why))
        }
        Cause::Lost => {
            format!("{session} has ended: it was deleted on the cluster.{lost}")
        }
        Cause::Reaped { rule, since } => {
            let ended = format!(
                "{session} was stopped {}.{lost}",
                reap_reason(*rule, *since)
            );
            return match rule {
                Rule::OwnerLeft => Reply::new(ended),
                _ => with_retry(Reply::new(ended), record, "Start again"),
            };
        }
    };
    let needs_credentials = record.uses_owner_credentials()
        && matches!(&ending.cause, Cause::Failed(it) if it.failure == Failure::CredentialsMissing);
    let reply = if needs_credentials {
        Reply::new(text).with_form(Some(record.catalog.clone()))
    } else {
        Reply::new(text)
    };
    let reply = with_retry(reply, record, "Try again");
    match larger.and_then(|larger| retry(record, larger)) {
        Some(button) => reply.with(Emphasis::Primary, "Try again with a larger size", button),
        None => reply,
    }
}

/// Button that starts the session again, with this size. `None` if a button can't: the session's own
/// credentials are gone, its catalog is a URL, or its names are too long.
fn retry(record: &Record, size: &str) -> Option<Button> {
    let can_retry = record.uses_owner_credentials() && !record.catalog.contains(':');
    can_retry.then(|| Button::retry(record, size)).flatten()
}

fn with_retry(reply: Reply, record: &Record, label: &'static str) -> Reply {
    match retry(record, &record.size) {
        Some(button) => reply.with(Emphasis::Secondary, label, button),
        None => reply,
    }
}

/// Returns " again" for a session that was ready before.
fn again(record: &Record) -> &'static str {
    if record.was_ready() { " again" } else { "" }
}

fn failed(record: &Record, failure: Failure) -> String {
    const ADMIN: &str = "An admin has to fix this.";
    let (size, again) = (&record.size, again(record));
    match failure {
        Failure::NoRoom => format!(
            "could not start{again}: the cluster has no room for size `{size}` right now. Try \
             again later, or choose a smaller size."
        ),
        Failure::NoNode => {
            format!("could not start{again}: no cluster node can run it as configured. {ADMIN}")
        }
        Failure::ImageMissing => {
            format!(
                "could not start{again}: the session image was not found (`sessions.image`). \
                 {ADMIN}"
            )
        }
        Failure::ImageRefused => {
            format!(
                "could not start{again}: the registry does not let the cluster download the \
                 session image. {ADMIN}"
            )
        }
        Failure::ImageUnavailable => format!(
            "could not start{again}: the session image could not be downloaded in time. \
             Try again. If this happens again, tell an admin."
        ),
        Failure::CredentialsMissing if !record.uses_owner_credentials() => {
            format!(
                "could not start{again}: the credentials that were sent with its request are gone. \
                 Send a new request."
            )
        }
        Failure::CredentialsMissing => format!(
            "could not start{again}: your credentials are no longer saved. Enter them with `/duck setup`, \
             then try again."
        ),
        Failure::Mount => {
            format!(
                "could not start{again}: one of its disks could not be attached in time. {ADMIN}"
            )
        }
        Failure::Container => {
            format!(
                "could not start{again}: the cluster can't run its containers as configured. \
                 {ADMIN}"
            )
        }
        Failure::Crashed => "was stopped: DuckDB crashed repeatedly. Tell an admin.".into(),
        Failure::OutOfMemory => {
            format!(
                "was stopped: DuckDB ran out of memory repeatedly (size `{size}`). A query on \
                 fewer rows or columns needs less memory."
            )
        }
        Failure::Door => {
            format!("was stopped: the proxy that checks who opens it crashed repeatedly. {ADMIN}")
        }
        Failure::DiskFull => {
            format!("was stopped: it filled the disk of size `{size}`, and a restart did not help.")
        }
        Failure::Evicted => {
            "was stopped: while it was restarting, the cluster took its new node away.".into()
        }
        Failure::NodeGone => {
            "was stopped: while it was restarting, its new cluster node failed.".into()
        }
        Failure::Vanished => {
            "was stopped: it disappeared from the cluster; the cause is unknown.".into()
        }
        Failure::BotEnded => "has ended, because the bot was restarted.".into(),
        Failure::Other => "has failed. Try again. If this happens again, tell an admin.".into(),
    }
}

/// Formats the cluster's own message in small print, for engineers.
fn detail(why: &str) -> String {
    match why.trim() {
        "" => String::new(),
        why => format!("-# Message from the cluster: {}", plain(why)),
    }
}

/// Returns the reason why a session is stopped, as the end of a sentence without its period.
pub(crate) fn reap_reason(rule: Rule, since: DateTime<Utc>) -> String {
    match rule {
        Rule::Idle => format!("for being idle (last active {})", relative_time(since)),
        Rule::Lifetime => format!(
            "at the end of its lifetime (started {})",
            relative_time(since)
        ),
        Rule::MaxAge => format!(
            "at the maximum session age (started {})",
            relative_time(since)
        ),
        Rule::OwnerLeft => "because its owner left this server".to_owned(),
    }
}
