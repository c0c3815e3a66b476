//! The use cases of queries from the chat.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    LookupRejection, QueryRejection, Rejection, Requester, Service, ServiceError, SessionAction,
    TablesError,
    audit::{QueryAudit, audit_query},
    queries::{CachedTables, QueryPermit, ReplyRoom, RunningQuery, TableList},
    sessions::not_yours,
    tables::{find_table, nearest, parse_table},
};
use crate::{
    runtime::{
        AskError, QueryError, QueryRequest, QueryResponse, Rows, TableName, all_tables, identifier,
    },
    session::{Failure, Observed, OwnerId, PodState, Stage},
    settings::Sql,
};

/// Maximum number of queries per person at a time. A session reserves memory for this many.
const MAX_CONCURRENT_QUERIES: usize = 2;
/// Maximum size of a result's values in bytes. With quotes and commas they fit into a file that
/// Discord accepts (10 MiB without server boosts).
const MAX_RESULT_BYTES: u32 = 4 << 20;
/// Maximum number of values in a result. Each takes about 60 bytes of the bot's memory, however
/// short it is.
const MAX_RESULT_CELLS: u32 = 200_000;
/// Time for which the list of tables is cached.
const TABLES_TTL: Duration = Duration::from_secs(60);
/// Maximum number of tables to list, and of columns to describe.
const MAX_TABLES: u32 = 20_000;
/// Maximum size of their names and types in bytes.
const MAX_TABLES_BYTES: u32 = 1 << 20;

impl Service {
    fn sql(&self) -> Result<&Sql, QueryRejection> {
        self.settings.sql.as_ref().ok_or(QueryRejection::Disabled)
    }

    /// Finds the session to query: the named one, or the caller's newest running session.
    ///
    /// # Errors
    /// Returns a rejection if there is none, it is not ready or it belongs to someone else. Admins
    /// can't query it either, because the query would use the owner's credentials.
    pub fn find_session_to_query(
        &self,
        who: &Requester,
        given: Option<&str>,
    ) -> Result<Observed, Rejection> {
        self.sql()?;
        let Some(given) = given else {
            let mut sessions = self.sessions_of(who.id);
            let newest = sessions.iter().rposition(is_queryable);
            return match newest {
                Some(newest) => Ok(sessions.swap_remove(newest)),
                None if sessions.iter().any(lacks_credentials) => {
                    Err(QueryRejection::CredentialsGone.into())
                }
                None => Err(LookupRejection::NoSession(SessionAction::Query).into()),
            };
        };
        let seen = self.find(given)?;
        if seen.record.owner != who.id {
            return Err(not_yours(&seen, SessionAction::Query).into());
        }
        if lacks_credentials(&seen) {
            return Err(QueryRejection::CredentialsGone.into());
        }
        if !is_queryable(&seen) {
            return Err(LookupRejection::NotReady(seen.record.id.clone()).into());
        }
        Ok(seen)
    }

    /// Reserves one of the person's concurrent queries.
    ///
    /// # Errors
    /// Returns [`QueryRejection::TooMany`] if the maximum number of queries is running.
    pub fn acquire_query_permit(&self, who: OwnerId) -> Result<QueryPermit, QueryRejection> {
        let mut running = self.queries.running.lock();
        let theirs = running.values().filter(|(owner, _)| *owner == who);
        let count = theirs.count();
        if count >= MAX_CONCURRENT_QUERIES {
            return Err(QueryRejection::TooMany(count));
        }
        let permit = QueryPermit {
            query: RunningQuery {
                id: Uuid::new_v4().simple().to_string(),
                running: self.queries.running.clone(),
            },
            cancelled: CancellationToken::new(),
            room: self.queries.answers.room(),
        };
        running.insert(permit.query.id.clone(), (who, permit.cancelled.clone()));
        Ok(permit)
    }

    /// Cancels a running query of the caller. Returns false if there is none with this ID.
    pub fn cancel_query(&self, who: &Requester, question: &str) -> bool {
        let running = self.queries.running.lock();
        let theirs = running.get(question).filter(|(owner, _)| *owner == who.id);
        theirs.map(|(_, cancelled)| cancelled.cancel()).is_some()
    }

    /// Makes room for a large answer that is not a query's result.
    ///
    /// # Errors
    /// Returns [`QueryRejection::NoRoom`] if too many others are being sent.
    pub async fn large_answer_room(&self) -> Result<ReplyRoom, QueryRejection> {
        let mut room = self.queries.answers.room();
        if room.enlarge().await {
            Ok(ReplyRoom { _room: room })
        } else {
            Err(QueryRejection::NoRoom)
        }
    }

