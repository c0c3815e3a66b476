//! Sends one query to `duckbot duckdb --ask` and reads its result. The protocol is the same over a
//! child process's pipes and over `exec` into a container.

use std::time::Duration;

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::timeout,
};

use super::QUERY_TIMEOUT_MARGIN;
use crate::{
    duckdb::query::{QueryRequest, QueryResponse},
    error::Error,
};

/// Bytes of a response besides its values: column names, quotes and escapes.
const MAX_OVERHEAD_BYTES: u64 = 1 << 20;

/// Writes `question` to `input` and reads the response from `output`. Keeps `input` open until
/// then, because closing it interrupts the query.
///
/// # Errors
/// Returns [`Error::TimedOut`] after the query's own limit plus `QUERY_TIMEOUT_MARGIN`, and
/// [`Error::Unavailable`] if the connection breaks or the response is invalid.
pub(super) async fn call(
    question: &QueryRequest,
    mut input: impl AsyncWrite + Unpin,
    output: impl AsyncRead + Unpin,
) -> Result<QueryResponse, Error> {
    let action = || "running a query in DuckDB".to_owned();
    let unavailable = |why: &str| Error::Unavailable {
        action: action(),
        why: why.into(),
    };
    let mut line = serde_json::to_vec(question).expect("a query request serializes to JSON");
    line.push(b'\n');
    let mut answer = Vec::new();
    let most = u64::from(question.max_bytes) * 2 + MAX_OVERHEAD_BYTES;
    let asked = async {
        input.write_all(&line).await?;
        input.flush().await?;
        output.take(most).read_to_end(&mut answer).await
    };
    let limit = Duration::from_secs(question.timeout_seconds.into()) + QUERY_TIMEOUT_MARGIN;
    match timeout(limit, asked).await {
        Ok(Ok(_)) => {}
        // Report neither the error's text nor the response: they may quote the query.
        Ok(Err(why)) => return Err(unavailable(&why.kind().to_string())),
        Err(_) => {
            return Err(Error::TimedOut {
                action: action(),
                after: limit,
            });
        }
    }
    drop(input);
    if answer.is_empty() {
        // The process was killed, or the session image is too old to support queries.
        return Ok(QueryResponse::Exited);
    }
    serde_json::from_slice(&answer).map_err(|_| unavailable("the response is not valid JSON"))
}
