//! Recurring times: those of the report, and of scheduled queries.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use croner::Cron;

/// Times of a cron expression in a time zone. A time that daylight saving skips moves to right
/// after the gap; a time that occurs twice counts once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recurrence {
    times: Cron,
    zone: Tz,
}

impl Recurrence {
    pub fn new(times: Cron, zone: Tz) -> Self {
        Self { times, zone }
    }

    /// Time zone of the expression.
    pub fn zone(&self) -> Tz {
        self.zone
    }

    /// First time after `time`. `None` if there is none.
    pub fn next_after(&self, time: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let there = time.with_timezone(&self.zone);
        let next = self.times.find_next_occurrence(&there, false);
        Some(next.ok()?.to_utc())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_time_is_right_when_clocks_change() {
        for (times, zone, after, expected) in [
            (
                "0 9 * * MON",
                "UTC",
                "2026-11-23T09:00:00Z",
                "2026-11-30T09:00:00Z",
            ),
            (
                "0 9 * * MON",
                "UTC",
                "2026-11-23T08:59:59Z",
                "2026-11-23T09:00:00Z",
            ),
            // 9:00 in Berlin, across both clock changes.
            (
                "0 9 * * *",
                "Europe/Berlin",
                "2026-10-24T07:00:00Z",
                "2026-10-25T08:00:00Z",
            ),
            (
                "0 9 * * *",
                "Europe/Berlin",
                "2027-03-27T08:00:00Z",
                "2027-03-28T07:00:00Z",
            ),
            // 2:30 does not exist there in spring, and occurs twice in autumn.
            (
                "30 2 * * *",
                "Europe/Berlin",
                "2027-03-27T01:30:00Z",
                "2027-03-28T01:00:00Z",
            ),
            (
                "30 2 * * *",
                "Europe/Berlin",
                "2026-10-24T00:30:00Z",
                "2026-10-25T00:30:00Z",
            ),
            (
                "30 2 * * *",
                "Europe/Berlin",
                "2026-10-25T00:30:00Z",
                "2026-10-26T01:30:00Z",
            ),
        ] {
            let recurrence =
                Recurrence::new(times.parse().expect(times), zone.parse().expect(zone));
            let at = |text: &str| text.parse::<DateTime<Utc>>().expect("a time");
            let next = recurrence.next_after(at(after));
            assert_eq!(next, Some(at(expected)), "{times} in {zone} after {after}");
        }
    }
}
