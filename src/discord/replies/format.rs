//! Texts for times, durations and quoted words.

use chrono::{DateTime, Utc};

use super::reply::shorten;
use crate::{
    discord::table::clean,
    session::{ExtensionLimit, Record},
    unicode::isolate,
};

/// Returns the time at which the session was requested, as a relative timestamp.
pub(super) fn started(record: &Record) -> String {
    relative_time(record.created)
}

/// Names a session by its ID and its workspace. `main` is not mentioned, because most people have no
/// other.
pub(super) fn session_name(record: &Record) -> String {
    let Record { id, workspace, .. } = record;
    if record.is_runner() || workspace.is_main() {
        format!("`{id}`")
    } else {
        format!("`{id}` in **{workspace}**")
    }
}

/// Formats a relative timestamp. Discord shows it in the reader's language and keeps it current.
pub(super) fn relative_time(time: DateTime<Utc>) -> String {
    format!("<t:{}:R>", time.timestamp())
}

/// Formats a short date and time, in the reader's language and time zone.
pub(super) fn date_time(time: DateTime<Utc>) -> String {
    format!("<t:{}:f>", time.timestamp())
}

/// Formats a duration in words: "1 day 2 hours".
pub(super) fn duration(seconds: i64) -> String {
    let mut left = seconds.max(0);
    let units = [
        (86_400, "day"),
        (3_600, "hour"),
        (60, "minute"),
        (1, "second"),
    ];
    let mut parts = Vec::new();
    for (length, name) in units {
        let count = left / length;
        left %= length;
        match count {
            0 => {}
            1 => parts.push(format!("1 {name}")),
            _ => parts.push(format!("{count} {name}s")),
        }
    }
    if parts.is_empty() {
        "0 seconds".to_owned()
    } else {
        parts.join(" ")
    }
}

/// Names a limit of extensions, as a sentence without its period.
pub(super) fn limit_text(limit: ExtensionLimit) -> String {
    match limit {
        ExtensionLimit::Budget(budget) => format!(
            "the limit for all extensions of a session is {}",
            duration(budget.num_seconds())
        ),
        ExtensionLimit::MaxAge(age) => format!(
            "no session can be older than {}",
            duration(age.num_seconds())
        ),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_written_in_words() {
        for (seconds, words) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (5_400, "1 hour 30 minutes"),
            (86_400, "1 day"),
            (400 * 86_400 + 61, "400 days 1 minute 1 second"),
        ] {
            assert_eq!(duration(seconds), words);
        }
    }
}
