//! The databases, schemas, tables and columns of the session.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    answer::Reply,
    problem::Problem,
    results::{Column, RESULT_SCHEMA},
    state::Console,
};
use crate::door::decode::Table;
use crate::duckdb::names::{identifier, literal};

/// Number of tables in an answer.
const PAGE_TABLES: usize = 200;

#[derive(Serialize)]
struct Database {
    name: String,
    kind: &'static str,
    schemas: Vec<String>,
}

#[derive(Deserialize)]
pub(super) struct TablesInput {
    database: Option<String>,
    schema: Option<String>,
    after: Option<String>,
    search: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct ColumnsInput {
    database: String,
    schema: String,
    table: String,
}

impl Console {
    /// Lists the databases with their schemas.
    pub(super) async fn databases(&self) -> Result<Reply, Problem> {
        let sql = format!(
            "SELECT d.database_name, d.type, s.schema_name \
             FROM duckdb_databases() d LEFT JOIN duckdb_schemas() s \
             ON s.database_name = d.database_name \
             AND s.schema_name NOT IN ('information_schema', 'pg_catalog', {}) \
             WHERE NOT d.internal AND d.database_name NOT LIKE '\\_duckdb\\_%' ESCAPE '\\' \
             ORDER BY ALL ASC NULLS LAST",
            literal(RESULT_SCHEMA)
        );
        let write = |table: &Table<'_>| json!({ "databases": read_databases(table) });
        let reply = self.client.reply(&sql, write).await;
        reply.map_err(Problem::explain_catalog)
    }

    /// Lists tables and views by name, a part at a time.
    pub(super) async fn tables(&self, input: TablesInput) -> Result<Reply, Problem> {
        let mut conditions = vec![format!("schema != {}", literal(RESULT_SCHEMA))];
        for (column, value) in [("database", &input.database), ("schema", &input.schema)] {
            if let Some(value) = value {
                conditions.push(format!("{column} = {}", literal(value)));
            }
        }
        if let Some(after) = &input.after {
            conditions.push(format!("name > {}", literal(after)));
        }
        // No name has a NUL, and SQL can't either.
        let search = input.search.unwrap_or_default().replace('\0', "");
        if !search.is_empty() {
            let text = literal(&search.to_lowercase());
            conditions.push(format!("contains(lower(name), {text})"));
        }
        let sql = format!(
            "SELECT * FROM (\
               SELECT database_name AS database, schema_name AS schema, table_name AS name, 'table' AS kind \
               FROM duckdb_tables() WHERE NOT internal UNION ALL \
               SELECT database_name, schema_name, view_name, 'view' FROM duckdb_views() WHERE NOT internal\
             ) WHERE {} ORDER BY name ASC, database ASC, schema ASC LIMIT {}",
            conditions.join(" AND "),
            PAGE_TABLES + 1,
        );
        let write = |table: &Table<'_>| {
            let rows = 0..table.rows().min(PAGE_TABLES);
            let named = |row| {
                let [database, schema, name, kind] = [0, 1, 2, 3].map(|it| table.value(row, it));
                json!({ "database": database, "schema": schema, "name": name, "kind": kind })
            };
            let tables: Vec<_> = rows.map(named).collect();
            json!({ "tables": tables, "more": table.rows() > PAGE_TABLES })
        };
        let reply = self.client.reply(&sql, write).await;
        reply.map_err(Problem::explain_catalog)
    }

    /// Lists the columns of a table.
    pub(super) async fn columns(&self, input: ColumnsInput) -> Result<Reply, Problem> {
        let name = [&input.database, &input.schema, &input.table].map(|it| identifier(it));
        let sql = format!(
            "SELECT column_name, column_type FROM (DESCRIBE {})",
            name.join(".")
        );
        let write = |table: &Table<'_>| {
            let text = |row, column| table.value(row, column).unwrap_or_default().to_owned();
            let columns = (0..table.rows()).map(|row| Column {
                name: text(row, 0),
                kind: text(row, 1),
            });
            json!({ "columns": columns.collect::<Vec<_>>() })
        };
        self.client.reply(&sql, write).await
    }
}

fn read_databases(table: &Table<'_>) -> Vec<Database> {
    let mut databases: Vec<Database> = Vec::new();
    for row in 0..table.rows() {
        let [name, kind, schema] = [0, 1, 2].map(|column| table.value(row, column));
        let name = name.unwrap_or_default();
        if databases.last().is_none_or(|it| it.name != name) {
            databases.push(Database {
                name: name.to_owned(),
                kind: database_kind(name, kind.unwrap_or_default()),
                schemas: Vec::new(),
            });
        }
        if let (Some(database), Some(schema)) = (databases.last_mut(), schema) {
            database.schemas.push(schema.to_owned());
        }
    }
    databases
}

fn database_kind(name: &str, kind: &str) -> &'static str {
    match (name, kind) {
        ("work", _) => "work",
        ("memory", _) => "memory",
        (_, "iceberg") => "lake",
        _ => "other",
    }
}
