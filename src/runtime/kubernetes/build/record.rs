//! The record as a ConfigMap: named by owner and place, so that creating it is
//! the lock.

use k8s_openapi::api::core::v1::ConfigMap;
use serde::{Deserialize, de::DeserializeOwned};

use super::{map, stamp};
use crate::{
    session::{OwnerId, RECORD_VERSION, Record},
    settings::Settings,
};

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

/// Reads a record back. One that an older bot wrote counts as this bot's from
/// here on, because its next write is.
///
/// # Errors
/// What is wrong with it: no document, not a record, or a newer version.
pub fn read_record(stored: &ConfigMap) -> Result<Record, String> {
    let document = stored.data.as_ref().and_then(|data| data.get(DOCUMENT));
    let document = document.ok_or_else(|| format!("it has no {DOCUMENT}"))?;
    let Versioned { version } = read(document)?;
    if version > RECORD_VERSION {
        return Err(format!(
            "version {version} is newer than this bot's {RECORD_VERSION}"
        ));
    }
    Ok(Record {
        version: RECORD_VERSION,
        ..read(document)?
    })
}

/// What is the same in every version.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

fn read<T: DeserializeOwned>(document: &str) -> Result<T, String> {
    serde_json::from_str(document).map_err(|why| why.to_string())
}
