//! Checks the requirements of a commit and applies its updates to a table. Pure.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    error::{CatalogError, CatalogResult},
    table::{MAIN, Reference, Snapshot, Table},
};

/// Condition of a commit. If the table does not meet it, another commit has changed the table.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all_fields = "kebab-case")]
pub(crate) enum Requirement {
    #[serde(rename = "assert-create")]
    Create,
    #[serde(rename = "assert-table-uuid")]
    TableUuid { uuid: String },
    #[serde(rename = "assert-ref-snapshot-id")]
    RefSnapshotId {
        r#ref: String,
        snapshot_id: Option<i64>,
    },
    #[serde(rename = "assert-last-assigned-field-id")]
    LastAssignedFieldId { last_assigned_field_id: i64 },
    #[serde(rename = "assert-current-schema-id")]
    CurrentSchemaId { current_schema_id: i64 },
    #[serde(rename = "assert-last-assigned-partition-id")]
    LastAssignedPartitionId { last_assigned_partition_id: i64 },
    #[serde(rename = "assert-default-spec-id")]
    DefaultSpecId { default_spec_id: i64 },
    #[serde(rename = "assert-default-sort-order-id")]
    DefaultSortOrderId { default_sort_order_id: i64 },
}

/// Change to a table. Only those updates of Iceberg's REST specification are supported that DuckDB
/// and pyiceberg send when they create and fill tables.
#[derive(Debug, Deserialize)]
#[serde(
    tag = "action",
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case"
)]
pub(crate) enum Update {
    AssignUuid {
        uuid: String,
    },
    UpgradeFormatVersion {
        format_version: u8,
    },
    AddSchema {
        schema: Map<String, Value>,
    },
    SetCurrentSchema {
        schema_id: i64,
    },
    AddSpec {
        spec: Map<String, Value>,
    },
    SetDefaultSpec {
        spec_id: i64,
    },
    AddSortOrder {
        sort_order: Map<String, Value>,
    },
    SetDefaultSortOrder {
        sort_order_id: i64,
    },
    AddSnapshot {
        snapshot: Snapshot,
    },
    SetSnapshotRef {
        ref_name: String,
        #[serde(flatten)]
        reference: Reference,
    },
    SetLocation {
        location: String,
    },
    SetProperties {
        updates: BTreeMap<String, String>,
    },
    RemoveProperties {
        removals: Vec<String>,
    },
}

impl Requirement {
    /// Returns true if the table must not exist yet.
    pub(crate) fn is_create(&self) -> bool {
        matches!(self, Self::Create)
    }
}

/// Checks all requirements against `table`, which is `None` if it does not exist.
///
/// # Errors
/// Returns a conflict that names the first requirement that is not met.
pub(super) fn check(requirements: &[Requirement], table: Option<&Table>) -> CatalogResult<()> {
    let failed = requirements.iter().find(|one| !is_met(one, table));
    match failed {
        None => Ok(()),
        Some(failed) => Err(CatalogError::conflict(format!(
            "Another commit came first: the requirement {failed:?} is not met. Load the table \
             again, then retry"
        ))),
    }
}