    /// Runs a query in a session and logs it. Returns `None` if it was cancelled.
    ///
    /// # Errors
    /// Returns a rejection if the text is not a query, or if there is no room for a large answer.
    /// Returns an error if the session can't be asked.
    pub async fn run_query(
        &self,
        who: &Requester,
        seen: &Observed,
        sql: &str,
        writes: bool,
        permit: &mut QueryPermit,
    ) -> Result<Option<QueryResponse>, ServiceError> {
        let settings = self.sql()?;
        let question = QueryRequest {
            sql: validate_sql(sql)?.to_owned(),
            max_rows: settings.rows,
            max_bytes: MAX_RESULT_BYTES,
            max_cells: MAX_RESULT_CELLS,
            timeout_seconds: u32::try_from(settings.timeout.as_secs()).unwrap_or(u32::MAX),
            allow_writes: writes,
            list_tables: false,
            variables: HashMap::new(),
        };
        let begin = Instant::now();
        let answer = self.runtime.ask(seen, &question, &mut permit.room);
        let answer = permit.cancelled.run_until_cancelled(answer).await;
        let (outcome, rows) = outcome_label(answer.as_ref());
        audit_query(&QueryAudit {
            who,
            session: &seen.record.id,
            took: begin.elapsed(),
            outcome,
            rows,
            sql: settings.log_queries.then_some(&*question.sql),
        });
        match answer.transpose() {
            Ok(Some(None)) => Err(QueryRejection::NoRoom.into()),
            Ok(answer) => Ok(answer.flatten()),
            Err(error) => Err(ask_error(seen, error)),
        }
    }

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
        let parts = [&*catalog, &table.schema, &table.table].map(identifier);
        let sql = format!(
            "SELECT column_name AS \"column\", column_type AS \"type\", \"null\" \
             FROM (DESCRIBE {})",
            parts.join(".")
        );
        let (mut rows, room) = match (self.run_internal_query(seen, sql, false).await, known) {
            (Ok(found), _) => found,
            (Err(error), _) if !is_missing(&error) => return Err(error),
            (Err(_), Some(table)) => {
                return Err(QueryRejection::UnreadableTable(table.to_string()).into());
            }
            (Err(_), None) => return unknown(tables),
        };
        // Drop the column types: these rows describe the table and are not its values.
        rows.columns.iter_mut().for_each(|it| it.kind.clear());
        Ok((table, rows, room))
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
    async fn run_internal_query(
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
            variables: HashMap::new(),
        };
        // Counts as a query of the owner, because it uses as much memory.
        let mut permit = self.acquire_query_permit(seen.record.owner)?;
        let answer = self.runtime.ask(seen, &question, &mut permit.room).await;
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

/// Turns a failure that a person can do something about into a rejection.
fn ask_error(seen: &Observed, error: AskError) -> ServiceError {
    match error {
        AskError::CredentialsGone => QueryRejection::CredentialsGone.into(),
        AskError::NotRunning => LookupRejection::NotReady(seen.record.id.clone()).into(),
        AskError::Failed(error) => error.into(),
    }
}

/// Returns true if DuckDB did not find what a query names.
fn is_missing(error: &ServiceError) -> bool {
    let ServiceError::Rejected(Rejection::Query(QueryRejection::TablesUnavailable(error))) = error
    else {
        return false;
    };
    matches!(&**error, TablesError::Query(error) if error.kind == "Catalog")
}

fn is_queryable(seen: &Observed) -> bool {
    let is_ready = |pod: &crate::session::Pod| pod.state == PodState::Ready;
    seen.record.stage == Stage::Running && seen.pod.as_ref().is_some_and(is_ready)
}

/// Returns true if the session can't run, because its credentials were deleted.
fn lacks_credentials(seen: &Observed) -> bool {
    let state = seen.pod.as_ref().map(|pod| &pod.state);
    matches!(state, Some(PodState::Stuck(incident) | PodState::Failed(incident))
        if incident.failure == Failure::CredentialsMissing)
}

/// Trims a query and checks it. DuckDB's command line accepts no control characters except
/// newlines and tabs, not even in quotes.
fn validate_sql(sql: &str) -> Result<&str, QueryRejection> {
    let sql = sql.trim();
    let is_strange = |c: &char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    if let Some(strange) = sql.chars().find(is_strange) {
        return Err(QueryRejection::InvisibleCharacter(strange));
    }
    match sql.trim_matches(';').trim() {
        "" => Err(QueryRejection::Empty),
        _ => Ok(sql),
    }
}

fn outcome_label(
    answer: Option<&Result<Option<QueryResponse>, AskError>>,
) -> (&'static str, usize) {
    let answer = match answer {
        None => return ("cancelled", 0),
        Some(Err(_)) => return ("failed", 0),
        Some(Ok(None)) => return ("no room", 0),
        Some(Ok(Some(answer))) => answer,
    };
    match answer {
        QueryResponse::Rows(rows) => ("answered", rows.rows.len()),
        QueryResponse::Done { .. } => ("done", 0),
        QueryResponse::NotSelect
        | QueryResponse::MultipleStatements(_)
        | QueryResponse::Ambiguous => ("refused", 0),
        QueryResponse::NotCommitted => ("not committed", 0),
        QueryResponse::Error(_) => ("wrong", 0),
        QueryResponse::NoAccess { .. } => ("no access", 0),
        QueryResponse::TimedOut => ("too long", 0),
        QueryResponse::Exited => ("ended", 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_queries_and_control_characters_are_rejected() {
        assert_eq!(validate_sql("  SELECT 1;\n"), Ok("SELECT 1;"));
        assert_eq!(validate_sql(" ; ; "), Err(QueryRejection::Empty));
        assert_eq!(
            validate_sql("SELECT '\u{1}'"),
            Err(QueryRejection::InvisibleCharacter('\u{1}'))
        );
    }
}
