use serde::de::DeserializeOwned;

use super::*;

const NOW: i64 = 1_700_000_000_000;

fn from<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn schema(columns: Value) -> Value {
    json!({ "type": "struct", "fields": columns })
}

fn columns() -> Value {
    json!([
        { "id": 1, "name": "id", "type": "long", "required": false },
        { "id": 2, "name": "tags", "required": false, "type": {
            "type": "list", "element-id": 7, "element": "string", "element-required": false,
        } },
    ])
}

/// Table after the updates that DuckDB sends to create one.
fn made() -> Table {
    let updates = from(json!([
        { "action": "assign-uuid", "uuid": "u-1" },
        { "action": "upgrade-format-version", "format-version": 2 },
        { "action": "add-schema", "last-column-id": 2, "schema": schema(columns()) },
        { "action": "set-current-schema", "schema-id": 0 },
        { "action": "add-spec", "spec": { "spec-id": 0, "fields": [] } },
        { "action": "set-default-spec", "spec-id": 0 },
        { "action": "add-sort-order", "sort-order": { "order-id": 0, "fields": [] } },
        { "action": "set-default-sort-order", "sort-order-id": 0 },
        { "action": "set-location", "location": "s3://lake/pond/ducks" },
    ]));
    apply(Table::empty(), updates, NOW).unwrap()
}

fn after(table: Table, updates: Value) -> CatalogResult<Table> {
    apply(table, from(updates), NOW + 1)
}

fn snapshot(id: i64, number: i64) -> Value {
    json!({ "action": "add-snapshot", "snapshot": {
        "snapshot-id": id, "sequence-number": number, "timestamp-ms": NOW,
        "manifest-list": "s3://lake/pond/ducks/metadata/snap.avro",
        "summary": { "operation": "append" }, "schema-id": 0,
    } })
}

fn to_main(id: i64) -> Value {
    json!({
        "action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": id,
    })
}

fn filled() -> Table {
    after(made(), json!([snapshot(5, 1), to_main(5)])).unwrap()
}

fn message<T: std::fmt::Debug>(result: CatalogResult<T>) -> String {
    let error = result.unwrap_err();
    assert_eq!(error.kind, "BadRequestException");
    error.message
}

#[test]
fn a_table_is_made_by_a_commit() {
    let table = made();
    assert_eq!(table.table_uuid, "u-1");
    assert_eq!(table.last_column_id, 7, "ID of the list's element");
    assert_eq!(table.last_partition_id, 999);
    assert_eq!(table.current_schema_id, 0);
    assert_eq!(table.last_updated_ms, NOW);
    assert_eq!(table.current_snapshot_id, None);
}

#[test]
fn a_table_is_the_same_after_it_was_written() {
    let table = filled();
    let text = serde_json::to_string(&table).unwrap();
    assert_eq!(serde_json::from_str::<Table>(&text).unwrap(), table);
}

#[test]
fn an_incomplete_table_is_refused() {
    let nothing = apply(Table::empty(), Vec::new(), NOW);
    assert_eq!(message(nothing), "The commit does not set the table's UUID");
}

#[test]
fn a_snapshot_becomes_the_table() {
    let table = filled();
    assert_eq!(table.current_snapshot_id, Some(5));
    assert_eq!(table.last_sequence_number, 1);
    let log = json!([{ "snapshot-id": 5, "timestamp-ms": NOW + 1 }]);
    assert_eq!(json!(table.snapshot_log), log);
    let main = json!({ "snapshot-id": 5, "type": "branch" });
    assert_eq!(json!(table.refs[MAIN]), main);
    let kept = &json!(table.snapshots[0]);
    assert_eq!(*kept, snapshot(5, 1)["snapshot"]);
}

#[test]
fn main_points_to_the_last_of_two_snapshots() {
    let both = json!([snapshot(6, 2), snapshot(7, 3), to_main(7)]);
    let table = after(filled(), both).unwrap();
    assert_eq!(table.snapshots.len(), 3);
    assert_eq!(table.snapshot_log.len(), 2);
    assert_eq!(table.current_snapshot_id, Some(7));
}

#[test]
fn a_snapshot_comes_once_and_in_order() {
    let again = after(filled(), json!([snapshot(5, 2)]));
    assert_eq!(message(again), "The table already has a snapshot 5");
    let late = after(filled(), json!([snapshot(6, 1)]));
    assert_eq!(message(late), "The sequence number 1 is not greater than 1");
    let unknown = after(filled(), json!([to_main(9)]));
    assert_eq!(message(unknown), "The table has no snapshot 9");
}

#[test]
fn a_schema_gets_the_next_id_unless_it_is_known() {
    let mut more = columns();
    let third = json!({ "id": 8, "name": "third", "type": "int", "required": false });
    more.as_array_mut().unwrap().push(third);
    let current = json!({ "action": "set-current-schema", "schema-id": -1 });
    let add = |columns| json!({ "action": "add-schema", "schema": schema(columns) });

    let table = after(made(), json!([add(more), current])).unwrap();
    assert_eq!(table.current_schema_id, 1);
    assert_eq!(table.last_column_id, 8);
    let table = after(table, json!([add(columns()), current])).unwrap();
    assert_eq!(table.current_schema_id, 0);
    assert_eq!(table.last_column_id, 8, "no ID is reused");
    assert_eq!(table.schemas.len(), 2);
}

