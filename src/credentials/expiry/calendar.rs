//! Dates with their time and zone, in the order and with the words of any country.

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveTime, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::Tz;

/// A time that was read.
pub(super) struct Moment {
    pub at: DateTime<Utc>,
    /// The text named a time zone. Without one, the time was read as UTC.
    pub has_zone: bool,
}

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];

const GERMAN_MONTHS: [(&str, u32); 4] = [("m\u{e4}r", 3), ("mai", 5), ("okt", 10), ("dez", 12)];

const WEEKDAYS: [&str; 14] = [
    "mon", "tue", "wed", "thu", "fri", "sat", "sun", "mo", "di", "mi", "do", "fr", "sa", "so",
];

/// Words between the parts of a time that say nothing.
const FILLERS: [&str; 7] = ["at", "bis", "on", "uhr", "um", "until", "the"];

/// Abbreviations of time zones, with their hours east of UTC. `CST` and the like have several
/// meanings, and are left out.
const ZONES: [(&str, i32); 15] = [
    ("UTC", 0),
    ("GMT", 0),
    ("Z", 0),
    ("WET", 0),
    ("CET", 1),
    ("MEZ", 1),
    ("WEST", 1),
    ("CEST", 2),
    ("MESZ", 2),
    ("EET", 2),
    ("EEST", 3),
    ("EST", -5),
    ("EDT", -4),
    ("PST", -8),
    ("PDT", -7),
];

/// Reads a date with or without a time and a zone. A day alone ends at its start, but today at its
/// end. Returns `None` if any word is not understood.
pub(super) fn read(text: &str, now: DateTime<Utc>) -> Option<Moment> {
    let mut parts = Parts::default();
    for word in text.split_whitespace() {
        parts.read_word(word)?;
    }
    parts.time(now)
}

/// The parts of a time that were read.
#[derive(Default)]
struct Parts {
    date: Option<NaiveDate>,
    day: Option<u32>,
    month: Option<u32>,
    year: Option<i32>,
    clock: Option<NaiveTime>,
    /// The clock said 24:00.
    is_midnight: bool,
    is_pm: Option<bool>,
    zone: Option<Zone>,
}

#[derive(Clone, Copy)]
enum Zone {
    Fixed(FixedOffset),
    Named(Tz),
}

impl Parts {
    fn read_word(&mut self, word: &str) -> Option<()> {
        let word = word.trim_matches(['(', ')', '[', ',', ';']);
        let lower = word.trim_end_matches('.').to_lowercase();
        if word.is_empty() || FILLERS.contains(&lower.as_str()) || word.starts_with("m=+") {
            return Some(());
        }
        // `2026-11-23T18:00`, `20261123T180000Z`
        if let Some((date, clock)) = word.split_once('T')
            && self.date.is_none()
            && let Some(date) = read_date(date)
        {
            self.date = Some(date);
            return self.read_clock(clock);
        }
        // `20261123180000`
        if word.len() == 14
            && let Some((date, clock)) = word.split_at_checked(8)
            && word.chars().all(|c| c.is_ascii_digit())
        {
            set(&mut self.date, read_date(date)?)?;
            return self.read_clock(clock);
        }
        if let Some(date) = read_date(word) {
            return set(&mut self.date, date);
        }
        if let Some(zone) = read_zone(word) {
            // Go prints the offset, and its name after it.
            self.zone = self.zone.or(Some(zone));
            return Some(());
        }
        match lower.as_str() {
            "am" | "a.m" => return set(&mut self.is_pm, false),
            "pm" | "p.m" => return set(&mut self.is_pm, true),
            _ => {}
        }
        if word.contains([':', '.']) && word.starts_with(|c: char| c.is_ascii_digit()) {
            let is_day = word.ends_with('.') && word.len() <= 3;
            if !is_day {
                return self.read_clock(word);
            }
        }
        if let Some(month) = read_month(&lower) {
            return set(&mut self.month, month);
        }
        if WEEKDAYS.iter().any(|it| is_name(&lower, it, 2)) {
            return Some(());
        }
        let number: u32 = lower.parse().ok()?;
        match number {
            1..=31 if self.date.is_none() => set(&mut self.day, number),
            1000..=9999 if self.date.is_none() => set(&mut self.year, i32::try_from(number).ok()?),
            _ => None,
        }
    }

    /// Reads `18:00`, `18:00:00.123Z`, `18.00`, `6:00PM`, `180000`.
    fn read_clock(&mut self, word: &str) -> Option<()> {
        let is_clock = |c: char| c.is_ascii_digit() || matches!(c, ':' | '.' | ',');
        let end = word.find(|c| !is_clock(c)).unwrap_or(word.len());
        let (clock, rest) = word.split_at(end);
        let clock = clock.trim_end_matches(',').replace(',', ".");
        let midnight = clock
            .strip_prefix("24:00")
            .or_else(|| clock.strip_prefix("24.00"));
        let is_midnight = midnight.is_some_and(|it| it.is_empty() || it == ":00");
        let formats = ["%H:%M:%S%.f", "%H:%M", "%H.%M", "%H%M%S"];
        let read = |format: &&str| NaiveTime::parse_from_str(&clock, format).ok();
        let time = if is_midnight {
            NaiveTime::MIN
        } else {
            formats.iter().find_map(read)?
        };
        self.is_midnight |= is_midnight;
        set(&mut self.clock, time)?;
        // `[Europe/Berlin]` after an offset only names it.
        let rest = rest.split('[').next().unwrap_or_default();
        if rest.is_empty() {
            return Some(());
        }
        self.read_word(rest)
    }

