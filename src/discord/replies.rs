//! Texts of all replies, messages and forms, as pure functions. `tests` and `rejection_tests` have a
//! snapshot of each reply.

mod credential_errors;
mod credentials;
mod forms;
mod life;
mod reaping;
mod rejections;
mod sql;
mod status;

use std::fmt::Write;

use chrono::{DateTime, Utc};

use super::{buttons::Button, commands::spec::CommandSpec};
use crate::{
    door::ticket,
    session::{Observed, Record, ScheduledStop, SessionId, TrackedSession, Usage},
};

pub(super) use credentials::*;
pub(super) use forms::*;
pub(super) use life::*;
pub(super) use reaping::*;
pub(super) use rejections::*;
pub(super) use sql::*;
pub(super) use status::*;

/// Maximum length of a Discord message, as counted by [`message_len`].
pub(super) const MAX_MESSAGE_CHARS: usize = 2000;
/// Characters kept free for the line that says how many entries were left out.
const RESERVE: usize = 120;

/// Returns the length of a text as Discord counts it: in Unicode code points
/// (discord/discord-api-docs#1315).
pub(super) fn message_len(text: &str) -> usize {
    text.chars().count()
}

/// Returns `text` with at most `max` characters. A text that was cut ends with "…".
pub(super) fn shorten(text: &str, max: usize) -> String {
    if message_len(text) <= max {
        text.to_owned()
    } else {
        let kept = text.chars().take(max.saturating_sub(1));
        kept.chain(['…']).collect()
    }
}

/// A message with optional buttons and an optional file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Discord markdown.
    pub text: String,
    /// Buttons under the text, at most five.
    pub buttons: Vec<LabelledButton>,
    /// Attached file.
    pub file: Option<File>,
}

/// A text file to attach to a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    pub name: String,
    pub text: String,
}

/// A button with its label and style.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelledButton {
    /// Action of the button.
    pub button: Button,
    pub label: &'static str,
    pub emphasis: Emphasis,
}

/// Style of a button.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Emphasis {
    /// The action that most people want.
    Primary,
    /// An alternative.
    Secondary,
    /// An action that can't be undone.
    Danger,
}

impl Reply {
    fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            buttons: Vec::new(),
            file: None,
        }
    }

    /// Returns true if this is a query result that can be shared.
    pub fn is_answer(&self) -> bool {
        self.buttons.iter().any(|it| it.button == Button::Share)
    }

    /// Attaches the log of a session's DuckDB.
    fn with_log(self, record: &Record, text: String) -> Self {
        let name = format!("duckui-{}.log", record.id);
        Self {
            file: Some(File { name, text }),
            ..self
        }
    }

    fn with(mut self, emphasis: Emphasis, label: &'static str, button: Button) -> Self {
        self.buttons.push(LabelledButton {
            button,
            label,
            emphasis,
        });
        self
    }
}

/// Reply to `/duck start` if the person already has sessions. If the session limit allows another
/// one (`room`), the button `other` starts it.
pub(super) fn already_running(sessions: &[(Observed, String)], room: bool, other: Button) -> Reply {
    let mut text = match sessions.len() {
        1 => "You already have a session:".to_owned(),
        count => format!("You already have {count} sessions:"),
    };
    for (seen, url) in sessions {
        let _ = write!(text, "\n{}", list_item(seen, url, ""));
    }
    if room {
        Reply::new(text).with(Emphasis::Secondary, "Start another", other)
    } else {
        text.push_str(
            "\nYou have reached your session limit. To start another session, first stop one \
             with `/duck stop`.",
        );
        Reply::new(text)
    }
}

/// Label of the link that opens a session.
pub(super) const LINK_LABEL: &str = "Open DuckDB";

/// Text above the link that opens a session.
pub(super) fn opening(record: &Record) -> Reply {
    Reply::new(format!(
        "Your link to session `{}` is ready. It is valid for {} and works in one browser. Get a \
         new one with `/duck open`.",
        record.id,
        ticket::lifetime()
    ))
}

