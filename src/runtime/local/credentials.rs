//! Credentials and reply tokens as files.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use secrecy::{
    ExposeSecret, SecretString,
    zeroize::{Zeroize, Zeroizing},
};
use serde::{Deserialize, Serialize};

use super::files::Folder;
use crate::{
    credentials::{
        CredentialField, CredentialMetadata, CredentialPart, CredentialStore, Credentials, KeyHint,
    },
    error::Error,
    runtime::ReplyStore,
    session::{Observed, OwnerId, Record},
};

/// Credentials as files: one for each person, and one for each session with its own credentials.
pub struct CredentialFiles(pub Folder);

/// Content of a file with credentials.
#[derive(Serialize, Deserialize)]
struct StoredCredentials {
    hint: String,
    stored: DateTime<Utc>,
    checked: Option<DateTime<Utc>>,
    expires: Option<DateTime<Utc>>,
    #[serde(default)]
    catalog_token_expires: Option<DateTime<Utc>>,
    values: Vec<(String, String)>,
}

impl Drop for StoredCredentials {
    fn drop(&mut self) {
        self.values
            .iter_mut()
            .for_each(|(_, value)| value.zeroize());
    }
}

impl StoredCredentials {
    fn value(&self, field: CredentialField) -> Option<SecretString> {
        let mut values = self.values.iter();
        let (_, value) = values.find(|(name, _)| name == field.name())?;
        Some(value.clone().into())
    }
}

impl CredentialFiles {
    fn load(&self, owner: &str) -> Result<Option<StoredCredentials>, Error> {
        let Some(text) = self.0.read(owner)?.map(Zeroizing::new) else {
            return Ok(None);
        };
        // Omit serde's message, which could quote a value.
        let read = serde_json::from_slice(&text).map_err(|_| Error::Disk {
            action: format!("reading the credentials of {owner}"),
            why: "the file is damaged".into(),
        });
        read.map(Some)
    }

    fn store(&self, owner: &str, kept: &StoredCredentials) -> Result<(), Error> {
        let text = serde_json::to_vec(kept).expect("credentials serialize to JSON");
        self.0.write(owner, &Zeroizing::new(text))
    }

    /// Removes a session's own credentials.
    pub fn forget_own(&self, session: &Record) -> Result<(), Error> {
        self.0.remove(&own(session))
    }
}

/// File name of a session's own credentials.
fn own(session: &Record) -> String {
    format!("session-{}", session.id)
}

impl StoredCredentials {
    fn new(credentials: &Credentials, now: DateTime<Utc>, checked: Option<DateTime<Utc>>) -> Self {
        let value = |field: CredentialField| {
            let value = credentials.value(field)?.expose_secret();
            Some((field.name().to_owned(), value.to_owned()))
        };
        let about = credentials.metadata(now, checked);
        Self {
            expires: about.expiry(CredentialPart::S3Keys),
            catalog_token_expires: about.expiry(CredentialPart::CatalogToken),
            hint: about.s3.map(|keys| keys.hint.0).unwrap_or_default(),
            stored: now,
            checked,
            values: CredentialField::ALL.into_iter().filter_map(value).collect(),
        }
    }

    fn credentials(&self) -> Option<Credentials> {
        Credentials::from_values(|field| self.value(field), |part| self.expiry(part))
    }

    fn expiry(&self, part: CredentialPart) -> Option<DateTime<Utc>> {
        match part {
            CredentialPart::S3Keys => self.expires,
            CredentialPart::CatalogToken => self.catalog_token_expires,
        }
    }

    fn has(&self, part: CredentialPart) -> bool {
        let mut names = self.values.iter().map(|(name, _)| name);
        names.any(|name| name == part.field().name())
    }

    fn metadata(&self) -> CredentialMetadata {
        let hint = KeyHint(self.hint.clone());
        let (has, expires) = (|part| self.has(part), |part| self.expiry(part));
        CredentialMetadata::new(has, expires, hint, Some(self.stored), self.checked)
    }
}

#[async_trait]
impl CredentialStore for CredentialFiles {
    async fn put(
        &self,
        owner: OwnerId,
        credentials: &Credentials,
        now: DateTime<Utc>,
        checked: Option<DateTime<Utc>>,
    ) -> Result<(), Error> {
        self.store(
            &owner.to_string(),
            &StoredCredentials::new(credentials, now, checked),
        )
    }

    async fn metadata(&self, owner: OwnerId) -> Result<Option<CredentialMetadata>, Error> {
        Ok(self.load(&owner.to_string())?.map(|kept| kept.metadata()))
    }

    async fn read(&self, owner: OwnerId) -> Result<Option<Credentials>, Error> {
        let kept = self.load(&owner.to_string())?;
        Ok(kept.and_then(|kept| kept.credentials()))
    }

    async fn mark_checked(&self, owner: OwnerId, at: DateTime<Utc>) -> Result<(), Error> {
        let owner = owner.to_string();
        match self.load(&owner)? {
            Some(mut kept) => {
                kept.checked = Some(at);
                self.store(&owner, &kept)
            }
            None => Ok(()),
        }
    }

    async fn forget(&self, owner: OwnerId) -> Result<(), Error> {
        self.0.remove(&owner.to_string())
    }

    async fn put_own(&self, session: &Observed, credentials: &Credentials) -> Result<(), Error> {
        let record = &session.record;
        let kept = StoredCredentials::new(credentials, record.created, None);
        self.store(&own(record), &kept)
    }

    async fn has_own(&self, session: &Record) -> Result<bool, Error> {
        Ok(self.load(&own(session))?.is_some())
    }

    async fn read_own(&self, session: &Record) -> Result<Option<Credentials>, Error> {
        let kept = self.load(&own(session))?;
        Ok(kept.and_then(|kept| kept.credentials()))
    }
}

/// Reply tokens as files, one for each session.
pub struct ReplyFiles(pub Folder);

#[async_trait]
impl ReplyStore for ReplyFiles {
    async fn store(&self, session: &Observed, reply: &SecretString) -> Result<(), Error> {
        let name = session.record.id.to_string();
        self.0.write(&name, reply.expose_secret().as_bytes())
    }

    async fn load(&self, session: &Observed) -> Result<Option<SecretString>, Error> {
        let kept = self.0.read(&session.record.id.to_string())?;
        let text = kept.and_then(|kept| String::from_utf8(kept).ok());
        Ok(text.map(SecretString::from))
    }

    async fn forget(&self, session: &Observed) -> Result<(), Error> {
        self.0.remove(&session.record.id.to_string())
    }
}
