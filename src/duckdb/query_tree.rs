//! Reads a query's parse tree, as DuckDB's `json_serialize_sql` returns it. Pure.

use serde_json::Value;

use super::query::QueryError;

/// Positions from this value on mean that a node of the parse tree has no position.
const NO_LOCATION: usize = u32::MAX as usize;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Statement {
    Select,
    Other,
    Multiple(usize),
    /// There are only comments.
    Empty,
    Invalid(QueryError),
}

/// Classifies a parsed query. DuckDB returns a parse tree for SELECT only.
pub(super) fn classify(tree: &Value) -> Statement {
    let text = |name: &str| tree[name].as_str().unwrap_or_default();
    match (text("error_type"), tree["statements"].as_array()) {
        ("", Some(statements)) if statements.is_empty() => Statement::Empty,
        ("", Some(statements)) if statements.len() == 1 => Statement::Select,
        ("", Some(statements)) => Statement::Multiple(statements.len()),
        ("" | "not implemented", _) => Statement::Other,
        _ => Statement::Invalid(QueryError {
            kind: "Parser".into(),
            message: text("error_message").into(),
            position: text("position").parse().ok(),
            ..QueryError::default()
        }),
    }
}

/// Finds the first position of a name, and its schema if it is a table's. Columns, tables and
/// functions have positions in the tree.
pub(super) fn find_place(tree: &Value, name: &str) -> Option<(usize, Option<String>)> {
    let is_it = |value: &Value| {
        value
            .as_str()
            .is_some_and(|it| it.eq_ignore_ascii_case(name))
    };
    match tree {
        Value::Array(all) => all.iter().find_map(|it| find_place(it, name)),
        Value::Object(fields) => {
            let last = fields
                .get("column_names")
                .and_then(|names| names.as_array()?.last());
            let named = last
                .into_iter()
                .chain(fields.get("table_name"))
                .chain(fields.get("function_name"));
            let place = fields.get("query_location").and_then(Value::as_u64);
            match place.and_then(|place| usize::try_from(place).ok()) {
                Some(place) if place < NO_LOCATION && named.into_iter().any(is_it) => {
                    let schema = fields.get("schema_name").and_then(Value::as_str);
                    let schema = schema.filter(|schema| !schema.is_empty());
                    Some((place, schema.map(str::to_owned)))
                }
                _ => fields.values().find_map(|it| find_place(it, name)),
            }
        }
        _ => None,
    }
}

/// Returns true if a quoted part of `sql` contains a dot, as the name of a schema may.
pub(super) fn has_dotted_name(sql: &str) -> bool {
    let quoted = sql.split('"').skip(1).step_by(2);
    quoted.into_iter().any(|name| name.contains('.'))
}

/// Functions that go through all namespaces.
const LISTING_FUNCTIONS: [&str; 4] = [
    "duckdb_columns",
    "duckdb_schemas",
    "duckdb_tables",
    "duckdb_views",
];

/// Returns true if a query lists tables itself, as `duckdb_tables()` and `SHOW ALL TABLES` do.
pub(super) fn lists_tables(tree: &Value) -> bool {
    match tree {
        Value::Array(all) => all.iter().any(lists_tables),
        Value::Object(fields) => {
            let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
            LISTING_FUNCTIONS.contains(&text("function_name"))
                || text("schema_name") == "information_schema"
                || text("table_name").starts_with("__show_tables")
                || fields.values().any(lists_tables)
        }
        _ => false,
    }
}

/// Returns true if a query lists the tables of the default schema, as `SHOW TABLES` does.
pub(super) fn lists_default_schema(tree: &Value) -> bool {
    match tree {
        Value::Array(all) => all.iter().any(lists_default_schema),
        Value::Object(fields) => {
            let is = |name: &str, value| fields.get(name).is_some_and(|it| it == value);
            is("type", "SHOW_REF") && is("table_name", "\"tables\"")
                || fields.values().any(lists_default_schema)
        }
        _ => false,
    }
}

