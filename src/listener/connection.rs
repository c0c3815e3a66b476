//! State of one connection.

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
    /// The last request ended, or the last bytes of its answer were sent, at this time.
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

    /// Token that is cancelled when the connection is to be closed.
    pub(super) fn closing(&self) -> CancellationToken {
        self.closing.clone()
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

    /// Closes the connection if no request has been in progress, and nothing came, since this time.
    /// Returns false otherwise.
    pub(super) fn close_if_silent_since(&self, time: Instant) -> bool {
        let phase = self.phase.lock();
        let is_so = matches!(*phase, Phase::Head(since) | Phase::Idle(since) if since == time);
        if is_so {
            self.closing.cancel();
        }
        is_so
    }

    /// Closes the connection if the client took too long.
    pub(super) fn close_if_late(&self, now: Instant) {
        let phase = self.phase.lock();
        let is_late = match *phase {
            Phase::Head(since) => now - since >= HEAD_TIMEOUT,
            Phase::Idle(since) => now - since >= IDLE_TIMEOUT,
            Phase::Busy => false,
        };
        if is_late {
            self.closing.cancel();
        }
    }

    /// Notes that the client has sent something.
    pub(super) fn note_received(&self) {
        let mut phase = self.phase.lock();
        if matches!(*phase, Phase::Idle(_)) {
            *phase = Phase::Head(Instant::now());
        }
    }

    /// Notes that the client has taken something. The last bytes of an answer are sent after the end
    /// of the request.
    pub(super) fn note_sent(&self) {
        let mut phase = self.phase.lock();
        if matches!(*phase, Phase::Idle(_)) {
            *phase = Phase::Idle(Instant::now());
        }
    }

    /// Marks a request as in progress until the returned guard is dropped. Returns `None` if the
    /// connection is being closed.
    pub(super) fn begin_request(self: &Arc<Self>) -> Option<RequestInProgress> {
        let mut phase = self.phase.lock();
        if self.is_closing() {
            return None;
        }
        *phase = Phase::Busy;
        Some(RequestInProgress(self.clone()))
    }
}

/// Guard of a request in progress.
pub(super) struct RequestInProgress(Arc<Connection>);

impl Drop for RequestInProgress {
    fn drop(&mut self) {
        *self.0.phase.lock() = Phase::Idle(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAST: Duration = Duration::from_secs(1);

    fn idle() -> (Arc<Connection>, Instant) {
        let (connection, since) = (Arc::new(Connection::new()), Instant::now() - PAST);
        *connection.phase.lock() = Phase::Idle(since);
        (connection, since)
    }

    #[test]
    fn a_connection_whose_request_begins_meanwhile_is_kept() {
        let (connection, since) = idle();
        let request = connection.begin_request().expect("it is open");
        assert!(!connection.close_if_silent_since(since));
        connection.close_if_late(Instant::now() + IDLE_TIMEOUT);
        assert!(!connection.is_closing());
        drop(request);
        assert!(connection.silent_since().is_some_and(|it| it > since));
    }

    #[test]
    fn a_reader_of_the_last_bytes_is_not_silent() {
        let (connection, since) = idle();
        connection.note_sent();
        assert!(connection.silent_since().is_some_and(|it| it > since));
        assert!(!connection.close_if_silent_since(since));
    }

    #[test]
    fn no_request_begins_on_a_connection_that_is_being_closed() {
        let (connection, since) = idle();
        assert!(connection.close_if_silent_since(since));
        assert!(connection.begin_request().is_none());
    }
}
