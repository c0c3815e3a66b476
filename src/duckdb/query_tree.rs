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
    Invalid(QueryError),
}

/// Classifies a parsed query. DuckDB returns a parse tree for SELECT only.
pub(super) fn classify(tree: &Value) -> Statement {
    let text = |name: &str| tree[name].as_str().unwrap_or_default();
    match (text("error_type"), tree["statements"].as_array()) {
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
