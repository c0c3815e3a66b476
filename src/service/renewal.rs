//! Gives new credentials to a running session.

use tracing::warn;

use super::audit::audit_renewal;
use crate::{
    credentials::Credentials,
    runtime::{ControlCommand, ControlResponse, Runtime, credential_variables},
    session::{Observed, PodState},
};

/// What became of new credentials in one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Renewal {
    /// The session uses them.
    Done,
    /// The session has them, but its catalog is detached. Holds DuckDB's error.
    Detached(String),
    /// The session is not ready, and gets them when it is.
    Pending,
    /// The session's image is too old. It keeps the previous ones.
    NotSupported,
    /// The session could not be reached, so it may have either.
    Unreachable,
    /// The session keeps the previous ones, for this reason.
    Refused(String),
}

impl Renewal {
    /// Returns true if the session has the new credentials.
    pub(crate) fn is_taken(&self) -> bool {
        matches!(self, Self::Done | Self::Detached(_))
    }

    /// Label for the audit log.
    fn label(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Detached(_) => "detached",
            Self::Pending => "pending",
            Self::NotSupported => "not_supported",
            Self::Unreachable => "unreachable",
            Self::Refused(_) => "refused",
        }
    }
}

/// Returns true if a session can take new credentials now.
pub(super) fn is_ready(seen: &Observed) -> bool {
    let is_ready = matches!(&seen.pod, Some(pod) if pod.state == PodState::Ready);
    is_ready && !seen.record.is_to_start()
}

/// Gives new credentials of its owner to a session.
pub(crate) async fn renew(
    runtime: &dyn Runtime,
    seen: &Observed,
    credentials: &Credentials,
) -> Renewal {
    if !is_ready(seen) {
        return Renewal::Pending;
    }
    let renewal = send(runtime, seen, credentials).await;
    let id = &seen.record.id;
    audit_renewal(seen.record.owner, id, renewal.label(), renewal.is_taken());
    if let Renewal::Refused(why) | Renewal::Detached(why) = &renewal {
        warn!(session = %id, "session {id}: new credentials: {}: {why}", renewal.label());
    }
    renewal
}

async fn send(runtime: &dyn Runtime, seen: &Observed, credentials: &Credentials) -> Renewal {
    let command = ControlCommand::RenewCredentials {
        variables: credential_variables(credentials),
    };
    match runtime.control(seen, command).await {
        Ok(ControlResponse::Done) => Renewal::Done,
        Ok(ControlResponse::Detached(error)) => Renewal::Detached(error),
        Ok(ControlResponse::NotSupported) => Renewal::NotSupported,
        Ok(ControlResponse::Refused(why)) => Renewal::Refused(why),
        Ok(answer @ ControlResponse::Failed { .. }) => Renewal::Refused(answer.to_string()),
        Err(error) => {
            let id = &seen.record.id;
            warn!(session = %id, %error, "session {id} did not answer to new credentials");
            Renewal::Unreachable
        }
    }
}