/// Functions that return a table, read, and change nothing in DuckDB.
const READING_FUNCTIONS: &str = " duckdb_columns duckdb_constraints duckdb_databases duckdb_extensions \
    duckdb_functions duckdb_keywords duckdb_memory duckdb_schemas duckdb_settings duckdb_tables \
    duckdb_types duckdb_variables duckdb_views generate_series glob iceberg_column_stats \
    iceberg_metadata iceberg_partition_stats iceberg_scan iceberg_schema_properties iceberg_snapshots \
    iceberg_table_properties json_each json_tree parquet_file_metadata parquet_full_metadata \
    parquet_kv_metadata parquet_metadata parquet_scan parquet_schema pragma_database_size \
    pragma_show pragma_storage_info pragma_table_info pragma_version range read_blob read_csv \
    read_csv_auto read_json read_json_auto read_json_objects read_json_objects_auto read_ndjson \
    read_ndjson_auto read_ndjson_objects read_parquet read_text repeat repeat_row sniff_csv summary \
    test_all_types unnest ";
/// Function that changes what later queries of the same connection return.
const SEED_FUNCTION: &str = "setseed";

/// Returns true if a SELECT certainly leaves nothing behind in DuckDB, and changes no table. Some
/// functions do: `enable_logging`, for example, or `set_iceberg_table_properties`.
pub(super) fn only_reads(tree: &Value) -> bool {
    match tree {
        Value::Array(all) => all.iter().all(only_reads),
        Value::Object(fields) => {
            let is_function = fields.get("type").is_some_and(|it| it == "TABLE_FUNCTION");
            let name = |tree: Option<&Value>| {
                let name = tree.and_then(|it| it["function_name"].as_str());
                name.unwrap_or_default().to_ascii_lowercase()
            };
            let called = name(fields.get("function"));
            let is_reading = READING_FUNCTIONS.contains(&format!(" {called} "));
            name(Some(tree)) != SEED_FUNCTION
                && (!is_function || is_reading)
                && fields.values().all(only_reads)
        }
        _ => true,
    }
}

/// Names of tables that leave something to a default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ShortNames {
    None,
    /// Names of a schema and a table. The first part may also be a catalog.
    Schema,
    /// Names of a table only, or a list of all of them.
    Table,
}

/// Returns the shortest form of the names of tables.
pub(super) fn short_names(tree: &Value) -> ShortNames {
    let mut queries = Vec::new();
    collect_cte_names(tree, &mut queries);
    shortest_name(tree, &queries)
}

fn shortest_name(tree: &Value, queries: &[&str]) -> ShortNames {
    let shortest = |it| shortest_name(it, queries);
    match tree {
        Value::Array(all) => all.iter().map(shortest).max().unwrap_or(ShortNames::None),
        Value::Object(fields) => {
            let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
            let name = text("table_name");
            let is_table = matches!(text("type"), "BASE_TABLE" | "SHOW_REF");
            let is_file = name.contains("://");
            let own = match (text("catalog_name"), text("schema_name")) {
                _ if !is_table || name.is_empty() || is_file => ShortNames::None,
                ("", "") if queries.contains(&name) => ShortNames::None,
                ("", "") => ShortNames::Table,
                ("", _) => ShortNames::Schema,
                _ => ShortNames::None,
            };
            fields.values().map(shortest).fold(own, ShortNames::max)
        }
        _ => ShortNames::None,
    }
}

