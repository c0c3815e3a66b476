//! The use cases of the tables of a session's catalog.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    QueryRejection, Rejection, Service, ServiceError, TablesError,
    queries::{CachedTables, ReplyRoom, TableList},
    query_outcome::query_outcome,
    sql::ask_error,
    table_details::without_types,
    tables::{find_table, nearest, parse_table},
};
use crate::{
    metrics::QuestionTimer,
    runtime::{QueryError, QueryRequest, QueryResponse, Rows, TableName, all_tables},
    session::Observed,
};

/// Time for which the list of tables is cached.
const TABLES_TTL: Duration = Duration::from_secs(60);
/// Maximum number of tables to list, and of columns to describe.
const MAX_TABLES: u32 = 20_000;
/// Maximum size of their names and types in bytes.
const MAX_TABLES_BYTES: u32 = 1 << 20;

impl Service {
    /// Lists the tables of a session's catalog. The list may be up to a minute old.
    ///
    /// # Errors
    /// If the list can't be read.
    pub async fn tables(&self, seen: &Observed) -> Result<Arc<TableList>, ServiceError> {
        let known = {
            let mut all = self.queries.tables.lists.lock();
            all.retain(|id, known| is_in_use(known) && self.runtime.session(id).is_some());
            all.entry(seen.record.id.clone()).or_default().clone()
        };
        // Autocompletion calls this on each key press. Concurrent calls share one lookup.
        let mut known = known.lock().await;
        if let Some(known) = &*known
            && is_fresh(known)
        {
            return Ok(known.list.clone());
        }
        *known = None;
        let catalog = self.catalog_name(seen);
        let listed = self.run_internal_query(seen, all_tables(&catalog), true);
        let (Rows { rows, more, .. }, _room) = listed.await?;
        let name = |row: Vec<Option<String>>| match <[_; 2]>::try_from(row) {
            Ok([Some(schema), Some(table)]) => Some(TableName::new(schema, table)),
            _ => None,
        };
        let mut names: Vec<_> = rows.into_iter().filter_map(name).collect();
        names.shrink_to_fit();
        let list = Arc::new(TableList { names, more });
        let memory = self.queries.tables.reserve(&list);
        *known = memory.map(|memory| CachedTables {
            read_at: Instant::now(),
            list: list.clone(),
            _memory: memory,
        });
        Ok(list)
    }

    /// Describes a table: its name, and its columns with their types and nullability. The room
    /// must be held until the answer is sent.
    ///
    /// # Errors
    /// Returns [`QueryRejection::UnknownTable`] with suggestions if the table does not exist, or
    /// another error if the tables can't be read.
    pub async fn describe(
        &self,
        seen: &Observed,
        given: &str,
    ) -> Result<(TableName, Rows, ReplyRoom), ServiceError> {
        let tables = self.tables(seen).await;
        let catalog = self.catalog_name(seen);
        let known = tables.as_ref().ok();
        let known = known.and_then(|tables| find_table(&tables.names, &catalog, given));
        let known = known.cloned();
        let unknown = |tables: Result<Arc<TableList>, ServiceError>| {
            let nearest = nearest(&tables?.names, given);
            let given = given.to_owned();
            Err(QueryRejection::UnknownTable { given, nearest }.into())
        };
        // A table may exist without being listed, because the list is incomplete or denied.
        let Some(table) = known.clone().or_else(|| parse_table(&catalog, given)) else {
            return unknown(tables);
        };
        let sql = format!(
            "SELECT column_name AS \"column\", column_type AS \"type\", \"null\" \
             FROM (DESCRIBE {})",
            table.in_catalog(&catalog)
        );
        let (rows, room) = match (self.run_internal_query(seen, sql, false).await, known) {
            (Ok(found), _) => found,
            (Err(error), _) if !is_missing(&error) => return Err(error),
            (Err(_), Some(table)) => {
                return Err(QueryRejection::UnreadableTable(table.to_string()).into());
            }
            (Err(_), None) => return unknown(tables),
        };
        Ok((table, without_types(rows), room))
    }

