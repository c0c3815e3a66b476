//! Everything that the bot says. Pure: text in, text out; snapshots in `tests/`
//! hold each reply.

mod credentials;
mod life;
mod reaping;
mod sql;
mod status;

use std::fmt::Write;

use chrono::{DateTime, Utc};

use super::{
    access::DenialReason,
    commands::{CommandKind, usage},
    parse::Button,
};
use crate::{
    error::Error,
    service::Rejection,
    session::{Observed, Record, ScheduledStop, SessionId, TrackedSession, Usage},
};

pub use credentials::*;
pub use life::*;
pub use reaping::*;
pub use sql::*;
pub use status::*;

/// What a message may hold, in characters (Discord: 2000).
pub const MAX_MESSAGE_CHARS: usize = 2000;
/// What is kept free for the line that says how many were left out.
const RESERVE: usize = 120;

/// A text with buttons under it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Discord markdown.
    pub text: String,
    /// Up to five.
    pub buttons: Vec<LabelledButton>,
    /// A file beside it.
    pub file: Option<File>,
}

/// A text as a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// What it is called.
    pub name: String,
    /// What stands in it.
    pub text: String,
}

/// A button as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelledButton {
    /// What it does.
    pub button: Button,
    /// What stands on it.
    pub label: &'static str,
    /// How it looks.
    pub emphasis: Emphasis,
}

/// How a button looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Emphasis {
    /// What most people want.
    Main,
    /// The other way.
    Quiet,
    /// What can't be undone.
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

    /// Whether it has what others may want to see.
    pub fn is_answer(&self) -> bool {
        self.buttons.iter().any(|it| it.button == Button::Share)
    }

    /// With what a session's DuckDB wrote.
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

/// When one of theirs runs already.
pub fn already_running(sessions: &[(Observed, String)], room: bool, other: Button) -> Reply {
    let mut text = "You have a session already:".to_owned();
    for (seen, url) in sessions {
        let _ = write!(text, "\n{}", line(seen, url, ""));
    }
    match room {
        true => Reply::new(text).with(Emphasis::Quiet, "Start another one", other),
        false => {
            text.push_str("\nThat is as many as you may have. `/duck stop` ends one.");
            Reply::new(text)
        }
    }
}

/// With the link that opens a session.
pub fn opening(record: &Record) -> Reply {
    Reply::new(format!(
        "Here is the way into session `{}`. The link is good for one minute and one browser; \
         `/duck open` makes another one.",
        record.id
    ))
}

/// Before a session is stopped.
pub fn confirm_stop(record: &Record) -> Reply {
    let whose = format!("Session `{}` of <@{}>", record.id, record.owner);
    Reply::new(format!(
        "{whose} ({}, {}, asked for {}) will be stopped.\n\
         **What is only in the session is lost**: tables and notebooks that were not saved \
         elsewhere. What is in S3 stays.",
        record.size,
        record.catalog,
        since(record),
    ))
    .with(Emphasis::Danger, "Stop it", Button::Stop(record.id.clone()))
    .with(Emphasis::Quiet, "Keep it", Button::Keep(record.id.clone()))
}

/// While it is taken down.
pub fn stopping(id: &SessionId) -> Reply {
    Reply::new(format!("Session `{id}` is being stopped…"))
}

/// When it is gone.
pub fn stopped(id: &SessionId) -> Reply {
    Reply::new(format!("Session `{id}` is stopped. Nothing of it is left."))
}

/// When the person thought better of it.
pub fn kept(id: &SessionId) -> Reply {
    Reply::new(format!("Session `{id}` goes on."))
}

/// When the person who waits finds it gone.
pub fn gone(id: &SessionId) -> Reply {
    Reply::new(format!("Session `{id}` has ended. The channel says why."))
}

/// A session as it is listed.
#[derive(Debug, Clone)]
pub struct ListEntry {
    /// The session, and how it is used.
    pub watched: TrackedSession,
    /// Its address.
    pub url: String,
    /// When it will be stopped.
    pub due: Option<ScheduledStop>,
}

