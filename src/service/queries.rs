//! Running queries, and cached lists of tables.

use std::{collections::HashMap, sync::Arc, time::Instant};

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::session::{OwnerId, SessionId};

/// Running queries and cached tables, of all people.
#[derive(Default)]
pub(super) struct QueryState {
    pub(super) running: Arc<Mutex<RunningQueries>>,
    pub(super) tables: Mutex<HashMap<SessionId, Arc<tokio::sync::Mutex<Option<CachedTables>>>>>,
}

/// Running queries by ID, each with its owner and the token that cancels it.
pub(super) type RunningQueries = HashMap<String, (OwnerId, CancellationToken)>;
/// List of tables, with the time when it was read.
pub(super) type CachedTables = (Instant, Arc<TableList>);

/// The tables of a catalog.
#[derive(Debug, Default)]
pub struct TableList {
    /// Names as `schema.table`, sorted.
    pub names: Vec<String>,
    /// True if the catalog has more tables than these.
    pub more: bool,
}

/// Permission for one query. Counts against the owner's maximum until it is dropped.
pub struct QueryPermit {
    /// Query ID, by which the query can be cancelled.
    pub id: String,
    pub(super) cancelled: CancellationToken,
    pub(super) running: Arc<Mutex<RunningQueries>>,
}

impl Drop for QueryPermit {
    fn drop(&mut self) {
        self.running.lock().remove(&self.id);
    }
}
