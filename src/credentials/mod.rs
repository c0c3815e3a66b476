//! The S3 credentials that a person hands in: what is accepted, whether they
//! work, and where they go. Values are held as [`SecretString`]s and appear in
//! no message.

mod parse;
mod paste;
pub mod preflight;
mod sign;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};

pub use parse::{
    CredentialField, CredentialsForm, InputError, check_value, looks_like_a_key, parse,
};

use crate::{
    error::Error,
    redact::redact,
    session::{Observed, OwnerId, Record},
};

/// What a person typed into the form, checked.
#[derive(Debug)]
pub struct Credentials {
    /// The access key ID.
    pub key_id: SecretString,
    /// The secret access key.
    pub secret_key: SecretString,
    /// The session token that belongs to a temporary key.
    pub session_token: Option<SecretString>,
    /// The token for the Iceberg catalog, where that wants one.
    pub catalog_token: Option<SecretString>,
    /// When the session token expires, if the person said so.
    pub expires: Option<DateTime<Utc>>,
}

/// The last four characters of an access key ID: enough for its owner to
/// recognise it, worth nothing to anybody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyHint(pub String);

/// What may be known of credentials without seeing them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialMetadata {
    /// Which key it is.
    pub hint: KeyHint,
    /// Since when they are kept.
    pub stored: Option<DateTime<Utc>>,
    /// When they were last seen to work.
    pub checked: Option<DateTime<Utc>>,
    /// When they expire, if that is known.
    pub expires: Option<DateTime<Utc>>,
}

/// The text without any of these values.
pub fn redacted(text: &str, credentials: &Credentials) -> String {
    let optional = [&credentials.session_token, &credentials.catalog_token];
    let values = [&credentials.key_id, &credentials.secret_key]
        .into_iter()
        .chain(optional.into_iter().flatten());
    redact(
        text,
        values.map(|value| (value.expose_secret(), "[removed]")),
    )
}

/// Where credentials are kept.
#[async_trait]
pub trait CredentialStore: Send + Sync {
    /// Keeps `credentials` for `owner` in place of what was there. `checked` is
    /// when they were seen to work, if they were tried.
    async fn put(
        &self,
        owner: OwnerId,
        credentials: &Credentials,
        now: DateTime<Utc>,
        checked: Option<DateTime<Utc>>,
    ) -> Result<(), Error>;

    /// What is kept for `owner`, if anything is; no value travels.
    async fn metadata(&self, owner: OwnerId) -> Result<Option<CredentialMetadata>, Error>;

    /// The values, for trying them out again because their owner asks.
    async fn read(&self, owner: OwnerId) -> Result<Option<Credentials>, Error>;

    /// Notes that they were seen to work.
    async fn mark_checked(&self, owner: OwnerId, at: DateTime<Utc>) -> Result<(), Error>;

    /// Removes what is kept, and looks that it is gone.
    async fn forget(&self, owner: OwnerId) -> Result<(), Error>;

    /// Keeps the own keys of a session, which go with its record.
    async fn put_own(&self, session: &Observed, credentials: &Credentials) -> Result<(), Error>;

    /// The own keys of a session.
    async fn read_own(&self, session: &Record) -> Result<Option<Credentials>, Error>;

    /// The keys that a session starts with: its owner's as they are now, or its own.
    async fn read_for(&self, session: &Record) -> Result<Option<Credentials>, Error> {
        match session.uses_owner_credentials() {
            true => self.read(session.owner).await,
            false => self.read_own(session).await,
        }
    }
}
