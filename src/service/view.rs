//! Sessions as last seen, and the chat replies that follow them.

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use tokio::sync::watch;

use super::Service;
use crate::{
    error::Error,
    session::{Observed, SessionId},
};

impl Service {
    /// Returns the session with this ID. A session that was just claimed may not be shown yet.
    pub fn session(&self, id: &SessionId) -> Option<Observed> {
        self.runtime.session(id)
    }

    /// Subscribes to changes of sessions. The receiver is marked as changed whenever there may be
    /// something new to see.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.runtime.changes()
    }

    /// Returns the URL of a session, for browsers.
    pub fn url(&self, id: &SessionId) -> String {
        self.runtime.url(id)
    }

    /// Returns the time since which sessions may be shown out of date, or `None` if they are
    /// current.
    pub fn stale_since(&self) -> Option<DateTime<Utc>> {
        self.runtime.stale_since()
    }

    /// Returns the number of records that this version of the bot can't read.
    pub fn unreadable_records(&self) -> usize {
        self.runtime.unreadable()
    }

    /// Stores the token of the reply that follows a session, so that the next bot process can
    /// continue it. Does nothing if the session is not shown.
    ///
    /// # Errors
    /// If the token can't be stored.
    pub async fn keep_reply(&self, id: &SessionId, reply: &SecretString) -> Result<(), Error> {
        match self.session(id) {
            Some(seen) => self.replies.store(&seen, reply).await,
            None => Ok(()),
        }
    }

    /// Returns the token of the reply that follows a session, if one is stored.
    ///
    /// # Errors
    /// If it can't be read.
    pub async fn kept_reply(&self, seen: &Observed) -> Result<Option<SecretString>, Error> {
        self.replies.load(seen).await
    }
}
