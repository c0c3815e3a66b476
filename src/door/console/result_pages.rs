//! Pages of results, and whole values.

use serde::{Deserialize, Serialize};

use super::{
    answer::{Reply, Rows, cut, write_limited},
    client::{ANSWER_PERMITS, MAX_ANSWER_BYTES, ReadError},
    problem::Problem,
    results::{Sort, StoredResult},
    state::Console,
};
use crate::door::decode::Table;
use crate::duckdb::names::identifier;

/// Maximum number of rows of a page.
const MAX_PAGE_ROWS: u64 = 1000;
/// Maximum number of values that a page is asked for. Further rows are left out.
const MAX_PAGE_VALUES: u64 = 200_000;
/// Number of permits for a whole value.
const VALUE_PERMITS: usize = 2;

#[derive(Deserialize)]
pub(super) struct RowsInput {
    result: String,
    from: u64,
    count: u64,
    sort: Option<Sort>,
}

#[derive(Deserialize)]
pub(super) struct ValueInput {
    result: String,
    row: u64,
    column: usize,
    sort: Option<Sort>,
}

impl Console {
    /// Returns rows of a result. If they are too large together, there are fewer than wanted.
    pub(super) async fn rows(&self, input: RowsInput) -> Result<Reply, Problem> {
        let result = self.results.find(&input.result).ok_or_else(Problem::gone)?;
        let count = input.count.min(MAX_PAGE_ROWS);
        let write = |rows: Rows<'_>, most| {
            #[derive(Serialize)]
            struct RowsReply<'a> {
                rows: Rows<'a>,
            }
            write_limited(&RowsReply { rows }, most)
        };
        self.page(&result, (input.from, count), input.sort, write)
            .await
    }

    /// Reads rows, and writes them. Tries again with fewer if they are too large.
    pub(super) async fn page(
        &self,
        result: &StoredResult,
        (from, count): (u64, u64),
        sort: Option<Sort>,
        write: impl Fn(Rows<'_>, usize) -> Option<Vec<u8>>,
    ) -> Result<Reply, Problem> {
        let width = u64::try_from(result.columns.len()).unwrap_or(u64::MAX);
        let mut count = count.min(MAX_PAGE_VALUES / width.max(1)).max(1);
        loop {
            let page = result.page_sql(from, count, sort);
            let page = page.ok_or_else(|| Problem::invalid("there is no such column"))?;
            let sql = format!(
                "SELECT {} FROM (SELECT COLUMNS(*)::VARCHAR FROM ({page}))",
                cut()
            );
            let read = |table: &Table<'_>| write(Rows(table), MAX_ANSWER_BYTES);
            match self.client.read(&sql, 1, read).await {
                Ok((Some(json), permit)) => {
                    return Ok(Reply::large(json, permit));
                }
                Ok((None, _)) | Err(ReadError::TooLarge) if count > 1 => count = count.div_ceil(4),
                Ok((None, _)) | Err(ReadError::TooLarge) => {
                    return Err(Problem::row_too_large(MAX_ANSWER_BYTES));
                }
                Err(ReadError::Problem(problem)) => return Err(self.explain(result, problem)),
            }
        }
    }

    /// Returns a whole value.
    pub(super) async fn value(&self, input: ValueInput) -> Result<Reply, Problem> {
        let result = self.results.find(&input.result).ok_or_else(Problem::gone)?;
        let page = result.page_sql(input.row, 1, input.sort);
        let column = result.columns.get(input.column);
        let (Some(page), Some(column)) = (page, column) else {
            return Err(Problem::invalid("there is no such column"));
        };
        let sql = format!("SELECT {}::VARCHAR FROM ({page})", identifier(&column.name));
        const MOST: usize = VALUE_PERMITS * MAX_ANSWER_BYTES;
        const { assert!(VALUE_PERMITS <= ANSWER_PERMITS) };
        let read = |table: &Table<'_>| {
            let value = table.value(0, 0);
            write_limited(&serde_json::json!({ "value": value }), MOST)
        };
        match self.client.read(&sql, VALUE_PERMITS, read).await {
            Ok((Some(json), permit)) => Ok(Reply::large(json, permit)),
            Ok((None, _)) | Err(ReadError::TooLarge) => Err(Problem::value_too_large(MOST)),
            Err(ReadError::Problem(problem)) => Err(self.explain(&result, problem)),
        }
    }

    /// Tells whether a result is gone, when DuckDB can't read it.
    pub(super) fn explain(&self, result: &StoredResult, problem: Problem) -> Problem {
        if problem.exception != "Catalog" && problem.exception != "Binder" {
            return problem;
        }
        self.results.forget(&result.table);
        Problem::gone()
    }
}
