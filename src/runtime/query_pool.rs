//! Processes that answered a query, and wait for the next one. Each has a DuckDB with the catalog
//! attached, unless the query could have left something behind in it.

use std::{collections::HashMap, sync::Arc, time::Duration};

use parking_lot::Mutex;
use uuid::Uuid;

use super::query_rpc::QueryProcess;
use crate::session::SessionId;

/// Maximum number of waiting processes of a session. It is the number of queries that a person can run
/// at a time.
const MAX_WAITING: usize = 2;

struct Waiting {
    id: Uuid,
    /// Identifies the credentials with which the process was started.
    credentials: u64,
    process: QueryProcess,
}

type AllWaiting = HashMap<SessionId, Vec<Waiting>>;

/// Waiting processes of all sessions. They end when their input is closed, which also happens if the
/// bot dies.
pub(super) struct QueryPool {
    waiting: Arc<Mutex<AllWaiting>>,
    linger: Duration,
}

impl QueryPool {
    /// `linger` is the time for which a process waits. Zero keeps none.
    pub(super) fn new(linger: Duration) -> Self {
        Self {
            waiting: Arc::default(),
            linger,
        }
    }

    /// Returns true if processes are kept.
    pub(super) fn is_on(&self) -> bool {
        !self.linger.is_zero()
    }

    /// Takes a process of the session that was started with these credentials, and can be reached.
    pub(super) async fn take(&self, session: &SessionId, credentials: u64) -> Option<QueryProcess> {
        loop {
            let next = {
                let mut all = self.waiting.lock();
                let theirs = all.get_mut(session)?;
                theirs.retain(|it| it.credentials == credentials);
                theirs.pop()
            };
            let mut process = next?.process;
            if process.is_reachable().await {
                return Some(process);
            }
        }
    }

    /// Lets a process wait for the session's next query.
    pub(super) fn keep(&self, session: &SessionId, credentials: u64, process: QueryProcess) {
        if !self.is_on() {
            // It ends after one answer.
            return;
        }
        let id = Uuid::new_v4();
        let mut all = self.waiting.lock();
        let theirs = all.entry(session.clone()).or_default();
        if theirs.len() >= MAX_WAITING {
            theirs.remove(0);
        }
        theirs.push(Waiting {
            id,
            credentials,
            process,
        });
        drop(all);
        let (waiting, session, linger) = (self.waiting.clone(), session.clone(), self.linger);
        tokio::spawn(async move {
            tokio::time::sleep(linger).await;
            let mut all = waiting.lock();
            if let Some(theirs) = all.get_mut(&session) {
                theirs.retain(|it| it.id != id);
                if theirs.is_empty() {
                    all.remove(&session);
                }
            }
        });
    }

    /// Ends the session's waiting processes.
    pub(super) fn end(&self, session: &SessionId) {
        self.waiting.lock().remove(session);
    }
}
