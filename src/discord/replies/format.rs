//! Texts for times, durations and quoted words.

use chrono::{DateTime, Utc};

use crate::session::Record;

/// Returns the time at which the session was requested, as a relative timestamp.
pub(super) fn started(record: &Record) -> String {
    relative_time(record.created)
}

/// Formats a relative timestamp. Discord shows it in the reader's language and keeps it current.
pub(super) fn relative_time(time: DateTime<Utc>) -> String {
    format!("<t:{}:R>", time.timestamp())
}

pub(super) fn duration(seconds: i64) -> String {
    let seconds = u64::try_from(seconds).unwrap_or_default();
    humantime::format_duration(std::time::Duration::from_secs(seconds)).to_string()
}

/// Formats a foreign text as code, so that it can't break the message or mention anybody.
pub(super) fn plain(text: &str) -> String {
    let harmless = text.chars().filter(|c| !matches!(c, '`' | '\n' | '\r'));
    format!("`{}`", harmless.take(300).collect::<String>())
}
