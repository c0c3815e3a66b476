//! Lists of sessions, and the replies to opening and stopping one.

use std::{fmt::Write, num::NonZeroU32};

use chrono::{DateTime, Utc};

use super::{
    format::{relative_time, session_name, started},
    kept::{after_the_end, if_stopped, spaced},
    reaping::stops,
    reply::{Emphasis, MAX_MESSAGE_CHARS, MAX_ROWS, RESERVE, Reply, message_len},
};
use crate::{
    discord::{buttons::Button, start_options::StartOptions},
    door::ticket,
    session::{
        Observed, OwnerId, Phase, Record, Rule, ScheduledStop, SessionId, Stage, TrackedSession,
        Usage,
    },
};

/// Reply to `/duck start` if the person already has sessions. `other` starts another one, or tries
/// it again if the session limit allows none (`room` is false).
pub(crate) fn already_running(sessions: &[(Observed, String)], room: bool, other: Button) -> Reply {
    let mut text = match sessions.len() {
        1 => "You already have a session:".to_owned(),
        count => format!("You already have {count} sessions:"),
    };
    for (seen, url) in sessions {
        let _ = write!(text, "\n{}", list_item(seen, url, ""));
    }
    if !room {
        text.push_str(
            "\nYou have reached your session limit. To start another session, first stop one.",
        );
    }
    let mut reply = Reply::new(text);
    for (seen, _) in sessions.iter().take(MAX_ROWS - 1) {
        let buttons = [open_button(seen), stop_button(seen)];
        let buttons = buttons.into_iter().flatten();
        reply = reply.with_session_row(&seen.record.id, sessions.len() > 1, buttons);
    }
    if room {
        reply.with(Emphasis::Secondary, "Start another", other)
    } else {
        reply
    }
}

/// Progress of a start that waits for the end of the session in its workspace.
pub(crate) fn waiting_for_workspace(id: &SessionId) -> Reply {
    Reply::new(format!(
        "Session `{id}` is still being stopped. The new one starts when it is gone…"
    ))
}

/// Button of a session that can be opened.
fn open_button(seen: &Observed) -> Option<(Emphasis, &'static str, Button)> {
    let id = || seen.record.id.clone();
    let is_ready = seen.record.stage == Stage::Running;
    is_ready.then(|| (Emphasis::Primary, "Open", Button::Open(id())))
}

/// Button of a session that can be stopped.
fn stop_button(seen: &Observed) -> Option<(Emphasis, &'static str, Button)> {
    let id = || seen.record.id.clone();
    (!seen.record.is_stopping()).then(|| (Emphasis::Danger, "Stop", Button::AskToStop(id())))
}

/// Label of the link that opens a session.
pub(crate) const LINK_LABEL: &str = "Open DuckDB";
/// Label of the link that opens the session's console, beside DuckDB's own UI.
pub(crate) const CONSOLE_LABEL: &str = "Open the console";

/// Text above the link that opens a session.
pub(crate) fn opening(record: &Record) -> Reply {
    Reply::new(format!(
        "Your link to session {} is ready. It is valid for {} and works in one browser. Get a \
         new one with `/duck open`.",
        session_name(record),
        ticket::lifetime()
    ))
}

/// Asks for confirmation before a session is stopped.
pub(crate) fn confirm_stop(record: &Record) -> Reply {
    let (kind, loss) = if record.is_runner() {
        ("", "Queries that run there will be lost.".to_owned())
    } else {
        ("session ", if_stopped(record))
    };
    Reply::new(format!(
        "Stop {kind}{} of <@{}> ({}, `{}`, started {})?\n{loss}",
        session_name(record),
        record.owner,
        record.size,
        record.catalog,
        started(record),
    ))
    .with(Emphasis::Danger, "Stop it", Button::Stop(record.id.clone()))
    .with(
        Emphasis::Secondary,
        "Keep it",
        Button::Keep(record.id.clone()),
    )
}

/// Progress while a session is being stopped. `seen` is `None` if it is not seen.
pub(crate) fn stopping(id: &SessionId, seen: Option<&Observed>) -> Reply {
    Reply::new(match seen.map(Observed::phase) {
        Some(Phase::Saving) => format!("Saving the work of session `{id}`, then stopping it…"),
        _ => format!("Stopping session `{id}`…"),
    })
}

/// Confirms to `who` that a session and all its objects are removed. `last` is its last record that was
/// seen. Only its owner reads what became of the work, because the sentences are about their keys.
pub(crate) fn stopped(id: &SessionId, last: Option<&Record>, who: OwnerId) -> Reply {
    // Without an outcome, the message in the channel says more.
    let last = last.filter(|record| record.owner == who && record.work_outcome().is_some());
    let saved = last.map(after_the_end).unwrap_or_default();
    Reply::new(format!(
        "Session `{id}` is stopped and removed.{}",
        spaced(&saved)
    ))
}

/// Confirms that a session was not stopped.
pub(crate) fn session_kept(id: &SessionId) -> Reply {
    Reply::new(format!("Session `{id}` was not stopped."))
}

/// Last reply to a person who waits for a session whose record is gone.
pub(crate) fn session_ended(id: &SessionId) -> Reply {
    Reply::new(format!(
        "Session `{id}` has ended. The message in the channel says why."
    ))
}

/// Last reply to a person whose new session disappeared before the bot saw it.
pub(crate) fn session_vanished(id: &SessionId) -> Reply {
    Reply::new(format!(
        "Session `{id}` disappeared, and I don't know why. Run `/duck start` again."
    ))
}

