//! Commands of the bot about DuckDB clients, and the door's responses. Pure.
//!
//! The bot signs each command, because any Pod may connect to the door's admin port.

use serde::{Deserialize, Serialize};

use crate::door::ticket::Signed;

/// A command. A client's key is never in it, only the key's digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum ClientsCommand {
    /// Let clients in with the key that has this SHA-256, in hex digits. DuckDB listens from then on.
    Allow { digest: String },
    /// Forget all keys, and close the connections of clients.
    Revoke,
    /// A command of a newer version.
    #[serde(other)]
    Unknown,
}

impl Signed for ClientsCommand {
    const PURPOSE: &'static str = "duckbot clients 1";
    const MAX_BYTES: usize = 1024;
}

/// Outcome of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum ClientsResponse {
    /// Clients with the key may connect.
    Allowed {
        /// Version of the session's DuckDB, such as `v1.5.5`.
        version: String,
    },
    /// The session has so many keys already.
    TooManyKeys { most: usize },
    /// The keys are forgotten.
    Revoked {
        /// Number of keys that were valid.
        keys: usize,
    },
    /// DuckDB runs other queries, or does not answer.
    Busy,
    /// DuckDB has no extension `quack`.
    NoExtension,
    /// DuckDB does not listen, with its error.
    Failed { error: String },
    /// The command was not accepted.
    Refused { why: String },
    /// The door does not know the command.
    NotSupported,
}
