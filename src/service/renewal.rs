//! Gives new credentials to a running session.

use tracing::warn;

use super::audit::audit_renewal;
use crate::{
    credentials::{CredentialPart, Credentials},
    runtime::{ControlCommand, ControlResponse, Runtime, credential_variables},
    session::{Observed, Renewal},
};

/// Returns true if a session can take new credentials now.
pub(super) fn is_ready(seen: &Observed) -> bool {
    seen.has_ready_pod() && !seen.record.is_to_start()
}

/// Gives new credentials of its owner to a session, whose catalog requires this part of them.
pub(crate) async fn renew(
    runtime: &dyn Runtime,
    seen: &Observed,
    credentials: &Credentials,
    required: CredentialPart,
) -> Renewal {
    if !is_ready(seen) {
        return Renewal::Pending;
    }
    let renewal = if credentials.has(required) {
        send(runtime, seen, credentials).await
    } else {
        Renewal::Incomplete
    };
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
        Ok(answer @ (ControlResponse::Failed { .. } | ControlResponse::Work(_))) => {
            Renewal::Refused(answer.to_string())
        }
        Err(error) => {
            let id = &seen.record.id;
            warn!(session = %id, %error, "session {id} did not answer to new credentials");
            Renewal::Unreachable
        }
    }
}
