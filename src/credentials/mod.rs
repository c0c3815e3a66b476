//! The S3 credentials that a person hands in: what is accepted, and where it
//! goes. Values are held as [`SecretString`]s and appear in no message.

mod parse;

use async_trait::async_trait;
use secrecy::SecretString;

pub use parse::{Field, Mistake, parse};

use crate::{fault::Fault, session::OwnerId};

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
}

/// The last four characters of an access key ID: enough for its owner to
/// recognise it, worth nothing to anybody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyHint(pub String);

/// Where credentials are kept. They can be put in and asked about; reading
/// them back is not possible here, because the bot never needs to.
#[async_trait]
pub trait CredentialStore: Send + Sync {
    /// Keeps `credentials` for `owner` in place of what was there.
    async fn put(&self, owner: OwnerId, credentials: &Credentials) -> Result<(), Fault>;

    /// The hint of what is kept for `owner`, if anything is.
    async fn hint(&self, owner: OwnerId) -> Result<Option<KeyHint>, Fault>;
}
