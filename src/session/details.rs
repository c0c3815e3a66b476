//! What is looked up only when somebody asks how one session is.

use chrono::{DateTime, Utc};

/// Where a session is and what was said about it, as far as the runtime knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Details {
    /// The machine that it is on.
    pub node: Option<String>,
    /// The memory that DuckDB takes, in bytes, where that is measured.
    pub memory: Option<u64>,
    /// What the cluster said about it, oldest first.
    pub events: Vec<PodEvent>,
}

/// One thing that the cluster said about a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodEvent {
    /// When, the last time.
    pub at: DateTime<Utc>,
    /// The cluster's name for it, like `Pulling`.
    pub reason: String,
    /// The cluster's words, without anything secret.
    pub message: String,
}