fn is_met(requirement: &Requirement, table: Option<&Table>) -> bool {
    use Requirement as R;
    let Some(table) = table else {
        return requirement.is_create();
    };
    match requirement {
        R::Create => false,
        R::TableUuid { uuid } => table.table_uuid.eq_ignore_ascii_case(uuid),
        R::RefSnapshotId { r#ref, snapshot_id } => {
            table.refs.get(r#ref).map(|found| found.snapshot_id) == *snapshot_id
        }
        R::LastAssignedFieldId {
            last_assigned_field_id: id,
        } => table.last_column_id == *id,
        R::CurrentSchemaId {
            current_schema_id: id,
        } => table.current_schema_id == *id,
        R::LastAssignedPartitionId {
            last_assigned_partition_id: id,
        } => table.last_partition_id == *id,
        R::DefaultSpecId {
            default_spec_id: id,
        } => table.default_spec_id == *id,
        R::DefaultSortOrderId {
            default_sort_order_id: id,
        } => table.default_sort_order_id == *id,
    }
}

/// Applies `updates` to `table` at the time `now`, in milliseconds since 1970.
///
/// # Errors
/// Returns a bad request if an update is invalid, or a new table lacks a required field.
pub(super) fn apply(mut table: Table, updates: Vec<Update>, now: i64) -> CatalogResult<Table> {
    let mut added = AddedIds::default();
    for update in updates {
        apply_update(&mut table, &mut added, update, now)?;
    }
    // Timestamps must not decrease, even if the clock is set back.
    table.last_updated_ms = now.max(table.last_updated_ms);
    check_complete(&table)?;
    Ok(table)
}

/// Last ID of each kind that this commit added. Later updates refer to it as -1.
#[derive(Default)]
struct AddedIds {
    schema: Option<i64>,
    spec: Option<i64>,
    order: Option<i64>,
}

fn apply_update(
    table: &mut Table,
    added: &mut AddedIds,
    update: Update,
    now: i64,
) -> CatalogResult<()> {
    match update {
        Update::AssignUuid { uuid } => set_uuid(&mut table.table_uuid, uuid)?,
        Update::UpgradeFormatVersion { format_version: 2 } => {}
        Update::UpgradeFormatVersion { format_version } => {
            return Err(CatalogError::bad_request(format!(
                "Only tables of format version 2 are supported, not {format_version}"
            )));
        }
        Update::AddSchema { schema } => {
            table.last_column_id = highest_id(&schema)?.max(table.last_column_id);
            added.schema = Some(add(&mut table.schemas, "schema-id", 0, schema));
        }
        Update::SetCurrentSchema { schema_id } => {
            table.current_schema_id =
                resolve_id(&table.schemas, "schema-id", schema_id, added.schema)?;
        }
        Update::AddSpec { mut spec } => {
            table.last_partition_id = assign_field_ids(&mut spec, table.last_partition_id)?;
            added.spec = Some(add(&mut table.partition_specs, "spec-id", 0, spec));
        }
        Update::SetDefaultSpec { spec_id } => {
            table.default_spec_id =
                resolve_id(&table.partition_specs, "spec-id", spec_id, added.spec)?;
        }
        Update::AddSortOrder { sort_order } => {
            // ID 0 means "not sorted".
            let first = i64::from(!fields(&sort_order)?.is_empty());
            added.order = Some(add(&mut table.sort_orders, "order-id", first, sort_order));
        }
        Update::SetDefaultSortOrder { sort_order_id } => {
            let orders = &table.sort_orders;
            table.default_sort_order_id =
                resolve_id(orders, "order-id", sort_order_id, added.order)?;
        }
        Update::AddSnapshot { snapshot } => add_snapshot(table, snapshot)?,
        Update::SetSnapshotRef {
            ref_name,
            reference,
        } => set_reference(table, ref_name, reference, now)?,
        Update::SetLocation { location } => table.location = location,
        Update::SetProperties { updates } => table.properties.extend(updates),
        Update::RemoveProperties { removals } => {
            table.properties.retain(|key, _| !removals.contains(key));
        }
    }
    Ok(())
}

fn set_uuid(current: &mut String, uuid: String) -> CatalogResult<()> {
    if !current.is_empty() && !current.eq_ignore_ascii_case(&uuid) {
        return Err(CatalogError::bad_request("A table's UUID can't be changed"));
    }
    *current = uuid;
    Ok(())
}

/// Adds `new` to `known` with the next ID, unless `known` has an equal entry. The lowest ID is
/// `first`. Returns the ID of the entry.
fn add(
    known: &mut Vec<Map<String, Value>>,
    key: &str,
    first: i64,
    mut new: Map<String, Value>,
) -> i64 {
    let id = |one: &Map<String, Value>| one.get(key).and_then(Value::as_i64);
    let next = known.iter().filter_map(id).max();
    let next = next.map_or(first, |id| first.max(id.saturating_add(1)));
    new.insert(key.into(), json!(next));
    for one in known.iter() {
        let mut like_it = new.clone();
        like_it.insert(key.into(), json!(id(one)));
        if *one == like_it {
            return id(one).unwrap_or(next);
        }
    }
    known.push(new);
    next
}

/// Resolves -1 to the entry added last, and checks that the entry exists.
fn resolve_id(
    known: &[Map<String, Value>],
    key: &str,
    wanted: i64,
    added: Option<i64>,
) -> CatalogResult<i64> {
    let wanted = added.filter(|_| wanted == -1).unwrap_or(wanted);
    let found = known
        .iter()
        .any(|one| one.get(key).and_then(Value::as_i64) == Some(wanted));
    if found {
        Ok(wanted)
    } else {
        Err(CatalogError::bad_request(format!(
            "The table has no {key} {wanted}"
        )))
    }
}

fn fields(of: &Map<String, Value>) -> CatalogResult<&Vec<Value>> {
    let fields = of.get("fields").and_then(Value::as_array);
    fields.ok_or_else(|| CatalogError::bad_request("`fields` is missing or not a list"))
}

/// Highest column ID in a schema, at any depth.
fn highest_id(schema: &Map<String, Value>) -> CatalogResult<i64> {
    fn highest(value: &Value) -> i64 {
        match value {
            Value::Object(object) => object
                .iter()
                .map(|(key, value)| match key.as_str() {
                    "id" | "element-id" | "key-id" | "value-id" => value.as_i64().unwrap_or(0),
                    _ => highest(value),
                })
                .max()
                .unwrap_or(0),
            Value::Array(values) => values.iter().map(highest).max().unwrap_or(0),
            _ => 0,
        }
    }
    Ok(fields(schema)?.iter().map(highest).max().unwrap_or(0))
}

/// Assigns IDs to partition fields that have none. Returns the highest ID.
fn assign_field_ids(spec: &mut Map<String, Value>, last: i64) -> CatalogResult<i64> {
    let fields = spec.get_mut("fields").and_then(Value::as_array_mut);
    let fields =
        fields.ok_or_else(|| CatalogError::bad_request("`fields` is missing or not a list"))?;
    let given = |field: &Value| field.get("field-id").and_then(Value::as_i64);
    let mut last = fields.iter().filter_map(given).fold(last, i64::max);
    for field in fields {
        let field = field.as_object_mut();
        let field =
            field.ok_or_else(|| CatalogError::bad_request("A partition field is not an object"))?;
        if !field.contains_key("field-id") {
            last = last.saturating_add(1);
            field.insert("field-id".into(), json!(last));
        }
    }
    Ok(last)
}

fn add_snapshot(table: &mut Table, snapshot: Snapshot) -> CatalogResult<()> {
    let Snapshot {
        snapshot_id,
        sequence_number,
        ..
    } = snapshot;
    if find(table, snapshot_id).is_some() {
        let message = format!("The table already has a snapshot {snapshot_id}");
        return Err(CatalogError::bad_request(message));
    }
    if sequence_number <= table.last_sequence_number {
        let last = table.last_sequence_number;
        let message = format!("The sequence number {sequence_number} is not greater than {last}");
        return Err(CatalogError::bad_request(message));
    }
    table.last_sequence_number = sequence_number;
    table.snapshots.push(snapshot);
    Ok(())
}

fn set_reference(table: &mut Table, name: String, to: Reference, now: i64) -> CatalogResult<()> {
    let id = to.snapshot_id;
    if find(table, id).is_none() {
        return Err(CatalogError::bad_request(format!(
            "The table has no snapshot {id}"
        )));
    }
    if name == MAIN && table.current_snapshot_id != Some(id) {
        table.current_snapshot_id = Some(id);
        let entry = json!({ "snapshot-id": id, "timestamp-ms": now.max(table.last_updated_ms) });
        table.snapshot_log.push(entry);
    }
    table.refs.insert(name, to);
    Ok(())
}

fn find(table: &Table, snapshot: i64) -> Option<&Snapshot> {
    let mut snapshots = table.snapshots.iter();
    snapshots.find(|known| known.snapshot_id == snapshot)
}

/// Checks that a table has all fields that its first commit must set.
fn check_complete(table: &Table) -> CatalogResult<()> {
    let missing = [
        ("UUID", table.table_uuid.is_empty()),
        ("location", table.location.is_empty()),
        ("schema", table.current_schema_id < 0),
        ("partition spec", table.default_spec_id < 0),
        ("sort order", table.default_sort_order_id < 0),
    ];
    match missing.into_iter().find(|(_, missing)| *missing) {
        None => Ok(()),
        Some((what, _)) => Err(CatalogError::bad_request(format!(
            "The commit does not set the table's {what}"
        ))),
    }
}

#[cfg(test)]
mod tests;
