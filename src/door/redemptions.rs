//! Submissions of tickets in progress. Anyone may submit a ticket, and send it slowly.

use std::collections::VecDeque;

use parking_lot::Mutex;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Maximum number of tickets that are submitted at the same time.
const MAX_CONCURRENT_REDEMPTIONS: usize = 16;

/// The submissions, the oldest first.
#[derive(Default)]
pub(super) struct Redemptions(Mutex<VecDeque<CancellationToken>>);

impl Redemptions {
    /// Registers the submission of a ticket until the returned guard is dropped. The token cancels the submission.
    /// At the limit, the oldest submission is cancelled, because a real ticket arrives at once.
    pub(super) fn begin(&self) -> (CancellationToken, DropGuard) {
        let cancelled = CancellationToken::new();
        let mut redemptions = self.0.lock();
        redemptions.retain(|it| !it.is_cancelled());
        if redemptions.len() == MAX_CONCURRENT_REDEMPTIONS
            && let Some(oldest) = redemptions.pop_front()
        {
            oldest.cancel();
        }
        redemptions.push_back(cancelled.clone());
        (cancelled.clone(), cancelled.drop_guard())
    }
}