    /// Looks up a table that DuckDB did not find.
    pub async fn look_up_table(&self, seen: &Observed, error: &QueryError) -> Option<MissingTable> {
        let name = error.missing_table()?;
        let tables = self.tables(seen).await;
        let names = tables.as_ref().map_or(&[][..], |tables| &tables.names);
        let is_it = |it: &&TableName| {
            let schema = error.schema.as_ref();
            schema.is_some_and(|schema| it.schema.eq_ignore_ascii_case(schema))
                && it.table.eq_ignore_ascii_case(name)
        };
        Some(match names.iter().find(is_it) {
            Some(listed) => MissingTable::Listed(listed.sql()),
            None => MissingTable::Unknown(nearest(names, name)),
        })
    }

    /// Returns the name under which the session's catalog is attached in DuckDB.
    pub fn catalog_name(&self, seen: &Observed) -> String {
        let said = &seen.record.catalog;
        let catalog = self.settings.catalog(said);
        catalog.map_or_else(|| said.clone(), |catalog| catalog.name.clone())
    }

    /// Runs a query that the bot itself needs. It is not in the audit log. Returns the rows with the
    /// room for them.
    pub(super) async fn run_internal_query(
        &self,
        seen: &Observed,
        sql: String,
        list_tables: bool,
    ) -> Result<(Rows, ReplyRoom), ServiceError> {
        let question = QueryRequest {
            sql,
            max_rows: MAX_TABLES,
            max_bytes: MAX_TABLES_BYTES,
            max_cells: MAX_TABLES * 3,
            timeout_seconds: 60,
            allow_writes: false,
            list_tables,
            parquet: false,
            examine: None,
            keep: false,
            variables: HashMap::new(),
        };
        let mut permit = self.acquire_internal_permit(seen.record.owner)?;
        let _running = self.queries.begin_in(&seen.record.id);
        let mut timer = QuestionTimer::start(seen.record.kind);
        let answer = self.runtime.ask(seen, &question, &mut permit.room).await;
        timer.set_outcome(query_outcome(answer.as_ref().map(Option::as_ref)));
        let answer = answer.map_err(|error| ask_error(seen, error))?;
        let why = match answer.ok_or(QueryRejection::NoRoom)? {
            QueryResponse::Rows(rows) => return Ok((rows, permit.end_query())),
            QueryResponse::NoAccess {
                what,
                error,
                failure,
            } => TablesError::NoAccess {
                what,
                error,
                failure,
            },
            QueryResponse::Error(error) => TablesError::Query(error),
            QueryResponse::TimedOut => TablesError::TimedOut,
            _ => TablesError::Exited,
        };
        Err(QueryRejection::TablesUnavailable(Box::new(why)).into())
    }
}

fn is_fresh(known: &CachedTables) -> bool {
    known.read_at.elapsed() < TABLES_TTL
}

/// Returns true if a list of tables is up to date, or is being read.
fn is_in_use(known: &Arc<tokio::sync::Mutex<Option<CachedTables>>>) -> bool {
    Arc::strong_count(known) > 1
        || known
            .try_lock()
            .is_ok_and(|known| known.as_ref().is_some_and(is_fresh))
}

/// A table that DuckDB did not find. Names are as in SQL, without the catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MissingTable {
    /// The catalog lists the table under this name, but does not find it when it is read.
    Listed(String),
    /// The catalog does not list it. Holds tables with similar names, most similar first.
    Unknown(Vec<String>),
}

/// Returns true if DuckDB did not find what a query names.
fn is_missing(error: &ServiceError) -> bool {
    let ServiceError::Rejected(Rejection::Query(QueryRejection::TablesUnavailable(error))) = error
    else {
        return false;
    };
    matches!(&**error, TablesError::Query(error) if error.kind == "Catalog")
}
