//! The runtime: where sessions run.
//!
//! The rest of the bot uses only the trait [`Runtime`]: a view of all sessions in memory, and a few
//! changes that survive a crash halfway.

mod answer_room;
mod control_rpc;
mod document;
mod environment;
pub mod kubernetes;
mod ledger;
pub mod local;
mod query_pool;
mod query_rpc;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use tokio::sync::watch;

pub use answer_room::{AnswerMemory, AnswerRoom};
pub use document::{BookStore, Document, DocumentBackend, DocumentStore, PauseStore};
pub use environment::credential_variables;
pub use ledger::LedgerStore;

pub use crate::door::clients::command::{ClientsCommand, ClientsResponse};
pub use crate::duckdb::{
    control::{ControlCommand, ControlResponse},
    names::{TableName, display_identifier, identifier, literal, split_name},
    query::{
        ChangedType, Column, Examination, Findings, Parquet, ParquetFile, QueryError, QueryRequest,
        QueryResponse, Rows,
    },
    request_failure::{CatalogLogin, FailureCause, RemoteServer, RequestFailure, StorageLogin},
    script::tables::all_tables,
};

use crate::{
    credentials::{CredentialStore, redacted},
    door::activity::Activity,
    error::Error,
    session::{Details, Observed, Orphan, OwnerId, Parts, Pod, Record, SessionId},
    work::WorkKey,
};

/// Maximum number of attempts to write a record or a document when other writers come first.
const MAX_WRITE_ATTEMPTS: usize = 5;
/// Time added to a query's own time limit, for starting DuckDB and transferring the response.
const QUERY_TIMEOUT_MARGIN: Duration = Duration::from_secs(20);
/// Maximum time to wait after a conflict until the view shows the other writer's record.
const VIEW_TIMEOUT: Duration = Duration::from_secs(2);

/// Result of [`Runtime::claim`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// The record is stored.
    Made {
        /// If an earlier attempt of the same request stored a record, this is that one.
        record: Arc<Record>,
        /// Records that were stored before this one and are there still, oldest first. So of two claims,
        /// only the later one has the other one's record here. A record that came while a watch was broken
        /// counts as earlier.
        earlier: Vec<Arc<Record>>,
    },
    /// The workspace has a session. Holds its ID, or the record's name if the record can't be
    /// read or was just removed.
    Taken(String),
}

/// Reasons why a session does not answer a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AskError {
    /// The session's credentials were deleted, and a query needs them.
    CredentialsGone,
    /// The session has ended or is restarting.
    NotRunning,
    Failed(Error),
}

impl From<Error> for AskError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Place where sessions run.
///
/// A change returns when [`Runtime::sessions`] shows it, so the next decision uses current data. If
/// that takes too long, the call fails, but the change remains. Only a claim does not fail for this
/// reason.
#[async_trait]
pub trait Runtime: Send + Sync {
    /// Returns all sessions as last seen, oldest first. Reads memory only.
    fn sessions(&self) -> Vec<Observed>;

    /// Returns the sessions of one owner, oldest first. Reads memory only.
    fn sessions_of(&self, owner: OwnerId) -> Vec<Observed> {
        let mut sessions = self.sessions();
        sessions.retain(|seen| seen.record.owner == owner);
        sessions
    }

    /// Returns the session with this ID as last seen. Reads memory only.
    fn session(&self, id: &SessionId) -> Option<Observed>;

    /// Returns the parts without a record, grouped by session, as last seen. Reads memory only.
    fn orphans(&self) -> Vec<Orphan>;

    /// Number of records that can't be read, because another version of the bot wrote them or
    /// somebody edited them. No rule touches their sessions.
    fn unreadable(&self) -> usize;

    /// Time since which [`Runtime::sessions`] may be out of date, because a watch is broken. None
    /// if the view is current.
    fn stale_since(&self) -> Option<DateTime<Utc>>;

