//! The ledger, as those who write into it see it.

use chrono::{DateTime, Utc};
use tokio::sync::Mutex;

use super::{LedgerBackend, MAX_WRITE_ATTEMPTS};
use crate::{error::Error, session::Ledger};

/// Changes the ledger, one at a time: where many sessions end at once, others in this bot
/// would always come first.
pub struct LedgerStore {
    store: Box<dyn LedgerBackend>,
    lock: Mutex<()>,
}

impl LedgerStore {
    /// What is kept there.
    pub fn new(store: impl LedgerBackend + 'static) -> Self {
        Self {
            store: Box::new(store),
            lock: Mutex::default(),
        }
    }

    /// What is kept; none if there is nothing yet.
    ///
    /// # Errors
    /// If it can't be read.
    pub async fn read(&self) -> Result<Option<Ledger>, Error> {
        let found = self.store.read().await?;
        Ok(found.map(|(ledger, _)| ledger))
    }

    /// Writes the ledger as `change` makes it of the newest one, or of an empty one; again if
    /// another bot wrote it first. Returns what is kept then.
    ///
    /// # Errors
    /// If it can't be read or written, or others always come first.
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
