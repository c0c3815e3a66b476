//! The use cases of asking DuckDB from the chat.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    Rejection, Requester, Service, ServiceError,
    audit::{QueryAudit, audit_query},
};
use crate::{
    error::Error,
    runtime::{QueryRequest, QueryResponse, Rows, identifier, literal},
    session::{Observed, OwnerId, PodState, SessionId, Stage},
    settings::Sql,
};

/// How many questions of one person are answered at a time: for so many a session keeps memory.
const MAX_CONCURRENT_QUERIES: usize = 2;
/// The most bytes of values. With quotes and commas they fit into a file that Discord takes
/// (10 MiB, unless a server pays for more), and some of them at a time into the bot's memory.
const MAX_RESULT_BYTES: u32 = 4 << 20;
/// How long the names of tables are good.
const TABLES_TTL: Duration = Duration::from_secs(60);
/// The most names of tables that are of use.
const MAX_TABLES: u32 = 10_000;
/// How many names are offered in place of one that is not there.
const MAX_SUGGESTIONS: usize = 3;
/// How alike a name must be for that, from 0 to 1.
const MIN_SIMILARITY: f64 = 0.75;

/// What goes on in asking, of all people.
#[derive(Default)]
pub struct QueryState {
    running: Arc<Mutex<RunningQueries>>,
    tables: Mutex<HashMap<SessionId, Arc<tokio::sync::Mutex<Option<CachedTables>>>>>,
}

/// Questions by what they are called; whose each is, and what interrupts it.
type RunningQueries = HashMap<String, (OwnerId, CancellationToken)>;
/// Tables, and since when they are known.
type CachedTables = (Instant, Arc<TableList>);

/// The tables of a catalog.
#[derive(Debug, Default)]
pub struct TableList {
    /// What each is called, as `schema.table`, in order.
    pub names: Vec<String>,
    /// Whether there are more: then these are the first.
    pub more: bool,
}

/// One of the questions that somebody may have answered at a time; until it is dropped.
pub struct QueryPermit {
    /// What it is called.
    pub id: String,
    cancelled: CancellationToken,
    running: Arc<Mutex<RunningQueries>>,
}

impl Drop for QueryPermit {
    fn drop(&mut self) {
        self.running.lock().remove(&self.id);
    }
}

impl Service {
    fn sql(&self) -> Result<&Sql, Rejection> {
        self.settings.sql.as_ref().ok_or(Rejection::AskingIsOff)
    }

    /// The session that answers somebody's questions: the one that they name, or the newest of
    /// theirs that runs.
    ///
    /// # Errors
    /// A refusal if there is none, or it is not theirs: not even an admin asks with others' keys.
    pub fn find_session_to_query(
        &self,
        who: &Requester,
        given: Option<&str>,
    ) -> Result<Observed, Rejection> {
        self.sql()?;
        let Some(given) = given else {
            let newest = self
                .sessions_of(who.id)
                .into_iter()
                .rev()
                .find(is_queryable);
            return newest.ok_or(Rejection::NothingToAsk);
        };
        let seen = self.find(given)?;
        match seen.record.owner == who.id {
            false => Err(Rejection::NotYoursToAsk(seen.record.id.clone())),
            true if !is_queryable(&seen) => Err(Rejection::NotReady(seen.record.id.clone())),
            true => Ok(seen),
        }
    }

    /// A turn for one question more.
    ///
    /// # Errors
    /// A refusal if they ask as much as they may.
    pub fn acquire_query_permit(&self, who: OwnerId) -> Result<QueryPermit, Rejection> {
        let mut running = self.queries.running.lock();
        let theirs = running.values().filter(|(owner, _)| *owner == who);
        let count = theirs.count();
        if count >= MAX_CONCURRENT_QUERIES {
            return Err(Rejection::AskingAlready(count));
        }
        let permit = QueryPermit {
            id: Uuid::new_v4().simple().to_string(),
            cancelled: CancellationToken::new(),
            running: self.queries.running.clone(),
        };
        running.insert(permit.id.clone(), (who, permit.cancelled.clone()));
        Ok(permit)
    }

    /// Interrupts a question of theirs. Whether there is such a one.
    pub fn cancel_query(&self, who: &Requester, question: &str) -> bool {
        let running = self.queries.running.lock();
        let theirs = running.get(question).filter(|(owner, _)| *owner == who.id);
        theirs.map(|(_, cancelled)| cancelled.cancel()).is_some()
    }

