//! Reads times of expiry as people type them and as tools print them. Pure.

mod calendar;

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};

/// A time of expiry that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expiry {
    /// The credentials do not expire.
    Never,
    /// The credentials expire at this time.
    At(DateTime<Utc>),
    /// The credentials expire at this time, which had no time zone and was read as UTC.
    AtInUtc(DateTime<Utc>),
}

/// Words for no expiry, without the hyphens between them.
const NEVER: [&str; 36] = [
    "",
    "-",
    "--",
    "0",
    "<nil>",
    "<none>",
    "does not expire",
    "doesn't expire",
    "forever",
    "indefinite",
    "infinite",
    "infinity",
    "kein",
    "kein ablauf",
    "kein ablaufdatum",
    "keins",
    "läuft nicht ab",
    "läuft nie ab",
    "n/a",
    "na",
    "never",
    "never expires",
    "nie",
    "nil",
    "no",
    "no expiration",
    "no expiration date",
    "no expiry",
    "none",
    "not set",
    "null",
    "permanent",
    "unbegrenzt",
    "undefined",
    "unlimited",
    "\u{2014}",
];

/// Words of German durations, and what `humantime` calls them.
const GERMAN: [(&str, &str); 8] = [
    ("stunden", "hours"),
    ("stunde", "hour"),
    ("std", "hours"),
    ("minuten", "minutes"),
    ("tage", "days"),
    ("tag", "day"),
    ("wochen", "weeks"),
    ("monate", "months"),
];

/// Durations in seconds that are not mistaken for something else: 15 minutes to 36 hours, as AWS
/// grants them.
const SECONDS: std::ops::RangeInclusive<i64> = 900..=129_600;

/// Maximum number of words of a time.
const MAX_WORDS: usize = 8;

/// Reads a duration (`12h`, `in 90 min`, `PT6H`), a time (`2026-11-23 18:00`, RFC 3339, RFC 2822, a
/// number since 1970), or a word for "never". Returns `None` for anything else.
pub(crate) fn read(text: &str, now: DateTime<Utc>) -> Option<Expiry> {
    let text = text.trim_start_matches(['"', '\'', '`', ' ']);
    let text = text.trim_end_matches(|c: char| c.is_whitespace() || "\"'`.,;".contains(c));
    let words = text.to_lowercase();
    let is_never = |words: &str| NEVER.contains(&words);
    if is_never(&words) || is_never(&words.replace('-', " ")) || words == "permanent" {
        return Some(Expiry::Never);
    }
    let moment = || {
        let read = calendar::read(text, now)?;
        Some(if read.has_zone {
            Expiry::At(read.at)
        } else {
            Expiry::AtInUtc(read.at)
        })
    };
    let expiry = read_number(text, now)
        .or_else(moment)
        .or_else(|| read_duration(&words, now).map(Expiry::At))?;
    let (Expiry::At(time) | Expiry::AtInUtc(time)) = expiry else {
        return Some(expiry);
    };
    match time {
        // Zero in Go and in MinIO, and the last year of some tools.
        _ if time.timestamp() == 0 || matches!(time.year(), 1 | 9999) => Some(Expiry::Never),
        // A record can't hold other years.
        _ => (0..=9999).contains(&time.year()).then_some(expiry),
    }
}

/// Reads the time at the start of a line of a paste.
pub(crate) fn read_start(line: &str, now: DateTime<Utc>) -> Option<Expiry> {
    let line = line.trim_start();
    if let Some(arguments) = line.strip_prefix("datetime.datetime(") {
        return read_python(arguments);
    }
    // The text goes on in JSON or XML.
    let line = line.trim_start_matches(['"', '\'']);
    let line = line.split(['<', '"', '}']).next().unwrap_or_default();
    // JavaScript's `new Date('…')`, and the `/Date(…)/` of .NET.
    if let Some((start, inside)) = line.split_once("Date(")
        && matches!(start.trim(), "new" | "/" | "\\/")
    {
        return read(inside.split(')').next()?, now);
    }
    let ends = line.split_whitespace().take(MAX_WORDS).map(|word| {
        let start = word.as_ptr() as usize - line.as_ptr() as usize;
        start + word.len()
    });
    let ends: Vec<_> = ends.collect();
    ends.iter().rev().find_map(|end| {
        let text = line[..*end].trim_end_matches(['}', ')', ']', ',', ';', '.']);
        let read = read(text, now).filter(|_| !text.is_empty())?;
        (!belongs_to_time(&line[*end..])).then_some(read)
    })
}

