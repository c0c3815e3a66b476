//! Table metadata in format version 2 of Iceberg's specification.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Content of a metadata file. Schemas, specs and sort orders are stored as the client sent them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Table {
    pub format_version: u8,
    pub table_uuid: String,
    pub location: String,
    pub last_sequence_number: i64,
    pub last_updated_ms: i64,
    pub last_column_id: i64,
    pub current_schema_id: i64,
    pub schemas: Vec<Map<String, Value>>,
    pub default_spec_id: i64,
    pub partition_specs: Vec<Map<String, Value>>,
    pub last_partition_id: i64,
    pub default_sort_order_id: i64,
    pub sort_orders: Vec<Map<String, Value>>,
    pub properties: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current_snapshot_id: Option<i64>,
    pub refs: BTreeMap<String, Reference>,
    pub snapshots: Vec<Snapshot>,
    pub snapshot_log: Vec<Value>,
    pub metadata_log: Vec<Value>,
}

/// State of a table after a commit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Snapshot {
    pub snapshot_id: i64,
    pub sequence_number: i64,
    /// Fields that the catalog does not read.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// A branch or a tag.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Reference {
    pub snapshot_id: i64,
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// Branch that readers use by default.
pub(super) const MAIN: &str = "main";

/// Maximum number of older metadata files in the log; Iceberg's default.
const MAX_METADATA_LOG: usize = 100;

impl Table {
    /// Table without content, to which the commit that creates a table is applied.
    pub(crate) fn empty() -> Self {
        Self {
            format_version: 2,
            table_uuid: String::new(),
            location: String::new(),
            last_sequence_number: 0,
            last_updated_ms: 0,
            last_column_id: 0,
            current_schema_id: -1,
            schemas: Vec::new(),
            default_spec_id: -1,
            partition_specs: Vec::new(),
            // Iceberg's partition field IDs start at 1000.
            last_partition_id: 999,
            default_sort_order_id: -1,
            sort_orders: Vec::new(),
            properties: BTreeMap::new(),
            current_snapshot_id: None,
            refs: BTreeMap::new(),
            snapshots: Vec::new(),
            snapshot_log: Vec::new(),
            metadata_log: Vec::new(),
        }
    }

    /// Adds the previous metadata file to the log.
    pub(crate) fn log_metadata_file(&mut self, location: &str) {
        let time = self.last_updated_ms;
        let entry = json!({ "metadata-file": location, "timestamp-ms": time });
        self.metadata_log.push(entry);
        let old = self.metadata_log.len().saturating_sub(MAX_METADATA_LOG);
        self.metadata_log.drain(..old);
    }
}
