//! State of the bot for health checks and metrics. Pure.

use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, Utc};
use parking_lot::Mutex;

use crate::metrics;

/// State of the bot that its service does not know.
#[derive(Default)]
pub struct Health {
    is_api_open: AtomicBool,
    is_leading: AtomicBool,
    discord: Mutex<Connection>,
}

/// Connection to Discord's gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Connection {
    /// Not connected since the bot started to lead, or since the connection was lost.
    LostSince(DateTime<Utc>),
    Connected,
    /// Not wanted: another bot leads.
    #[default]
    Closed,
}

impl Health {
    /// Stores that the HTTP API takes connections, or that there is none.
    pub fn set_api_open(&self) {
        self.is_api_open.store(true, Ordering::Relaxed);
    }

    pub fn is_api_open(&self) -> bool {
        self.is_api_open.load(Ordering::Relaxed)
    }

    /// Stores whether this bot is the one that acts. Only then it is connected to the gateway.
    pub fn set_leading(&self, is_leading: bool) {
        self.is_leading.store(is_leading, Ordering::Relaxed);
        metrics::set_leading(is_leading);
        if !is_leading {
            *self.discord.lock() = Connection::Closed;
            metrics::set_discord_connected(false);
        }
    }

    pub fn is_leading(&self) -> bool {
        self.is_leading.load(Ordering::Relaxed)
    }

    /// Stores whether the gateway is connected at this time.
    pub fn set_connected(&self, is_connected: bool, now: DateTime<Utc>) {
        let mut discord = self.discord.lock();
        *discord = match *discord {
            _ if is_connected => Connection::Connected,
            Connection::LostSince(since) => Connection::LostSince(since),
            Connection::Connected | Connection::Closed => Connection::LostSince(now),
        };
        metrics::set_discord_connected(is_connected);
    }

    pub fn discord(&self) -> Connection {
        *self.discord.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_connection_keeps_the_time_of_its_loss() {
        let at = |seconds| DateTime::from_timestamp(seconds, 0).expect("a valid time");
        let health = Health::default();
        assert_eq!(health.discord(), Connection::Closed);
        health.set_connected(false, at(1));
        health.set_connected(false, at(2));
        assert_eq!(health.discord(), Connection::LostSince(at(1)));
        health.set_connected(true, at(3));
        assert_eq!(health.discord(), Connection::Connected);
        health.set_connected(false, at(4));
        assert_eq!(health.discord(), Connection::LostSince(at(4)));
        health.set_leading(false);
        assert_eq!(health.discord(), Connection::Closed);
    }
}