    /// Subscribes to changes. The receiver is marked as changed whenever [`Runtime::sessions`] may
    /// return something new.
    fn changes(&self) -> watch::Receiver<u64>;

    /// URL of the session, for browsers.
    fn url(&self, id: &SessionId) -> String;

    /// Returns the reason why the session's route was refused, if its controller reports one.
    async fn route_refusal(&self, _id: &SessionId) -> Option<String> {
        None
    }

    /// Asks whether a Pod like that of this session would be accepted, and creates nothing.
    ///
    /// # Errors
    /// If a quota or another rule refuses it, or if that can't be asked.
    async fn try_pod(&self, _record: &Record) -> Result<(), Error> {
        Ok(())
    }

    /// Signs a ticket that opens the session's door once, within the next minute. Returns None if
    /// the bot does not have the signing key that the door accepts.
    async fn ticket(&self, seen: &Observed) -> Result<Option<SecretString>, Error>;

    /// Returns the key of a person's saved work.
    ///
    /// # Errors
    /// If the bot's key can't be read or stored.
    async fn work_key(&self, owner: OwnerId) -> Result<WorkKey, Error>;

    /// Gets the session's activity from its door.
    async fn activity(&self, seen: &Observed) -> Result<Activity, Error>;

    /// Asks the session's door whether its DuckDB answers.
    ///
    /// # Errors
    /// If the door does not answer.
    async fn is_answering(&self, seen: &Observed) -> Result<bool, Error>;

    /// Looks up the session's node, memory use and Events. Unavailable details are left out.
    async fn details(&self, seen: &Observed) -> Details;

    /// Reads the session's Pod from its source instead of the view. Returns None if it is gone.
    /// Actions that cannot be undone require this, because the view may be out of date.
    async fn pod(&self, seen: &Observed) -> Result<Option<Pod>, Error>;

    /// Returns the last lines of DuckDB's log, unredacted.
    async fn recent_log(&self, seen: &Observed) -> Result<String, Error>;

    /// Runs `question` in a separate DuckDB beside the session's, which may wait for another one
    /// afterwards. It counts as use of the session.
    /// Dropping the future interrupts the query. Returns `None` if the answer is large and there is no
    /// room for it.
    async fn ask(
        &self,
        seen: &Observed,
        question: &QueryRequest,
        room: &mut AnswerRoom,
    ) -> Result<Option<QueryResponse>, AskError>;

    /// Signs a command and sends it to the session's entry point, which carries it out.
    async fn control(
        &self,
        seen: &Observed,
        command: ControlCommand,
    ) -> Result<ControlResponse, Error>;

    /// Sends a command about DuckDB clients to the session's door.
    ///
    /// # Errors
    /// If the signing key can't be read, or the door does not answer.
    async fn command_clients(
        &self,
        seen: &Observed,
        command: ClientsCommand,
    ) -> Result<ClientsResponse, Error>;

    /// Stores a new record, if its owner has none for this workspace. Two claims of one workspace never
    /// both succeed. Returns after the view shows all records that were stored before, unless its watch
    /// is slow.
    async fn claim(&self, record: &Record) -> Result<Claim, Error>;

    /// Overwrites the record of `seen`.
    ///
    /// # Errors
    /// Returns [`Error::Conflict`] if the record has changed since.
    async fn save(&self, seen: &Observed, record: &Record) -> Result<(), Error>;

    /// Notes that a session's own credentials are stored, so that its parts are created. Returns its record, or
    /// `None` if the session does not exist. The stored record may say so only after its next change.
    async fn note_own_credentials(&self, id: &SessionId) -> Result<Option<Record>, Error>;

    /// Creates these parts of a session in parallel. A part that already exists is not an error.
    async fn create(&self, seen: &Observed, parts: Parts) -> Result<(), Error>;

