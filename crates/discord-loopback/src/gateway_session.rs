//! The bot's sessions at the gateway, each with its events so far. No I/O.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::presence::Presence;

/// Number of sessions that a bot may open in a day.
const SESSIONS_A_DAY: u64 = 1000;
const DAY: Duration = Duration::from_hours(24);

/// Number of sessions that the bot may still open, as Discord's `session_start_limit`.
#[derive(Debug)]
pub(crate) struct SessionLimit {
    pub remaining: u64,
    /// Time after which the bot may open as many as at first.
    pub period: Duration,
    /// End of the period. `None` before the first session, and before anybody looks at another limit.
    pub resets_at: Option<Instant>,
}

impl Default for SessionLimit {
    fn default() -> Self {
        Self {
            remaining: SESSIONS_A_DAY,
            period: DAY,
            resets_at: None,
        }
    }
}

impl SessionLimit {
    /// Counts a session. Returns false if the bot may open none.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        self.refill(now);
        self.resets_at.get_or_insert(now + self.period);
        let is_allowed = self.remaining > 0;
        self.remaining = self.remaining.saturating_sub(1);
        is_allowed
    }

    /// Returns the limit as in the response of `/gateway/bot`.
    pub(crate) fn json(&mut self, now: Instant) -> Value {
        self.refill(now);
        if self.remaining < SESSIONS_A_DAY {
            self.resets_at.get_or_insert(now + self.period);
        }
        let left = self.resets_at.map_or(Duration::ZERO, |at| at - now);
        json!({
            "total": SESSIONS_A_DAY,
            "remaining": self.remaining,
            "reset_after": u64::try_from(left.as_millis()).unwrap_or(u64::MAX),
            "max_concurrency": 1,
        })
    }

    fn refill(&mut self, now: Instant) {
        if self.resets_at.is_some_and(|at| at <= now) {
            *self = Self::default();
        }
    }
}

/// Gateway session. It outlives its socket, so that the bot can resume it.
#[derive(Debug)]
pub(crate) struct GatewaySession {
    pub id: String,
    pub presence: Presence,
    pub intents: u64,
    pub seq: u64,
    /// Events so far, for a replay after RESUME.
    pub events: Vec<String>,
    /// Channel to the task of the socket, while one is connected.
    pub outbox: Option<mpsc::UnboundedSender<SocketCommand>>,
}

/// Command to the task of a socket.
#[derive(Debug)]
pub(crate) enum SocketCommand {
    Send(String),
    Close(u16),
    /// End without a close frame, as if the cable were pulled.
    Cut,
}

impl GatewaySession {
    /// Sends an event, and keeps it for a replay.
    pub(crate) fn dispatch(&mut self, event: &str, data: &Value) {
        self.seq += 1;
        let text = json!({ "op": 0, "t": event, "s": self.seq, "d": data }).to_string();
        self.events.push(text.clone());
        self.send(SocketCommand::Send(text));
    }

    /// Returns true if the task with this channel serves the session's socket.
    pub(crate) fn is_served_by(&self, outbox: &mpsc::UnboundedSender<SocketCommand>) -> bool {
        let own = self.outbox.as_ref();
        own.is_some_and(|own| own.same_channel(outbox))
    }

    pub(crate) fn send(&self, command: SocketCommand) {
        if let Some(outbox) = &self.outbox {
            // Sending fails if the socket has just closed; the event then waits for a RESUME.
            let _ = outbox.send(command);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bot_may_open_a_thousand_sessions_a_day() {
        let begin = Instant::now();
        let mut limit = SessionLimit::default();
        assert_eq!(limit.json(begin)["reset_after"], 0);
        assert!((0..SESSIONS_A_DAY).all(|_| limit.take(begin)));
        assert_eq!(limit.json(begin)["reset_after"], 86_400_000);
        assert!(!limit.take(begin + DAY / 2));
        assert!(limit.take(begin + DAY));
        assert_eq!(limit.json(begin + DAY)["remaining"], SESSIONS_A_DAY - 1);
    }
}
