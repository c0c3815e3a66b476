//! The ledger as a ConfigMap in the sessions namespace.

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
    runtime::{LEDGER_LOSS_HINT, LedgerBackend},
    session::Ledger,
};

/// Name of the ConfigMap. It has none of duckbot's labels, because those mark objects of sessions.
const LEDGER: &str = "duckbot-ledger";
/// Name of its only entry.
const ENTRY: &str = "ledger.json";

/// The ledger of the sessions namespace.
pub struct LedgerConfigMap {
    server: ApiServer,
    maps: Api<ConfigMap>,
    namespace: String,
}

impl LedgerConfigMap {
    pub fn new(server: &ApiServer, namespace: &str) -> Self {
        Self {
            server: server.clone(),
            maps: Api::namespaced(server.client(), namespace),
            namespace: namespace.to_owned(),
        }
    }

    fn action(&self, verb: &'static str) -> ApiAction<'_> {
        ApiAction::new(verb, "configmaps", &self.namespace)
    }
}

#[async_trait]
impl LedgerBackend for LedgerConfigMap {
    async fn read(&self) -> Result<Option<(Ledger, String)>, Error> {
        let found = self
            .server
            .call(self.action("get"), self.maps.get_opt(LEDGER))
            .await?;
        let Some(found) = found else {
            return Ok(None);
        };
        let revision = found.resource_version().unwrap_or_default();
        let document = found.data.and_then(|mut data| data.remove(ENTRY));
        match Ledger::read(&document.unwrap_or_default()) {
            Ok(ledger) => Ok(Some((ledger, revision))),
            Err(why) => Err(Error::Unavailable {
                action: format!("reading the ConfigMap {LEDGER}"),
                why: format!("{why}; {LEDGER_LOSS_HINT}"),
            }),
        }
    }

    async fn write(&self, ledger: &Ledger, over: Option<&str>) -> Result<(), Error> {
        let map = ConfigMap {
            metadata: ObjectMeta {
                name: Some(LEDGER.into()),
                resource_version: over.map(str::to_owned),
                ..ObjectMeta::default()
            },
            data: Some(BTreeMap::from([(ENTRY.to_owned(), ledger.write())])),
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
                let replaced = self.maps.replace(LEDGER, &params, &map);
                self.server.call(self.action("update"), replaced).await
            }
        };
        written.map(|_| ())
    }
}
