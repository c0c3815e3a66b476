//! Credentials as Secrets. Annotations hold what is not secret, such as the expiry. Usually only
//! this metadata is read. docs/security.md lists the purposes for which the values are read.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, PartialObjectMeta, Patch, PatchParams},
};
use secrecy::{ExposeSecret, SecretString, zeroize::Zeroize};
use serde_json::json;

use super::{
    build::{self, DUCKBOT, MANAGED_BY, OWNER, own_secret_name, secret_name},
    request::{ApiAction, ApiServer},
};
use crate::{
    credentials::{
        CredentialField, CredentialMetadata, CredentialPart, CredentialStore, Credentials, KeyHint,
    },
    error::Error,
    session::{Observed, OwnerId, Record},
    settings::Settings,
};

const HINT: &str = "duckbot.dev/key-hint";
const STORED: &str = "duckbot.dev/stored-at";
const CHECKED: &str = "duckbot.dev/checked-at";
/// The fields of [`CredentialField`] that the Secret has, separated by commas.
const FIELDS: &str = "duckbot.dev/fields";
const EXPIRES: &str = "duckbot.dev/expires-at";
const TOKEN_EXPIRES: &str = "duckbot.dev/catalog-token-expires-at";
const KIND: &str = "duckbot.dev/s3-credentials";

/// Credentials as Secrets in the sessions namespace.
pub struct Secrets {
    server: ApiServer,
    secrets: Api<Secret>,
    metadata: Api<PartialObjectMeta<Secret>>,
    settings: Arc<Settings>,
}

impl Secrets {
    pub fn new(server: &ApiServer, settings: Arc<Settings>) -> Self {
        let namespace = &settings.kubernetes.namespace;
        Self {
            server: server.clone(),
            secrets: Api::namespaced(server.client(), namespace),
            metadata: Api::namespaced(server.client(), namespace),
            settings,
        }
    }

    fn action(&self, verb: &'static str) -> ApiAction<'_> {
        ApiAction::new(verb, "secrets", &self.settings.kubernetes.namespace).sensitive()
    }

    /// Creates or replaces a Secret, then erases its values from memory.
    async fn apply(&self, mut secret: Secret) -> Result<(), Error> {
        let name = secret.name_any();
        let params = PatchParams::apply(DUCKBOT).force();
        let patch = Patch::Apply(&secret);
        let stored = self.secrets.patch_metadata(&name, &params, &patch);
        let outcome = self.server.call(self.action("patch"), stored).await;
        for value in secret.data.iter_mut().flat_map(BTreeMap::values_mut) {
            value.0.zeroize();
        }
        outcome.map(|_| ())
    }

    async fn read_named(&self, name: &str) -> Result<Option<Credentials>, Error> {
        let Some(mut secret) = self
            .server
            .call(self.action("get"), self.secrets.get_opt(name))
            .await?
        else {
            return Ok(None);
        };
        let expires = |part| time(secret.annotations(), expiry_annotation(part));
        let expires = [CredentialPart::S3Keys, CredentialPart::CatalogToken].map(expires);
        let mut data = secret.data.take().unwrap_or_default();
        let value = |field: CredentialField| {
            let mut bytes = data.remove(field.name())?.0;
            let text = String::from_utf8_lossy(&bytes).into_owned();
            bytes.zeroize();
            Some(SecretString::from(text))
        };
        Ok(Credentials::from_values(value, |part| {
            expires[part as usize]
        }))
    }
}

#[async_trait]
impl CredentialStore for Secrets {
    /// Stores the credentials with one server-side apply. It creates or replaces the Secret, and
    /// removes a token that the new credentials don't have. Managed fields hold only names.
    async fn put(
        &self,
        owner: OwnerId,
        credentials: &Credentials,
        now: DateTime<Utc>,
        checked: Option<DateTime<Utc>>,
    ) -> Result<(), Error> {
        let about = credentials.metadata(now, checked);
        self.apply(secret(owner, credentials, &about)).await
    }

    async fn metadata(&self, owner: OwnerId) -> Result<Option<CredentialMetadata>, Error> {
        let name = secret_name(owner);
        let found = self
            .server
            .call(self.action("get"), self.metadata.get_opt(&name))
            .await?;
        Ok(found.map(|secret| metadata(secret.annotations())))
    }

    async fn read(&self, owner: OwnerId) -> Result<Option<Credentials>, Error> {
        self.read_named(&secret_name(owner)).await
    }

