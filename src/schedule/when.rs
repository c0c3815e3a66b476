//! Recurring times as people type them: `every weekday at 9:00`, `mondays 8:30`, `every 2 hours`,
//! `every month on the 1st at 9:00`, or a cron expression.

use chrono::{NaiveTime, Timelike};
use croner::Cron;

/// Reason why a text is no recurring time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidWhen {
    Unreadable,
    /// Days without a time of day.
    NoTime,
    /// Several times of day, which differ in their minutes.
    DifferentMinutes,
    /// An hour or a day does not have a whole number of such intervals.
    Uneven,
}

/// Words that say nothing.
const FILLERS: [&str; 9] = [
    "every", "each", "at", "on", "the", "and", "of", "&", "o'clock",
];
const DAYS: [&str; 7] = [
    "sunday",
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
];

/// Reads a recurring time. The cron expression has five fields: minute, hour, day of the month, month, day of
/// the week.
///
/// # Errors
/// Returns the reason if the text is none.
pub fn parse(text: &str) -> Result<Cron, InvalidWhen> {
    let text = text.trim().to_lowercase();
    let fields: Vec<_> = text.split_whitespace().collect();
    let is_cron = |field: &&str| field.starts_with(|c: char| c.is_ascii_digit() || c == '*');
    let cron = match fields.as_slice() {
        [minute, hour, _, _, _] if is_cron(minute) && is_cron(hour) && !hour.contains(':') => text,
        _ => from_words(&text)?,
    };
    cron.parse().map_err(|_| InvalidWhen::Unreadable)
}

/// Parses `18:00`, `6pm` or `6:30pm`.
pub fn time_of_day(text: &str) -> Option<NaiveTime> {
    let (hours, half) = text.split_at_checked(text.len().checked_sub(2)?)?;
    if !["am", "pm"].contains(&half) {
        return NaiveTime::parse_from_str(text, "%H:%M").ok();
    }
    let full = if hours.contains(':') {
        text.to_owned()
    } else {
        format!("{hours}:00{half}")
    };
    NaiveTime::parse_from_str(&full, "%I:%M%p").ok()
}

fn from_words(text: &str) -> Result<String, InvalidWhen> {
    let text = text.replace(',', " ");
    let text = text.replace(" am", "am").replace(" pm", "pm");
    let words: Vec<_> = text
        .split_whitespace()
        .filter(|word| !FILLERS.contains(word))
        .collect();
    if let Some(interval) = interval(&words) {
        return interval;
    }
    let is_monthly = words.iter().any(|it| ["month", "monthly"].contains(it));
    let (mut days, mut dates, mut times) = (Vec::new(), Vec::new(), Vec::new());
    for word in words {
        if ["month", "monthly"].contains(&word) || (is_monthly && word == "day") {
        } else if let Some(found) = days_of_week(word) {
            days.push(found);
        } else if let Some(date) = date(word).filter(|_| is_monthly) {
            dates.push(date);
        } else {
            let hour = || NaiveTime::from_hms_opt(word.parse().ok()?, 0, 0);
            let time = time_of_day(word).or_else(hour);
            times.push(time.ok_or(InvalidWhen::Unreadable)?);
        }
    }
    if is_monthly == dates.is_empty() || is_monthly != days.is_empty() {
        return Err(InvalidWhen::Unreadable);
    }
    let (minute, hours) = minute_and_hours(&times)?;
    let of_month = if is_monthly {
        dates.join(",")
    } else {
        "*".into()
    };
    let of_week = if is_monthly {
        "*".into()
    } else {
        days.join(",")
    };
    Ok(format!("{minute} {hours} {of_month} * {of_week}"))
}

/// Reads `hour`, `2 hours` or `30 minutes`. Returns `None` if it is no interval.
fn interval(words: &[&str]) -> Option<Result<String, InvalidWhen>> {
    let (count, unit) = match words {
        [unit] => (1, *unit),
        [count, unit] => (count.parse::<u32>().ok()?, *unit),
        _ => return None,
    };
    let divides = |all: u32| (1..=all).contains(&count) && all.is_multiple_of(count);
    let (is_even, cron) = match unit {
        "minute" | "minutes" | "min" => (divides(60), format!("*/{count} * * * *")),
        "hour" | "hours" | "hourly" | "h" => (divides(24), format!("0 */{count} * * *")),
        _ => return None,
    };
    Some(is_even.then_some(cron).ok_or(InvalidWhen::Uneven))
}

