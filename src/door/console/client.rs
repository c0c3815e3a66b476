//! The console's way to DuckDB: requests go through [`Flow`], and answers are read whole, up to a limit.

use std::{pin::Pin, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::{Request, Response, StatusCode, header::HeaderValue};
use serde::Serialize;
use tokio::{sync::Semaphore, time::timeout};

use super::{
    answer::{AnswerPermit, Reply, write_limited},
    own_connections::OwnConnections,
    problem::Problem,
    results::{RESULT_DATABASE, RESULT_SCHEMA},
};
use crate::door::{
    activity::CountedRequest,
    body::Body,
    decode::{Answer, Table, decode, decode_failure, decode_tokens},
    flow::{CONNECTION, Flow},
    requests::{interrupt, interrupt_until_ended, post, version},
};

/// Maximum size of an answer of DuckDB, and of the console's answer to the browser, that takes one permit.
pub(super) const MAX_ANSWER_BYTES: usize = 4 << 20;
/// Number of permits for answers. The door has 64 MiB, and an answer is there twice: as DuckDB's and as JSON.
pub(super) const ANSWER_PERMITS: usize = 3;
/// Maximum time to wait for memory for an answer.
const MAX_ANSWER_WAIT: Duration = Duration::from_secs(5);
/// Maximum time to receive an answer once it has begun. DuckDB writes it at once.
const MAX_ANSWER_TIME: Duration = Duration::from_secs(30);

/// Maximum time that DuckDB may take for the console's own statements, so that they end whatever a person has made
/// of their tables and settings.
const MAX_READ_TIME: Duration = Duration::from_secs(30);
/// Start of the console's own statements. Functions and tables of the same name that a person has made are not
/// found, and no database is needed that a person may have detached.
const OWN_NAMES: &str = "SET search_path = 'system.main'; ";

/// Header with the maximum number of rows in an answer.
const ROW_LIMIT: &str = "x-duckdb-ui-result-row-limit";

/// Failure of a request whose answer is read whole.
pub(super) enum ReadError {
    /// The answer has more bytes than allowed.
    TooLarge,
    Problem(Problem),
}

impl<T: Into<Problem>> From<T> for ReadError {
    fn from(problem: T) -> Self {
        Self::Problem(problem.into())
    }
}

pub(super) struct Client {
    flow: Arc<Flow>,
    answers: Arc<Semaphore>,
    connections: OwnConnections,
}

impl Client {
    pub(super) fn new(flow: Arc<Flow>) -> Self {
        Self {
            connections: OwnConnections::new(flow.clone()),
            flow,
            answers: Arc::new(Semaphore::new(ANSWER_PERMITS)),
        }
    }

    /// Waits until there is memory for an answer of some permits.
    ///
    /// # Errors
    /// If other answers take it all for too long.
    pub(super) async fn answer_permit(&self, permits: usize) -> Result<AnswerPermit, Problem> {
        let permits = u32::try_from(permits).unwrap_or(u32::MAX);
        let permit = self.answers.clone().acquire_many_owned(permits);
        match timeout(MAX_ANSWER_WAIT, permit).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(Problem::too_many_answers()),
        }
    }

    /// Runs the console's own statements on a connection of their own, and passes the last one's result to
    /// `read`. Returns the permit for the memory too.
    ///
    /// # Errors
    /// If DuckDB does not answer in time, a statement fails, or the answer takes more memory than `permits` give.
    pub(super) async fn read<T>(
        &self,
        sql: &str,
        permits: usize,
        read: impl FnOnce(&Table<'_>) -> T,
    ) -> Result<(T, AnswerPermit), ReadError> {
        self.read_within(MAX_READ_TIME, (), sql, permits, read)
            .await
    }

    /// Reads within a time. `held` is dropped once DuckDB has ended.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(super) async fn read_within<T>(
        &self,
        time: Duration,
        held: impl Send + 'static,
        sql: &str,
        permits: usize,
        read: impl FnOnce(&Table<'_>) -> T,
    ) -> Result<(T, AnswerPermit), ReadError> {
        let answer = self.connections.ask(own_request(sql), time, held).await?;
        let permit = self.answer_permit(permits).await?;
        let bytes = read_body(answer, permits * MAX_ANSWER_BYTES).await?;
        match decode(&bytes).map_err(Problem::unreadable)? {
            Answer::Table(table) => Ok((read(&table), permit)),
            Answer::Failure(text) => Err(hide_place(Problem::of_statement(text, sql)).into()),
        }
    }

    /// Runs the console's own statements, whose result is small, and passes it to `read`.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(super) async fn query<T>(
        &self,
        sql: &str,
        read: impl FnOnce(&Table<'_>) -> T,
    ) -> Result<T, Problem> {
        match self.read(sql, 1, read).await {
            Ok((it, _)) => Ok(it),
            Err(ReadError::Problem(problem)) => Err(problem),
            Err(ReadError::TooLarge) => Err(Problem::too_large("An answer", MAX_ANSWER_BYTES)),
        }
    }

    /// Runs the console's own statements, and answers with what `write` makes of their result.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(super) async fn reply<T: Serialize>(
        &self,
        sql: &str,
        write: impl FnOnce(&Table<'_>) -> T,
    ) -> Result<Reply, Problem> {
        let write = |table: &Table<'_>| write_limited(&write(table), MAX_ANSWER_BYTES);
        match self.read(sql, 1, write).await {
            Ok((Some(json), permit)) => Ok(Reply::large(json, permit)),
            Ok((None, _)) | Err(ReadError::TooLarge) => {
                Err(Problem::too_large("An answer", MAX_ANSWER_BYTES))
            }
            Err(ReadError::Problem(problem)) => Err(problem),
        }
    }

    /// Runs the console's own statements without a result. They go on without their caller, and have no limit of
    /// time: those that may be long need the room of a person's statement.
    ///
    /// # Errors
    /// If DuckDB does not answer, or a statement fails.
    pub(super) async fn execute(&self, sql: &str) -> Result<(), Problem> {
        let ran = self.run(own_request(sql), sql).await;
        ran.map_err(hide_place)
    }

    /// Runs statements on a named connection, without a result.
    ///
    /// # Errors
    /// As [`Self::execute`].
    pub(super) async fn execute_on(
        &self,
        connection: &HeaderValue,
        sql: &str,
    ) -> Result<(), Problem> {
        let mut request = run_request(sql.to_owned());
        let headers = request.headers_mut();
        headers.insert(CONNECTION, connection.clone());
        headers.insert(ROW_LIMIT, HeaderValue::from_static("0"));
        self.run(request, sql).await
    }

    /// Runs a person's statements on a named connection. DuckDB keeps at most `most` rows of the last one's
    /// result as a new table.
    ///
    /// # Errors
    /// If DuckDB does not answer, or a statement fails.
    pub(super) async fn run_into(
        &self,
        connection: &HeaderValue,
        sql: &str,
        table: &str,
        most: u64,
    ) -> Result<(), Problem> {
        let mut request = run_request(sql.to_owned());
        let headers = request.headers_mut();
        headers.insert(CONNECTION, connection.clone());
        for (name, value) in [
            (ROW_LIMIT, "0".to_owned()),
            ("x-duckdb-ui-result-table-row-limit", most.to_string()),
            (
                "x-duckdb-ui-result-database-name",
                STANDARD.encode(RESULT_DATABASE),
            ),
            (
                "x-duckdb-ui-result-schema-name",
                STANDARD.encode(RESULT_SCHEMA),
            ),
            ("x-duckdb-ui-result-table-name", STANDARD.encode(table)),
        ] {
            let value = HeaderValue::try_from(value).expect("the value is ASCII");
            headers.insert(name, value);
        }
        self.run(request, sql).await
    }

    async fn run(&self, request: Request<Body>, sql: &str) -> Result<(), Problem> {
        let answer = self.flow.forward(request).await?;
        let bytes = read_small(answer).await?;
        match decode_failure(&bytes).map_err(Problem::unreadable)? {
            None => Ok(()),
            Some(text) => Err(Problem::of_statement(text, sql)),
        }
    }

    /// Interrupts a connection, in the queue or in DuckDB.
    ///
    /// # Errors
    /// If DuckDB does not answer.
    pub(super) async fn interrupt(&self, connection: &HeaderValue) -> Result<(), Problem> {
        interrupt(&self.flow, connection).await?;
        Ok(())
    }

    /// Interrupts a connection until its statements have ended. Returns their outcome.
    pub(super) async fn interrupt_until_ended<T>(
        &self,
        connection: &HeaderValue,
        statements: Pin<&mut impl Future<Output = T>>,
    ) -> T {
        interrupt_until_ended(&self.flow, connection, statements).await
    }

    /// Counts a statement that waits, until the result is dropped.
    pub(super) fn count_waiting(&self) -> CountedRequest {
        self.flow.count_waiting()
    }

    /// Takes a connection's statement out of the queue if it waits there.
    pub(super) fn leave_queue(&self, connection: &HeaderValue) {
        self.flow.leave_queue(connection);
    }

    /// Returns the first byte and the kind of each token, by DuckDB's own tokenizer.
    ///
    /// # Errors
    /// If DuckDB does not answer.
    pub(super) async fn tokens(&self, sql: &str) -> Result<Vec<(usize, u64)>, Problem> {
        let answer = self
            .flow
            .forward(post("/ddb/tokenize", sql.to_owned()))
            .await?;
        let bytes = read_small(answer).await?;
        decode_tokens(&bytes).map_err(Problem::unreadable)
    }

    /// Returns DuckDB's version.
    ///
    /// # Errors
    /// If DuckDB does not answer.
    pub(super) async fn version(&self) -> Result<String, Problem> {
        let version = version(&self.flow).await?;
        version.ok_or_else(Problem::unavailable)
    }
}

/// Removes the place of an error in the console's own statements, which the person has not written.
fn hide_place(problem: Problem) -> Problem {
    Problem {
        position: None,
        ..problem
    }
}

/// Request for the console's own statements.
fn own_request(sql: &str) -> Request<Body> {
    run_request(format!("{OWN_NAMES}{sql}"))
}

fn run_request(sql: String) -> Request<Body> {
    let mut request = post("/ddb/run", sql);
    let yes = HeaderValue::from_static("true");
    request
        .headers_mut()
        .insert("x-duckdb-ui-errors-as-json", yes);
    request
}

async fn read_small(answer: Response<Body>) -> Result<Bytes, Problem> {
    match read_body(answer, MAX_ANSWER_BYTES).await {
        Ok(bytes) => Ok(bytes),
        Err(ReadError::Problem(problem)) => Err(problem),
        Err(ReadError::TooLarge) => Err(Problem::unreadable("it is too long")),
    }
}

/// Reads an answer with at most this number of bytes.
async fn read_body(answer: Response<Body>, most: usize) -> Result<Bytes, ReadError> {
    let (head, body) = answer.into_parts();
    let body = Limited::new(body, most).collect();
    let bytes = match timeout(MAX_ANSWER_TIME, body).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => return Err(ReadError::TooLarge),
        _ => return Err(Problem::unavailable().into()),
    };
    match head.status {
        StatusCode::OK => Ok(bytes),
        // The queue is full.
        StatusCode::SERVICE_UNAVAILABLE => match decode_failure(&bytes) {
            Ok(Some(text)) => Err(Problem::busy(Problem::of_statement(text, "").message).into()),
            _ => Err(Problem::unavailable().into()),
        },
        status => Err(Problem::unreadable(format!("its status is {status}")).into()),
    }
}
