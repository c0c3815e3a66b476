//! Reads times of expiry as people type them and as tools print them. Pure.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};

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

/// Words for no expiry.
const NEVER: [&str; 11] = [
    "",
    "-",
    "0",
    "n/a",
    "never",
    "no expiry",
    "no-expiry",
    "none",
    "null",
    "permanent",
    "unlimited",
];

/// Times without a zone.
const LOCAL: [&str; 5] = [
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%dT%H:%M",
    "%Y%m%dT%H%M%S",
];

/// Times with a zone as an offset, beside RFC 3339.
const ZONED: [&str; 4] = [
    "%Y-%m-%dT%H:%M:%S%.f%#z",
    "%Y-%m-%d %H:%M:%S%.f%#z",
    "%Y-%m-%d %H:%M:%S%.f %#z",
    "%Y-%m-%dT%H:%M%#z",
];

/// Epoch seconds from here on are milliseconds: as seconds they would be beyond the year 5000.
const MIN_MILLISECONDS: i64 = 100_000_000_000;

/// Maximum number of words of a time.
const MAX_WORDS: usize = 6;

/// Reads a duration (`12h`, `in 90 min`), a time (`2026-11-23 18:00`, RFC 3339, RFC 2822, seconds or
/// milliseconds since 1970), or a word for "never". Returns `None` for anything else.
pub(crate) fn read(text: &str, now: DateTime<Utc>) -> Option<Expiry> {
    let text = text.trim();
    if NEVER.contains(&text.to_lowercase().as_str()) {
        return Some(Expiry::Never);
    }
    let expiry = read_time(text).or_else(|| read_duration(text, now).map(Expiry::At))?;
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
    let ends = line.split_whitespace().take(MAX_WORDS).map(|word| {
        let start = word.as_ptr() as usize - line.as_ptr() as usize;
        start + word.len()
    });
    let ends: Vec<_> = ends.collect();
    let mut texts = ends.iter().rev().flat_map(|end| {
        let text = line[..*end].trim_end_matches([',', ';', '}', ')', ']', '"', '\'', '.']);
        let part = text.split(['<', '"', '}', ',']).next().unwrap_or_default();
        [text, part.trim()]
    });
    texts.find_map(|text| read(text, now).filter(|_| !text.is_empty()))
}

fn read_time(text: &str) -> Option<Expiry> {
    if let Ok(number) = text.parse::<f64>() {
        return read_epoch(number).map(Expiry::At);
    }
    let offset = DateTime::parse_from_rfc3339(text).or_else(|_| DateTime::parse_from_rfc2822(text));
    if let Ok(time) = offset {
        return Some(Expiry::At(time.to_utc()));
    }
    // Go prints the offset and the name of the zone: `2026-11-23 18:00:00 +0000 UTC`.
    let named = ["UTC", "GMT", "Z"]
        .iter()
        .find_map(|it| text.strip_suffix(it));
    let bare = named.unwrap_or(text).trim_end();
    let zoned = ZONED
        .iter()
        .find_map(|it| DateTime::parse_from_str(bare, it).ok());
    if let Some(time) = zoned {
        return Some(Expiry::At(time.to_utc()));
    }
    let local = LOCAL
        .iter()
        .find_map(|it| NaiveDateTime::parse_from_str(bare, it).ok());
    let day = || NaiveDate::parse_from_str(bare, "%Y-%m-%d").ok();
    let local = local.or_else(|| Some(day()?.and_time(NaiveTime::MIN)))?;
    Some(match named {
        Some(_) => Expiry::At(local.and_utc()),
        None => Expiry::AtInUtc(local.and_utc()),
    })
}

fn read_epoch(number: f64) -> Option<DateTime<Utc>> {
    // Shorter numbers are a count of something else.
    if !(1e9..1e15).contains(&number) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "in the range above")]
    let number = number as i64;
    if number < MIN_MILLISECONDS {
        DateTime::from_timestamp(number, 0)
    } else {
        DateTime::from_timestamp_millis(number)
    }
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

fn read_duration(text: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    // In lower case, because humantime reads `M` as months.
    let span = text.to_lowercase();
    let span = span.strip_prefix("in ").unwrap_or(&span);
    let span = TimeDelta::from_std(humantime::parse_duration(span).ok()?).ok()?;
    now.checked_add_signed(span)
        .filter(|time| *time < now + TimeDelta::days(3660))
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
        ] {
            assert_eq!(read(text, noon()), Some(Expiry::At(six)), "{text}");
        }
        for text in ["2026-11-23T18:00:00", "2026-11-23 18:00"] {
            assert_eq!(read(text, noon()), Some(Expiry::AtInUtc(six)), "{text}");
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
            "11/23/2026 6:00:00 PM",
            "2026-11-23 18:00 CET",
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
        let local = "datetime.datetime(2026, 11, 23, 18, 0, tzinfo=tzlocal())";
        assert_eq!(read_start(local, noon()), None);
    }
}
