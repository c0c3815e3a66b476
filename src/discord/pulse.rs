//! Whether the gateway still answers. serenity 0.12.5 tells when a connection is made, and not
//! when it is lost: while it tries to resume, its runner counts as connected
//! (`gateway/bridge/shard_runner.rs`). What it does tell is how long each heartbeat took. Pure.

use std::time::{Duration, Instant};

/// The heartbeats that were answered.
#[derive(Default)]
pub struct Pulse {
    latency: Option<Duration>,
    last: Option<Instant>,
    every: Option<Duration>,
}

impl Pulse {
    /// Whether somebody is there: heartbeats are answered as regularly as before. `latency` is
    /// how long the last one took, as seen now.
    pub fn is_alive(&mut self, latency: Option<Duration>, now: Instant) -> bool {
        // No two take the same time to the nanosecond.
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
    fn two_heartbeats_without_an_answer_mean_that_nobody_is_there() {
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
        assert!(at(699, 13) && !at(700, 13), "the outage was no usual pause");
    }
}