/// Entry of `/duck list`.
#[derive(Debug, Clone)]
pub(crate) struct ListEntry {
    pub watched: TrackedSession,
    pub url: String,
    /// The next stop by a rule, if any.
    pub due: Option<ScheduledStop>,
}

/// More entries than fit into a list.
pub(crate) const MAX_LISTED: usize = 30;

/// A list of everybody's sessions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AllSessions {
    /// Maximum number of sessions, if there is one and the reader is an admin.
    pub total: Option<NonZeroU32>,
}

/// Lists sessions of one person or, with `all`, of everybody. Adds buttons for those of `who`. `stale` is the time of the last
/// update from the cluster, if updates are missing. With `dry_run`, no rule stops sessions.
pub(crate) fn list(
    sessions: &[ListEntry],
    who: OwnerId,
    all: Option<AllSessions>,
    stale: Option<DateTime<Utc>>,
    dry_run: bool,
) -> Reply {
    let mut reply = list_sessions(sessions, all, dry_run);
    let is_theirs = |entry: &&ListEntry| entry.watched.seen.record.owner == who;
    for entry in sessions.iter().filter(is_theirs).take(MAX_ROWS) {
        let seen = &entry.watched.seen;
        let buttons = [open_button(seen), extend_button(entry), stop_button(seen)];
        let buttons = buttons.into_iter().flatten();
        reply = reply.with_session_row(&seen.record.id, sessions.len() > 1, buttons);
    }
    if let Some(since) = stale {
        let _ = write!(
            reply.text,
            "\nThe last update from the cluster came {}, so this list may be out of date.",
            relative_time(since)
        );
    }
    reply
}

/// Button of a session that can be extended.
fn extend_button(entry: &ListEntry) -> Option<(Emphasis, &'static str, Button)> {
    let id = || entry.watched.seen.record.id.clone();
    match entry.due?.rule {
        Rule::Idle | Rule::Lifetime => Some((Emphasis::Secondary, "Extend", Button::Extend(id()))),
        Rule::MaxAge | Rule::OwnerLeft => None,
    }
}

fn list_sessions(sessions: &[ListEntry], all: Option<AllSessions>, dry_run: bool) -> Reply {
    if sessions.is_empty() {
        let text = if all.is_some() {
            "Nobody has a session. Start one with `/duck start`."
        } else {
            "You have no sessions. Start one with `/duck start`, or see everybody's with \
             `/duck list all:True`."
        };
        return Reply::new(text).with_start("Start a session", StartOptions::default());
    }
    let mut text = match (all, sessions.len()) {
        (Some(AllSessions { total: Some(total) }), n) => {
            format!("{n} of {total} sessions, oldest first:")
        }
        (Some(_), 1) => "1 session:".to_owned(),
        (Some(_), n) => format!("{n} sessions, oldest first:"),
        (None, 1) => "Your session:".to_owned(),
        (None, n) => format!("Your {n} sessions, oldest first:"),
    };
    for (position, ListEntry { watched, url, due }) in sessions.iter().enumerate() {
        let stops = due.as_ref().map(|due| stops(due, dry_run));
        let more = usage_text(&watched.usage) + &stops.unwrap_or_default();
        let line = list_item(&watched.seen, url, &more);
        if message_len(&text) + message_len(&line) > MAX_MESSAGE_CHARS - RESERVE {
            let left = sessions.len() - position;
            let _ = write!(text, "\n…and {left} more that did not fit in this message.");
            break;
        }
        let _ = write!(text, "\n{line}");
    }
    Reply::new(text)
}

/// Adds query runners to a list of sessions.
pub(crate) fn with_runners(mut list: Reply, runners: &[ListEntry]) -> Reply {
    if runners.is_empty() {
        return list;
    }
    let text = &mut list.text;
    let _ = match runners.len() {
        1 => write!(text, "\n1 query runner:"),
        count => write!(text, "\n{count} query runners, oldest first:"),
    };
    for (position, ListEntry { watched, due, .. }) in runners.iter().enumerate() {
        // No rule stops it, so a dry run changes nothing.
        let stops = due.as_ref().map(|due| stops(due, false));
        let more = usage_text(&watched.usage) + &stops.unwrap_or_default();
        let line = format!("\n- {}{more}", session_summary(&watched.seen));
        if message_len(text) + message_len(&line) > MAX_MESSAGE_CHARS - RESERVE {
            let left = runners.len() - position;
            let _ = write!(text, "\n…and {left} more that did not fit in this message.");
            break;
        }
        text.push_str(&line);
    }
    list
}

pub(super) fn usage_text(usage: &Usage) -> String {
    match usage {
        Usage::Unknown => String::new(),
        Usage::Busy => ", running a query".to_owned(),
        Usage::Idle(since) => format!(", last active {}", relative_time(*since)),
        Usage::Unreachable(_) => ", activity unknown (the session does not respond)".to_owned(),
    }
}

fn list_item(seen: &Observed, url: &str, more: &str) -> String {
    format!("- {}{more}, <{url}>", session_summary(seen))
}

pub(super) fn session_summary(seen: &Observed) -> String {
    let record = &seen.record;
    format!(
        "{} of <@{}>: {}, {}, `{}`, started {}",
        session_name(record),
        record.owner,
        seen.phase(),
        record.size,
        record.catalog,
        started(record),
    )
}
