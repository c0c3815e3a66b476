//! Running queries, and cached lists of tables.

use std::{collections::HashMap, sync::Arc, time::Instant};

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::{
    runtime::{AnswerMemory, AnswerRoom, TableName},
    session::{OwnerId, SessionId},
};

/// Running queries, the memory for their answers, and cached tables, of all people.
#[derive(Default)]
pub(super) struct QueryState {
    pub(super) running: Arc<Mutex<RunningQueries>>,
    pub(super) answers: AnswerMemory,
    pub(super) tables: Mutex<HashMap<SessionId, Arc<tokio::sync::Mutex<Option<CachedTables>>>>>,
}

/// Running queries by ID, each with its owner and the token that cancels it.
pub(super) type RunningQueries = HashMap<String, (OwnerId, CancellationToken)>;
/// List of tables, with the time when it was read.
pub(super) type CachedTables = (Instant, Arc<TableList>);

/// The tables of a catalog.
#[derive(Debug, Default)]
pub struct TableList {
    /// Names, sorted.
    pub names: Vec<TableName>,
    /// True if the catalog has more tables than these, or did not list them all in time.
    pub more: bool,
}

/// Permission for one query, with the room for its answer. It must be held until the answer is sent.
pub struct QueryPermit {
    /// Query ID, by which the query can be cancelled.
    pub id: String,
    pub(super) cancelled: CancellationToken,
    pub(super) running: Arc<Mutex<RunningQueries>>,
    pub(super) room: AnswerRoom,
}

impl QueryPermit {
    /// Ends the query, which no longer counts against the owner's maximum. Keeps the room.
    pub fn end_query(&self) {
        self.running.lock().remove(&self.id);
    }
}

impl Drop for QueryPermit {
    fn drop(&mut self) {
        self.end_query();
    }
}