    /// Asks that session's DuckDB. None: it was cancelled.
    ///
    /// # Errors
    /// If nothing is asked, or it can't be.
    pub async fn run_query(
        &self,
        who: &Requester,
        seen: &Observed,
        sql: &str,
        writes: bool,
        permit: &QueryPermit,
    ) -> Result<Option<QueryResponse>, ServiceError> {
        let settings = self.sql()?;
        let question = QueryRequest {
            sql: validate_sql(sql)?.to_owned(),
            max_rows: settings.rows,
            max_bytes: MAX_RESULT_BYTES,
            timeout_seconds: u32::try_from(settings.timeout.as_secs()).unwrap_or(u32::MAX),
            allow_writes: writes,
            variables: HashMap::new(),
        };
        let begin = Instant::now();
        let answer = self.runtime.ask(seen, &question);
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
        Ok(answer.transpose()?)
    }

    /// The tables of a session's catalog; up to a minute old.
    ///
    /// # Errors
    /// If they can't be asked for.
    pub async fn tables(&self, seen: &Observed) -> Result<Arc<TableList>, ServiceError> {
        let known = {
            let mut all = self.queries.tables.lock();
            all.retain(|id, _| self.runtime.session(id).is_some());
            all.entry(seen.record.id.clone()).or_default().clone()
        };
        // Each key press asks; whoever comes while they are being looked up waits for that.
        let mut known = known.lock().await;
        if let Some((at, tables)) = &*known
            && at.elapsed() < TABLES_TTL
        {
            return Ok(tables.clone());
        }
        let catalog = self.catalog_name(seen);
        let sql = format!(
            "SELECT schema_name || '.' || table_name FROM duckdb_tables() \
             WHERE database_name = {} ORDER BY ALL",
            literal(&catalog)
        );
        let Rows { rows, more, .. } = self.run_internal_query(seen, sql).await?;
        let names = rows.into_iter().filter_map(|row| row.into_iter().next()?);
        let tables = Arc::new(TableList {
            names: names.collect(),
            more,
        });
        *known = Some((Instant::now(), tables.clone()));
        Ok(tables)
    }

    /// The columns of a table: name, type, whether it may be NULL.
    ///
    /// # Errors
    /// A refusal if there is no such table, with those that are called nearly that.
    pub async fn describe(
        &self,
        seen: &Observed,
        given: &str,
    ) -> Result<(String, Rows), ServiceError> {
        let tables = self.tables(seen).await?;
        let catalog = self.catalog_name(seen);
        let name = given.strip_prefix(&format!("{catalog}.")).unwrap_or(given);
        let known = find_table(&tables.names, name).map(String::as_str);
        // It may be one of those that we don't know.
        let Some(table) = known.or(tables.more.then_some(name)) else {
            return Err(Rejection::UnknownTable {
                given: given.to_owned(),
                nearest: nearest(&tables.names, name),
            }
            .into());
        };
        let (schema, table_name) = table.split_once('.').unwrap_or(("main", table));
        let parts = [&*catalog, schema, table_name];
        let parts = parts.map(identifier);
        let sql = format!(
            "SELECT column_name AS \"column\", column_type AS \"type\", \"null\" \
             FROM (DESCRIBE {})",
            parts.join(".")
        );
        let mut rows = self.run_internal_query(seen, sql).await?;
        // They are DuckDB's words about the table, and not its values.
        rows.columns.iter_mut().for_each(|it| it.kind.clear());
        Ok((table.to_owned(), rows))
    }

    /// Those of its catalog that are called nearly that; none if they can't be had.
    pub async fn suggest_tables(&self, seen: &Observed, name: &str) -> Vec<String> {
        let tables = self.tables(seen).await;
        tables.map_or_else(|_| Vec::new(), |tables| nearest(&tables.names, name))
    }

    /// What its tables are in, in SQL.
    pub fn catalog_name(&self, seen: &Observed) -> String {
        let said = &seen.record.catalog;
        let catalog = self.settings.catalog(said);
        catalog.map_or_else(|| said.clone(), |catalog| catalog.name.clone())
    }

    /// Asks what we want to know.
    async fn run_internal_query(&self, seen: &Observed, sql: String) -> Result<Rows, ServiceError> {
        let question = QueryRequest {
            sql,
            max_rows: MAX_TABLES,
            max_bytes: MAX_RESULT_BYTES,
            timeout_seconds: 60,
            allow_writes: false,
            variables: HashMap::new(),
        };
        // It takes as much as any other.
        let _permit = self.acquire_query_permit(seen.record.owner)?;
        let why = match self.runtime.ask(seen, &question).await? {
            QueryResponse::Rows(rows) => return Ok(rows),
            QueryResponse::NoAccess { what, error } => format!("{what} failed: {error}"),
            QueryResponse::Error(wrong) => wrong.to_string(),
            QueryResponse::TimedOut => "it took too long".into(),
            _ => "DuckDB ended".into(),
        };
        Err(Rejection::TablesUnseen(why).into())
    }
}

