//! From a record to the objects that stand for it. Pure and total: no client,
//! no clock, no way to fail.

mod pod;
mod record;
mod route;
mod secrets;
mod service;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

pub use pod::{DOOR, DOOR_KEY, DUCKDB, pod};
pub use record::{read_record, record, record_name};
pub use route::{route, route_resource};
pub use secrets::{REPLY, own_secret, reply};
pub use service::service;

use crate::{
    session::{OwnerId, Record, SessionId},
    settings::Settings,
};

/// Marks what is ours; every watch selects by it.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// The value of [`MANAGED_BY`], and our name as a field manager.
pub const DUCKBOT: &str = "duckbot";
const NAME: &str = "app.kubernetes.io/name";
const DUCKUI: &str = "duckui";
/// Label with the session's id.
pub const SESSION: &str = "duckbot.dev/session";
/// Label with the owner's Discord id.
pub const OWNER: &str = "duckbot.dev/owner";
const DISPLAY_NAME: &str = "duckbot.dev/display-name";
/// The port of the Service, and the name of the container port behind it.
const HTTP: &str = "http";
const HTTP_PORT: i32 = 80;

/// What the names of Secrets with credentials begin with.
pub const SECRET_PREFIX: &str = "duckbot-s3-";

/// The name of the Secret with a person's credentials.
pub fn secret_name(owner: OwnerId) -> String {
    format!("{SECRET_PREFIX}{owner}")
}

/// The name of the Secret with a session's own credentials.
pub fn own_secret_name(id: &SessionId) -> String {
    format!("{SECRET_PREFIX}session-{id}")
}

/// The host name of a session.
pub fn host(settings: &Settings, id: &SessionId) -> String {
    format!("{}.{}", id.object_name(), settings.routing.domain)
}

/// Scheme and host of a session's URL.
pub fn origin(settings: &Settings, id: &SessionId) -> String {
    format!("https://{}", host(settings, id))
}

/// The metadata that every object of a session carries.
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
    ObjectMeta {
        name: Some(name),
        namespace: Some(settings.kubernetes.namespace.clone()),
        labels: Some(map(labels)),
        annotations: Some(map(annotations)),
        owner_references: owner.map(|owner| vec![owner]),
        ..ObjectMeta::default()
    }
}

/// Adds what the settings say, but nothing in place of what is there.
fn add(to: &mut Option<BTreeMap<String, String>>, extra: &BTreeMap<String, String>) {
    let entries = to.get_or_insert_default();
    for (name, value) in extra {
        entries.entry(name.clone()).or_insert_with(|| value.clone());
    }
}

/// Makes an object go when its record goes, whoever removes that.
fn owned_by(session: &Record, uid: &str) -> OwnerReference {
    OwnerReference {
        api_version: "v1".into(),
        kind: "ConfigMap".into(),
        name: record_name(session.owner, session.slot),
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
