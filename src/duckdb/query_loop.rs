//! Requests and responses of `duckbot duckdb --ask`, as lines on standard input and output.

use std::{
    collections::HashMap,
    io::{self, BufRead, Write},
};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{query::QueryRequest, query_worker::QueryWorker};

/// Reads the next request. Answers empty lines, with which the bot checks that this process can still
/// be reached. Returns `None` at the end of the input, or if a line is not a request.
pub fn read_request() -> Option<QueryRequest> {
    let mut input = io::stdin().lock();
    loop {
        let mut line = String::new();
        input.read_line(&mut line).ok()?;
        if line == "\n" {
            print("").ok()?;
            continue;
        }
        // serde's error is not printed: it may quote the query.
        return serde_json::from_str(&line).ok();
    }
}

/// Answers `first`, and further requests if the bot wants to send some. Returns when `shutdown` is
/// cancelled, as it is at the end of the input.
///
/// # Errors
/// If a query can't be run or answered.
pub async fn serve(
    first: QueryRequest,
    variables: HashMap<String, String>,
    shutdown: CancellationToken,
) -> anyhow::Result<bool> {
    let (sender, mut requests) = mpsc::channel(1);
    let ended = shutdown.clone();
    // A thread of its own, because a blocking read of standard input can't be cancelled.
    std::thread::spawn(move || {
        while let Some(request) = read_request() {
            if sender.blocking_send(request).is_err() {
                return;
            }
        }
        ended.cancel();
    });
    let answered = async {
        let mut worker = QueryWorker::new(variables)?;
        let mut request = first;
        loop {
            let response = worker.answer(&request).await?;
            let response = serde_json::to_string(&response);
            print(&response.expect("a response serializes to JSON"))?;
            if !request.keep {
                return Ok(true);
            }
            worker.forget_result().await;
            let Some(next) = requests.recv().await else {
                return Ok(true);
            };
            request = next;
        }
    };
    shutdown
        .run_until_cancelled(answered)
        .await
        .unwrap_or(Ok(false))
}

fn print(line: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    writeln!(output, "{line}")?;
    output.flush()
}
