//! When the bot may open a session at Discord's gateway (IDENTIFY). Pure.
//!
//! Discord allows 1000 a day, and resets the token of a bot that sends more. It allows one in 5 s
//! (developer docs, "Identifying").

use std::time::{Duration, Instant};

use serenity::all::SessionStartLimit;

/// Minimum time between two sessions.
const MIN_INTERVAL: Duration = Duration::from_secs(5);
/// Maximum pause between two sessions. With it, a bot opens less than 300 a day. Two bots and some
/// restarts stay below Discord's limit.
const MAX_PAUSE: Duration = Duration::from_mins(5);
/// Number of sessions that are left to people, for example for a restart by hand.
const RESERVE: u64 = 10;

/// Pauses between the sessions that this bot opens. They grow while sessions are short.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// Time of the last IDENTIFY, and of the end of its session.
    last: Option<(Instant, Instant)>,
    /// Number of short sessions in a row.
    short: u32,
}

impl Pace {
    /// Returns the earliest time of the next session. `jitter` is between 0 and 1.
    pub(super) fn next(&self, now: Instant, jitter: f64) -> Instant {
        let Some((begin, end)) = self.last else {
            return now;
        };
        let pause = (MIN_INTERVAL * (1 << self.short.min(10))).min(MAX_PAUSE);
        // Never less, because the pause bounds the number of sessions.
        let pause = pause.mul_f64(1.0 + jitter / 4.0);
        (end + pause).max(begin + MIN_INTERVAL)
    }

    /// Notes a session that has ended.
    pub(super) fn ended(&mut self, begin: Instant, end: Instant) {
        self.last = Some((begin, end));
        if end - begin < MAX_PAUSE {
            self.short = self.short.saturating_add(1);
        } else {
            self.short = 0;
        }
    }
}

/// Returns the time until Discord allows enough further sessions, or `None` if it does now.
pub(super) fn wait_for_limit(limit: &SessionStartLimit) -> Option<Duration> {
    (limit.remaining <= RESERVE).then(|| Duration::from_millis(limit.reset_after))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Opens sessions of this length for a day. Returns their number.
    fn sessions_a_day(length: Duration, jitter: f64) -> usize {
        let begin = Instant::now();
        let (mut now, mut count) = (begin, 0);
        let mut pace = Pace::default();
        loop {
            let next = pace.next(now, jitter);
            if next - begin >= Duration::from_hours(24) {
                return count;
            }
            count += 1;
            now = next + length;
            pace.ended(next, now);
        }
    }

    #[test]
    fn two_bots_never_open_a_thousand_sessions_a_day() {
        for seconds in [0, 1, 5, 30, 60, 299, 300, 301, 600] {
            for jitter in [0.0, 0.5, 1.0] {
                let count = sessions_a_day(Duration::from_secs(seconds), jitter);
                assert!(count < 320, "{count} sessions of {seconds} s");
            }
        }
    }

    #[test]
    fn a_bot_is_back_soon_after_a_long_session() {
        let begin = Instant::now();
        let mut pace = Pace::default();
        assert_eq!(pace.next(begin, 0.0), begin, "the first one need not wait");
        for _ in 0..9 {
            pace.ended(begin, begin);
        }
        assert_eq!(pace.next(begin, 0.0), begin + MAX_PAUSE);
        let end = begin + Duration::from_hours(1);
        pace.ended(begin, end);
        assert_eq!(pace.next(end, 0.0), end + MIN_INTERVAL);
    }

    #[test]
    fn sessions_are_never_closer_than_discord_allows() {
        let begin = Instant::now();
        let mut pace = Pace::default();
        pace.ended(begin, begin);
        assert!(pace.next(begin, 0.0) >= begin + MIN_INTERVAL);
    }
}
