//! Access to the ledger. Sessions that end at the same time share a write.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use parking_lot::Mutex;

use super::{DocumentBackend, DocumentStore};
use crate::{
    error::Error,
    session::{Ledger, Record},
};

/// Access to the ledger.
pub struct LedgerStore {
    document: DocumentStore<Ledger>,
    /// Ended sessions that wait for a write. The next one enters them all: one write after the other would take
    /// as long as a hundred ends at once.
    waiting: Mutex<Vec<EndedSession>>,
}

/// An ended session that is still to be entered.
struct EndedSession {
    record: Arc<Record>,
    /// Time at which a limit would have ended it.
    latest: Option<DateTime<Utc>>,
}

impl LedgerStore {
    pub fn new(backend: impl DocumentBackend + 'static) -> Self {
        Self {
            document: DocumentStore::new(backend),
            waiting: Mutex::default(),
        }
    }

    /// Returns the ledger, or None if there is none yet.
    ///
    /// # Errors
    /// If the ledger can't be read.
    pub async fn read(&self) -> Result<Option<Ledger>, Error> {
        self.document.read().await
    }

    /// Applies `change` to the newest ledger, or to an empty one, and writes the result. See
    /// [`DocumentStore::replace`].
    ///
    /// # Errors
    /// Same as [`DocumentStore::replace`].
    pub async fn update(
        &self,
        now: DateTime<Utc>,
        change: impl Fn(&Ledger) -> Ledger,
    ) -> Result<Ledger, Error> {
        let changed = |ledger: Option<&Ledger>| change(ledger.unwrap_or(&Ledger::new(now)));
        self.document.replace(changed).await
    }

    /// Enters an ended session, once. A limit would have ended it at `latest`.
    ///
    /// # Errors
    /// Same as [`DocumentStore::replace`].
    pub async fn enter(
        &self,
        now: DateTime<Utc>,
        record: Arc<Record>,
        latest: Option<DateTime<Utc>>,
    ) -> Result<(), Error> {
        let id = record.id.clone();
        self.waiting.lock().push(EndedSession { record, latest });
        let mut taken = Vec::new();
        let written = self.document.replace_if(|stored| {
            taken.append(&mut self.waiting.lock());
            let is_new =
                |it: &EndedSession| !stored.is_some_and(|ledger| ledger.has_entered(&it.record.id));
            let all = taken.iter().filter(|it| is_new(it));
            all.fold(None, |ledger: Option<Ledger>, one| {
                let ending = one.record.ending()?;
                let empty = || Ledger::new(now);
                let ledger = ledger.or_else(|| stored.cloned()).unwrap_or_else(empty);
                Some(ledger.with_ended(&one.record, ending, one.latest))
            })
        });
        let written = written.await;
        if written.is_err() {
            // Each of the others tries again.
            let others = taken.drain(..).filter(|it| it.record.id != id);
            self.waiting.lock().extend(others);
        }
        written.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use async_trait::async_trait;
    use futures_util::future::join_all;
    use tokio::sync::Semaphore;

    use super::*;
    use crate::session::{Cause, OwnerId, SessionId, starting};

    /// A stored ledger whose writes wait for a permit each. The first ones fail.
    struct SlowBackend {
        permits: Semaphore,
        failures: AtomicUsize,
        writes: AtomicUsize,
        text: Mutex<Option<String>>,
    }

    #[async_trait]
    impl DocumentBackend for Arc<SlowBackend> {
        async fn read(&self) -> Result<Option<(String, String)>, Error> {
            let revision = self.writes.load(Relaxed).to_string();
            Ok(self.text.lock().clone().map(|text| (text, revision)))
        }

        async fn write(&self, text: &str, _: Option<&str>) -> Result<Option<String>, Error> {
            self.permits.acquire().await.expect("it is open").forget();
            let fails = |left: usize| left.checked_sub(1);
            if self.failures.fetch_update(Relaxed, Relaxed, fails).is_ok() {
                return Err(self.unreadable("no answer".to_owned()));
            }
            *self.text.lock() = Some(text.to_owned());
            Ok(Some((self.writes.fetch_add(1, Relaxed) + 1).to_string()))
        }

        fn unreadable(&self, why: String) -> Error {
            let action = "writing".to_owned();
            Error::Unavailable { action, why }
        }
    }

    fn now() -> DateTime<Utc> {
        starting().created
    }

    fn ledger(failures: usize) -> (Arc<SlowBackend>, LedgerStore) {
        let backend = Arc::new(SlowBackend {
            permits: Semaphore::new(0),
            failures: failures.into(),
            writes: 0.into(),
            text: Mutex::default(),
        });
        (backend.clone(), LedgerStore::new(backend))
    }

    fn ended(number: u8) -> Arc<Record> {
        let owner = OwnerId::from(7);
        let mut record = starting();
        record.id = SessionId::from_uuid(uuid::Uuid::from_bytes([number; 16]));
        Arc::new(record.with_ending(Cause::Stopped { by: owner }, now()))
    }

    /// Enters ten sessions at the same time. Returns the number of failures.
    async fn enter_ten(backend: &SlowBackend, ledger: &LedgerStore) -> usize {
        let all = (1..=10).map(|number| ledger.enter(now(), ended(number), None));
        // All of them wait before the first write ends.
        let open = async { backend.permits.add_permits(100) };
        let (entered, ()) = tokio::join!(join_all(all), open);
        entered.iter().filter(|it| it.is_err()).count()
    }

    async fn sessions(ledger: &LedgerStore) -> usize {
        let stored = ledger.read().await.expect("it is read");
        let report = stored.expect("there is one").report(Vec::new(), now());
        report.sessions
    }

    #[tokio::test]
    async fn sessions_that_end_together_share_a_write_and_each_is_entered_once() {
        let (backend, ledger) = ledger(0);
        assert_eq!(enter_ten(&backend, &ledger).await, 0);
        assert_eq!(sessions(&ledger).await, 10);
        assert!(backend.writes.load(Relaxed) <= 2);
        let before = backend.writes.load(Relaxed);
        assert_eq!(enter_ten(&backend, &ledger).await, 0);
        assert_eq!(sessions(&ledger).await, 10);
        assert_eq!(backend.writes.load(Relaxed), before, "nothing is to enter");
    }

    #[tokio::test]
    async fn a_write_that_fails_takes_no_other_session_with_it() {
        let (backend, ledger) = ledger(1);
        assert_eq!(enter_ten(&backend, &ledger).await, 1);
        assert_eq!(sessions(&ledger).await, 9);
    }
}
