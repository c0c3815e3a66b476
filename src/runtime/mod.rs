//! Where sessions run.
//!
//! [`Runtime`] is what the rest of the bot knows about it: a view that is kept
//! up to date in memory, and a few changes that survive a crash in the middle.

pub mod kubernetes;

use async_trait::async_trait;
use tokio::sync::watch;

use crate::{
    fault::Fault,
    session::{Observed, Parts, Record, SessionId},
};

/// The answer to a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// The record is stored. (Also when an earlier attempt of the same request
    /// had stored it: then this is that record.)
    Made(Box<Record>),
    /// The owner's place is taken by this record.
    Taken(Box<Record>),
}

/// A place where sessions run.
///
/// Each change returns only when [`Runtime::sessions`] shows it, so whoever
/// looks afterwards decides on the newest state.
#[async_trait]
pub trait Runtime: Send + Sync {
    /// All sessions as last seen, oldest first. Reads memory: no call is made.
    fn sessions(&self) -> Vec<Observed>;

    /// Is marked as changed whenever [`Runtime::sessions`] may say something new.
    fn changes(&self) -> watch::Receiver<u64>;

    /// The address that people open.
    fn url(&self, id: &SessionId) -> String;

    /// Stores a new record in its owner's place, if that is free. This is the
    /// lock and the quota in one: two claims of one place never both succeed.
    async fn claim(&self, record: &Record) -> Result<Claim, Fault>;

    /// Overwrites the record of `seen`, unless somebody else did so first
    /// ([`Fault::Conflict`]).
    async fn save(&self, seen: &Observed, record: &Record) -> Result<(), Fault>;

    /// Makes these parts of a session, side by side. A part that is there
    /// already is fine.
    async fn create(&self, seen: &Observed, parts: Parts) -> Result<(), Fault>;

    /// Deletes these parts and waits until they are gone. A part that is gone
    /// already is fine.
    async fn delete(&self, seen: &Observed, parts: Parts) -> Result<(), Fault>;

    /// Removes the record: the last act of a session's life.
    async fn remove(&self, seen: &Observed) -> Result<(), Fault>;
}

/// The session with this id as last seen.
pub fn find(runtime: &dyn Runtime, id: &SessionId) -> Option<Observed> {
    runtime
        .sessions()
        .into_iter()
        .find(|seen| seen.record.id == *id)
}