    async fn mark_checked(&self, owner: OwnerId, at: DateTime<Utc>) -> Result<(), Error> {
        let name = secret_name(owner);
        let patch = json!({ "metadata": { "annotations": { CHECKED: at.to_rfc3339() } } });
        let patch = Patch::Merge(&patch);
        let params = PatchParams::default();
        let marked = self.secrets.patch_metadata(&name, &params, &patch);
        self.server
            .call(self.action("patch"), marked)
            .await
            .map(|_| ())
    }

    async fn forget(&self, owner: OwnerId) -> Result<(), Error> {
        let name = secret_name(owner);
        let params = DeleteParams::default();
        match self
            .server
            .call(self.action("delete"), self.metadata.delete(&name, &params))
            .await
        {
            Ok(_) | Err(Error::Unknown { .. }) => {}
            Err(error) => return Err(error),
        }
        // Check that the Secret is gone, because a finalizer could keep it.
        match self.metadata(owner).await? {
            None => Ok(()),
            Some(_) => Err(Error::Unavailable {
                action: self.action("delete").to_string(),
                why: "the Secret still exists; a finalizer may keep it".into(),
            }),
        }
    }

    async fn put_own(&self, session: &Observed, credentials: &Credentials) -> Result<(), Error> {
        let (record, uid) = (&session.record, &session.uid);
        self.apply(Secret {
            metadata: build::own_secret(&self.settings, record, uid),
            type_: Some(KIND.into()),
            data: Some(data(credentials)),
            ..Secret::default()
        })
        .await
    }

    async fn has_own(&self, session: &Record) -> Result<bool, Error> {
        let name = own_secret_name(&session.id);
        let found = self.metadata.get_opt(&name);
        Ok(self.server.call(self.action("get"), found).await?.is_some())
    }

    async fn read_own(&self, session: &Record) -> Result<Option<Credentials>, Error> {
        self.read_named(&own_secret_name(&session.id)).await
    }
}

/// Returns the annotation with the time at which a part expires.
fn expiry_annotation(part: CredentialPart) -> &'static str {
    match part {
        CredentialPart::S3Keys => EXPIRES,
        CredentialPart::CatalogToken => TOKEN_EXPIRES,
    }
}

fn time(annotations: &BTreeMap<String, String>, name: &str) -> Option<DateTime<Utc>> {
    annotations.get(name)?.parse().ok()
}

fn metadata(annotations: &BTreeMap<String, String>) -> CredentialMetadata {
    let fields = annotations.get(FIELDS).map(String::as_str);
    let has = |part: CredentialPart| match fields {
        Some(fields) => fields.split(',').any(|it| it == part.field().name()),
        // Earlier versions stored S3 keys only, or S3 keys and a token.
        None => part == CredentialPart::S3Keys,
    };
    let expires = |part| time(annotations, expiry_annotation(part));
    let hint = KeyHint(annotations.get(HINT).cloned().unwrap_or_default());
    let [stored, checked] = [STORED, CHECKED].map(|name| time(annotations, name));
    CredentialMetadata::new(has, expires, hint, stored, checked)
}

fn data(credentials: &Credentials) -> BTreeMap<String, ByteString> {
    let data = CredentialField::ALL.into_iter().filter_map(|field| {
        let value = credentials.value(field)?.expose_secret();
        Some((field.name().to_owned(), ByteString(value.into())))
    });
    data.collect()
}

fn secret(owner: OwnerId, credentials: &Credentials, about: &CredentialMetadata) -> Secret {
    // Set empty values too, so that applying overwrites what `mark_checked` patched.
    let time = |at: Option<DateTime<Utc>>| at.map(|at| at.to_rfc3339()).unwrap_or_default();
    let data = data(credentials);
    let fields: Vec<_> = data.keys().map(String::as_str).collect();
    let hint = about.s3.as_ref().map(|keys| keys.hint.0.clone());
    let annotations = [
        (FIELDS, fields.join(",")),
        (HINT, hint.unwrap_or_default()),
        (STORED, time(about.stored)),
        (CHECKED, time(about.checked)),
        (EXPIRES, time(about.expiry(CredentialPart::S3Keys))),
        (
            TOKEN_EXPIRES,
            time(about.expiry(CredentialPart::CatalogToken)),
        ),
    ];
    let labels = [(MANAGED_BY, DUCKBOT.to_owned()), (OWNER, owner.to_string())];
    let owned = |(name, value): (&str, String)| (name.to_owned(), value);
    let mut secret = Secret {
        type_: Some(KIND.into()),
        data: Some(data),
        ..Secret::default()
    };
    secret.metadata.name = Some(secret_name(owner));
    secret.metadata.labels = Some(labels.into_iter().map(owned).collect());
    secret.metadata.annotations = Some(annotations.into_iter().map(owned).collect());
    secret
}
