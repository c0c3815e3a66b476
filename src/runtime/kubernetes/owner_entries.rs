//! Secrets with entries of one person each. A merge patch changes an entry without reading the others, so
//! concurrent changes lose nothing.

use std::collections::BTreeMap;

use base64::{Engine, prelude::BASE64_STANDARD};
use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use serde_json::{Map, Value, json};

use super::{
    build::{DUCKBOT, MANAGED_BY, OWNER},
    request::{ApiAction, ApiServer},
};
use crate::{error::Error, runtime::MAX_WRITE_ATTEMPTS, session::OwnerId};

/// Entries of a Secret.
pub(super) type Entries = BTreeMap<String, String>;

/// Secrets of one type in the sessions namespace, one for each person.
pub(super) struct OwnerEntries {
    server: ApiServer,
    secrets: Api<Secret>,
    namespace: String,
    /// Type of the Secrets.
    kind: &'static str,
    /// Returns the name of a person's Secret.
    name: fn(OwnerId) -> String,
}

/// A Secret after an entry was put.
pub(super) struct Put {
    pub entries: Entries,
    pub revision: Option<String>,
    /// True if it is the owner's first entry.
    pub is_first: bool,
}

impl OwnerEntries {
    pub(super) fn new(
        server: &ApiServer,
        namespace: &str,
        kind: &'static str,
        name: fn(OwnerId) -> String,
    ) -> Self {
        Self {
            server: server.clone(),
            secrets: Api::namespaced(server.client(), namespace),
            namespace: namespace.to_owned(),
            kind,
            name,
        }
    }

    fn action(&self, verb: &'static str) -> ApiAction<'_> {
        ApiAction::new(verb, "secrets", &self.namespace).sensitive()
    }

    /// Returns a person's entries.
    pub(super) async fn read(&self, owner: OwnerId) -> Result<Entries, Error> {
        let name = (self.name)(owner);
        let found = self.secrets.get_opt(&name);
        let found = self.server.call(self.action("get"), found).await?;
        Ok(found.map(entries).unwrap_or_default())
    }

    /// Adds an entry, or replaces it.
    pub(super) async fn put(&self, owner: OwnerId, key: &str, value: &str) -> Result<Put, Error> {
        let entry = json!({ "data": { key: BASE64_STANDARD.encode(value) } });
        let (mut attempts, mut is_first) = (1..=MAX_WRITE_ATTEMPTS, false);
        loop {
            attempts.next();
            match self.patch(owner, entry.clone()).await {
                Ok(secret) => {
                    return Ok(Put {
                        revision: secret.resource_version(),
                        entries: entries(secret),
                        is_first,
                    });
                }
                // The API server applies a patch again after a conflict, but not endlessly.
                Err(Error::Conflict { .. }) if !attempts.is_empty() => continue,
                Err(Error::Unknown { .. }) if !attempts.is_empty() => is_first = true,
                Err(error) => return Err(error),
            }
            match self.create(owner, key, value).await {
                // Another writer created it first, or this call was repeated.
                Err(Error::Exists { .. }) => {}
                Err(error) => return Err(error),
                Ok(secret) => {
                    return Ok(Put {
                        revision: secret.resource_version(),
                        entries: entries(secret),
                        is_first: true,
                    });
                }
            }
        }
    }

    /// Removes entries. With a `revision`, only if the Secret has not changed since.
    pub(super) async fn remove(
        &self,
        owner: OwnerId,
        keys: Vec<String>,
        revision: Option<String>,
    ) -> Result<(), Error> {
        let removed: Map<_, _> = keys.into_iter().map(|key| (key, Value::Null)).collect();
        let mut patch = json!({ "data": removed });
        if let Some(revision) = revision {
            patch["metadata"] = json!({ "resourceVersion": revision });
        }
        self.patch(owner, patch).await.map(|_| ())
    }

    /// Deletes a person's Secret. One that does not exist is not an error.
    pub(super) async fn delete(&self, owner: OwnerId) -> Result<(), Error> {
        let (name, params) = ((self.name)(owner), DeleteParams::default());
        let deleted = self.secrets.delete(&name, &params);
        match self.server.call(self.action("delete"), deleted).await {
            Ok(_) | Err(Error::Unknown { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Applies a merge patch.
    async fn patch(&self, owner: OwnerId, patch: Value) -> Result<Secret, Error> {
        let (name, params) = ((self.name)(owner), PatchParams::default());
        let patch = Patch::Merge(patch);
        let patched = self.secrets.patch(&name, &params, &patch);
        self.server.call(self.action("patch"), patched).await
    }

    /// Creates the Secret with its first entry.
    async fn create(&self, owner: OwnerId, key: &str, value: &str) -> Result<Secret, Error> {
        let mut secret = Secret {
            type_: Some(self.kind.into()),
            data: Some([(key.to_owned(), ByteString(value.into()))].into()),
            ..Secret::default()
        };
        let labels = [(MANAGED_BY, DUCKBOT.to_owned()), (OWNER, owner.to_string())];
        let labels = labels.map(|(name, value)| (name.to_owned(), value));
        secret.metadata.name = Some((self.name)(owner));
        secret.metadata.labels = Some(labels.into());
        let params = PostParams::default();
        let created = self.secrets.create(&params, &secret);
        self.server.call(self.action("create"), created).await
    }
}

fn entries(secret: Secret) -> Entries {
    let data = secret.data.unwrap_or_default().into_iter();
    data.filter_map(|(key, value)| Some((key, String::from_utf8(value.0).ok()?)))
        .collect()
}
