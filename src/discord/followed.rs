//! Starts whose private reply is being edited. Their reply shows how they end, so the channel need not.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;

use crate::session::{Record, SessionId};

/// Replies that follow sessions, by session.
#[derive(Clone, Default)]
pub struct FollowedStarts(Arc<Mutex<HashMap<SessionId, Entry>>>);

#[derive(Default)]
struct Entry {
    replies: usize,
    /// Last record of a session that has ended.
    ended: Option<Record>,
}

impl FollowedStarts {
    /// Counts a reply until the guard is dropped.
    pub(super) fn begin(&self, id: &SessionId) -> FollowedStart {
        self.0.lock().entry(id.clone()).or_default().replies += 1;
        FollowedStart {
            id: id.clone(),
            all: self.clone(),
        }
    }

    /// Leaves it to the replies that follow the session to show its end. Returns false if there is none.
    pub(super) fn leave_end(&self, record: &Record) -> bool {
        let mut all = self.0.lock();
        let entry = all.get_mut(&record.id);
        entry.map(|it| it.ended = Some(record.clone())).is_some()
    }
}

/// Guard of a reply that follows a session.
pub(super) struct FollowedStart {
    id: SessionId,
    all: FollowedStarts,
}

impl FollowedStart {
    /// Returns the last record of the session, if its end was left to the replies. The view may never
    /// have shown it.
    pub(super) fn ended(&self) -> Option<Record> {
        self.all.0.lock().get(&self.id)?.ended.clone()
    }
}

impl Drop for FollowedStart {
    fn drop(&mut self) {
        let mut all = self.all.0.lock();
        if let Some(entry) = all.get_mut(&self.id) {
            entry.replies -= 1;
        }
        all.retain(|_, entry| entry.replies > 0);
    }
}