/// Reads `day`, `weekdays` or `mon`, as a cron expression has it.
fn days_of_week(word: &str) -> Option<String> {
    let days = match word {
        "day" | "days" | "daily" => "*",
        "weekday" | "weekdays" | "workday" | "workdays" => "1-5",
        "weekend" | "weekends" => "0,6",
        _ => {
            let singular = word.strip_suffix('s').unwrap_or(word);
            // "tues" is short for a day, too.
            let is_short_for = |day: &&str| {
                let mut forms = [word, singular].into_iter();
                forms.any(|it| it.len() >= 3 && day.starts_with(it))
            };
            let at = DAYS.iter().position(is_short_for)?;
            return Some(at.to_string());
        }
    };
    Some(days.to_owned())
}

/// Reads `1st`, `15th` or `last`, as a cron expression has it.
fn date(word: &str) -> Option<String> {
    if word == "last" {
        return Some("L".to_owned());
    }
    let number = ["st", "nd", "rd", "th", "."]
        .iter()
        .find_map(|suffix| word.strip_suffix(suffix))?;
    let day: u32 = number.parse().ok()?;
    (1..=31).contains(&day).then(|| day.to_string())
}

/// Returns the fields of a cron expression for these times of day.
fn minute_and_hours(times: &[NaiveTime]) -> Result<(String, String), InvalidWhen> {
    let first = times.first().ok_or(InvalidWhen::NoTime)?;
    if times.iter().any(|time| time.minute() != first.minute()) {
        return Err(InvalidWhen::DifferentMinutes);
    }
    let hours: Vec<_> = times.iter().map(|time| time.hour().to_string()).collect();
    Ok((first.minute().to_string(), hours.join(",")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_type_them() {
        for (typed, cron) in [
            ("every weekday at 9:00", "0 9 * * 1-5"),
            ("Weekdays at 9am", "0 9 * * 1-5"),
            ("every day at 18:30", "30 18 * * *"),
            ("daily 7", "0 7 * * *"),
            ("every Monday at 9:00", "0 9 * * 1"),
            ("mondays and Thursdays at 8:30 pm", "30 20 * * 1,4"),
            ("mon, wed, fri 9:00", "0 9 * * 1,3,5"),
            ("weekends at 10:00", "0 10 * * 0,6"),
            ("every day at 9:00 and 17:00", "0 9,17 * * *"),
            ("every hour", "0 */1 * * *"),
            ("hourly", "0 */1 * * *"),
            ("every 6 hours", "0 */6 * * *"),
            ("every 15 minutes", "*/15 * * * *"),
            ("every month on the 1st at 9:00", "0 9 1 * *"),
            ("monthly on the 1st and the 15th at 9:00", "0 9 1,15 * *"),
            ("on the last day of every month at 23:00", "0 23 L * *"),
            ("0 9 * * MON", "0 9 * * mon"),
            ("*/20 8-18 * * 1-5", "*/20 8-18 * * 1-5"),
        ] {
            let read = parse(typed).expect(typed);
            assert_eq!(read, cron.parse().expect(cron), "{typed}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_its_reason() {
        use InvalidWhen::{DifferentMinutes, NoTime, Uneven, Unreadable};
        for (typed, why) in [
            ("", Unreadable),
            ("every weekday", NoTime),
            ("every month on the 1st", NoTime),
            ("every day at 9:00 and 17:30", DifferentMinutes),
            ("every 7 hours", Uneven),
            ("every 0 minutes", Uneven),
            ("every full moon", Unreadable),
            ("every day at 25:00", Unreadable),
            ("monthly at 9:00", Unreadable),
            ("9:00", Unreadable),
            ("61 9 * * *", Unreadable),
            ("* * * * * *", Unreadable),
        ] {
            assert_eq!(parse(typed).map(|_| ()), Err(why), "{typed}");
        }
    }
}
