//! The ConfigMap with the CA certificates that sessions trust.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, ResourceExt,
    api::{ObjectMeta, PostParams},
};

use super::{
    build::{CA_ENTRY, CA_MAP},
    request::{ApiAction, ApiServer},
};
use crate::{error::Error, outbound::CertificateAuthorities};

/// Writes all certificates that the bot trusts to the ConfigMap, unless they are there. Sessions mount
/// it, so this comes before the first one starts. It has none of duckbot's labels, because those mark
/// objects of sessions.
pub(super) async fn publish(
    server: &ApiServer,
    namespace: &str,
    authorities: &CertificateAuthorities,
) -> Result<(), Error> {
    let maps: Api<ConfigMap> = Api::namespaced(server.client(), namespace);
    let action = |verb| ApiAction::new(verb, "configmaps", namespace);
    let data = BTreeMap::from([(CA_ENTRY.to_owned(), authorities.bundle())]);
    let found = server.call(action("get"), maps.get_opt(CA_MAP)).await?;
    if found.as_ref().and_then(|map| map.data.as_ref()) == Some(&data) {
        return Ok(());
    }
    let map = ConfigMap {
        metadata: ObjectMeta {
            name: Some(CA_MAP.into()),
            resource_version: found.as_ref().and_then(ResourceExt::resource_version),
            ..ObjectMeta::default()
        },
        data: Some(data),
        ..ConfigMap::default()
    };
    let params = PostParams::default();
    let written = if found.is_some() {
        let replaced = maps.replace(CA_MAP, &params, &map);
        server.call(action("update"), replaced).await
    } else {
        let created = maps.create(&params, &map);
        server.call(action("create"), created).await
    };
    match written {
        // Another bot wrote it first.
        Ok(_) | Err(Error::Exists { .. } | Error::Conflict { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}
