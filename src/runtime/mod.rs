//! Where sessions run.
//!
//! [`Runtime`] is what the rest of the bot knows about it: a view that is kept
//! up to date in memory, and a few changes that survive a crash in the middle.

mod environment;
pub mod kubernetes;
mod ledger_store;
pub mod local;
mod query_rpc;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use tokio::sync::watch;

pub use ledger_store::LedgerStore;

pub use crate::duckdb::{
    query::{Column, QueryError, QueryRequest, QueryResponse, Rows},
    script::{identifier, literal},
};

use crate::{
    credentials::{CredentialStore, redacted},
    door::activity::Activity,
    error::Error,
    session::{Details, Ledger, Observed, Orphan, OwnerId, Parts, Pod, Record, SessionId},
};

/// How often a record is written again when somebody else wrote it first.
const MAX_WRITE_ATTEMPTS: usize = 5;
/// How much longer than it may take an answer to a question is waited for: DuckDB is started, and
/// the answer comes over.
const QUERY_TIMEOUT_MARGIN: Duration = Duration::from_secs(20);
/// How long to wait for what they wrote.
const VIEW_TIMEOUT: Duration = Duration::from_secs(2);

/// The answer to a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// The record is stored. (Also when an earlier attempt of the same request
    /// had stored it: then this is that record.)
    Made(Arc<Record>),
    /// The owner's place is taken, by the session of that name.
    Taken(String),
}

/// A place where sessions run.
///
/// A change returns when [`Runtime::sessions`] shows it, so whoever looks
/// afterwards decides on the newest state; if that takes too long, it fails,
/// though what was changed stays changed. (A claim does not fail for that.)
#[async_trait]
pub trait Runtime: Send + Sync {
    /// All sessions as last seen, oldest first. Reads memory: no call is made.
    fn sessions(&self) -> Vec<Observed>;

    /// Those of one owner. Reads memory, too.
    fn sessions_of(&self, owner: OwnerId) -> Vec<Observed> {
        let mut sessions = self.sessions();
        sessions.retain(|seen| seen.record.owner == owner);
        sessions
    }

    /// The session with this id as last seen. Reads memory, too.
    fn session(&self, id: &SessionId) -> Option<Observed>;

    /// Parts of sessions that have no record, as last seen. Reads memory, too.
    fn orphans(&self) -> Vec<Orphan>;

    /// How many records can't be read: a later bot wrote them, or somebody edited them. Their
    /// sessions are left alone, by every rule.
    fn unreadable(&self) -> usize;

    /// Since when [`Runtime::sessions`] may show what is no longer true, because
    /// news don't arrive.
    fn stale_since(&self) -> Option<DateTime<Utc>>;

    /// Is marked as changed whenever [`Runtime::sessions`] may say something new.
    fn changes(&self) -> watch::Receiver<u64>;

    /// The address that people open.
    fn url(&self, id: &SessionId) -> String;

    /// A ticket that opens a session's door once, within the next minute. None if
    /// this bot has not the key to it.
    async fn ticket(&self, seen: &Observed) -> Result<Option<SecretString>, Error>;

    /// What goes on in a session, as its door says.
    async fn activity(&self, seen: &Observed) -> Result<Activity, Error>;

    /// Where a session is and what was said about it. What can't be had is left out.
    async fn details(&self, seen: &Observed) -> Details;

    /// Asks the place itself what a session's Pod says; none if it is gone. What
    /// can't be taken back is not done because of what [`Runtime::sessions`] shows.
    async fn pod(&self, seen: &Observed) -> Result<Option<Pod>, Error>;

    /// The last lines that DuckDB wrote, as they are.
    async fn recent_log(&self, seen: &Observed) -> Result<String, Error>;

    /// Has a DuckDB of its own answer a question, beside the session's. It counts as use of the
    /// session. Whoever drops this interrupts it.
    async fn ask(&self, seen: &Observed, question: &QueryRequest) -> Result<QueryResponse, Error>;

    /// Stores a new record in its owner's place, if that is free. This is the
    /// lock and the quota in one: two claims of one place never both succeed.
    async fn claim(&self, record: &Record) -> Result<Claim, Error>;

    /// Overwrites the record of `seen`, unless somebody else did so first
    /// ([`Error::Conflict`]).
    async fn save(&self, seen: &Observed, record: &Record) -> Result<(), Error>;

    /// Makes these parts of a session, side by side. A part that is there
    /// already is fine.
    async fn create(&self, seen: &Observed, parts: Parts) -> Result<(), Error>;

    /// Deletes these parts. A part that is gone already is fine. A Pod that does
    /// not go by itself, because its node is gone, is removed all the same.
    async fn delete(&self, seen: &Observed, parts: Parts) -> Result<(), Error>;

    /// Removes the record of `seen`, and never another one that has taken its
    /// place since: the last act of a session's life.
    async fn remove(&self, seen: &Observed) -> Result<(), Error>;

    /// Removes what is left of a session that has no record.
    async fn remove_orphan(&self, orphan: &Orphan) -> Result<(), Error>;
}

/// What somebody should know who means to mend a ledger that can't be read.
const LEDGER_LOSS_HINT: &str = "removing it loses the totals of one report, and who is looked \
    for in the guild, and no session";

/// Keeps the ledger.
#[async_trait]
pub trait LedgerBackend: Send + Sync {
    /// What is kept, and its revision; none if there is nothing yet.
    async fn read(&self) -> Result<Option<(Ledger, String)>, Error>;

    /// Writes it in place of that revision, or as the first one; unless somebody else
    /// did so first ([`Error::Conflict`], [`Error::Exists`]).
    async fn write(&self, ledger: &Ledger, over: Option<&str>) -> Result<(), Error>;
}

/// Keeps what it takes to go on with a private reply after a restart of the bot.
#[async_trait]
pub trait ReplyStore: Send + Sync {
    /// Keeps it as long as the session lasts.
    async fn store(&self, session: &Observed, reply: &SecretString) -> Result<(), Error>;

    /// What is kept for a session, if anything is.
    async fn load(&self, session: &Observed) -> Result<Option<SecretString>, Error>;

    /// Removes what is kept for a session whose record goes on without it.
    async fn forget(&self, session: &Observed) -> Result<(), Error>;
}

/// Writes the newest record of a session as `change` makes it of that; again if
/// somebody else wrote it first. Returns what was written, or `None` if there
/// is no such session.
///
/// # Errors
/// If the record can't be written, or others always come first.
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
        // Whether it came in time or not, the next attempt finds out.
        let _ = tokio::time::timeout(VIEW_TIMEOUT, newer).await;
    }
    outcome
}

/// The last lines that a session's DuckDB wrote, without the keys that it was started with;
/// none if those were replaced since: then nobody can tell whether they stand in there.
///
/// # Errors
/// If the lines or the keys can't be read.
pub async fn redacted_log(
    runtime: &dyn Runtime,
    credentials: &dyn CredentialStore,
    seen: &Observed,
) -> Result<Option<String>, Error> {
    let record = &seen.record;
    if record.uses_owner_credentials() {
        let about = credentials.metadata(record.owner).await?;
        let is_same = |stored: DateTime<Utc>| stored <= record.start_began();
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
