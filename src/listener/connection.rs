//! One connection: what its client does, and since when.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Maximum time to receive the head of a request, and to begin the first one.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum time to wait for the next request. Most clients keep connections for up to 90 s (Traefik
/// too), so they close them first. Otherwise a request could arrive while the server closes, and
/// its client can't tell whether it was handled.
const IDLE_TIMEOUT: Duration = Duration::from_secs(100);

/// A client's connection.
pub(super) struct Connection {
    phase: Mutex<Phase>,
    closing: CancellationToken,
}

#[derive(Clone, Copy)]
enum Phase {
    /// The client has been expected to send a request's head since this time.
    Head(Instant),
    /// The last request ended at this time.
    Idle(Instant),
    /// A request is in progress.
    Busy,
}

impl Connection {
    pub(super) fn new() -> Self {
        Self {
            phase: Mutex::new(Phase::Head(Instant::now())),
            closing: CancellationToken::new(),
        }
    }

    /// Token that is cancelled by [`Self::close`].
    pub(super) fn closing(&self) -> CancellationToken {
        self.closing.clone()
    }

    pub(super) fn close(&self) {
        self.closing.cancel();
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing.is_cancelled()
    }

    /// Time since which no request is in progress. `None` if one is.
    pub(super) fn silent_since(&self) -> Option<Instant> {
        match *self.phase.lock() {
            Phase::Head(since) | Phase::Idle(since) => Some(since),
            Phase::Busy => None,
        }
    }

    /// Returns true if the client took too long.
    pub(super) fn is_late(&self, now: Instant) -> bool {
        match *self.phase.lock() {
            Phase::Head(since) => now - since >= HEAD_TIMEOUT,
            Phase::Idle(since) => now - since >= IDLE_TIMEOUT,
            Phase::Busy => false,
        }
    }

    /// Notes that the client has sent something.
    pub(super) fn note_received(&self) {
        let mut phase = self.phase.lock();
        if matches!(*phase, Phase::Idle(_)) {
            *phase = Phase::Head(Instant::now());
        }
    }

    /// Marks a request as in progress until the returned guard is dropped.
    pub(super) fn begin_request(self: &Arc<Self>) -> RequestInProgress {
        *self.phase.lock() = Phase::Busy;
        RequestInProgress(self.clone())
    }
}

/// Guard of a request in progress.
pub(super) struct RequestInProgress(Arc<Connection>);

impl Drop for RequestInProgress {
    fn drop(&mut self) {
        *self.0.phase.lock() = Phase::Idle(Instant::now());
    }
}
