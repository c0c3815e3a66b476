//! The use cases of queries from the chat.

use std::{collections::HashMap, time::Instant};

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    LookupRejection, QueryRejection, Rejection, Requester, Service, ServiceError, SessionAction,
    audit::{QueryAudit, audit_query},
    queries::{Purpose, QueryPermit, ReplyRoom, Running, RunningQuery},
    query_outcome::query_outcome,
    runners::{ended, is_queryable},
    sessions::not_yours,
};
use crate::{
    metrics::QuestionTimer,
    runtime::{AskError, Examination, QueryRequest, QueryResponse},
    session::{Cause, Failure, Observed, OwnerId, PodState, Record, SessionId, Stage},
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

/// Rights and wishes of a query.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunOptions {
    /// True if it may change something.
    pub allow_writes: bool,
    /// True to get its rows as a Parquet file, too.
    pub parquet: bool,
    /// Question about the result, if there is one.
    pub examine: Option<Examination>,
}

impl Service {
    fn sql(&self) -> Result<&Sql, QueryRejection> {
        self.settings.sql.as_ref().ok_or(QueryRejection::Disabled)
    }

    /// Finds the session to query: the named one, or the caller's newest running session that is
    /// attached to `catalog` (`None`: any). Returns `None` if none is named and none runs.
    ///
    /// # Errors
    /// Returns a rejection if the named session does not exist, is not ready, is attached to another
    /// catalog or belongs to someone else.
    pub(super) fn find_session_to_query(
        &self,
        who: &Requester,
        given: Option<&str>,
        catalog: Option<&str>,
    ) -> Result<Option<Observed>, Rejection> {
        self.sql()?;
        let is_wanted =
            |seen: &Observed| catalog.is_none_or(|catalog| seen.record.catalog == catalog);
        let Some(given) = given else {
            let mut sessions = self.sessions_of(who.id).into_iter();
            return Ok(sessions.rfind(|seen| is_queryable(seen) && is_wanted(seen)));
        };
        let seen = self.find(given)?;
        if seen.record.owner != who.id {
            return Err(not_yours(&seen, SessionAction::Query).into());
        }
        if seen.record.is_runner() {
            // Its owner's queries find it by themselves, unless it takes no further one.
            return Err(LookupRejection::IsRunner(seen.record.id.clone()).into());
        }
        if lacks_credentials(&seen) {
            return Err(QueryRejection::CredentialsGone.into());
        }
        let Record { id, catalog, .. } = &*seen.record;
        if !is_queryable(&seen) {
            return Err(LookupRejection::NotReady(id.clone()).into());
        }
        if !is_wanted(&seen) {
            return Err(QueryRejection::OtherCatalog {
                id: id.clone(),
                catalog: catalog.clone(),
            }
            .into());
        }
        Ok(Some(seen))
    }

    /// Returns the reason why a person without a running session can't query.
    pub(super) fn no_session_to_query(&self, who: &Requester) -> Rejection {
        if self.sessions_of(who.id).iter().any(lacks_credentials) {
            QueryRejection::CredentialsGone.into()
        } else {
            LookupRejection::NoSession(SessionAction::Query).into()
        }
    }

    /// Reserves one of the person's concurrent queries.
    ///
    /// # Errors
    /// Returns [`QueryRejection::TooMany`] if the maximum number of queries is running.
    pub fn acquire_query_permit(&self, who: OwnerId) -> Result<QueryPermit, QueryRejection> {
        self.acquire_permit(who, Purpose::Person)
    }

    /// Reserves one of the concurrent queries that the bot itself runs for a person. Theirs don't count.
    ///
    /// # Errors
    /// Returns [`QueryRejection::TooMany`] if the maximum number of queries is running.
    pub(super) fn acquire_internal_permit(
        &self,
        who: OwnerId,
    ) -> Result<QueryPermit, QueryRejection> {
        self.acquire_permit(who, Purpose::Bot)
    }

    fn acquire_permit(
        &self,
        owner: OwnerId,
        purpose: Purpose,
    ) -> Result<QueryPermit, QueryRejection> {
        let mut running = self.queries.running.lock();
        let is_alike = |it: &&Running| it.owner == owner && it.purpose == purpose;
        let count = running.values().filter(is_alike).count();
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
        let cancelled = permit.cancelled.clone();
        let entry = Running {
            owner,
            purpose,
            cancelled,
        };
        running.insert(permit.query.id.clone(), entry);
        Ok(permit)
    }

    /// Returns true if a query of the person runs, or one that the bot needs for them.
    pub(super) fn has_running_query(&self, who: OwnerId) -> bool {
        let running = self.queries.running.lock();
        running.values().any(|it| it.owner == who)
    }

