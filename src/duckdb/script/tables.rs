//! The SQL that lists and tries the tables of an attached catalog. Pure.

use super::ScriptStep;
use crate::duckdb::names::{TableName, literal};

/// Statement after which an unknown name makes DuckDB list no namespaces to suggest another one.
pub const NO_SUGGESTIONS: &str = "SET GLOBAL catalog_error_max_schemas = 0;";
/// Error of [`read_row`] for a table without rows.
pub const NO_ROW: &str = "duckbot found no row";

/// Returns the statement that makes DuckDB list the namespaces.
pub fn list_namespaces(catalog: &str) -> String {
    let catalog = literal(catalog);
    format!("SELECT count(*) FROM duckdb_schemas() WHERE database_name = {catalog};")
}

/// Returns the step after which DuckDB does not list the namespaces of a catalog on its own.
pub fn no_suggestions(catalog: &str) -> ScriptStep {
    ScriptStep::new(
        format!("Listing the tables of {catalog}"),
        vec![NO_SUGGESTIONS.to_owned()],
    )
}

/// Returns the query for the schema and the name of each table.
pub fn all_tables(catalog: &str) -> String {
    let catalog = literal(catalog);
    format!(
        "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = {catalog} \
         ORDER BY ALL"
    )
}

/// Returns the step that lists all tables.
pub fn list_tables(catalog: &str) -> ScriptStep {
    ScriptStep::new(
        format!("Listing the tables of {catalog}"),
        vec![format!("{};", all_tables(catalog))],
    )
}

/// Returns the step that failed if the catalog's answer about a table can't be used.
pub fn load_table(catalog: &str, table: &TableName) -> ScriptStep {
    let what = format!("Loading a table of {catalog} from the catalog");
    ScriptStep::new(what, vec![first_row(catalog, table)])
}

/// Returns the step that failed if the files of a table can't be read.
pub fn read_table(catalog: &str, table: &TableName, is_vended: bool) -> ScriptStep {
    let credentials = if is_vended {
        "the credentials that the catalog hands out"
    } else {
        "your S3 credentials"
    };
    let what = format!("Reading a table of {catalog} with {credentials}");
    ScriptStep::new(what, vec![first_row(catalog, table)])
}

fn first_row(catalog: &str, table: &TableName) -> String {
    format!("FROM {} LIMIT 1;", table.in_catalog(catalog))
}

/// Returns the statement that asks the catalog about a table. It does not contact the storage, as
/// `DESCRIBE` does. DuckDB 1.5 can't parse a quote within a name here.
pub fn describe(catalog: &str, table: &TableName) -> String {
    let name = literal(&table.in_catalog(catalog));
    format!("SELECT count(*) FROM pragma_table_info({name});")
}

/// Returns the statement that reads one row of a table, and fails with [`NO_ROW`] if it has none.
pub fn read_row(catalog: &str, table: &TableName) -> String {
    format!(
        "SELECT CASE WHEN count(*) = 0 THEN error('{NO_ROW}') END FROM (FROM {} LIMIT 1);",
        table.in_catalog(catalog)
    )
}
