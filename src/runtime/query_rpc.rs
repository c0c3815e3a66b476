//! A question goes in, its answer comes out: the same over a process's pipes as over a
//! connection to a container.

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

/// What an answer has besides its values: quotes, names, and what they are escaped with.
const MAX_OVERHEAD_BYTES: u64 = 1 << 20;

/// Asks whoever reads `input`, and reads the answer from `output`. The input stays open until
/// then: its end interrupts.
pub async fn call(
    question: &QueryRequest,
    mut input: impl AsyncWrite + Unpin,
    output: impl AsyncRead + Unpin,
) -> Result<QueryResponse, Error> {
    let action = || "asking DuckDB".to_owned();
    let unavailable = |why: &str| Error::Unavailable {
        action: action(),
        why: why.into(),
    };
    let mut line = serde_json::to_vec(question).expect("it is plain text");
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
        // Neither its words nor the answer's: what was asked may be in them.
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
        // Killed, or of before there were questions.
        return Ok(QueryResponse::Exited);
    }
    serde_json::from_slice(&answer).map_err(|_| unavailable("no usable answer came"))
}