    /// Cancels a running query of the caller. Returns false if there is none with this ID.
    pub fn cancel_query(&self, who: &Requester, question: &str) -> bool {
        let running = self.queries.running.lock();
        let theirs = running.get(question).filter(|it| it.owner == who.id);
        theirs.map(|it| it.cancelled.cancel()).is_some()
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
        options: RunOptions,
        permit: &mut QueryPermit,
    ) -> Result<Option<QueryResponse>, ServiceError> {
        let settings = self.sql()?;
        let question = QueryRequest {
            sql: validate_sql(sql)?.to_owned(),
            max_rows: settings.rows,
            max_bytes: MAX_RESULT_BYTES,
            max_cells: MAX_RESULT_CELLS,
            timeout_seconds: u32::try_from(settings.timeout.as_secs()).unwrap_or(u32::MAX),
            allow_writes: options.allow_writes,
            list_tables: false,
            parquet: options.parquet,
            examine: options.examine,
            keep: false,
            variables: HashMap::new(),
        };
        let begin = Instant::now();
        let mut timer = QuestionTimer::start(seen.record.kind);
        let _running = self.queries.begin_in(&seen.record.id);
        let answer = self.runtime.ask(seen, &question, &mut permit.room);
        let answer = permit.cancelled.run_until_cancelled(answer);
        let answer = tokio::select! {
            answer = answer => answer,
            // Dropping the query ends it. The connection to a Pod that ends can stay open for minutes.
            () = self.until_stopping(&seen.record.id) => Some(Ok(Some(QueryResponse::Exited))),
        };
        let (outcome, rows) = outcome_label(answer.as_ref());
        audit_query(&QueryAudit {
            who,
            session: &seen.record.id,
            took: begin.elapsed(),
            outcome,
            rows,
            sql: settings.log_queries.then_some(&*question.sql),
        });
        let lacks_answer = matches!(&answer, Some(Err(_) | Ok(Some(QueryResponse::Exited))));
        if lacks_answer && let Some(rejection) = self.stopped_meanwhile(seen) {
            timer.set_outcome(outcome_when_stopped(&rejection));
            return Err(rejection);
        }
        if let Some(answer) = &answer {
            timer.set_outcome(query_outcome(answer.as_ref().map(Option::as_ref)));
        }
        match answer.transpose() {
            Ok(Some(None)) => Err(QueryRejection::NoRoom.into()),
            Ok(answer) => Ok(answer.flatten()),
            Err(error) => Err(ask_error(seen, error)),
        }
    }

    /// Waits until a session or runner is to be stopped.
    async fn until_stopping(&self, id: &SessionId) {
        let mut changes = self.runtime.changes();
        let is_stopping = || self.session(id).is_some_and(|it| it.record.is_stopping());
        while !is_stopping() {
            if changes.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Returns the rejection of a query whose session or runner was stopped while it ran.
    fn stopped_meanwhile(&self, asked: &Observed) -> Option<ServiceError> {
        let id = &asked.record.id;
        let cause = match self.session(id).map(|seen| seen.record.stage.clone()) {
            // It had started, so a failed start is no cause.
            Some(Stage::Stopping { ending, .. }) => match ending.cause {
                cause @ Cause::Stopped { .. } => cause,
                _ => Cause::Lost,
            },
            Some(_) => return None,
            None => Cause::Lost,
        };
        Some(ended(&cause))
    }
}

/// Returns the outcome for the metrics of a query whose session or runner was stopped while it ran.
fn outcome_when_stopped(why: &ServiceError) -> &'static str {
    match why {
        ServiceError::Rejected(Rejection::Query(QueryRejection::RunnerEnded(cause)))
            if matches!(**cause, Cause::Stopped { .. }) =>
        {
            "refused"
        }
        _ => "failed",
    }
}

/// Turns a failure that a person can do something about into a rejection.
pub(super) fn ask_error(seen: &Observed, error: AskError) -> ServiceError {
    match error {
        AskError::CredentialsGone => QueryRejection::CredentialsGone.into(),
        AskError::NotRunning if seen.record.is_runner() => ended(&Cause::Lost),
        AskError::NotRunning => LookupRejection::NotReady(seen.record.id.clone()).into(),
        AskError::Failed(error) => error.into(),
    }
}

/// Returns true if the session can't run, because its credentials were deleted.
fn lacks_credentials(seen: &Observed) -> bool {
    let state = seen.pod.as_ref().map(|pod| &pod.state);
    matches!(state, Some(PodState::Stuck(incident) | PodState::Failed(incident))
        if incident.failure == Failure::CredentialsMissing)
}

/// Trims a query and checks it. DuckDB's command line accepts no control characters except
/// newlines and tabs, not even in quotes.
pub(super) fn validate_sql(sql: &str) -> Result<&str, QueryRejection> {
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
        QueryResponse::Rows(rows) => ("answered", rows.count()),
        QueryResponse::Done { .. } => ("done", 0),
        QueryResponse::NotSelect
        | QueryResponse::MultipleStatements(_)
        | QueryResponse::Empty
        | QueryResponse::LineBreak => ("refused", 0),
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
