//! The lock around the state, and waiting for changes. Does no I/O.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::watch;

use crate::state::State;
use crate::transcript::RestExchange;

/// Callback for every answered REST exchange.
pub type Observer = Arc<dyn Fn(&RestExchange) + Send + Sync>;

/// State shared by the server, the gateway and the handles.
pub(crate) struct Shared {
    state: Mutex<State>,
    observer: Mutex<Option<Observer>>,
    /// Counts changes, so that no waiter misses one.
    changes: watch::Sender<u64>,
    pub wait_timeout: Duration,
}

impl Shared {
    pub(crate) fn new(state: State, wait_timeout: Duration) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(state),
            observer: Mutex::new(None),
            changes: watch::Sender::new(0),
            wait_timeout,
        })
    }

    /// Reads the state, without waking any waiter.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&mut State) -> T) -> T {
        read(&mut self.lock())
    }

    /// Changes the state and wakes all waiters.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.lock());
        self.changes.send_modify(|count| *count += 1);
        result
    }

    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    pub(crate) fn observe(&self, observer: Observer) {
        *self.observer.lock() = Some(observer);
    }

    pub(crate) fn observer(&self) -> Option<Observer> {
        self.observer.lock().clone()
    }

    /// Waits until `find` returns a value from the state.
    ///
    /// # Panics
    ///
    /// After the time limit, with the whole transcript, so that a failed test shows it.
    pub(crate) async fn wait<T>(&self, what: &str, find: impl FnMut(&mut State) -> Option<T>) -> T {
        match self.wait_for(self.wait_timeout, find).await {
            Some(found) => found,
            None => self.fail(&format!("waited {:?} for {what}", self.wait_timeout)),
        }
    }

    /// Like [`Shared::wait`] with its own limit, after which it returns `None`.
    pub(crate) async fn wait_for<T>(
        &self,
        limit: Duration,
        mut find: impl FnMut(&mut State) -> Option<T>,
    ) -> Option<T> {
        let mut changes = self.changes();
        let found = tokio::time::timeout(limit, async {
            loop {
                changes.mark_unchanged();
                if let Some(found) = self.read(&mut find) {
                    return Some(found);
                }
                // `self` owns the sender, so this returns only after a change.
                changes.changed().await.ok()?;
            }
        });
        found.await.ok().flatten()
    }

    /// Panics with the transcript, to fail the running test.
    pub(crate) fn fail(&self, reason: &str) -> ! {
        let transcript = self.read(|state| state.transcript.render());
        panic!("{reason}\n--- loopback Discord ---\n{transcript}---");
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

impl fmt::Debug for Shared {
    /// Omits the state: handles are printed as parts of other values, and the transcript has more.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}