/// Returns true if the text after a time may be a part of it, which then was not understood: another
/// number, a time zone, or "ago".
fn belongs_to_time(rest: &str) -> bool {
    let word = rest.split_whitespace().next().unwrap_or_default();
    let word = word.trim_matches(['(', ')', ',', '.', ';']);
    let is_zone = (2..=5).contains(&word.len()) && word.chars().all(|c| c.is_ascii_uppercase());
    let is_place = word.split_once('/').is_some_and(|(area, place)| {
        let is_name = |it: &str| it.starts_with(|c: char| c.is_ascii_uppercase());
        is_name(area) && is_name(place)
    });
    let is_clock = word.starts_with(|c: char| c.is_ascii_digit()) && !word.contains(['=', '_']);
    // `2026-11-23T18:00:00Z (6 hours)`
    let is_clock = is_clock && !rest.trim_start().starts_with('(');
    let words = ["am", "pm", "ago", "at", "um"];
    is_zone || is_place || is_clock || words.contains(&word.to_lowercase().as_str())
}

/// Reads a number: a duration in seconds, or a count of seconds, milliseconds, microseconds or
/// nanoseconds since 1970. The number of digits tells which.
fn read_number(text: &str, now: DateTime<Utc>) -> Option<Expiry> {
    let is_number = |c: char| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+');
    if !text.starts_with(|c: char| c.is_ascii_digit()) || !text.chars().all(is_number) {
        return None;
    }
    // 14 digits are the digits of a time, 8 those of a date.
    let number: f64 = text.parse().ok()?;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a larger number is no time"
    )]
    let whole = number as i64;
    let time = match whole {
        _ if SECONDS.contains(&whole) => now.checked_add_signed(TimeDelta::seconds(whole)),
        1_000_000_000..1_000_000_000_000 => DateTime::from_timestamp(whole, 0),
        1_000_000_000_000..10_000_000_000_000 => DateTime::from_timestamp_millis(whole),
        1_000_000_000_000_000..10_000_000_000_000_000 => DateTime::from_timestamp_micros(whole),
        1_000_000_000_000_000_000.. => Some(DateTime::from_timestamp_nanos(whole)),
        _ => None,
    };
    time.map(Expiry::At)
}

/// Reads the arguments of Python's `datetime.datetime(2026, 11, 23, 18, 0, tzinfo=tzutc())`.
fn read_python(arguments: &str) -> Option<Expiry> {
    let numbers = arguments.split(',').map(|it| it.trim().parse::<u32>());
    let mut numbers = numbers.map_while(Result::ok);
    let year = i32::try_from(numbers.next()?).ok()?;
    let date = NaiveDate::from_ymd_opt(year, numbers.next()?, numbers.next()?)?;
    let mut next = || numbers.next().unwrap_or(0);
    let time = date.and_hms_opt(next(), next(), next())?.and_utc();
    let is_utc = arguments.contains("tzutc()") || arguments.contains("utc");
    let is_local = arguments.contains("tzlocal()");
    match (is_utc, is_local) {
        (true, _) => Some(Expiry::At(time)),
        (_, false) => Some(Expiry::AtInUtc(time)),
        // Only the machine that printed it knows its zone.
        (false, true) => None,
    }
}

/// Reads `12h`, `in 6 hours`, `6 Stunden`, `PT6H`. `text` is in lower case, because `humantime` reads
/// `M` as months.
fn read_duration(text: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let text = text.strip_prefix("in ").unwrap_or(text);
    let words = text.split(' ').map(|word| {
        let german = GERMAN.iter().find(|(german, _)| *german == word);
        german.map_or(word, |(_, english)| english)
    });
    let span = iso_duration(text).unwrap_or_else(|| words.collect::<Vec<_>>().join(" "));
    let span = TimeDelta::from_std(humantime::parse_duration(&span).ok()?).ok()?;
    now.checked_add_signed(span)
        .filter(|time| *time < now + TimeDelta::days(3660))
}

