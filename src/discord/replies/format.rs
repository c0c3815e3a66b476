//! Texts for times, durations and quoted words.

use chrono::{DateTime, Utc};

use super::reply::shorten;
use crate::{discord::table::clean, session::Record, unicode::isolate};

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

/// Formats a foreign text as code of at most 300 characters, so that it can't break or turn the
/// message, or mention anybody.
pub(super) fn plain(text: &str) -> String {
    format!("`{}`", code(text, 300))
}

/// Returns a foreign text for a code span, with at most `max` characters.
pub(super) fn code(text: &str, max: usize) -> String {
    let cleaned = shorten(&clean(text), max);
    // Backticks around nothing are no code span.
    if cleaned.trim().is_empty() {
        return "·".to_owned();
    }
    isolate(cleaned)
}

/// Counts things, as in "1 row" and "10,000 rows".
pub(super) fn count_of(count: usize, thing: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {thing}{plural}", grouped(count))
}

/// Formats a number with commas between thousands.
pub(super) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
