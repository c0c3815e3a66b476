//! Detection of a lost gateway connection. Pure.
//!
//! serenity 0.12.5 reports when a connection is made, but not when it is lost: while it tries to
//! resume, its runner counts as connected (`gateway/bridge/shard_runner.rs`). It does report the
//! latency of each heartbeat.

use std::time::{Duration, Instant};

/// Times of answered heartbeats.
#[derive(Default)]
pub(super) struct Pulse {
    latency: Option<Duration>,
    last: Option<Instant>,
    /// Shortest time between two answered heartbeats.
    every: Option<Duration>,
}

impl Pulse {
    /// Returns true if heartbeats are answered as regularly as before, or if fewer than two were
    /// answered so far. `latency` is that of the latest heartbeat, as reported at `now`.
    pub(super) fn is_alive(&mut self, latency: Option<Duration>, now: Instant) -> bool {
        // Another value means another heartbeat: no two latencies are equal to the nanosecond.
        if latency.is_some() && latency != self.latency {
            let pause = self.last.map(|last| now - last);
            let known = self.every.into_iter().chain(pause);
            self.every = known.min();
            self.latency = latency;
            self.last = Some(now);
        }
        match (self.last, self.every) {
            (Some(last), Some(every)) => now - last < every * 5 / 2,
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_unanswered_heartbeats_mean_that_the_connection_is_lost() {
        let mut pulse = Pulse::default();
        let begin = Instant::now();
        let mut at = |seconds, latency| {
            let now = begin + Duration::from_secs(seconds);
            pulse.is_alive(Some(Duration::from_millis(latency)), now)
        };
        assert!(at(0, 10) && at(40, 11) && at(80, 12));
        assert!(at(179, 12));
        assert!(!at(180, 12));
        assert!(at(600, 13), "it is back");
        assert!(
            at(699, 13) && !at(700, 13),
            "the outage is not the usual interval"
        );
    }
}
