//! Leadership: which of several bots acts, that is, opens Discord's gateway, and runs the reconciler and the reaper.

use std::{sync::Arc, time::Instant};

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};

/// Decides which of several bots acts.
#[async_trait]
pub trait Leadership: Send + Sync {
    /// Waits until this bot leads, for as long as it takes.
    async fn acquire(&self) -> Term;

    /// Ends a term before its time, so that another bot need not wait until it lapses. Call it when the term's
    /// work has ended. Has a time limit of its own, and logs a failure: the term then lapses.
    async fn release(&self, term: Term);
}

/// Time in which this bot is the one that acts.
#[derive(Clone)]
pub struct Term {
    ended: CancellationToken,
    /// Time at which the term lapses unless it is extended. `None` if it never does.
    until: Arc<Mutex<Option<Instant>>>,
}

impl Term {
    /// Begins a term that lapses at `until`, unless it is extended. `None` means never.
    pub fn new(until: Option<Instant>) -> Self {
        Self {
            ended: CancellationToken::new(),
            until: Arc::new(Mutex::new(until)),
        }
    }

    /// Returns true if this bot may act now. Ask right before what can't be undone: a process that was stopped
    /// for a while goes on where it was, and nothing else tells it that its term has lapsed.
    pub fn is_held(&self) -> bool {
        let is_current = self.until.lock().is_none_or(|until| Instant::now() < until);
        is_current && !self.ended.is_cancelled()
    }

    /// Waits until the term ends. Then all of its work must stop, because another bot leads soon.
    pub fn ended(&self) -> WaitForCancellationFuture<'_> {
        self.ended.cancelled()
    }

    /// Lets the term last until `until`.
    pub fn extend(&self, until: Instant) {
        *self.until.lock() = Some(until);
    }

    /// Ends the term.
    pub fn end(&self) {
        self.ended.cancel();
    }
}

/// Leadership of a bot that is alone.
pub struct Alone;

#[async_trait]
impl Leadership for Alone {
    async fn acquire(&self) -> Term {
        Term::new(None)
    }

    async fn release(&self, term: Term) {
        term.end();
    }
}
