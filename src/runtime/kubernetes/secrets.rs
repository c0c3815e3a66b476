//! People's credentials as Secrets. Write-only: to see whether one is there the
//! bot reads its metadata, so the values never travel back.

use std::collections::BTreeMap;

use async_trait::async_trait;
use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{
    Api, Client, ResourceExt,
    api::{PartialObjectMeta, Patch, PatchParams},
};
use secrecy::ExposeSecret;

use super::{
    apply::{Action, call},
    build::{DUCKBOT, MANAGED_BY, OWNER, secret_name},
};
use crate::{
    credentials::{CredentialStore, Credentials, Field, KeyHint},
    fault::Fault,
    session::OwnerId,
};

const HINT: &str = "duckbot.dev/key-hint";
const KIND: &str = "duckbot.dev/s3-credentials";

/// How a value is called inside the Secret.
pub fn entry(field: Field) -> &'static str {
    match field {
        Field::KeyId => "s3-access-key-id",
        Field::SecretKey => "s3-secret-access-key",
        Field::SessionToken => "s3-session-token",
        Field::CatalogToken => "catalog-token",
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
    let data = Field::ALL.into_iter().filter_map(|field| {
        let value = credentials.value(field)?.expose_secret();
        Some((entry(field).to_owned(), ByteString(value.into())))
    });
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
