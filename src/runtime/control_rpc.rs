//! Sends one signed command to `duckbot duckdb --control` in a session, and reads the answer.

use std::time::Duration;

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::timeout,
};

use super::ControlResponse;
use crate::error::Error;

const MAX_ANSWER_BYTES: u64 = 64 << 10;

/// Writes the signed command to `input` and reads the answer from `output`, within `limit`. Returns `None` if there is none:
/// the program has ended, or does not know the command.
///
/// # Errors
/// Returns [`Error::Session`] after `limit`, or if the connection breaks or the answer
/// is not valid.
pub(super) async fn call(
    signed: &str,
    limit: Duration,
    mut input: impl AsyncWrite + Unpin,
    output: impl AsyncRead + Unpin,
) -> Result<Option<ControlResponse>, Error> {
    let mut answer = Vec::new();
    let asked = async {
        input.write_all(format!("{signed}\n").as_bytes()).await?;
        input.flush().await?;
        output.take(MAX_ANSWER_BYTES).read_to_end(&mut answer).await
    };
    match timeout(limit, asked).await {
        Ok(Ok(_)) => {}
        Ok(Err(why)) => return Err(failed(&why.kind().to_string())),
        Err(_) => return Err(timed_out(limit)),
    }
    if answer.is_empty() {
        return Ok(None);
    }
    let answer = serde_json::from_slice(&answer);
    answer
        .map(Some)
        .map_err(|_| failed("the answer is not valid JSON"))
}

pub(super) fn timed_out(limit: Duration) -> Error {
    failed(&format!("no answer within {limit:?}"))
}

pub(super) fn failed(why: &str) -> Error {
    Error::Session {
        action: "sending a command to a session".into(),
        why: why.into(),
    }
}
