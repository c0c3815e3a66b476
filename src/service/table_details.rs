//! The use cases of one table: its size, some rows, comments and statistics.

use std::time::Duration;

use tokio::time::timeout;

use super::{QueryRejection, ReplyRoom, Service, ServiceError, tables::parse_table};
use crate::{
    runtime::{Rows, TableName, literal},
    session::Observed,
};

/// Maximum time for each detail of a table. A count can read many files, and DuckDB may never end to
/// list the namespaces of some catalogs.
const DETAIL_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum number of rows in a sample.
const SAMPLE_ROWS: usize = 3;

/// Facts about a table besides its columns. `None`: it could not be read.
#[derive(Default)]
pub struct TableDetails {
    pub row_count: Option<u64>,
    /// Some rows.
    pub sample: Option<Rows>,
    /// Names of columns that have a comment, and the comments.
    pub comments: Option<Rows>,
    /// Room for these answers.
    pub rooms: Vec<ReplyRoom>,
}

impl Service {
    /// Reads facts about a table, unless another query of its owner runs: these leave room for theirs.
    /// They must be kept until the reply is sent.
    pub async fn table_details(&self, seen: &Observed, table: &TableName) -> TableDetails {
        let catalog = self.catalog_name(seen);
        let name = table.in_catalog(&catalog);
        let ask = async |sql: String| {
            if self.has_running_query(seen.record.owner) {
                return None;
            }
            let asked = self.run_internal_query(seen, sql, false);
            timeout(DETAIL_TIMEOUT, asked).await.ok()?.ok()
        };
        let mut details = TableDetails::default();
        // The last column is the number of rows.
        let sample =
            format!("SELECT *, (SELECT count(*) FROM {name}) FROM {name} LIMIT {SAMPLE_ROWS}");
        if let Some((mut rows, room)) = ask(sample).await {
            rows.columns.pop();
            let counts = rows.rows.iter_mut().map(|row| row.pop().flatten());
            let count = counts.last().flatten();
            details.row_count = count.map_or(Some(0), |count| count.parse().ok());
            details.sample = Some(rows);
            details.rooms.push(room);
        }
        let [catalog, schema, table] = [&*catalog, &table.schema, &table.table].map(literal);
        // DuckDB knows the comments of a table that the same statement reads.
        let comments = format!(
            "SELECT column_name, comment FROM duckdb_columns() \
             WHERE database_name = {catalog} AND schema_name = {schema} AND table_name = {table} \
             AND comment IS NOT NULL AND (SELECT count(*) FROM (FROM {name} LIMIT 0)) = 0"
        );
        if let Some((rows, room)) = ask(comments).await {
            details.comments = Some(rows);
            details.rooms.push(room);
        }
        details
    }

    /// Summarizes the columns of a table. `given` is its name in SQL, without the catalog. The room
    /// must be held until the answer is sent.
    ///
    /// # Errors
    /// If the table does not exist, or can't be read in time.
    pub async fn table_statistics(
        &self,
        seen: &Observed,
        given: &str,
    ) -> Result<(TableName, Rows, ReplyRoom), ServiceError> {
        let catalog = self.catalog_name(seen);
        let Some(table) = parse_table(&catalog, given) else {
            let (given, nearest) = (given.to_owned(), Vec::new());
            return Err(QueryRejection::UnknownTable { given, nearest }.into());
        };
        let sql = format!(
            "SELECT column_name AS \"column\", min, max, avg, approx_unique AS \"distinct\", \
             null_percentage AS \"null %\" FROM (SUMMARIZE {})",
            table.in_catalog(&catalog)
        );
        // The whole table is read, so this needs a query's share of the memory.
        let _permit = self.acquire_query_permit(seen.record.owner)?;
        let (rows, room) = self.run_internal_query(seen, sql, false).await?;
        Ok((table, without_types(rows), room))
    }
}

/// Drops the column types of rows that describe a table and are not its values.
pub(super) fn without_types(mut rows: Rows) -> Rows {
    rows.columns.iter_mut().for_each(|it| it.kind.clear());
    rows
}