/// Collects the names of common table expressions.
fn collect_cte_names<'a>(tree: &'a Value, names: &mut Vec<&'a str>) {
    match tree {
        Value::Array(all) => all.iter().for_each(|it| collect_cte_names(it, names)),
        Value::Object(fields) => {
            let queries = fields.get("cte_map").and_then(|it| it["map"].as_array());
            let keys = queries.into_iter().flatten();
            names.extend(keys.filter_map(|it| it["key"].as_str()));
            fields.values().for_each(|it| collect_cte_names(it, names));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    // Output of DuckDB 1.5.5.
    #[test]
    fn a_query_is_classified_by_its_tree() {
        assert_eq!(
            classify(&json!({"error": false, "statements": [{}]})),
            Statement::Select
        );
        assert_eq!(
            classify(&json!({"error": false, "statements": [{}, {}]})),
            Statement::Multiple(2)
        );
        assert_eq!(
            classify(&json!({"error": false, "statements": []})),
            Statement::Empty
        );
        let no_select = json!({"error": true, "error_type": "not implemented",
            "error_message": "Only SELECT statements can be serialized to json!"});
        assert_eq!(classify(&no_select), Statement::Other);
        assert_eq!(
            classify(&Value::Null),
            Statement::Other,
            "an empty tree is not a SELECT"
        );
        let wrong = json!({"error": true, "error_type": "parser", "position": "12",
            "error_message": "syntax error at or near \"1\""});
        let Statement::Invalid(wrong) = classify(&wrong) else {
            panic!("it is not valid SQL");
        };
        assert_eq!(wrong.position, Some(12));
        assert_eq!(
            wrong.to_string(),
            "Parser Error: syntax error at or near \"1\""
        );
    }

    #[test]
    fn a_query_that_lists_tables_is_known_by_its_tree() {
        let table = json!({"from_table": {"schema_name": "a.b", "table_name": "c"}});
        assert!(!lists_tables(&table));
        let function = json!([{"function": {"function_name": "duckdb_tables"}}]);
        assert!(lists_tables(&function));
        let show = json!({"type": "SHOW_REF", "table_name": "__show_tables_expanded"});
        assert!(lists_tables(&show));
        assert!(has_dotted_name("FROM lake.\"a.b\".c"));
        assert!(!has_dotted_name("FROM lake.\"a b\".c WHERE x = '.'"));
    }

    #[test]
    fn a_select_that_may_leave_something_behind_is_known_by_its_functions() {
        let call = |name: &str| {
            json!({"from_table": {"type": "TABLE_FUNCTION",
                "function": {"class": "FUNCTION", "function_name": name}}})
        };
        assert!(only_reads(&call("range")) && only_reads(&call("Read_Parquet")));
        assert!(!only_reads(&call("enable_logging")));
        assert!(!only_reads(&call("set_iceberg_table_properties")));
        // It may contain anything.
        assert!(!only_reads(&call("query")));
        let seed = json!({"class": "FUNCTION", "function_name": "setseed"});
        assert!(!only_reads(&json!({"select_list": [seed]})));
        let sum = json!({"class": "FUNCTION", "function_name": "sum"});
        assert!(only_reads(&json!({"select_list": [sum]})));
    }

    #[test]
    fn names_without_a_catalog_are_found() {
        let table = |catalog: &str, schema: &str| {
            json!({"type": "BASE_TABLE", "table_name": "t", "schema_name": schema,
                "catalog_name": catalog})
        };
        assert_eq!(short_names(&table("lake", "zoo")), ShortNames::None);
        assert_eq!(short_names(&table("", "zoo")), ShortNames::Schema);
        let both = json!({"left": table("", ""), "right": table("", "zoo")});
        assert_eq!(short_names(&both), ShortNames::Table);
        let query = json!({"cte_map": {"map": [{"key": "t", "value": table("", "zoo")}]},
            "from_table": table("", "")});
        assert_eq!(short_names(&query), ShortNames::Schema);
        let range = json!({"type": "TABLE_FUNCTION", "function": {"schema_name": ""}});
        assert_eq!(short_names(&range), ShortNames::None);
    }

    #[test]
    fn the_first_position_of_a_name_is_found() {
        let tree = json!({"query_location": u64::MAX, "list": [
            {"class": "COLUMN_REF", "column_names": ["d", "Totl"], "query_location": 7},
            {"type": "BASE_TABLE", "schema_name": "zoo", "table_name": "duks", "query_location": 20},
        ]});
        assert_eq!(find_place(&tree, "totl"), Some((7, None)));
        assert_eq!(find_place(&tree, "duks"), Some((20, Some("zoo".into()))));
        assert_eq!(find_place(&tree, "d"), None);
    }
}
