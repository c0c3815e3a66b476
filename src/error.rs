//! Faults: something that should have worked did not.
//!
//! The policy: a **refusal** (see [`crate::service::Rejection`]) is an answer
//! with a sentence for the person. A **fault** is an error: it is logged once,
//! where it surfaces, with a reference; the person sees [`Error::for_people`]
//! and that reference. Neither ever holds a credential.

use std::time::Duration;

use uuid::Uuid;

/// What went wrong between the bot and the place where sessions run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The bot lacks a permission.
    #[error("not allowed to {verb} {resource} in namespace {namespace}")]
    NotAllowed {
        /// What it tried, as in RBAC rules.
        verb: String,
        /// On what, as in RBAC rules.
        resource: String,
        /// Where.
        namespace: String,
    },
    /// Understood, and turned down: admission, quota, validation.
    #[error("{action} was refused: {why}")]
    Refused {
        /// What was tried.
        action: String,
        /// The server's words.
        why: String,
    },
    /// Turned down because the namespace has used up what it may.
    #[error("{action} was refused: the quota of the namespace is used up ({why})")]
    QuotaExceeded {
        /// What was tried.
        action: String,
        /// How much was requested, is used and is allowed, in the server's words.
        why: String,
    },
    /// The namespace or the kind of object does not exist.
    #[error("{action} failed: the cluster does not know it ({why})")]
    Unknown {
        /// What was tried.
        action: String,
        /// The server's words.
        why: String,
    },
    /// An object of that name is there already.
    #[error("{action} failed: it exists already")]
    Exists {
        /// What was tried.
        action: String,
    },
    /// Somebody else changed the object in between.
    #[error("{action} met a newer version")]
    Conflict {
        /// What was tried.
        action: String,
    },
    /// No answer in time.
    #[error("{action} had no answer within {after:?}")]
    TimedOut {
        /// What was tried.
        action: String,
        /// How long it was waited for.
        after: Duration,
    },
    /// A file could not be read or written.
    #[error("{action} failed: {why}")]
    Disk {
        /// What was tried.
        action: String,
        /// The system's words.
        why: String,
    },
    /// Discord did not do what it was asked.
    #[error("{action} failed: {why}")]
    Discord {
        /// What was tried.
        action: String,
        /// What is known about it.
        why: String,
    },
    /// Anything else: no connection, a server error.
    #[error("{action} failed: {why}")]
    Unavailable {
        /// What was tried.
        action: String,
        /// What is known about it.
        why: String,
    },
}

impl Error {
    /// Whether the same attempt would fail again until somebody changes
    /// something.
    pub fn is_permanent(&self) -> bool {
        matches!(
            self,
            Self::NotAllowed { .. }
                | Self::Refused { .. }
                | Self::QuotaExceeded { .. }
                | Self::Unknown { .. }
        )
    }

    /// A sentence for somebody who knows nothing of Kubernetes.
    pub fn for_people(&self) -> String {
        match self {
            Self::NotAllowed {
                verb,
                resource,
                namespace,
            } => format!(
                "I lack a permission on the cluster (to {verb} {resource} in {namespace}). \
                 An admin can give it to me."
            ),
            Self::Refused { .. } => {
                "The cluster's rules turned it down. An admin can see why in my log.".into()
            }
            Self::QuotaExceeded { why, .. } => format!(
                "The team's share of the cluster is used up ({why}). Stop a session that nobody \
                 needs, or take a smaller size."
            ),
            Self::Unknown { .. } => "Something that I need is not installed on the cluster. \
                 An admin can see what in my log."
                .into(),
            Self::Exists { .. } | Self::Conflict { .. } => {
                "Somebody else changed it at the same moment. Please try again.".into()
            }
            Self::Disk { why, .. } => {
                format!("My own disk fails ({why}). An admin can see where in my log.")
            }
            Self::Discord { .. } => {
                "Discord did not answer me as it should. Please try again in a minute.".into()
            }
            Self::TimedOut { .. } | Self::Unavailable { .. } => {
                "I can't reach the cluster at the moment. Please try again in a minute.".into()
            }
        }
    }
}

/// A short name for one failure, shown to the person and written to the log.
pub fn new_reference() -> String {
    let mut digits = Uuid::new_v4().simple().to_string();
    digits.truncate(8);
    digits
}
