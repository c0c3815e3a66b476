//! The record as a ConfigMap. Its name consists of owner and workspace, so creating it is the lock.

use k8s_openapi::api::core::v1::ConfigMap;

use super::{map, stamp};
use crate::{session::Record, settings::Settings};

const DOCUMENT: &str = "record.json";

/// Builds the ConfigMap of a record. `revision` is the revision that it replaces, or None for a new
/// record.
pub fn record(settings: &Settings, session: &Record, revision: Option<&str>) -> ConfigMap {
    let mut metadata = stamp(settings, session, session.name(), None);
    metadata.resource_version = revision.map(str::to_owned);
    let document = serde_json::to_string(session).expect("a record serializes to JSON");
    ConfigMap {
        metadata,
        data: Some(map([(DOCUMENT, document)])),
        ..ConfigMap::default()
    }
}

/// Reads the record from its ConfigMap.
///
/// # Errors
/// If the ConfigMap has no record, or [`Record::read`] fails.
pub fn read_record(stored: &ConfigMap) -> Result<Record, String> {
    let document = stored.data.as_ref().and_then(|data| data.get(DOCUMENT));
    Record::read(document.ok_or_else(|| format!("the ConfigMap has no {DOCUMENT}"))?)
}
