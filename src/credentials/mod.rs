//! Credentials of a person, which are S3 keys, a catalog token or both: reading the form, checking
//! them, and the trait that stores them.
//! Values are held as [`SecretString`]s and appear in no message.

mod expiry;
mod field;
mod parse;
mod paste;
pub mod preflight;
mod sign;
mod value;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};

pub use field::{CredentialField, CredentialPart};
pub use parse::{CredentialsForm, ExpiryNote, InputError, Parsed, looks_like_a_key, parse};
pub use value::{ValueError, check_value, lacks_session_token};

use crate::{
    error::Error,
    redact::redact,
    session::{Observed, OwnerId, Record},
};

/// Credentials that a person or a program entered, with their characters checked. At least one part
/// is there.
#[derive(Debug)]
pub struct Credentials {
    /// `None` for a person who gets the storage's credentials from the catalog.
    pub s3: Option<S3Keys>,
    /// Token for the Iceberg catalog, if the catalog requires one.
    pub catalog_token: Option<CatalogToken>,
}

/// Keys for an S3 storage.
#[derive(Debug, Clone)]
pub struct S3Keys {
    pub key_id: SecretString,
    pub secret_key: SecretString,
    /// Session token, which only temporary keys have.
    pub session_token: Option<SecretString>,
    /// Time at which the session token expires, if it was entered.
    pub expires: Option<DateTime<Utc>>,
}

/// A token for an Iceberg catalog.
#[derive(Debug, Clone)]
pub struct CatalogToken {
    pub value: SecretString,
    /// Time at which the token expires, if it was entered.
    pub expires: Option<DateTime<Utc>>,
}

/// The last four characters of an access key ID. Its owner can recognise it, and nobody else
/// can use it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyHint(pub String);

/// Metadata of stored credentials, without any value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialMetadata {
    /// `None` if there are no S3 keys.
    pub s3: Option<S3Metadata>,
    /// `None` if there is no catalog token.
    pub catalog_token: Option<TokenMetadata>,
    /// Time at which the credentials were stored.
    pub stored: Option<DateTime<Utc>>,
    /// Time at which the credentials were last seen to work.
    pub checked: Option<DateTime<Utc>>,
}

/// Metadata of stored S3 keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Metadata {
    pub hint: KeyHint,
    /// Time at which the session token expires, if known.
    pub expires: Option<DateTime<Utc>>,
}

/// Metadata of a stored catalog token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenMetadata {
    /// Time at which the token expires, if known.
    pub expires: Option<DateTime<Utc>>,
}

impl CredentialMetadata {
    /// Builds metadata of the parts that `has` and `expires` describe. `hint` belongs to the S3 keys.
    pub fn new(
        has: impl Fn(CredentialPart) -> bool,
        expires: impl Fn(CredentialPart) -> Option<DateTime<Utc>>,
        hint: KeyHint,
        stored: Option<DateTime<Utc>>,
        checked: Option<DateTime<Utc>>,
    ) -> Self {
        Self {
            s3: has(CredentialPart::S3Keys).then(|| S3Metadata {
                hint,
                expires: expires(CredentialPart::S3Keys),
            }),
            catalog_token: has(CredentialPart::CatalogToken).then(|| TokenMetadata {
                expires: expires(CredentialPart::CatalogToken),
            }),
            stored,
            checked,
        }
    }

    pub fn has(&self, part: CredentialPart) -> bool {
        match part {
            CredentialPart::S3Keys => self.s3.is_some(),
            CredentialPart::CatalogToken => self.catalog_token.is_some(),
        }
    }

    /// Returns the time at which a part expires, if it is there and the time is known.
    pub fn expiry(&self, part: CredentialPart) -> Option<DateTime<Utc>> {
        match part {
            CredentialPart::S3Keys => self.s3.as_ref()?.expires,
            CredentialPart::CatalogToken => self.catalog_token.as_ref()?.expires,
        }
    }
}

impl Credentials {
    /// Returns the value of a field, if it has one.
    pub fn value(&self, field: CredentialField) -> Option<&SecretString> {
        let keys = self.s3.as_ref();
        match field {
            CredentialField::KeyId => Some(&keys?.key_id),
            CredentialField::SecretKey => Some(&keys?.secret_key),
            CredentialField::SessionToken => keys?.session_token.as_ref(),
            CredentialField::CatalogToken => self.catalog_token.as_ref().map(|it| &it.value),
        }
    }

