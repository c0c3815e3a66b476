//! Dates and times: reading them, and the marks of a time axis.

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};

use crate::numbers;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// Distances between marks, in seconds.
const SECONDS: [i64; 16] = [
    1,
    5,
    15,
    30,
    MINUTE,
    5 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    2 * DAY,
    7 * DAY,
    14 * DAY,
];
/// Distances between marks, in months.
const MONTHS: [u32; 13] = [1, 2, 3, 6, 12, 24, 60, 120, 240, 600, 1200, 6000, 24000];

/// Reads a date or timestamp as DuckDB writes it, as seconds since 1970. Returns `None` for one that can't be
/// drawn, such as `infinity` or one before Christ.
pub(crate) fn parse(text: &str) -> Option<f64> {
    if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Some(date.and_time(NaiveTime::MIN).and_utc().timestamp() as f64);
    }
    let (local, offset) = split(text);
    let offset = if offset.is_empty() {
        0
    } else {
        read_offset(offset)?
    };
    let local = NaiveDateTime::parse_from_str(local, "%Y-%m-%d %H:%M:%S%.f").ok()?;
    Some(local.and_utc().timestamp_micros() as f64 / 1e6 - offset as f64)
}

/// Splits a time from its offset. DuckDB writes one as +02, +05:30 or +00:19:32.
fn split(text: &str) -> (&str, &str) {
    match text.rfind(['+', '-']).filter(|at| *at > 10) {
        Some(at) => text.split_at(at),
        None => (text, ""),
    }
}

/// Zone in which times are drawn.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Zone {
    /// Seconds ahead of UTC.
    pub offset: i64,
    pub name: String,
}

impl Zone {
    /// Chooses the zone of these times: their own, or UTC if their offsets differ. `None` if they have none.
    pub(crate) fn of<'a>(texts: impl Iterator<Item = &'a str>) -> Option<Self> {
        let offsets = texts.map(|it| split(it).1).filter(|it| !it.is_empty());
        let offsets: BTreeSet<_> = offsets
            .filter_map(|it| Some((it, read_offset(it)?)))
            .collect();
        let (text, offset) = *offsets.first()?;
        Some(if offsets.len() == 1 && offset != 0 {
            let name = format!("UTC{text}");
            Self { offset, name }
        } else {
            let name = "UTC".to_owned();
            Self { offset: 0, name }
        })
    }
}

fn read_offset(text: &str) -> Option<i64> {
    let (sign, parts) = text.split_at_checked(1)?;
    let mut seconds = 0;
    for (part, unit) in parts.split(':').zip([HOUR, MINUTE, 1]) {
        seconds += part.parse::<i64>().ok().filter(|it| *it < 60)? * unit;
    }
    Some(if sign == "-" { -seconds } else { seconds })
}

fn at(seconds: f64) -> NaiveDateTime {
    let at = DateTime::from_timestamp_micros((seconds * 1e6).round() as i64);
    at.unwrap_or_default().naive_utc()
}

/// Writes the time of a day, with the fraction of a second if there is one.
fn time_of_day(at: NaiveDateTime) -> String {
    let text = at.format("%H:%M:%S%.6f").to_string();
    let text = text.trim_end_matches('0').trim_end_matches('.');
    // The zeros of whole seconds are cut, too.
    let length = text.len().max("00:00:00".len());
    format!("{text:0<length$}")
}

/// Writes a time with as much as it needs: a date, with a time of day unless it is midnight.
pub(crate) fn written(seconds: f64) -> String {
    let at = at(seconds);
    let day = at.format("%Y-%m-%d");
    if at.time() == NaiveTime::MIN {
        day.to_string()
    } else {
        format!("{day} {}", time_of_day(at))
    }
}

/// Returns at most about `most` marks between two times, with their labels.
pub(crate) fn marks(from: f64, to: f64, most: usize) -> Vec<(f64, String)> {
    let wanted = (to - from) / most as f64;
    if wanted > 0.0 && wanted < 0.5 {
        let step = numbers::step(to - from, most, false);
        let steps = (from / step).ceil() as i64..=(to / step).floor() as i64;
        let marks = steps.map(|it| it as f64 * step);
        return marks.map(|it| (it, time_of_day(at(it)))).collect();
    }
    if let Some(step) = SECONDS.into_iter().find(|step| *step as f64 >= wanted) {
        // The first Monday of 1970 was the 5th of January.
        let start = if step % (7 * DAY) == 0 { 4 * DAY } else { 0 };
        let steps = |seconds: f64| (seconds - start as f64) / step as f64;
        let marks =
            (steps(from).ceil() as i64..=steps(to).floor() as i64).map(|it| start + it * step);
        return marks.map(|it| (it as f64, label(it, step))).collect();
    }
    let month = 30.4 * DAY as f64;
    let step = MONTHS
        .into_iter()
        .find(|it| f64::from(*it) * month >= wanted);
    let step = step.unwrap_or(MONTHS[MONTHS.len() - 1]);
    let start = at(from).date();
    // Marks are at multiples of the step, counted from the year 0.
    let months = start.year() * 12 + start.month0() as i32;
    let first = months - months.rem_euclid(step as i32);
    let first = NaiveDate::from_ymd_opt(first.div_euclid(12), first.rem_euclid(12) as u32 + 1, 1);
    let all = std::iter::successors(first, |it| it.checked_add_months(Months::new(step)));
    let all = all.map(|it| (it.and_time(NaiveTime::MIN).and_utc().timestamp() as f64, it));
    all.take_while(|(seconds, _)| *seconds <= to)
        .filter(|(seconds, _)| *seconds >= from)
        .map(|(seconds, it)| {
            let format = if step.is_multiple_of(12) {
                "%Y"
            } else {
                "%b %Y"
            };
            (seconds, it.format(format).to_string())
        })
        .collect()
}

