//! Permits to occupy DuckDB's threads, and the queue of requests that wait for one.

use std::{collections::HashMap, pin::pin, sync::Arc, time::Duration};

use chrono::Utc;
use hyper::header::HeaderValue;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::activity::ActivityCounter;

/// Maximum number of waiting queries. One person's browsers need fewer.
pub(super) const MAX_QUEUED: usize = 64;
/// Interval at which a waiting request looks for answers that nobody reads.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Queue of one kind of requests: first in, first out.
pub(super) struct Queue {
    permits: Arc<Semaphore>,
    /// Maximum number of waiting requests.
    max_waiting: usize,
    waiting: Mutex<Waiting>,
    counter: ActivityCounter,
}

#[derive(Default)]
struct Waiting {
    begun: u64,
    /// The waiting requests: the connection's name, and a channel whose end interrupts the request.
    requests: HashMap<u64, (Option<HeaderValue>, oneshot::Sender<()>)>,
}

/// Reasons why a request gets no permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoPermit {
    /// Its connection was interrupted while it waited.
    Interrupted,
    /// Too many requests are waiting already.
    Full,
}

impl Queue {
    pub(super) fn new(permits: usize, max_waiting: usize, counter: ActivityCounter) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(permits)),
            max_waiting,
            waiting: Mutex::default(),
            counter,
        }
    }

    /// Waits for a permit, after all requests that came earlier. A caller that goes away leaves the
    /// queue. `connection` is the name under which [`Self::interrupt`] finds the request.
    ///
    /// # Errors
    /// If the queue is full, or the connection is interrupted.
    pub(super) async fn wait(
        &self,
        connection: Option<HeaderValue>,
    ) -> Result<OwnedSemaphorePermit, NoPermit> {
        if let Ok(permit) = self.permits.clone().try_acquire_owned() {
            return Ok(permit);
        }
        let (entry, mut interrupted) = self.enqueue(connection).ok_or(NoPermit::Full)?;
        let mut permit = pin!(self.permits.clone().acquire_owned());
        loop {
            tokio::select! {
                biased;
                _ = &mut interrupted => return Err(NoPermit::Interrupted),
                permit = &mut permit => {
                    let permit = permit.expect("the semaphore is never closed");
                    return entry.leave().then_some(permit).ok_or(NoPermit::Interrupted);
                }
                () = tokio::time::sleep(CHECK_INTERVAL) => self.counter.release_unread(Utc::now()),
            }
        }
    }

    /// Takes a connection's requests out of the queue. Returns false if there are none.
    pub(super) fn interrupt(&self, connection: &HeaderValue) -> bool {
        let mut waiting = self.waiting.lock();
        let before = waiting.requests.len();
        let is_other = |name: &Option<HeaderValue>| name.as_ref() != Some(connection);
        waiting.requests.retain(|_, (name, _)| is_other(name));
        waiting.requests.len() < before
    }

    fn enqueue(
        &self,
        connection: Option<HeaderValue>,
    ) -> Option<(QueueEntry<'_>, oneshot::Receiver<()>)> {
        let mut waiting = self.waiting.lock();
        if waiting.requests.len() == self.max_waiting {
            return None;
        }
        let (interrupt, interrupted) = oneshot::channel();
        waiting.begun += 1;
        let number = waiting.begun;
        waiting.requests.insert(number, (connection, interrupt));
        let queue = self;
        Some((QueueEntry { queue, number }, interrupted))
    }
}

/// Guard that keeps a request in the queue until it is dropped.
struct QueueEntry<'a> {
    queue: &'a Queue,
    number: u64,
}

impl QueueEntry<'_> {
    /// Leaves the queue. Returns false if the request was interrupted before.
    fn leave(&self) -> bool {
        let mut waiting = self.queue.waiting.lock();
        waiting.requests.remove(&self.number).is_some()
    }
}

impl Drop for QueueEntry<'_> {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn queue(permits: usize) -> Queue {
        Queue::new(permits, MAX_QUEUED, ActivityCounter::new(Utc::now()))
    }

    #[tokio::test]
    async fn the_first_in_the_queue_is_the_next() {
        let queue = queue(1);
        let permit = queue.wait(None).await;
        let (mut one, mut two) = (Box::pin(queue.wait(None)), Box::pin(queue.wait(None)));
        assert!(one.as_mut().now_or_never().is_none());
        assert!(two.as_mut().now_or_never().is_none());
        drop(permit);
        assert!(queue.wait(None).now_or_never().is_none(), "it can't skip");
        assert!(two.as_mut().now_or_never().is_none());
        let permit = one.now_or_never().expect("its turn");
        drop(permit);
        assert!(two.now_or_never().expect("its turn").is_ok());
    }

    #[tokio::test]
    async fn a_request_that_goes_away_gives_up_its_turn() {
        let queue = queue(1);
        let permit = queue.wait(None).await;
        let (mut one, mut two) = (Box::pin(queue.wait(None)), Box::pin(queue.wait(None)));
        assert!(one.as_mut().now_or_never().is_none());
        assert!(two.as_mut().now_or_never().is_none());
        drop((one, permit));
        assert!(two.now_or_never().expect("its turn").is_ok());
        assert!(queue.waiting.lock().requests.is_empty());
    }

    #[tokio::test]
    async fn only_the_named_connection_is_interrupted() {
        let queue = queue(1);
        let name = |name| Some(HeaderValue::from_static(name));
        let permit = queue.wait(name("a")).await;
        assert!(!queue.interrupt(&HeaderValue::from_static("a")), "it runs");
        let mut unnamed = Box::pin(queue.wait(None));
        let (mut a, mut b) = (queue.wait(name("a")).boxed(), queue.wait(name("b")).boxed());
        assert!(unnamed.as_mut().now_or_never().is_none());
        assert!(a.as_mut().now_or_never().is_none());
        assert!(b.as_mut().now_or_never().is_none());
        assert!(queue.interrupt(&HeaderValue::from_static("b")));
        let interrupted = b.now_or_never().expect("an end");
        assert_eq!(interrupted.expect_err("no permit"), NoPermit::Interrupted);
        drop(permit);
        assert!(unnamed.now_or_never().expect("its turn").is_ok());
        assert!(a.now_or_never().expect("its turn").is_ok());
    }

    #[tokio::test]
    async fn an_interrupt_counts_although_the_turn_has_come() {
        let queue = queue(1);
        let permit = queue.wait(None).await;
        let name = HeaderValue::from_static("a");
        let mut a = queue.wait(Some(name.clone())).boxed();
        assert!(a.as_mut().now_or_never().is_none());
        drop(permit);
        assert!(queue.interrupt(&name));
        let interrupted = a.now_or_never().expect("an end");
        assert_eq!(interrupted.expect_err("no permit"), NoPermit::Interrupted);
        assert!(queue.wait(None).now_or_never().expect("room").is_ok());
    }

    #[tokio::test]
    async fn a_full_queue_takes_no_more() {
        let queue = queue(0);
        let mut all: Vec<_> = (0..MAX_QUEUED).map(|_| queue.wait(None).boxed()).collect();
        for waiting in &mut all {
            assert!(waiting.now_or_never().is_none());
        }
        let refused = queue.wait(None).now_or_never().expect("an end");
        assert_eq!(refused.expect_err("no permit"), NoPermit::Full);
        all.pop();
        assert!(queue.wait(None).now_or_never().is_none());
    }
}
