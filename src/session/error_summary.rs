//! Summaries of errors, as records store them.

use serde::{Deserialize, Serialize};

/// The part of an error that people are told, without secrets. The log has the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorSummary {
    /// The bot lacks a permission.
    NotAllowed {
        /// Verb as in an RBAC rule.
        verb: String,
        /// Resource as in an RBAC rule.
        resource: String,
        namespace: String,
    },
    /// The API server refused a valid request.
    Refused,
    /// The namespace's resource quota is used up.
    QuotaExceeded {
        /// The requested, used and allowed amounts, as the API server words them.
        why: String,
    },
    /// The namespace, the object or its resource type does not exist.
    NotFound,
    /// Another writer was faster.
    Conflict,
    /// A file could not be read or written.
    Disk {
        /// Message of the operating system.
        why: String,
    },
    /// Discord refused a request or did not answer.
    Discord,
    /// The API server does not accept the bot's own credentials.
    NotAuthenticated,
    /// No answer arrived in time.
    TimedOut,
    /// The API server can't be reached, or has an internal error.
    Unreachable,
    /// A session did not answer, or not as expected.
    Session,
    /// A session was still there after the maximum time to wait for its end.
    StillStopping { id: String },
    /// The settings no longer have the size or catalog of a session.
    NotInSettings {
        /// Kind of the missing entry, such as "size".
        what: String,
        name: String,
    },
    /// Any other failure on the cluster.
    Other,
}