/// The sessions of one person or of all; `stale` says since when nothing new is known, and
/// `dry_run` that no rule stops any.
pub fn list(
    sessions: &[ListEntry],
    all: bool,
    stale: Option<DateTime<Utc>>,
    dry_run: bool,
) -> Reply {
    let mut reply = all_of(sessions, all, dry_run);
    if let Some(since) = stale {
        let _ = write!(
            reply.text,
            "\nI have heard nothing of the cluster since {}, so this may have changed.",
            ago(since)
        );
    }
    reply
}

fn all_of(sessions: &[ListEntry], all: bool, dry_run: bool) -> Reply {
    if sessions.is_empty() {
        return Reply::new(match all {
            true => "Nobody has a session. `/duck start` makes one.",
            false => {
                "You have no session. `/duck start` makes one; `/duck list all:True` shows \
                 everybody's."
            }
        });
    }
    let mut text = match (all, sessions.len()) {
        (true, 1) => "One session:".to_owned(),
        (true, n) => format!("{n} sessions, oldest first:"),
        (false, 1) => "Your session:".to_owned(),
        (false, n) => format!("Your {n} sessions, oldest first:"),
    };
    for (place, ListEntry { watched, url, due }) in sessions.iter().enumerate() {
        let stops = due.as_ref().map(|due| stops(due, dry_run));
        let more = used(&watched.usage) + &stops.unwrap_or_default();
        let line = line(&watched.seen, url, &more);
        if text.chars().count() + line.chars().count() > MAX_MESSAGE_CHARS - RESERVE {
            let left = sessions.len() - place;
            let _ = write!(
                text,
                "\n…and {left} more, which don't fit into one message."
            );
            break;
        }
        let _ = write!(text, "\n{line}");
    }
    Reply::new(text)
}

/// The commands.
pub fn help() -> Reply {
    let mut text = "Your own DuckDB, attached to the team's tables:".to_owned();
    for kind in CommandKind::ALL {
        let spec = kind.spec();
        let _ = write!(text, "\n- `{}` {}.", usage(&spec), spec.summary);
    }
    Reply::new(text)
}

/// Turned away.
pub fn access_denied(reason: &DenialReason) -> Reply {
    Reply::new(reason.to_string())
}

/// Turned down.
pub fn refused(rejection: &Rejection) -> Reply {
    let reply = Reply::new(rejection.to_string());
    match rejection {
        Rejection::NoCredentials | Rejection::CredentialsExpired(_) | Rejection::NothingKept => {
            with_form(reply, None)
        }
        Rejection::NothingToAsk => {
            let start = Button::StartAnother {
                size: None,
                catalog: None,
            };
            reply.with(Emphasis::Main, "Start a session", start)
        }
        _ => reply,
    }
}

/// Something that should have worked did not.
pub fn failed(error: &Error, reference: &str) -> Reply {
    Reply::new(format!("{} (Reference: `{reference}`)", error.for_people()))
}

/// The same, when a session may have been asked for already.
pub fn start_failed(error: &Error, reference: &str) -> Reply {
    let mut reply = failed(error, reference);
    reply
        .text
        .push_str("\nIf your session starts all the same, its link will be posted here.");
    reply
}

/// A button, form or command of an older version.
pub fn outdated() -> Reply {
    Reply::new("That is from an older version of me. Please use the command again: `/duck help`.")
}

fn used(usage: &Usage) -> String {
    match usage {
        Usage::Unknown => String::new(),
        Usage::Busy => ", a query runs".to_owned(),
        Usage::Idle(since) => format!(", idle since {}", ago(*since)),
        Usage::Unreachable(_) => ", its door does not answer".to_owned(),
    }
}

fn line(seen: &Observed, url: &str, more: &str) -> String {
    format!("- {}{more}, <{url}>", line_of(seen))
}

fn line_of(seen: &Observed) -> String {
    let record = &seen.record;
    format!(
        "`{}` of <@{}>: {}, {}, `{}`, started {}",
        record.id,
        record.owner,
        seen.phase(),
        record.size,
        record.catalog,
        since(record),
    )
}

/// Discord shows it in the reader's own language and keeps it current.
fn since(record: &Record) -> String {
    ago(record.created)
}

fn ago(time: DateTime<Utc>) -> String {
    format!("<t:{}:R>", time.timestamp())
}

fn duration(seconds: i64) -> String {
    let seconds = u64::try_from(seconds).unwrap_or_default();
    humantime::format_duration(std::time::Duration::from_secs(seconds)).to_string()
}

#[cfg(test)]
mod tests;
