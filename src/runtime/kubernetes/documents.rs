//! Documents as ConfigMaps in the sessions namespace: `duckbot-ledger`, `duckbot-pause`.

use std::collections::BTreeMap;

use async_trait::async_trait;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, ResourceExt,
    api::{ObjectMeta, PostParams},
};

use super::request::{ApiAction, ApiServer};
use crate::{
    error::Error,
    runtime::{Document, DocumentBackend, DocumentStore, LedgerStore},
    session::Ledger,
};

/// Opens the document of the sessions namespace.
pub fn document<D: Document>(server: &ApiServer, namespace: &str) -> DocumentStore<D> {
    DocumentStore::new(DocumentConfigMap::new::<D>(server, namespace))
}

/// Opens the ledger of the sessions namespace.
pub fn ledger(server: &ApiServer, namespace: &str) -> LedgerStore {
    LedgerStore::new(DocumentConfigMap::new::<Ledger>(server, namespace))
}

/// A document in a ConfigMap.
struct DocumentConfigMap {
    server: ApiServer,
    maps: Api<ConfigMap>,
    namespace: String,
    /// Name of the ConfigMap. It has none of duckbot's labels, because those mark objects of sessions.
    name: String,
    /// Name of its only entry.
    entry: String,
}

impl DocumentConfigMap {
    fn new<D: Document>(server: &ApiServer, namespace: &str) -> Self {
        Self {
            server: server.clone(),
            maps: Api::namespaced(server.client(), namespace),
            namespace: namespace.to_owned(),
            name: format!("duckbot-{}", D::NAME),
            entry: format!("{}.json", D::NAME),
        }
    }

    fn action(&self, verb: &'static str) -> ApiAction<'_> {
        ApiAction::new(verb, "configmaps", &self.namespace)
    }
}

#[async_trait]
impl DocumentBackend for DocumentConfigMap {
    async fn read(&self) -> Result<Option<(String, String)>, Error> {
        let found = self
            .server
            .call(self.action("get"), self.maps.get_opt(&self.name))
            .await?;
        let Some(found) = found else {
            return Ok(None);
        };
        let revision = found.resource_version().unwrap_or_default();
        let text = found.data.and_then(|mut data| data.remove(&self.entry));
        Ok(Some((text.unwrap_or_default(), revision)))
    }

    async fn write(&self, text: &str, over: Option<&str>) -> Result<Option<String>, Error> {
        let map = ConfigMap {
            metadata: ObjectMeta {
                name: Some(self.name.clone()),
                resource_version: over.map(str::to_owned),
                ..ObjectMeta::default()
            },
            data: Some(BTreeMap::from([(self.entry.clone(), text.to_owned())])),
            ..ConfigMap::default()
        };
        let params = PostParams::default();
        let written = match over {
            None => {
                self.server
                    .call(self.action("create"), self.maps.create(&params, &map))
                    .await
            }
            Some(_) => {
                let replaced = self.maps.replace(&self.name, &params, &map);
                self.server.call(self.action("update"), replaced).await
            }
        };
        written.map(|map| map.resource_version())
    }

    fn unreadable(&self, why: String) -> Error {
        let action = format!("reading the ConfigMap {}", self.name);
        Error::Unavailable { action, why }
    }
}
