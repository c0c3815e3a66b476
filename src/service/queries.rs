//! Running queries, and cached lists of tables.

use std::{collections::HashMap, sync::Arc, time::Instant};

use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::{
    runtime::{AnswerMemory, AnswerRoom, TableName},
    session::{OwnerId, SessionId},
};

/// Maximum size of all cached lists of tables together, in bytes. A usual list has 100 kB, one of a
/// hostile session up to 4 MB.
const MAX_CACHED_BYTES: usize = 16 << 20;
/// Memory for a name besides its text.
const NAME_BYTES: usize = 96;

/// Running queries, the memory for their answers, and cached tables, of all people.
#[derive(Default)]
pub(super) struct QueryState {
    pub(super) running: Arc<Mutex<RunningQueries>>,
    pub(super) answers: AnswerMemory,
    pub(super) tables: TableCache,
    sessions: Arc<Mutex<HashMap<SessionId, u32>>>,
    /// Times at which people deleted their past queries.
    pub(super) histories_deleted: Mutex<HashMap<OwnerId, DateTime<Utc>>>,
}

impl QueryState {
    /// Counts a query in a session until the guard is dropped.
    pub(super) fn begin_in(&self, session: &SessionId) -> QueryInSession {
        *self.sessions.lock().entry(session.clone()).or_default() += 1;
        QueryInSession {
            session: session.clone(),
            sessions: self.sessions.clone(),
        }
    }

    /// Returns the number of running queries in a session.
    pub(super) fn in_session(&self, session: &SessionId) -> u32 {
        self.sessions
            .lock()
            .get(session)
            .copied()
            .unwrap_or_default()
    }
}

/// Guard of a query that is counted in a session.
pub(super) struct QueryInSession {
    session: SessionId,
    sessions: Arc<Mutex<HashMap<SessionId, u32>>>,
}

impl Drop for QueryInSession {
    fn drop(&mut self) {
        let mut sessions = self.sessions.lock();
        if let Some(count) = sessions.get_mut(&self.session) {
            *count -= 1;
        }
        sessions.retain(|_, count| *count > 0);
    }
}

/// Lists of tables by session. Concurrent lookups of one list wait for each other.
pub(super) struct TableCache {
    pub(super) lists: Mutex<HashMap<SessionId, Arc<tokio::sync::Mutex<Option<CachedTables>>>>>,
    memory: Arc<Semaphore>,
}

impl Default for TableCache {
    fn default() -> Self {
        Self {
            lists: Mutex::default(),
            memory: Arc::new(Semaphore::new(MAX_CACHED_BYTES)),
        }
    }
}

impl TableCache {
    /// Reserves memory for a list. If there is none, drops the other lists. Returns `None` if the list
    /// can't be cached.
    pub(super) fn reserve(&self, list: &TableList) -> Option<OwnedSemaphorePermit> {
        let sizes = list
            .names
            .iter()
            .map(|name| name.schema.len() + name.table.len() + NAME_BYTES);
        let size = u32::try_from(sizes.sum::<usize>()).ok()?;
        let reserve = || self.memory.clone().try_acquire_many_owned(size).ok();
        reserve().or_else(|| {
            self.lists.lock().clear();
            reserve()
        })
    }
}

/// Running queries by ID.
pub(super) type RunningQueries = HashMap<String, Running>;

/// A running query.
pub(super) struct Running {
    pub(super) owner: OwnerId,
    pub(super) purpose: Purpose,
    pub(super) cancelled: CancellationToken,
}

/// The party that needs a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Person,
    /// The bot itself, for a list of tables or columns.
    Bot,
}

/// List of tables that is cached.
pub(super) struct CachedTables {
    pub(super) read_at: Instant,
    pub(super) list: Arc<TableList>,
    pub(super) _memory: OwnedSemaphorePermit,
}

/// The tables of a catalog.
#[derive(Debug, Default)]
pub struct TableList {
    /// Names, sorted.
    pub names: Vec<TableName>,
    /// True if the catalog has more tables than these, or did not list them all in time.
    pub more: bool,
}

/// Permission for one query, with the room for its answer.
pub struct QueryPermit {
    pub(super) query: RunningQuery,
    pub(super) cancelled: CancellationToken,
    pub(super) room: AnswerRoom,
}

impl QueryPermit {
    /// Query ID, by which the query can be cancelled.
    pub fn id(&self) -> &str {
        &self.query.id
    }

    /// Returns when `doing` is done, or `None` if the query is cancelled before.
    pub async fn until_cancelled<T>(&self, doing: impl Future<Output = T>) -> Option<T> {
        self.cancelled.run_until_cancelled(doing).await
    }

    /// Ends the query, which no longer counts against the owner's maximum. Keeps the room.
    pub fn end_query(self) -> ReplyRoom {
        ReplyRoom { _room: self.room }
    }
}

/// Room for a reply with an answer. It must be held until the reply is sent.
pub struct ReplyRoom {
    pub(super) _room: AnswerRoom,
}

/// Guard of a running query.
pub(super) struct RunningQuery {
    pub(super) id: String,
    pub(super) running: Arc<Mutex<RunningQueries>>,
}

impl Drop for RunningQuery {
    fn drop(&mut self) {
        self.running.lock().remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn list(names: usize) -> TableList {
        TableList {
            names: vec![TableName::new("", "x".repeat(1 << 10)); names],
            more: false,
        }
    }

    #[test]
    fn all_lists_together_have_a_maximum_size() {
        let cache = TableCache::default();
        assert!(cache.reserve(&list(16 << 10)).is_none());
        let large = list(4 << 10);
        for _ in 0..7 {
            let cached = CachedTables {
                read_at: Instant::now(),
                _memory: cache.reserve(&large).expect("room"),
                list: Arc::default(),
            };
            let cached = Arc::new(tokio::sync::Mutex::new(Some(cached)));
            let session = SessionId::from_uuid(Uuid::new_v4());
            cache.lists.lock().insert(session, cached);
        }
        assert_eq!(cache.lists.lock().len(), 1);
    }
}
