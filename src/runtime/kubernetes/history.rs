//! Histories of queries as Secrets, one for each person. Each query is an entry of its own. A merge
//! patch adds it without reading the others, so concurrent queries lose nothing.

use async_trait::async_trait;
use base64::{Engine, prelude::BASE64_STANDARD};
use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use serde_json::{Map, Value, json};

use super::{
    build::{DUCKBOT, MANAGED_BY, OWNER, history_name},
    request::{ApiAction, ApiServer},
};
use crate::{
    error::Error,
    history::{HistoryStore, PastQuery, StoredHistory, decode, encode, surplus},
    runtime::MAX_WRITE_ATTEMPTS,
    session::OwnerId,
};

/// Type of the Secrets.
const KIND: &str = "duckbot.dev/history";

/// Histories as Secrets in the sessions namespace.
pub struct HistorySecrets {
    server: ApiServer,
    secrets: Api<Secret>,
    namespace: String,
}

impl HistorySecrets {
    pub fn new(server: &ApiServer, namespace: &str) -> Self {
        Self {
            server: server.clone(),
            secrets: Api::namespaced(server.client(), namespace),
            namespace: namespace.to_owned(),
        }
    }

    fn action(&self, verb: &'static str) -> ApiAction<'_> {
        ApiAction::new(verb, "secrets", &self.namespace).sensitive()
    }

    /// Applies a merge patch.
    async fn patch(&self, owner: OwnerId, patch: Value) -> Result<Secret, Error> {
        let (name, params) = (history_name(owner), PatchParams::default());
        let patch = Patch::Merge(patch);
        let patched = self.secrets.patch(&name, &params, &patch);
        self.server.call(self.action("patch"), patched).await
    }

    /// Removes the entries of a Secret that are over the limits. If another writer came first, leaves
    /// that to them, because they saw these entries, too.
    async fn tidy(&self, owner: OwnerId, secret: Secret) -> Result<(), Error> {
        let revision = secret.resource_version();
        let surplus = surplus(&stored(secret));
        if surplus.is_empty() {
            return Ok(());
        }
        let removed: Map<_, _> = surplus.into_iter().map(|id| (id, Value::Null)).collect();
        let patch = json!({ "metadata": { "resourceVersion": revision }, "data": removed });
        match self.patch(owner, patch).await {
            Ok(_) | Err(Error::Conflict { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Creates the Secret with its first query.
    async fn create(&self, owner: OwnerId, query: &PastQuery) -> Result<(), Error> {
        let mut secret = Secret {
            type_: Some(KIND.into()),
            data: Some([(query.id().to_string(), ByteString(encode(query).into()))].into()),
            ..Secret::default()
        };
        let labels = [(MANAGED_BY, DUCKBOT.to_owned()), (OWNER, owner.to_string())];
        let labels = labels.map(|(name, value)| (name.to_owned(), value));
        secret.metadata.name = Some(history_name(owner));
        secret.metadata.labels = Some(labels.into());
        let params = PostParams::default();
        let created = self.secrets.create(&params, &secret);
        let created = self.server.call(self.action("create"), created).await;
        created.map(|_| ())
    }
}

fn stored(secret: Secret) -> StoredHistory {
    let data = secret.data.unwrap_or_default().into_iter();
    data.filter_map(|(id, value)| Some((id, String::from_utf8(value.0).ok()?)))
        .collect()
}

#[async_trait]
impl HistoryStore for HistorySecrets {
    async fn read(&self, owner: OwnerId) -> Result<Vec<PastQuery>, Error> {
        let name = history_name(owner);
        let found = self.secrets.get_opt(&name);
        let found = self.server.call(self.action("get"), found).await?;
        Ok(found.map(stored).as_ref().map(decode).unwrap_or_default())
    }

    async fn add(&self, owner: OwnerId, query: &PastQuery) -> Result<bool, Error> {
        let value = BASE64_STANDARD.encode(encode(query));
        let entry = json!({ "data": { query.id().to_string(): value } });
        let (mut attempts, mut is_first) = (1..=MAX_WRITE_ATTEMPTS, false);
        loop {
            attempts.next();
            match self.patch(owner, entry.clone()).await {
                Ok(secret) => return self.tidy(owner, secret).await.map(|()| is_first),
                // The API server applies a patch again after a conflict, but not endlessly.
                Err(Error::Conflict { .. }) if !attempts.is_empty() => continue,
                Err(Error::Unknown { .. }) if !attempts.is_empty() => is_first = true,
                Err(error) => return Err(error),
            }
            match self.create(owner, query).await {
                // Another query of this person created it first, or this call was repeated.
                Err(Error::Exists { .. }) => {}
                created => return created.map(|()| true),
            }
        }
    }

    async fn delete(&self, owner: OwnerId) -> Result<(), Error> {
        let (name, params) = (history_name(owner), DeleteParams::default());
        let deleted = self.secrets.delete(&name, &params);
        match self.server.call(self.action("delete"), deleted).await {
            Ok(_) | Err(Error::Unknown { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
