//! Errors: something failed that should have worked.
//!
//! A **rejection** ([`crate::service::Rejection`]) is an expected answer. An **error** is logged
//! once, where it surfaces, with a reference. The person sees a summary and that reference. Neither
//! ever contains a credential.

use std::time::Duration;

use uuid::Uuid;

/// A failure of something that the bot depends on: the cluster, a session, its disk or Discord.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The bot lacks a permission.
    #[error("not allowed to {verb} {resource} in namespace {namespace}")]
    NotAllowed {
        /// Verb as in an RBAC rule.
        verb: String,
        /// Resource as in an RBAC rule.
        resource: String,
        namespace: String,
    },
    /// The API server refused a valid request, for example by admission or validation.
    #[error("{action} was refused: {why}")]
    Refused {
        /// Attempted action, such as "create pods in sessions".
        action: String,
        /// Message of the API server.
        why: String,
    },
    /// The API server refused an object because the namespace's resource quota is used up.
    #[error("{action} was refused: the quota of the namespace is used up ({why})")]
    QuotaExceeded {
        action: String,
        /// The requested, used and allowed amounts, as the API server words them.
        why: String,
    },
    /// The namespace, the object or its resource type does not exist.
    #[error("{action} failed: not found on the cluster ({why})")]
    Unknown {
        action: String,
        /// Message of the API server.
        why: String,
    },
    /// An object of this name already exists.
    #[error("{action} failed: it already exists")]
    Exists { action: String },
    /// The object was changed or replaced since it was read.
    #[error("{action} failed: it has changed since it was read")]
    Conflict { action: String },
    /// No answer arrived in time.
    #[error("{action} got no answer within {after:?}")]
    TimedOut {
        action: String,
        /// Time limit that was exceeded.
        after: Duration,
    },
    /// A file could not be read or written.
    #[error("{action} failed: {why}")]
    Disk {
        action: String,
        /// Message of the operating system.
        why: String,
    },
    /// Discord refused a request or did not answer.
    #[error("{action} failed: {why}")]
    Discord { action: String, why: String },
    /// A session did not answer, or not as expected.
    #[error("{action} failed: {why}")]
    Session { action: String, why: String },
    /// A session was still there after the maximum time to wait for its end.
    #[error("stopping session {id} failed: it was still there after {after:?}")]
    StillStopping { id: String, after: Duration },
    /// The API server does not accept the bot's own credentials.
    #[error("{action} failed: the API server does not accept the bot's Kubernetes credentials")]
    NotAuthenticated { action: String },
    /// The settings no longer have the size or catalog of a session.
    #[error("the {what} {name:?} is no longer in the settings")]
    NotInSettings {
        /// Kind of the missing entry, such as "size".
        what: &'static str,
        name: String,
    },
    /// The API server can't be reached, or has an internal error.
    #[error("{action} failed: {why}")]
    Unreachable { action: String, why: String },
    /// Any other failure, such as an object that can't be read.
    #[error("{action} failed: {why}")]
    Unavailable { action: String, why: String },
}

impl Error {
    /// Returns true if a retry would fail again until someone changes the cluster or the settings.
    pub fn is_permanent(&self) -> bool {
        matches!(
            self,
            Self::NotAllowed { .. }
                | Self::Refused { .. }
                | Self::QuotaExceeded { .. }
                | Self::Unknown { .. }
                | Self::NotInSettings { .. }
        )
    }
}

/// Creates a reference: eight hex digits that the person sees and the log line contains.
pub fn new_reference() -> String {
    let mut digits = Uuid::new_v4().simple().to_string();
    digits.truncate(8);
    digits
}
