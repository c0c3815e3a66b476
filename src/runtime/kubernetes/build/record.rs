//! The record as a ConfigMap: named by owner and place, so that creating it is
//! the lock.

use super::{map, stamp};
use crate::{
    session::{OwnerId, Record},
    settings::Settings,
};
use k8s_openapi::api::core::v1::ConfigMap;

const DOCUMENT: &str = "record.json";

/// The name of the record in one of an owner's places.
pub fn record_name(owner: OwnerId, slot: u8) -> String {
    format!("duckui-{owner}-{slot}")
}

/// The ConfigMap that holds a record. `revision` is the one that it replaces;
/// none when it is new.
pub fn record(settings: &Settings, session: &Record, revision: Option<&str>) -> ConfigMap {
    let name = record_name(session.owner, session.slot);
    let mut metadata = stamp(settings, session, name, None);
    metadata.resource_version = revision.map(str::to_owned);
    let document = serde_json::to_string(session).expect("a record has no map with odd keys");
    ConfigMap {
        metadata,
        data: Some(map([(DOCUMENT, document)])),
        ..ConfigMap::default()
    }
}

/// Reads a record back.
///
/// # Errors
/// What is wrong with it: no document, or [`Record::read`]'s.
pub fn read_record(stored: &ConfigMap) -> Result<Record, String> {
    let document = stored.data.as_ref().and_then(|data| data.get(DOCUMENT));
    Record::read(document.ok_or_else(|| format!("it has no {DOCUMENT}"))?)
}