fn label(seconds: i64, step: i64) -> String {
    let at = at(seconds as f64);
    let is_midnight = at.time() == NaiveTime::MIN;
    let format = match step {
        DAY.. => "%b %-d",
        // The day stands where it begins.
        _ if is_midnight => "%b %-d",
        MINUTE.. => "%H:%M",
        _ => "%H:%M:%S",
    };
    at.format(format).to_string()
}

/// Writes the time between two marks of an alternative text: the shorter form of a range.
pub(crate) fn range(from: f64, to: f64) -> String {
    let spans_less_than_a_day = TimeDelta::seconds((to - from) as i64) < TimeDelta::days(1);
    if spans_less_than_a_day && at(from).date() == at(to).date() && from != to {
        let times = [from, to].map(|it| time_of_day(at(it)));
        return format!(
            "{}, {} to {}",
            at(from).format("%Y-%m-%d"),
            times[0],
            times[1]
        );
    }
    format!("{} to {}", written(from), written(to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_duckdb_writes_them() {
        for (text, seconds) in [
            ("1970-01-02", Some(86400.0)),
            ("1970-01-01 00:00:01.5", Some(1.5)),
            ("1970-01-01 02:00:00+02", Some(0.0)),
            ("1970-01-01 05:30:00+05:30", Some(0.0)),
            ("1969-12-31 19:00:00-05", Some(0.0)),
            ("infinity", None),
            ("0044-03-15 (BC)", None),
            ("2024-13-01", None),
            ("", None),
        ] {
            assert_eq!(parse(text), seconds, "{text}");
        }
    }

    #[test]
    fn marks_stand_at_whole_units() {
        let labels = |from: &str, to: &str| {
            let marks = marks(parse(from).unwrap(), parse(to).unwrap(), 6);
            assert!(marks.len() <= 7, "{marks:?}");
            marks
                .into_iter()
                .map(|(_, label)| label)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            labels("2024-01-15", "2024-06-20"),
            ["Feb 2024", "Mar 2024", "Apr 2024", "May 2024", "Jun 2024"]
        );
        assert_eq!(
            labels("2024-02-28 12:00:00", "2024-03-01 12:00:00"),
            ["12:00", "Feb 29", "12:00", "Mar 1", "12:00"]
        );
        assert_eq!(labels("1990-05-01", "2024-05-01"), ["2000", "2010", "2020"]);
        assert_eq!(labels("2024-01-01", "2024-01-01"), ["Jan 1"]);
        assert!(labels("0001-01-01", "9999-12-31").len() > 2);
        assert_eq!(
            labels("2024-01-01 00:00:00.1", "2024-01-01 00:00:00.5"),
            [
                "00:00:00.1",
                "00:00:00.2",
                "00:00:00.3",
                "00:00:00.4",
                "00:00:00.5"
            ]
        );
    }

    #[test]
    fn times_have_the_zone_that_they_are_written_in() {
        let zone = |texts: &[&str]| Zone::of(texts.iter().copied()).map(|it| (it.offset, it.name));
        let named = |offset, name: &str| Some((offset, name.to_owned()));
        assert_eq!(zone(&["2024-07-01", "2024-07-02 00:00:00"]), None);
        assert_eq!(
            zone(&["2024-07-01 00:00:00+02", "infinity"]),
            named(2 * HOUR, "UTC+02")
        );
        assert_eq!(
            zone(&["2024-07-01 00:00:00+02", "2024-12-01 00:00:00+01"]),
            named(0, "UTC")
        );
        assert_eq!(zone(&["2024-07-01 00:00:00+00"]), named(0, "UTC"));
    }

    #[test]
    fn times_within_a_second_have_fractions() {
        let [from, to] = ["00:00:00.25", "00:00:10"].map(|it| parse(&format!("2024-01-01 {it}")));
        let (from, to) = (from.unwrap(), to.unwrap());
        assert_eq!(range(from, to), "2024-01-01, 00:00:00.25 to 00:00:10");
        assert_eq!(written(from), "2024-01-01 00:00:00.25");
    }
}
