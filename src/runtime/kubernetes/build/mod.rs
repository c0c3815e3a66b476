//! Builds the Kubernetes objects of a session from its record. Pure: no client, no clock, no
//! errors.

mod container;
mod door;
mod event;
mod pod;
mod record;
mod resources;
mod route;
mod secrets;
mod service;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

pub use event::{Subject, event};
pub use pod::{CA_ENTRY, CA_MAP, DOOR_KEY, DUCKDB, grace_seconds, pod};
pub use record::{read_record, record};
pub use route::{GATEWAY_GROUP, route, route_resource};
pub use secrets::{REPLY, credentials_secret, own_secret, reply, work_key_patch};
pub use service::service;

use crate::{
    session::{OwnerId, Record, SessionId},
    settings::Settings,
};

/// Label on duckbot's objects, except the ledger. All watches but that of Events select by it.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Value of [`MANAGED_BY`], and duckbot's name as a field manager.
pub const DUCKBOT: &str = "duckbot";
const NAME: &str = "app.kubernetes.io/name";
const DUCKUI: &str = "duckui";
/// Label with the session ID.
pub const SESSION: &str = "duckbot.dev/session";
/// Label with the owner's Discord ID.
pub const OWNER: &str = "duckbot.dev/owner";
/// Label of a query runner's objects, with the value `query-runner`.
const KIND: &str = "duckbot.dev/kind";
const DISPLAY_NAME: &str = "duckbot.dev/display-name";
/// Name of the door's container.
pub const DOOR: &str = "door";
/// Name of the Service's port and of the door's container port.
const HTTP: &str = "http";
const HTTP_PORT: i32 = 80;

/// Prefix of the names of Secrets with credentials.
pub const SECRET_PREFIX: &str = "duckbot-s3-";

/// Name of the Secret with a person's credentials.
pub fn secret_name(owner: OwnerId) -> String {
    format!("{SECRET_PREFIX}{owner}")
}

/// Name of the Secret with a person's past queries.
pub fn history_name(owner: OwnerId) -> String {
    format!("duckbot-history-{owner}")
}

/// Name of the Secret with the texts of a person's schedules.
pub fn schedules_name(owner: OwnerId) -> String {
    format!("duckbot-schedules-{owner}")
}

/// Name of the Secret with a session's own credentials.
pub fn own_secret_name(id: &SessionId) -> String {
    format!("{SECRET_PREFIX}session-{id}")
}

/// Host name of a session's URL.
pub fn host(settings: &Settings, id: &SessionId) -> String {
    format!("{}.{}", id.object_name(), settings.routing.domain)
}

/// Scheme and host of a session's URL.
pub fn origin(settings: &Settings, id: &SessionId) -> String {
    format!("https://{}", host(settings, id))
}

/// Metadata of an object of a session.
fn stamp(
    settings: &Settings,
    session: &Record,
    name: String,
    owner: Option<OwnerReference>,
) -> ObjectMeta {
    let labels = [
        (NAME, DUCKUI.to_owned()),
        (MANAGED_BY, DUCKBOT.to_owned()),
        (SESSION, session.id.to_string()),
        (OWNER, session.owner.to_string()),
    ];
    let annotations = [(DISPLAY_NAME, session.display_name.clone())];
    let mut labels = map(labels);
    if session.is_runner() {
        labels.insert(KIND.to_owned(), "query-runner".to_owned());
    }
    ObjectMeta {
        name: Some(name),
        namespace: Some(settings.kubernetes.namespace.clone()),
        labels: Some(labels),
        annotations: Some(map(annotations)),
        owner_references: owner.map(|owner| vec![owner]),
        ..ObjectMeta::default()
    }
}

/// Adds entries from the settings. Existing entries are kept.
fn add(to: &mut Option<BTreeMap<String, String>>, extra: &BTreeMap<String, String>) {
    let entries = to.get_or_insert_default();
    for (name, value) in extra {
        entries.entry(name.clone()).or_insert_with(|| value.clone());
    }
}

/// Owner reference to the record, so that the object is deleted with it, even if somebody deletes
/// the record by hand.
fn owned_by(session: &Record, uid: &str) -> OwnerReference {
    OwnerReference {
        api_version: "v1".into(),
        kind: "ConfigMap".into(),
        name: session.name(),
        uid: uid.to_owned(),
        controller: Some(true),
        block_owner_deletion: None,
    }
}

fn map<const N: usize>(entries: [(&str, String); N]) -> BTreeMap<String, String> {
    entries
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}
