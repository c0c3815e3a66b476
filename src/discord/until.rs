//! Times as admins type them: `18:00`, `6pm`, `2h`, `in 2h`, `tomorrow 8:00`, `2026-11-28 18:00`. Pure.

use chrono::{
    DateTime, Days, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Utc,
};
use chrono_tz::Tz;

use crate::{schedule::time_of_day, settings::any_duration};

/// Maximum time from now. A typing mistake must not pause starts for years.
const MAX_AHEAD: TimeDelta = TimeDelta::days(30);

/// Reason why a text is no time in the near future.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidTime {
    /// The text is neither a time nor a duration.
    Unreadable,
    Past(DateTime<Utc>),
    /// More than 30 days from now.
    TooFar,
}

/// Parses a time in the time zone `zone`, or a duration from `now`. A time of day without a date is the
/// next one.
///
/// # Errors
/// Returns the reason if it is not a time within the next 30 days.
pub fn parse(text: &str, now: DateTime<Utc>, zone: Tz) -> Result<DateTime<Utc>, InvalidTime> {
    let text = text.trim().to_lowercase();
    let text = text.strip_prefix("in ").unwrap_or(&text);
    if let Some(duration) = any_duration(text) {
        let near = Some(duration).filter(|it| *it <= MAX_AHEAD);
        return near.map(|it| now + it).ok_or(InvalidTime::TooFar);
    }
    let (text, zone) = match text.strip_suffix(" utc") {
        Some(text) => (text, Tz::UTC),
        None => (text, zone),
    };
    let until = next_time(text, now, zone).ok_or(InvalidTime::Unreadable)?;
    if until <= now {
        Err(InvalidTime::Past(until))
    } else if until - now > MAX_AHEAD {
        Err(InvalidTime::TooFar)
    } else {
        Ok(until)
    }
}

fn next_time(text: &str, now: DateTime<Utc>, zone: Tz) -> Option<DateTime<Utc>> {
    let today = now.with_timezone(&zone).date_naive();
    let tomorrow = today.checked_add_days(Days::new(1))?;
    // "6 pm" is one time.
    let text = text.replace(" am", "am").replace(" pm", "pm");
    let words: Vec<_> = text.split_whitespace().collect();
    let (day, time) = match *words.as_slice() {
        ["tomorrow"] => (tomorrow, NaiveTime::MIN),
        ["tomorrow", time] => (tomorrow, time_of_day(time)?),
        [word] => match time_of_day(word) {
            Some(time) if instant(today.and_time(time), zone)? > now => (today, time),
            Some(time) => (tomorrow, time),
            None => {
                let (day, time) = word.split_once('t').unwrap_or((word, "0:00"));
                (date(day)?, time_of_day(time)?)
            }
        },
        [day, time] => (date(day)?, time_of_day(time)?),
        _ => return None,
    };
    instant(day.and_time(time), zone)
}

fn date(text: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()
}

/// Returns the instant of a local time. One that occurs twice is the first one. One that daylight saving
/// skips is an hour later.
fn instant(local: NaiveDateTime, zone: Tz) -> Option<DateTime<Utc>> {
    let found = match zone.from_local_datetime(&local) {
        LocalResult::None => zone.from_local_datetime(&(local + TimeDelta::hours(1))),
        found => found,
    };
    Some(found.earliest()?.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    #[test]
    fn times_of_day_durations_and_dates_are_read_in_the_time_zone() {
        let now = at("2026-11-27T15:30:00Z");
        for (text, zone, expected) in [
            ("18:00", "UTC", "2026-11-27T18:00:00Z"),
            ("18:00", "Europe/Berlin", "2026-11-27T17:00:00Z"),
            ("18:00 UTC", "Europe/Berlin", "2026-11-27T18:00:00Z"),
            (" 9:05 ", "UTC", "2026-11-28T09:05:00Z"),
            ("15:30", "UTC", "2026-11-28T15:30:00Z"),
            ("6pm", "UTC", "2026-11-27T18:00:00Z"),
            ("6:30 PM", "UTC", "2026-11-27T18:30:00Z"),
            ("12am", "UTC", "2026-11-28T00:00:00Z"),
            ("2h", "UTC", "2026-11-27T17:30:00Z"),
            ("in 2 h", "UTC", "2026-11-27T17:30:00Z"),
            ("In 1 hour 30 minutes", "UTC", "2026-11-27T17:00:00Z"),
            ("tomorrow", "UTC", "2026-11-28T00:00:00Z"),
            ("Tomorrow 8:00", "Europe/Berlin", "2026-11-28T07:00:00Z"),
            ("2026-11-30", "Europe/Berlin", "2026-11-29T23:00:00Z"),
            ("2026-11-30 18:00", "UTC", "2026-11-30T18:00:00Z"),
            ("2026-11-30T18:00", "UTC", "2026-11-30T18:00:00Z"),
        ] {
            let zone = zone.parse().expect("a time zone");
            assert_eq!(
                parse(text, now, zone),
                Ok(at(expected)),
                "{text:?} in {zone}"
            );
        }
    }

    #[test]
    fn a_time_that_daylight_saving_skips_or_repeats_is_read() {
        let berlin = "Europe/Berlin".parse().expect("a time zone");
        let spring = parse("2:30", at("2027-03-28T00:00:00Z"), berlin);
        assert_eq!(spring, Ok(at("2027-03-28T01:30:00Z")));
        let autumn = parse("2:30", at("2026-10-25T00:00:00Z"), berlin);
        assert_eq!(autumn, Ok(at("2026-10-25T00:30:00Z")));
    }

    #[test]
    fn other_texts_are_no_times_in_the_near_future() {
        let now = at("2026-11-27T15:30:00Z");
        for text in [
            "",
            "soon",
            "18",
            "25:00",
            "18:61",
            "13pm",
            "pm",
            "é",
            "in",
            "utc",
            "0s",
            "-2h",
            "today 18:00",
            "2026-11-30t",
            "tomorrow soon",
            "2026-13-01",
            "2026-11-30 18:00 19:00",
            "27.11.2026",
        ] {
            assert_eq!(
                parse(text, now, Tz::UTC),
                Err(InvalidTime::Unreadable),
                "{text:?}"
            );
        }
        let past = at("2026-11-27T15:00:00Z");
        assert_eq!(
            parse("2026-11-27 15:00", now, Tz::UTC),
            Err(InvalidTime::Past(past))
        );
        for text in ["31d", "in 99999 years", "2027-01-15", "9999-12-31 23:59"] {
            assert_eq!(
                parse(text, now, Tz::UTC),
                Err(InvalidTime::TooFar),
                "{text:?}"
            );
        }
    }
}
