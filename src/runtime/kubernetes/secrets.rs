//! People's credentials as Secrets. Write-only: to see whether one is there the
//! bot reads its metadata, so the values never travel back.

use std::collections::BTreeMap;

use async_trait::async_trait;
use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{
    Api, Client, ResourceExt,
    api::{PartialObjectMeta, Patch, PatchParams},
};
use secrecy::{ExposeSecret, SecretString};

use super::{
    apply::{Action, call},
    build::{DUCKBOT, MANAGED_BY, OWNER, secret_name},
};
use crate::{
    credentials::{CredentialStore, Credentials, KeyHint},
    fault::Fault,
    session::OwnerId,
};

const HINT: &str = "duckbot.dev/key-hint";
const KIND: &str = "duckbot.dev/s3-credentials";

/// A key inside the Secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// The access key ID.
    KeyId,
    /// The secret access key.
    SecretKey,
    /// The session token; optional.
    SessionToken,
    /// The catalog's token; optional.
    CatalogToken,
}

impl Key {
    /// How it is spelt in the Secret.
    pub fn name(self) -> &'static str {
        match self {
            Self::KeyId => "s3-access-key-id",
            Self::SecretKey => "s3-secret-access-key",
            Self::SessionToken => "s3-session-token",
            Self::CatalogToken => "catalog-token",
        }
    }

    /// Whether every Secret has it.
    pub fn is_required(self) -> bool {
        matches!(self, Self::KeyId | Self::SecretKey)
    }
}

/// The Secrets in the sessions namespace.
pub struct Secrets {
    secrets: Api<Secret>,
    metadata: Api<PartialObjectMeta<Secret>>,
    namespace: String,
}

impl Secrets {
    /// Keeps credentials in `namespace`.
    pub fn new(client: &Client, namespace: &str) -> Self {
        Self {
            secrets: Api::namespaced(client.clone(), namespace),
            metadata: Api::namespaced(client.clone(), namespace),
            namespace: namespace.to_owned(),
        }
    }

    fn action(&self, verb: &'static str) -> Action<'_> {
        Action::new(verb, "secrets", &self.namespace).sensitive()
    }
}

#[async_trait]
impl CredentialStore for Secrets {
    /// One server-side apply: it creates or replaces, and a token that the new
    /// credentials lack goes. Managed fields hold names, never values.
    async fn put(&self, owner: OwnerId, credentials: &Credentials) -> Result<(), Fault> {
        let params = PatchParams::apply(DUCKBOT).force();
        let secret = secret(owner, credentials);
        let name = secret_name(owner);
        let patch = Patch::Apply(&secret);
        let stored = self.secrets.patch_metadata(&name, &params, &patch);
        call(self.action("patch"), stored).await?;
        Ok(())
    }

    async fn hint(&self, owner: OwnerId) -> Result<Option<KeyHint>, Fault> {
        let name = secret_name(owner);
        let found = call(self.action("get"), self.metadata.get_opt(&name)).await?;
        Ok(found.map(|secret| {
            let hint = secret.annotations().get(HINT);
            KeyHint(hint.cloned().unwrap_or_default())
        }))
    }
}

fn secret(owner: OwnerId, credentials: &Credentials) -> Secret {
    let Credentials {
        key_id,
        secret_key,
        session_token,
        catalog_token,
    } = credentials;
    let values = [
        (Key::KeyId, Some(key_id)),
        (Key::SecretKey, Some(secret_key)),
        (Key::SessionToken, session_token.as_ref()),
        (Key::CatalogToken, catalog_token.as_ref()),
    ];
    let bytes = |value: &SecretString| ByteString(value.expose_secret().as_bytes().to_vec());
    let data = values
        .into_iter()
        .filter_map(|(key, value)| Some((key.name().to_owned(), bytes(value?))));
    let mut secret = Secret {
        type_: Some(KIND.into()),
        data: Some(data.collect()),
        ..Secret::default()
    };
    secret.metadata.name = Some(secret_name(owner));
    secret.metadata.labels = Some(BTreeMap::from([
        (MANAGED_BY.to_owned(), DUCKBOT.to_owned()),
        (OWNER.to_owned(), owner.to_string()),
    ]));
    secret.metadata.annotations = Some(BTreeMap::from([(HINT.to_owned(), credentials.hint().0)]));
    secret
}
