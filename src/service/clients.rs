//! DuckDB clients of a session's owner, such as DuckDB's command line and Python: let them in, and revoke their keys.

use secrecy::{ExposeSecret, SecretString};
use std::sync::Arc;

use super::{
    LookupRejection, Requester, Service, ServiceError, SessionAction, audit::audit,
    renewal::is_ready,
};
use crate::{
    door::ticket::random_token,
    error::Error,
    runtime::{ClientsCommand, ClientsResponse},
    session::{Observed, Record, SessionId, sha256_hex},
};

/// Reasons why clients can't connect to a session.
pub enum NotConnected {
    /// `sessions.connect` is off.
    Disabled,
    /// The session has so many keys already.
    TooManyKeys { id: SessionId, most: usize },
    /// DuckDB runs other queries, or does not answer.
    Busy,
    /// The session began before `sessions.connect` was on, or its image lacks the extension `quack`.
    NotPrepared,
}

/// Data with which clients connect.
pub struct ClientAccess {
    pub record: Arc<Record>,
    /// Secret that lets a client in until the session ends.
    pub key: SecretString,
    /// URL of the session, for browsers. Clients use its host and port.
    pub url: String,
    /// Version of the session's DuckDB, such as `v1.5.5`.
    pub version: String,
}

impl Service {
    /// Returns true if DuckDB clients may connect to sessions.
    pub fn lets_clients_in(&self) -> bool {
        self.settings.sessions.connect
    }

    /// Makes a key with which DuckDB clients connect to a session of the caller.
    ///
    /// # Errors
    /// Returns a rejection if the session belongs to someone else, is not ready, does not exist or is ambiguous.
    /// Returns an error if its door does not answer, or DuckDB can't listen.
    pub async fn connect(
        &self,
        who: &Requester,
        given: Option<&str>,
    ) -> Result<Result<ClientAccess, NotConnected>, ServiceError> {
        if !self.lets_clients_in() {
            return Ok(Err(NotConnected::Disabled));
        }
        let seen = self.find_to_connect(who, given)?;
        let id = &seen.record.id;
        let key = SecretString::from(random_token());
        let digest = sha256_hex(key.expose_secret());
        let allow = ClientsCommand::Allow { digest };
        let version = match self.runtime.command_clients(&seen, allow).await? {
            ClientsResponse::Allowed { version } => version,
            ClientsResponse::TooManyKeys { most } => {
                let id = id.clone();
                return Ok(Err(NotConnected::TooManyKeys { id, most }));
            }
            ClientsResponse::Busy => return Ok(Err(NotConnected::Busy)),
            ClientsResponse::NoExtension | ClientsResponse::NotSupported => {
                return Ok(Err(NotConnected::NotPrepared));
            }
            other => return Err(unexpected(&seen, &other).into()),
        };
        audit(who, "made a key for clients of", &id.to_string());
        let url = self.runtime.url(id);
        Ok(Ok(ClientAccess {
            record: seen.record,
            key,
            url,
            version,
        }))
    }

    /// Revokes the keys of a session's clients, and closes their connections. Returns the session's record and the
    /// number of keys.
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub async fn revoke_clients(
        &self,
        who: &Requester,
        given: &str,
    ) -> Result<(Arc<Record>, usize), ServiceError> {
        let seen = self.find_to_connect(who, Some(given))?;
        let revoke = ClientsCommand::Revoke;
        let keys = match self.runtime.command_clients(&seen, revoke).await? {
            ClientsResponse::Revoked { keys } => keys,
            // An earlier door has no keys.
            ClientsResponse::NotSupported => 0,
            other => return Err(unexpected(&seen, &other).into()),
        };
        audit(
            who,
            "revoked the keys of clients of",
            &seen.record.id.to_string(),
        );
        Ok((seen.record, keys))
    }

    fn find_to_connect(
        &self,
        who: &Requester,
        given: Option<&str>,
    ) -> Result<Observed, LookupRejection> {
        let seen = self.find_own(who, given, SessionAction::Connect)?;
        if is_ready(&seen) {
            Ok(seen)
        } else {
            Err(LookupRejection::NotReady(seen.record.id.clone()))
        }
    }
}

fn unexpected(seen: &Observed, response: &ClientsResponse) -> Error {
    let why = match response {
        ClientsResponse::Failed { error } => error.clone(),
        ClientsResponse::Refused { why } => why.clone(),
        _ => "its door's response is not expected".to_owned(),
    };
    Error::Session {
        action: format!("letting clients into session {}", seen.record.id),
        why,
    }
}
