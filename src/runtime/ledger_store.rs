//! Reads and atomic updates of the ledger, on top of a [`LedgerBackend`].

use chrono::{DateTime, Utc};
use tokio::sync::Mutex;

use super::{LedgerBackend, MAX_WRITE_ATTEMPTS};
use crate::{error::Error, session::Ledger};

/// Access to the ledger. Updates in this process run one at a time: without the lock, many sessions
/// that end at once would keep causing each other conflicts.
pub struct LedgerStore {
    store: Box<dyn LedgerBackend>,
    lock: Mutex<()>,
}

impl LedgerStore {
    pub fn new(store: impl LedgerBackend + 'static) -> Self {
        Self {
            store: Box::new(store),
            lock: Mutex::default(),
        }
    }

    /// Returns the ledger, or None if there is no ledger yet.
    ///
    /// # Errors
    /// If the ledger can't be read.
    pub async fn read(&self) -> Result<Option<Ledger>, Error> {
        let found = self.store.read().await?;
        Ok(found.map(|(ledger, _)| ledger))
    }

    /// Applies `change` to the newest ledger, or to an empty one, and writes the result. Repeats
    /// this if another bot wrote first. Returns the stored ledger.
    ///
    /// # Errors
    /// If the ledger can't be read or written, or if other writers came first in every attempt.
    pub async fn update(
        &self,
        now: DateTime<Utc>,
        change: impl Fn(&Ledger) -> Ledger,
    ) -> Result<Ledger, Error> {
        let _guard = self.lock.lock().await;
        let mut attempts = 1..=MAX_WRITE_ATTEMPTS;
        loop {
            let found = self.store.read().await?;
            let (ledger, revision) = found.unzip();
            let changed = change(ledger.as_ref().unwrap_or(&Ledger::new(now)));
            if Some(&changed) == ledger.as_ref() {
                return Ok(changed);
            }
            attempts.next();
            match self.store.write(&changed, revision.as_deref()).await {
                Ok(()) => return Ok(changed),
                Err(Error::Conflict { .. } | Error::Exists { .. }) if !attempts.is_empty() => {}
                Err(error) => return Err(error),
            }
        }
    }
}
