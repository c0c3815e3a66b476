//! A table as Iceberg's specification has it: the metadata file, format 2.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// What stands in the metadata file. Schemas, specs and orders are the client's business, so
/// they stay as they came.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Table {
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

/// A state of the table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Snapshot {
    pub snapshot_id: i64,
    pub sequence_number: i64,
    /// What is not looked at here.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// A branch or a tag.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Reference {
    pub snapshot_id: i64,
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// The branch that is the table, if nobody says otherwise.
pub const MAIN: &str = "main";

/// As many older metadata files as Iceberg lists by default.
const MAX_METADATA_LOG: usize = 100;

impl Table {
    /// What a commit that makes a table starts from.
    pub fn empty() -> Self {
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
            // Iceberg's partition fields begin at 1000.
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

    /// Notes where the metadata was before.
    pub fn log_metadata_file(&mut self, location: &str) {
        let time = self.last_updated_ms;
        let entry = json!({ "metadata-file": location, "timestamp-ms": time });
        self.metadata_log.push(entry);
        let old = self.metadata_log.len().saturating_sub(MAX_METADATA_LOG);
        self.metadata_log.drain(..old);
    }
}