    fn time(self, now: DateTime<Utc>) -> Option<Moment> {
        let of_words = || NaiveDate::from_ymd_opt(self.year?, self.month?, self.day?);
        let date = self.date.or_else(of_words)?;
        let clock = match (self.clock, self.is_pm) {
            (Some(time), Some(is_pm)) => Some(in_half_day(time, is_pm)?),
            (None, Some(_)) => return None,
            (clock, None) => clock,
        };
        let is_over = self.is_midnight || clock.is_none() && date == now.date_naive();
        let date = if is_over { date.succ_opt()? } else { date };
        let local = date.and_time(clock.unwrap_or(NaiveTime::MIN));
        let at = match self.zone {
            None => local.and_utc(),
            Some(Zone::Fixed(offset)) => {
                let seconds = TimeDelta::seconds(offset.local_minus_utc().into());
                local.checked_sub_signed(seconds)?.and_utc()
            }
            Some(Zone::Named(zone)) => zone.from_local_datetime(&local).earliest()?.to_utc(),
        };
        let has_zone = self.zone.is_some();
        Some(Moment { at, has_zone })
    }
}

/// Sets a part that was not set before: a time has each only once.
fn set<T>(part: &mut Option<T>, value: T) -> Option<()> {
    part.is_none().then(|| *part = Some(value))
}

fn in_half_day(time: NaiveTime, is_pm: bool) -> Option<NaiveTime> {
    let hour = time.hour();
    let is_valid = (1..=12).contains(&hour);
    time.with_hour(hour % 12 + if is_pm { 12 } else { 0 })
        .filter(|_| is_valid)
}

/// Reads `2026-11-23`, `2026/11/23`, `20261123`, `23.11.2026`, `23-Nov-2026`, and `11/23/2026` if only
/// one order of day and month is possible.
fn read_date(word: &str) -> Option<NaiveDate> {
    if word.len() == 8 && word.chars().all(|c| c.is_ascii_digit()) {
        return NaiveDate::parse_from_str(word, "%Y%m%d").ok();
    }
    let mark = word.chars().find(|c| !c.is_ascii_digit())?;
    let parts: Vec<_> = word.trim_end_matches(',').split(mark).collect();
    let [a, b, c] = parts[..] else {
        return None;
    };
    let number = |text: &str| -> Option<u32> {
        let is_short = (1..=4).contains(&text.len());
        text.parse()
            .ok()
            .filter(|_| is_short && text.chars().all(|c| c.is_ascii_digit()))
    };
    let year = |text: &str| -> Option<i32> {
        let year = i32::try_from(number(text)?).ok()?;
        Some(if text.len() == 2 { 2000 + year } else { year })
    };
    if a.len() == 4 && matches!(mark, '-' | '/' | '.') {
        return NaiveDate::from_ymd_opt(year(a)?, number(b)?, number(c)?);
    }
    if !matches!(c.len(), 2 | 4) {
        return None;
    }
    let date = |day, month| NaiveDate::from_ymd_opt(year(c)?, month, day);
    match mark {
        '.' => date(number(a)?, number(b)?),
        '-' => date(number(a)?, read_month(&b.to_lowercase())?),
        '/' => {
            let (first, second) = (number(a)?, number(b)?);
            let american = date(second, first);
            let european = date(first, second);
            american
                .xor(european)
                .or(american.filter(|it| Some(*it) == european))
        }
        _ => None,
    }
}

fn read_month(lower: &str) -> Option<u32> {
    let german = GERMAN_MONTHS
        .iter()
        .find(|(name, _)| is_name(lower, name, 3));
    let english = (1..).zip(MONTHS).find(|(_, name)| is_name(lower, name, 3));
    let german = german.map(|(_, number)| *number);
    german.or_else(|| english.map(|(number, _)| number))
}

/// Returns true for a name that is shortened or in full.
fn is_name(word: &str, short: &str, letters: usize) -> bool {
    word.len() >= letters && word.starts_with(short) && word.chars().all(char::is_alphabetic)
}

/// Reads `UTC`, `CET`, `+02:00`, `+0200`, `-05`, `GMT+0000`, `Europe/Berlin`.
fn read_zone(word: &str) -> Option<Zone> {
    let word = word.trim_matches(['(', ')', '[', ']']);
    if let Some((_, hours)) = ZONES.iter().find(|(name, _)| *name == word) {
        return Some(Zone::Fixed(FixedOffset::east_opt(hours * 3600)?));
    }
    if word.contains('/') {
        return word.parse().ok().map(Zone::Named);
    }
    let word = word
        .strip_prefix("GMT")
        .or(word.strip_prefix("UTC"))
        .unwrap_or(word);
    let digits = word.strip_prefix(['+', '-'])?.replace(':', "");
    let is_number = matches!(digits.len(), 2 | 4) && digits.chars().all(|c| c.is_ascii_digit());
    let number: i32 = digits.parse().ok().filter(|_| is_number)?;
    let (hours, minutes) = if digits.len() == 2 {
        (number, 0)
    } else {
        (number / 100, number % 100)
    };
    let seconds = hours * 3600 + minutes * 60;
    let east = if word.starts_with('-') {
        -seconds
    } else {
        seconds
    };
    FixedOffset::east_opt(east).map(Zone::Fixed)
}
