//! Reduces errors to the part that people are told.

use crate::{error::Error, session::ErrorSummary};

/// Summarizes an error. Actions and most messages are only for the log.
pub fn summarize(error: &Error) -> ErrorSummary {
    match error {
        Error::NotAllowed {
            verb,
            resource,
            namespace,
        } => ErrorSummary::NotAllowed {
            verb: verb.clone(),
            resource: resource.clone(),
            namespace: namespace.clone(),
        },
        Error::Refused { .. } => ErrorSummary::Refused,
        Error::QuotaExceeded { why, .. } => ErrorSummary::QuotaExceeded { why: why.clone() },
        Error::Unknown { .. } => ErrorSummary::NotFound,
        Error::Exists { .. } | Error::Conflict { .. } => ErrorSummary::Conflict,
        Error::Disk { why, .. } => ErrorSummary::Disk { why: why.clone() },
        Error::Discord { .. } => ErrorSummary::Discord,
        Error::Session { .. } => ErrorSummary::Session,
        Error::StillStopping { id, .. } => ErrorSummary::StillStopping { id: id.clone() },
        Error::NotAuthenticated { .. } => ErrorSummary::NotAuthenticated,
        Error::TimedOut { .. } => ErrorSummary::TimedOut,
        Error::NotInSettings { what, name } => ErrorSummary::NotInSettings {
            what: (*what).to_owned(),
            name: name.clone(),
        },
        Error::Unreachable { .. } => ErrorSummary::Unreachable,
        Error::Unavailable { .. } => ErrorSummary::Other,
    }
}
