//! Details of one session, fetched only when a person asks for its status.

use chrono::{DateTime, Utc};

/// Node, memory use and recent Events of a session, as far as the runtime knows them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Details {
    /// Name of the node.
    pub node: Option<String>,
    /// Memory use of DuckDB in bytes, if it is measured.
    pub memory: Option<u64>,
    /// Recent Events, oldest first.
    pub events: Vec<PodEvent>,
}

/// An Event about a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodEvent {
    /// Time of the last occurrence.
    pub at: DateTime<Utc>,
    /// Kubernetes reason, such as `Pulling`.
    pub reason: String,
    /// Message of the cluster, without secrets.
    pub message: String,
}
