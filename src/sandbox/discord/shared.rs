//! The one lock around the world, and waiting for it to change. Waits, but does no other I/O.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::watch;

use super::model::State;
use super::transcript::RestExchange;

/// Is told of every answered REST exchange.
pub type Observer = Arc<dyn Fn(&RestExchange) + Send + Sync>;

/// What the server, the gateway and the handles share.
pub struct Shared {
    state: Mutex<State>,
    observer: Mutex<Option<Observer>>,
    /// Counts changes, so that whoever waits for one can't miss it.
    changes: watch::Sender<u64>,
    pub wait_timeout: Duration,
}

impl Shared {
    pub fn new(state: State, wait_timeout: Duration) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(state),
            observer: Mutex::new(None),
            changes: watch::Sender::new(0),
            wait_timeout,
        })
    }

    /// Looks at the world; nobody is woken.
    pub fn read<T>(&self, read: impl FnOnce(&mut State) -> T) -> T {
        read(&mut self.lock())
    }

    /// Changes the world and wakes all who wait.
    pub fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.lock());
        self.changes.send_modify(|count| *count += 1);
        result
    }

    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    pub fn observe(&self, observer: Observer) {
        *self.observer.lock() = Some(observer);
    }

    pub fn observer(&self) -> Option<Observer> {
        self.observer.lock().clone()
    }

    /// Waits until the world holds what is looked for.
    ///
    /// # Panics
    ///
    /// When patience runs out, with the whole transcript: that is what a failed test needs to show.
    pub async fn wait<T>(&self, what: &str, find: impl FnMut(&mut State) -> Option<T>) -> T {
        match self.wait_for(self.wait_timeout, find).await {
            Some(found) => found,
            None => self.fail(&format!("waited {:?} for {what}", self.wait_timeout)),
        }
    }

    /// Like [`Shared::wait`], with its own limit, and `None` at the end of it.
    pub async fn wait_for<T>(
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
                // The sender lives as long as `self`, so this ends only by a change.
                changes.changed().await.ok()?;
            }
        });
        found.await.ok().flatten()
    }

    /// Fails the test that runs.
    pub fn fail(&self, reason: &str) -> ! {
        let transcript = self.read(|state| state.transcript.render());
        panic!("{reason}\n--- loopback Discord ---\n{transcript}---");
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

impl fmt::Debug for Shared {
    /// Nothing of the state: handles are printed in passing, and the transcript tells more.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}