    /// Deletes these parts. A part that is already gone is not an error. A Pod that stays because
    /// its node is gone is removed by force.
    async fn delete(&self, seen: &Observed, parts: Parts) -> Result<(), Error>;

    /// Removes the record of `seen`, but never a newer record of the same workspace. This is the last
    /// step of a session.
    async fn remove(&self, seen: &Observed) -> Result<(), Error>;

    /// Removes all parts and Secrets of a session that has no record.
    async fn remove_orphan(&self, orphan: &Orphan) -> Result<(), Error>;
}

/// Storage of the reply tokens that let the bot continue editing private replies after a restart.
#[async_trait]
pub trait ReplyStore: Send + Sync {
    /// Stores a reply token until the session's record is removed.
    async fn store(&self, session: &Observed, reply: &SecretString) -> Result<(), Error>;

    /// Returns the session's reply token, if one is stored.
    async fn load(&self, session: &Observed) -> Result<Option<SecretString>, Error>;

    /// Removes the reply token while the record remains.
    async fn forget(&self, session: &Observed) -> Result<(), Error>;
}

/// Applies `change` to the newest record of a session and writes the result. Repeats this after a
/// conflict. Returns the written record, or `None` if the session does not exist.
///
/// # Errors
/// If the record can't be written. Returns [`Error::Conflict`] if other writers came first in every
/// attempt.
pub async fn rewrite(
    runtime: &dyn Runtime,
    id: &SessionId,
    change: impl Fn(&Record) -> Record,
) -> Result<Option<Record>, Error> {
    let mut changes = runtime.changes();
    let mut outcome = Ok(None);
    for _ in 0..MAX_WRITE_ATTEMPTS {
        let Some(seen) = runtime.session(id) else {
            return Ok(None);
        };
        let changed = change(&seen.record);
        if changed == *seen.record {
            return Ok(Some(changed));
        }
        outcome = runtime.save(&seen, &changed).await.map(|()| Some(changed));
        if !matches!(outcome, Err(Error::Conflict { .. })) {
            return outcome;
        }
        let is_newer = || {
            runtime
                .session(id)
                .is_none_or(|it| it.revision != seen.revision)
        };
        let newer = async { while !is_newer() && changes.changed().await.is_ok() {} };
        // Ignore a timeout: the next attempt detects an outdated record.
        let _ = tokio::time::timeout(VIEW_TIMEOUT, newer).await;
    }
    outcome
}

/// Returns the last lines of a session's log, with its credentials removed. Returns None if the
/// credentials were replaced or deleted and the session did not take the new ones, because then the
/// values can't be recognised in the log. A session that took them has itself removed both the
/// previous and the new values from DuckDB's output.
///
/// # Errors
/// If the log or the credentials can't be read.
pub async fn redacted_log(
    runtime: &dyn Runtime,
    credentials: &dyn CredentialStore,
    seen: &Observed,
) -> Result<Option<String>, Error> {
    let record = &seen.record;
    if record.uses_owner_credentials() {
        let about = credentials.metadata(record.owner).await?;
        let is_same = |stored: DateTime<Utc>| stored <= record.credentials_since();
        if !about.and_then(|about| about.stored).is_some_and(is_same) {
            return Ok(None);
        }
    }
    let Some(values) = credentials.read_for(record).await? else {
        return Ok(None);
    };
    let log = runtime.recent_log(seen).await?;
    Ok(Some(redacted(&log, &values)))
}

/// Returns the line of a session's log that says why DuckDB ended: DuckDB's last error after its
/// last preparation, else the last line. Errors of the bot's commands end nothing.
pub fn crash_reason(log: &str) -> Option<&str> {
    let since = log.rsplit("the session is prepared").next()?;
    let lines = since.lines().map(str::trim);
    let mut lines = lines.filter(|line| !line.is_empty() && !line.contains("the bot's command"));
    let error = lines.clone().rfind(|line| line.contains("Error: "));
    error.or_else(|| lines.next_back())
}