#[test]
fn only_an_existing_schema_or_spec_can_be_selected() {
    let schema = json!([{ "action": "set-current-schema", "schema-id": 4 }]);
    let schema = after(made(), schema);
    assert_eq!(message(schema), "The table has no schema-id 4");
    let spec = json!([{ "action": "set-default-spec", "spec-id": -1 }]);
    let spec = after(made(), spec);
    assert_eq!(message(spec), "The table has no spec-id -1");
}

#[test]
fn partition_fields_get_ids() {
    let field = json!({ "source-id": 1, "name": "part", "transform": "bucket[4]" });
    let add = json!([
        { "action": "add-spec", "spec": { "fields": [field] } },
        { "action": "set-default-spec", "spec-id": -1 },
    ]);
    let table = after(made(), add).unwrap();
    assert_eq!(table.default_spec_id, 1);
    assert_eq!(table.last_partition_id, 1000);
    assert_eq!(table.partition_specs[1]["fields"][0]["field-id"], 1000);
}

#[test]
fn order_id_0_is_reserved_for_unsorted_tables() {
    let field = json!({ "source-id": 1, "transform": "identity", "direction": "asc", "null-order": "nulls-first" });
    let sorted = from(json!([
        { "action": "add-sort-order", "sort-order": { "fields": [field] } },
        { "action": "set-default-sort-order", "sort-order-id": -1 },
    ]));
    let mut table = made();
    table.sort_orders.clear();
    assert_eq!(apply(table, sorted, NOW).unwrap().default_sort_order_id, 1);
}

#[test]
fn properties_are_set_and_removed() {
    let table = after(
        made(),
        json!([
            { "action": "set-properties", "updates": { "a": "1", "b": "2" } },
            { "action": "remove-properties", "removals": ["a", "c"] },
        ]),
    );
    assert_eq!(json!(table.unwrap().properties), json!({ "b": "2" }));
}

#[test]
fn the_uuid_and_the_format_can_not_be_changed() {
    let other = after(made(), json!([{ "action": "assign-uuid", "uuid": "u-2" }]));
    assert_eq!(message(other), "A table's UUID can't be changed");
    let format = json!([{ "action": "upgrade-format-version", "format-version": 3 }]);
    let format = after(made(), format);
    assert_eq!(
        message(format),
        "Only tables of format version 2 are supported, not 3"
    );
}

#[test]
fn malformed_updates_are_refused() {
    let schema = json!([{ "action": "add-schema", "schema": { "fields": 4 } }]);
    assert_eq!(
        message(after(made(), schema)),
        "`fields` is missing or not a list"
    );
    let spec = json!([{ "action": "add-spec", "spec": { "fields": [4] } }]);
    let spec = after(made(), spec);
    assert_eq!(message(spec), "A partition field is not an object");
    let unknown = json!({ "action": "paint-it-black" });
    assert!(serde_json::from_value::<Update>(unknown).is_err());
}

#[test]
fn ids_do_not_overflow() {
    let mut table = made();
    let highest = table.schemas[0].insert("schema-id".into(), json!(i64::MAX));
    assert!(highest.is_some());
    let add = json!([{ "action": "add-schema", "schema": schema(json!([])) }]);
    assert!(after(table, add).is_ok());
}

#[test]
fn requirements_are_compared_with_the_table() {
    let table = filled();
    let holds = |requirement: &Value| check(&[from(requirement.clone())], Some(&table)).is_ok();
    for (requirement, key, right, wrong) in [
        ("table-uuid", "uuid", json!("U-1"), json!("u-2")),
        (
            "last-assigned-field-id",
            "last-assigned-field-id",
            json!(7),
            json!(8),
        ),
        ("current-schema-id", "current-schema-id", json!(0), json!(1)),
        (
            "last-assigned-partition-id",
            "last-assigned-partition-id",
            json!(999),
            json!(1000),
        ),
        ("default-spec-id", "default-spec-id", json!(0), json!(1)),
        (
            "default-sort-order-id",
            "default-sort-order-id",
            json!(0),
            json!(1),
        ),
    ] {
        let kind = format!("assert-{requirement}");
        assert!(holds(&json!({ "type": kind, key: right })), "{requirement}");
        assert!(
            !holds(&json!({ "type": kind, key: wrong })),
            "{requirement}"
        );
    }
}

#[test]
fn a_required_reference_can_be_none() {
    let main = |id: Value| -> [Requirement; 1] {
        [from(
            json!({ "type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": id }),
        )]
    };
    assert!(check(&main(json!(5)), Some(&filled())).is_ok());
    assert!(check(&main(json!(6)), Some(&filled())).is_err());
    assert!(check(&main(json!(null)), Some(&filled())).is_err());
    assert!(check(&main(json!(null)), Some(&made())).is_ok());
}

#[test]
fn assert_create_requires_that_the_table_does_not_exist() {
    let create = [from(json!({ "type": "assert-create" }))];
    assert!(check(&create, None).is_ok());
    let conflict = check(&create, Some(&made())).unwrap_err();
    assert_eq!(conflict.kind, "CommitFailedException");
    assert_eq!(conflict.status.as_u16(), 409);
}
