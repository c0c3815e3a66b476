//! Reports of a session about its work. Pure.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// State of a session's work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkReport {
    /// The work with which the session began.
    pub restored: Restored,
    /// Databases that could not be opened. The session began without them.
    #[serde(default)]
    pub put_aside: Vec<PutAside>,
    /// Last complete save of this session.
    pub saved: Option<SaveSummary>,
    /// Failure of the last attempt to save. `None` if it succeeded, or there was none.
    pub failure: Option<SaveFailure>,
    /// True if the work has changed since it was last saved or restored.
    pub is_changed: bool,
}

/// A database that could not be opened, and was renamed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutAside {
    /// True for the notebooks of DuckDB's UI, false for the session's database.
    pub is_notebooks: bool,
    /// Path of the file in the session's home folder.
    pub path: String,
}

/// Outcome of the save at the end of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkOutcome {
    /// Save with all work. The session may have begun with it, and changed nothing.
    Saved(SaveSummary),
    /// There was nothing to save.
    Nothing,
    /// The work that changed since the last complete save, made at `last`, is lost.
    NotSaved {
        failure: SaveFailure,
        last: Option<DateTime<Utc>>,
    },
    /// The session could not be asked.
    NoAnswer,
}

impl WorkOutcome {
    /// Returns the outcome that a session reports after it was told to save.
    pub fn of(report: WorkReport) -> Self {
        let begun = match report.restored {
            Restored::Save(save) => Some(save),
            Restored::Nothing | Restored::Kept | Restored::Failed { .. } => None,
        };
        let last = report.saved.or(begun);
        match (report.failure, last) {
            (Some(failure), last) => Self::NotSaved {
                failure,
                last: last.map(|save| save.at),
            },
            (None, Some(save)) => Self::Saved(save),
            (None, None) => Self::Nothing,
        }
    }

    /// Returns all times in it.
    pub(super) fn times(&self) -> impl Iterator<Item = DateTime<Utc>> {
        let times = match self {
            Self::Saved(save) => [Some(save.at), None],
            Self::NotSaved { failure, last } => [Some(failure.at), *last],
            Self::Nothing | Self::NoAnswer => [None, None],
        };
        times.into_iter().flatten()
    }
}

/// The work with which a session began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Restored {
    /// Nothing: there was no save, or none was asked for.
    Nothing,
    /// The files of an earlier run in the same Pod or folder.
    Kept,
    Save(SaveSummary),
    /// Nothing, because the save could not be restored. It stays where it is.
    Failed {
        /// Number of the save, if one was found.
        number: Option<u32>,
        #[serde(flatten)]
        failure: SaveFailure,
    },
}

/// A complete save.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SaveSummary {
    pub number: u32,
    /// Time at which the copy was made.
    pub at: DateTime<Utc>,
    pub tables: u32,
    pub notebooks: u32,
    /// Size of all files together.
    pub bytes: u64,
    /// True if the database was over `work.max_size`, so that only the notebooks are new.
    pub is_partial: bool,
}

/// Failure of a save or of a restore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SaveFailure {
    pub at: DateTime<Utc>,
    pub reason: SaveFailureReason,
    /// The error of DuckDB or of the storage, without secret values.
    pub error: String,
}

/// Reasons why work can't be saved or restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SaveFailureReason {
    /// The storage refused the keys, or they have expired.
    KeysRefused,
    /// The keys may not read or write there.
    NotAllowed,
    /// The storage does not answer, or has a failure of its own.
    Unavailable,
    /// The session's disk has no room for the copy.
    NoRoom,
    /// Saving took longer than `work.deadline`, or restoring longer than its own limit.
    TimedOut,
    /// The database could not be copied.
    NotCopied,
    /// The save was made by a newer DuckDB.
    NewerDuckDb,
    /// The save is damaged, or was not made by duckbot for this person and workspace.
    NotGenuine,
    /// The save that was asked for does not exist.
    NotFound,
    /// The session was started without the key that authenticates saves.
    NoKey,
    Other,
}
