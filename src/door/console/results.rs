//! The results that DuckDB keeps as tables for the console, and their pages.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use chrono::Utc;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::duckdb::names::identifier;

/// Database and schema of the result tables. The database is in memory, and never saved.
pub(super) const RESULT_DATABASE: &str = "memory";
pub(super) const RESULT_SCHEMA: &str = "duckbot";

/// Maximum number of results that are kept.
pub(super) const MAX_RESULTS: usize = 32;
/// Maximum number of rows of a result.
pub(super) const MAX_ROWS: u64 = 1_000_000;

/// Column of a result or a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Column {
    pub name: String,
    /// DuckDB's type.
    #[serde(rename = "type")]
    pub kind: String,
}

/// Result that DuckDB keeps.
pub(super) struct StoredResult {
    /// Name of the table, which is also the result's ID.
    pub table: String,
    tab: String,
    cell: String,
    pub columns: Vec<Column>,
    pub rows: u64,
    /// False if the statement gave more rows than were kept.
    pub is_complete: bool,
}

/// Order of the rows of a result.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) struct Sort {
    column: usize,
    descending: bool,
}

impl StoredResult {
    pub(super) fn new(table: String, tab: &str, cell: &str) -> Self {
        Self {
            table,
            tab: tab.to_owned(),
            cell: cell.to_owned(),
            columns: Vec::new(),
            rows: 0,
            is_complete: true,
        }
    }

    /// Name of the table in SQL.
    pub(super) fn sql_name(&self) -> String {
        sql_name(&self.table)
    }

    /// Returns true if a column hides the pseudocolumn with the numbers of the rows.
    pub(super) fn hides_rowid(&self) -> bool {
        let mut columns = self.columns.iter();
        columns.any(|column| column.name.eq_ignore_ascii_case("rowid"))
    }

    /// Returns a query for some rows, with the columns of the result. `None` if there is no such column.
    pub(super) fn page_sql(&self, from: u64, count: u64, sort: Option<Sort>) -> Option<String> {
        let table = self.sql_name();
        let page = format!("LIMIT {count} OFFSET {from}");
        Some(match sort {
            Some(Sort { column, descending }) => {
                let column = identifier(&self.columns.get(column)?.name);
                let direction = if descending { "DESC" } else { "ASC" };
                format!(
                    "SELECT * FROM {table} ORDER BY {column} {direction} NULLS LAST, rowid ASC {page}"
                )
            }
            // The order of a table without an order is the one of its rows.
            None if self.hides_rowid() => format!("SELECT * FROM {table} {page}"),
            None => {
                let end = from.saturating_add(count);
                format!(
                    "SELECT * FROM {table} WHERE rowid >= {from} AND rowid < {end} ORDER BY rowid ASC"
                )
            }
        })
    }
}

fn sql_name(table: &str) -> String {
    format!("{RESULT_DATABASE}.{RESULT_SCHEMA}.{table}")
}

/// Returns statements that drop result tables.
pub(super) fn drop_sql(tables: &[String]) -> String {
    let drop = |table: &String| format!("DROP TABLE IF EXISTS {};", sql_name(table));
    tables.iter().map(drop).collect()
}

/// The results that are kept, the one that was used last at the end.
pub(super) struct Results {
    next: AtomicU64,
    stored: Mutex<VecDeque<Arc<StoredResult>>>,
}

impl Results {
    pub(super) fn new() -> Self {
        // Names of results of an earlier door must not stand for new ones.
        let first = u64::try_from(Utc::now().timestamp_millis()).unwrap_or_default();
        Self {
            next: AtomicU64::new(first),
            stored: Mutex::default(),
        }
    }

    /// Returns a name for a new table.
    pub(super) fn new_table(&self) -> String {
        format!("r{}", self.next.fetch_add(1, Relaxed))
    }

    /// Keeps a result. Returns the tables that must make room.
    pub(super) fn store(&self, result: Arc<StoredResult>) -> Vec<String> {
        let mut stored = self.stored.lock();
        stored.push_back(result);
        let too_many = stored.len().saturating_sub(MAX_RESULTS);
        stored
            .drain(..too_many)
            .map(|it| it.table.clone())
            .collect()
    }

    /// Finds a result by its ID.
    pub(super) fn find(&self, id: &str) -> Option<Arc<StoredResult>> {
        let mut stored = self.stored.lock();
        let place = stored.iter().position(|it| it.table == id)?;
        let found = stored.remove(place)?;
        stored.push_back(found.clone());
        Some(found)
    }

    /// Forgets a result that is gone.
    pub(super) fn forget(&self, id: &str) {
        self.stored.lock().retain(|it| it.table != id);
    }

    /// Forgets the result of a cell, or of all cells of a tab. Returns the tables.
    pub(super) fn take(&self, tab: &str, cell: Option<&str>) -> Vec<String> {
        let mut stored = self.stored.lock();
        let is_taken = |it: &StoredResult| it.tab == tab && cell.is_none_or(|cell| it.cell == cell);
        let taken = stored.iter().filter(|it| is_taken(it));
        let tables = taken.map(|it| it.table.clone()).collect();
        stored.retain(|it| !is_taken(it));
        tables
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(results: &Results, tab: &str, cell: &str) -> Arc<StoredResult> {
        Arc::new(StoredResult::new(results.new_table(), tab, cell))
    }

    #[test]
    fn results_are_kept_by_cell_and_the_least_used_makes_room() {
        let results = Results::new();
        let (one, two) = (result(&results, "a", "1"), result(&results, "b", "1"));
        assert_ne!(one.table, two.table);
        for it in [&one, &two] {
            assert!(results.store(it.clone()).is_empty());
        }
        for cell in 2..MAX_RESULTS {
            results.store(result(&results, "a", &cell.to_string()));
        }
        assert!(results.find(&one.table).is_some());
        let dropped = results.store(result(&results, "c", "1"));
        assert_eq!(dropped, std::slice::from_ref(&two.table));
        assert!(results.find(&two.table).is_none());
        let taken = results.take("a", Some("1"));
        assert_eq!(taken, std::slice::from_ref(&one.table));
        assert_eq!(results.take("a", None).len(), MAX_RESULTS - 2);
        assert_eq!(results.take("a", None), [""; 0]);
    }

    #[test]
    fn pages_are_by_row_number_unless_a_column_has_its_name() {
        let mut result = StoredResult::new("r7".into(), "a", "1");
        for name in ["x", "q\"q"] {
            let (name, kind) = (name.to_owned(), "INTEGER".to_owned());
            result.columns.push(Column { name, kind });
        }
        let plain =
            "SELECT * FROM memory.duckbot.r7 WHERE rowid >= 5 AND rowid < 8 ORDER BY rowid ASC";
        assert_eq!(result.page_sql(5, 3, None).as_deref(), Some(plain));
        let sort = |column| {
            Some(Sort {
                column,
                descending: true,
            })
        };
        let sorted = "SELECT * FROM memory.duckbot.r7 ORDER BY \"q\"\"q\" DESC NULLS LAST, rowid ASC LIMIT 3 OFFSET 5";
        assert_eq!(result.page_sql(5, 3, sort(1)).as_deref(), Some(sorted));
        assert_eq!(result.page_sql(5, 3, sort(2)), None);
        result.columns[0].name = "RowID".into();
        let paged = "SELECT * FROM memory.duckbot.r7 LIMIT 3 OFFSET 5";
        assert_eq!(result.page_sql(5, 3, None).as_deref(), Some(paged));
    }
}
