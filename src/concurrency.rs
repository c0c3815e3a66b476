//! A limit on how much runs at a time, which slow work does not use up.

use std::{pin::pin, time::Duration};

use tokio::{
    sync::{Semaphore, watch},
    time::timeout,
};

/// Time after which work counts as slow.
const PATIENCE: Duration = Duration::from_secs(1);

/// Limit on how much runs at a time. Slow work gives its place to the next, so that it holds up nobody, until
/// there is too much of it.
pub(crate) struct ConcurrencyLimit {
    places: Semaphore,
    slow_places: Semaphore,
    /// Number of those that run or wait for a place.
    busy: watch::Sender<usize>,
}

/// Counts work until it is dropped.
struct Counted<'a>(&'a watch::Sender<usize>);

impl<'a> Counted<'a> {
    fn begin(busy: &'a watch::Sender<usize>) -> Self {
        busy.send_modify(|count| *count += 1);
        Self(busy)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

impl ConcurrencyLimit {
    /// Creates a limit of this many at a time, and of this many slow ones beside them.
    pub(crate) fn new([places, slow_places]: [usize; 2]) -> Self {
        Self {
            places: Semaphore::new(places),
            slow_places: Semaphore::new(slow_places),
            busy: watch::Sender::new(0),
        }
    }

    /// Waits until nothing runs.
    pub(crate) async fn until_idle(&self) {
        // The sender lives as long as this future, so this can't fail.
        let _ = self.busy.subscribe().wait_for(|count| *count == 0).await;
    }

    /// Waits for a place, then does the work.
    pub(crate) async fn run<T>(&self, work: impl Future<Output = T>) -> T {
        let _counted = Counted::begin(&self.busy);
        let mut work = pin!(work);
        // The semaphores are never closed, so this can't fail.
        let mut _place = self.places.acquire().await;
        if let Ok(done) = timeout(PATIENCE, &mut work).await {
            return done;
        }
        if let Ok(slow) = self.slow_places.try_acquire() {
            _place = Ok(slow);
        }
        work.await
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn it_is_idle_when_all_has_ended_or_was_dropped() {
        let limit = ConcurrencyLimit::new([1, 1]);
        assert_eq!(limit.until_idle().now_or_never(), Some(()));
        {
            let mut running = pin!(limit.run(pending::<()>()));
            let mut waiting = pin!(limit.run(pending::<()>()));
            assert!(running.as_mut().now_or_never().is_none());
            assert!(waiting.as_mut().now_or_never().is_none());
            assert_eq!(limit.until_idle().now_or_never(), None);
        }
        limit.run(ready(())).await;
        assert_eq!(limit.until_idle().now_or_never(), Some(()));
    }

    #[tokio::test]
    async fn slow_work_gives_its_place_to_the_next_until_there_is_too_much_of_it() {
        let limit = ConcurrencyLimit::new([1, 1]);
        let mut first = pin!(limit.run(pending::<()>()));
        assert!(first.as_mut().now_or_never().is_none());
        let mut next = pin!(limit.run(ready(7)));
        assert_eq!(next.as_mut().now_or_never(), None, "the place is taken");
        let done = tokio::select! {
            () = &mut first => unreachable!("it never ends"),
            done = next => done,
        };
        assert_eq!(done, 7);

        // One more slow one keeps its place, until the first slow one ends.
        let mut second = pin!(limit.run(pending::<()>()));
        assert!(timeout(2 * PATIENCE, &mut second).await.is_err());
        let mut next = pin!(limit.run(ready(7)));
        assert_eq!(next.as_mut().now_or_never(), None);
    }
}