/// Asks for confirmation before a session is stopped.
pub(super) fn confirm_stop(record: &Record) -> Reply {
    Reply::new(format!(
        "Stop session `{}` of <@{}> ({}, `{}`, started {})?\n\
         **Tables and notebooks that are not saved elsewhere will be lost.** Data in S3 is safe.",
        record.id,
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

/// Progress while a session is being stopped.
pub(super) fn stopping(id: &SessionId) -> Reply {
    Reply::new(format!("Stopping session `{id}`…"))
}

/// Confirms that a session and all its objects are removed.
pub(super) fn stopped(id: &SessionId) -> Reply {
    Reply::new(format!("Session `{id}` is stopped and removed."))
}

/// Confirms that a session was not stopped.
pub(super) fn session_kept(id: &SessionId) -> Reply {
    Reply::new(format!("Session `{id}` was not stopped."))
}

/// Last reply to a person who waits for a session whose record is gone.
pub(super) fn session_ended(id: &SessionId) -> Reply {
    Reply::new(format!(
        "Session `{id}` has ended. The message in the channel says why."
    ))
}

/// Entry of `/duck list`.
#[derive(Debug, Clone)]
pub(super) struct ListEntry {
    pub watched: TrackedSession,
    pub url: String,
    /// The next stop by a rule, if any.
    pub due: Option<ScheduledStop>,
}

/// Lists sessions of one person or, with `all`, of everybody. `stale` is the time of the last
/// update from the cluster, if updates are missing. With `dry_run`, no rule stops sessions.
pub(super) fn list(
    sessions: &[ListEntry],
    all: bool,
    stale: Option<DateTime<Utc>>,
    dry_run: bool,
) -> Reply {
    let mut reply = list_sessions(sessions, all, dry_run);
    if let Some(since) = stale {
        let _ = write!(
            reply.text,
            "\nThe last update from the cluster came {}, so this list may be out of date.",
            relative_time(since)
        );
    }
    reply
}

fn list_sessions(sessions: &[ListEntry], all: bool, dry_run: bool) -> Reply {
    if sessions.is_empty() {
        return Reply::new(if all {
            "Nobody has a session. Start one with `/duck start`."
        } else {
            "You have no sessions. Start one with `/duck start`, or see everybody's with \
             `/duck list all:True`."
        });
    }
    let mut text = match (all, sessions.len()) {
        (true, 1) => "1 session:".to_owned(),
        (true, n) => format!("{n} sessions, oldest first:"),
        (false, 1) => "Your session:".to_owned(),
        (false, n) => format!("Your {n} sessions, oldest first:"),
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

/// Lists all commands.
pub(super) fn help(commands: &[&CommandSpec]) -> Reply {
    let mut text = "Run your own DuckDB on the team's tables:".to_owned();
    for spec in commands {
        let _ = write!(text, "\n- `{}`: {}.", spec.usage(), spec.summary);
    }
    Reply::new(text)
}

/// Reply to a button, form or command of an older version.
pub(super) fn outdated() -> Reply {
    Reply::new(
        "This is from an older version of the bot and no longer works. Run the command again; \
         `/duck help` lists all commands.",
    )
}

fn usage_text(usage: &Usage) -> String {
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

fn session_summary(seen: &Observed) -> String {
    let record = &seen.record;
    format!(
        "`{}` of <@{}>: {}, {}, `{}`, started {}",
        record.id,
        record.owner,
        seen.phase(),
        record.size,
        record.catalog,
        started(record),
    )
}

/// Returns the time at which the session was requested, as a relative timestamp.
fn started(record: &Record) -> String {
    relative_time(record.created)
}

/// Formats a relative timestamp. Discord shows it in the reader's language and keeps it current.
fn relative_time(time: DateTime<Utc>) -> String {
    format!("<t:{}:R>", time.timestamp())
}

fn duration(seconds: i64) -> String {
    let seconds = u64::try_from(seconds).unwrap_or_default();
    humantime::format_duration(std::time::Duration::from_secs(seconds)).to_string()
}

#[cfg(test)]
mod rejection_tests;
#[cfg(test)]
mod tests;