    /// Builds credentials from the values and the times of expiry that `value` and `expires` return.
    /// Returns `None` if both parts are missing.
    pub fn from_values(
        value: impl FnMut(CredentialField) -> Option<SecretString>,
        expires: impl Fn(CredentialPart) -> Option<DateTime<Utc>>,
    ) -> Option<Self> {
        let [key_id, secret_key, session_token, token] = CredentialField::ALL.map(value);
        let s3 = key_id.zip(secret_key).map(|(key_id, secret_key)| S3Keys {
            key_id,
            secret_key,
            session_token,
            expires: expires(CredentialPart::S3Keys),
        });
        let catalog_token = token.map(|value| CatalogToken {
            value,
            expires: expires(CredentialPart::CatalogToken),
        });
        let is_any = s3.is_some() || catalog_token.is_some();
        is_any.then_some(Self { s3, catalog_token })
    }

    pub fn has(&self, part: CredentialPart) -> bool {
        self.value(part.field()).is_some()
    }

    /// Returns the time at which a part expires, if it is there and the time is known.
    pub fn expiry(&self, part: CredentialPart) -> Option<DateTime<Utc>> {
        match part {
            CredentialPart::S3Keys => self.s3.as_ref()?.expires,
            CredentialPart::CatalogToken => self.catalog_token.as_ref()?.expires,
        }
    }

    /// Returns the metadata of these credentials.
    pub fn metadata(
        &self,
        stored: DateTime<Utc>,
        checked: Option<DateTime<Utc>>,
    ) -> CredentialMetadata {
        let hint = self
            .s3
            .as_ref()
            .map_or(KeyHint(String::new()), S3Keys::hint);
        let (has, expires) = (|part| self.has(part), |part| self.expiry(part));
        CredentialMetadata::new(has, expires, hint, Some(stored), checked)
    }

    /// Returns true if all values are equal. Ignores the time of expiry.
    pub fn is_same(&self, other: &Self) -> bool {
        let value = |credentials: &Self, field| {
            credentials
                .value(field)
                .map(|it| it.expose_secret().to_owned())
        };
        CredentialField::ALL
            .into_iter()
            .all(|field| value(self, field) == value(other, field))
    }
}

impl S3Keys {
    /// Returns the part of the access key ID that may be shown. If the ID has fewer than eight
    /// characters, that part is empty.
    pub fn hint(&self) -> KeyHint {
        let key = self.key_id.expose_secret();
        let shown = if key.len() >= 8 {
            &key[key.len() - 4..]
        } else {
            ""
        };
        KeyHint(shown.to_owned())
    }
}

/// Replaces each value of `credentials` in `text` with `[removed]`.
pub fn redacted(text: &str, credentials: &Credentials) -> String {
    let values = CredentialField::ALL.into_iter();
    let values = values.filter_map(|field| credentials.value(field));
    redact(
        text,
        values.map(|value| (value.expose_secret(), "[removed]")),
    )
}

/// Store of credentials: one set per owner, and one per session that has its own.
#[async_trait]
pub trait CredentialStore: Send + Sync {
    /// Stores `credentials` for `owner` in place of earlier ones. `checked` is the time at which
    /// they were seen to work, if they were.
    async fn put(
        &self,
        owner: OwnerId,
        credentials: &Credentials,
        now: DateTime<Utc>,
        checked: Option<DateTime<Utc>>,
    ) -> Result<(), Error>;

    /// Returns the metadata of the owner's credentials, if any are stored. Reads no value.
    async fn metadata(&self, owner: OwnerId) -> Result<Option<CredentialMetadata>, Error>;

    /// Reads the owner's credentials with their values, to check them again at the owner's request.
    async fn read(&self, owner: OwnerId) -> Result<Option<Credentials>, Error>;

    /// Records that the owner's credentials were seen to work at `at`.
    async fn mark_checked(&self, owner: OwnerId, at: DateTime<Utc>) -> Result<(), Error>;

    /// Removes the owner's credentials, and verifies that they are gone.
    async fn forget(&self, owner: OwnerId) -> Result<(), Error>;

    /// Stores a session's own credentials, which are removed with its record.
    async fn put_own(&self, session: &Observed, credentials: &Credentials) -> Result<(), Error>;

    /// Returns true if a session's own credentials are stored. Reads no value.
    async fn has_own(&self, session: &Record) -> Result<bool, Error>;

    /// Reads a session's own credentials.
    async fn read_own(&self, session: &Record) -> Result<Option<Credentials>, Error>;

    /// Reads the credentials that a session starts with: its own, or its owner's current ones.
    async fn read_for(&self, session: &Record) -> Result<Option<Credentials>, Error> {
        if session.uses_owner_credentials() {
            self.read(session.owner).await
        } else {
            self.read_own(session).await
        }
    }
}