/// Writes ISO 8601's `p1dt6h` as `1d6h`.
fn iso_duration(text: &str) -> Option<String> {
    let (days, time) = text.strip_prefix('p')?.split_once('t').or_else(|| {
        let days = text.strip_prefix('p')?;
        Some((days, ""))
    })?;
    // Before the `t`, `m` means months.
    (!days.contains('m')).then(|| format!("{days}{time}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noon() -> DateTime<Utc> {
        "2026-11-23T12:00:00Z".parse().expect("a time")
    }

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    #[test]
    fn a_time_is_read_as_tools_print_it() {
        let six = time("2026-11-23T18:00:00Z");
        for text in [
            "2026-11-23T18:00:00Z",
            "2026-11-23T18:00:00+00:00",
            "2026-11-23T18:00:00+0000",
            "2026-11-23T20:00:00.000+0200",
            "2026-11-23 18:00:00+00:00",
            "2026-11-23 18:00:00 +0000 UTC",
            "2026-11-23 18:00 UTC",
            "20261123T180000Z",
            "Mon, 23 Nov 2026 18:00:00 GMT",
            "1795456800",
            "1795456800000",
            "1795456800.0",
            "in 6 hours",
            "PT6H",
            "6 Stunden",
            "21600",
            "1795456800000000",
            "1795456800000000000",
            "1.7954568e9",
            "2026-11-23 20:00:00 +0200 CEST",
            "2026-11-23 18:00:00.0 +0000 UTC m=+3600.000000001",
            "2026-11-23 19:00 CET",
            "2026-11-23 19:00 Europe/Berlin",
            "2026-11-23T19:00:00+01:00[Europe/Berlin]",
            "2026-11-23 13:00 EST",
            "2026-11-23 6:00 PM UTC",
            "2026-11-23 at 18:00 UTC",
            "Mon Nov 23 18:00:00 UTC 2026",
            "Mon Nov 23 2026 18:00:00 GMT+0000",
            "Monday, 23-Nov-26 18:00:00 UTC",
            "\"2026-11-23T18:00:00Z\",",
        ] {
            assert_eq!(read(text, noon()), Some(Expiry::At(six)), "{text}");
        }
        for text in [
            "2026-11-23T18:00:00",
            "2026-11-23 18:00",
            "2026-11-23, 18:00",
            "2026-11-23 18.00",
            "2026/11/23 18:00",
            "20261123180000",
            "23.11.2026 18:00 Uhr",
            "23. November 2026 18:00",
            "11/23/2026 6:00:00 PM",
            "November 23, 2026 6:00 PM",
        ] {
            assert_eq!(read(text, noon()), Some(Expiry::AtInUtc(six)), "{text}");
        }
    }

    #[test]
    fn a_day_begins_at_midnight_but_today_lasts_until_its_end() {
        for (text, expected) in [
            ("2026-12-31", "2026-12-31T00:00:00Z"),
            ("31.12.2026", "2026-12-31T00:00:00Z"),
            ("2026-11-23", "2026-11-24T00:00:00Z"),
            ("2026-11-23 24:00", "2026-11-24T00:00:00Z"),
        ] {
            let expected = Some(Expiry::AtInUtc(time(expected)));
            assert_eq!(read(text, noon()), expected, "{text}");
        }
    }

    #[test]
    fn no_expiry_has_many_names() {
        for text in [
            "",
            "no-expiry",
            "None",
            "null",
            "0",
            "1970-01-01T00:00:00Z",
            "0001-01-01T00:00:00Z",
            "9999-12-31T23:59:59Z",
            "253402300799",
            "Never expires",
            "does not expire.",
            "nie",
        ] {
            assert_eq!(read(text, noon()), Some(Expiry::Never), "{text}");
        }
    }

    #[test]
    fn other_texts_are_not_understood() {
        for text in [
            "soon",
            "999999999999999999h",
            "-1h",
            "2026-13-01 10:00",
            "+10000-01-01 10:00",
            "12/11/2026 18:00",
            "2026-11-23 18:00 CST",
            "2026-11-23 13:00 PM",
            "2 hours ago",
            "12",
        ] {
            assert_eq!(read(text, noon()), None, "{text}");
        }
    }

    #[test]
    fn a_line_may_go_on_after_the_time() {
        let six = Some(Expiry::At(time("2026-11-23T18:00:00Z")));
        for line in [
            "2026-11-23T18:00:00+00:00 export AWS_REGION=eu",
            "2026-11-23 18:00:00 +0000 UTC and more",
            "1795456800000}}",
            "1795456800000,\"keyName\":\"lake\"}",
            "datetime.datetime(2026, 11, 23, 18, 0, tzinfo=tzutc())}",
            "2026-11-23T18:00:00Z</Expiration></Credentials>",
        ] {
            assert_eq!(read_start(line, noon()), six, "{line}");
        }
        for line in [
            "datetime.datetime(2026, 11, 23, 18, 0, tzinfo=tzlocal())",
            // Not the day or the time alone.
            "2026-11-23 18:00 CST",
            "2026-11-24 6 in the evening",
            "2 hours ago",
        ] {
            assert_eq!(read_start(line, noon()), None, "{line}");
        }
    }
}