fn is_queryable(seen: &Observed) -> bool {
    let is_ready = |pod: &crate::session::Pod| pod.state == PodState::Ready;
    seen.record.stage == Stage::Running && seen.pod.as_ref().is_some_and(is_ready)
}

/// What is asked. DuckDB's command line takes no other control characters, not even in quotes.
fn validate_sql(sql: &str) -> Result<&str, Rejection> {
    let sql = sql.trim();
    let is_strange = |c: &char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    if let Some(strange) = sql.chars().find(is_strange) {
        return Err(Rejection::Unseen(strange));
    }
    match sql.trim_matches(';').trim() {
        "" => Err(Rejection::NoQuestion),
        _ => Ok(sql),
    }
}

fn outcome_label(answer: Option<&Result<QueryResponse, Error>>) -> (&'static str, usize) {
    match answer {
        None => ("cancelled", 0),
        Some(Err(_)) => ("failed", 0),
        Some(Ok(QueryResponse::Rows(rows))) => ("answered", rows.rows.len()),
        Some(Ok(QueryResponse::Done { .. })) => ("done", 0),
        Some(Ok(QueryResponse::NotSelect | QueryResponse::MultipleStatements(_))) => ("refused", 0),
        Some(Ok(QueryResponse::NotCommitted)) => ("not committed", 0),
        Some(Ok(QueryResponse::Error(_))) => ("wrong", 0),
        Some(Ok(QueryResponse::NoAccess { .. })) => ("no access", 0),
        Some(Ok(QueryResponse::TimedOut)) => ("too long", 0),
        Some(Ok(QueryResponse::Exited)) => ("ended", 0),
    }
}

/// The table that is called that, with or without its schema if that is clear.
fn find_table<'a>(tables: &'a [String], name: &str) -> Option<&'a String> {
    let is = |it: &&String| it.eq_ignore_ascii_case(name);
    let ends = |it: &&String| {
        it.split_once('.')
            .is_some_and(|(_, table)| table.eq_ignore_ascii_case(name))
    };
    tables.iter().find(is).or_else(|| {
        let mut alike = tables.iter().filter(ends);
        alike.next().filter(|_| alike.next().is_none())
    })
}

/// Those whose names are most like that one, best first.
fn nearest(tables: &[String], name: &str) -> Vec<String> {
    let last = |text: &str| text.rsplit('.').next().unwrap_or_default().to_lowercase();
    let wanted = last(name);
    let mut alike: Vec<_> = tables
        .iter()
        .map(|table| (strsim::jaro_winkler(&last(table), &wanted), table))
        .filter(|(alike, _)| *alike >= MIN_SIMILARITY)
        .collect();
    alike.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    alike
        .into_iter()
        .take(MAX_SUGGESTIONS)
        .map(|(_, table)| table.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tables() -> Vec<String> {
        [
            "sales.orders",
            "sales.customers",
            "old.orders",
            "web.visits",
        ]
        .map(str::to_owned)
        .into()
    }

    #[test]
    fn a_table_is_found_by_its_name_where_that_is_clear() {
        let tables = tables();
        let found = |name| find_table(&tables, name).map(String::as_str);
        assert_eq!(found("sales.orders"), Some("sales.orders"));
        assert_eq!(found("Visits"), Some("web.visits"));
        assert_eq!(found("orders"), None, "there are two");
        assert_eq!(found("order"), None);
    }

    #[test]
    fn names_that_are_nearly_that_are_offered_best_first() {
        assert_eq!(
            nearest(&tables(), "sales.ordrs"),
            ["sales.orders", "old.orders"]
        );
        assert_eq!(nearest(&tables(), "custmers"), ["sales.customers"]);
        assert!(nearest(&tables(), "xyz").is_empty());
    }

    #[test]
    fn what_is_no_question_is_said() {
        assert_eq!(validate_sql("  SELECT 1;\n"), Ok("SELECT 1;"));
        assert_eq!(validate_sql(" ; ; "), Err(Rejection::NoQuestion));
        assert_eq!(
            validate_sql("SELECT '\u{1}'"),
            Err(Rejection::Unseen('\u{1}'))
        );
    }
}
