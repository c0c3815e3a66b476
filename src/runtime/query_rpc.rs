//! Sends queries to `duckbot duckdb --ask` and reads their results. The protocol is the same over a
//! child process's pipes and over `exec` into a container.
//!
//! A hostile session can answer anything. So the limits that the request names are enforced again
//! here, before the response takes memory.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    time::timeout,
};

use super::{QUERY_TIMEOUT_MARGIN, answer_room::AnswerRoom};
use crate::{
    duckdb::query::{Parquet, QueryRequest, QueryResponse},
    error::Error,
};

/// Bytes of a response besides its values: column names, quotes and escapes.
const MAX_OVERHEAD_BYTES: u64 = 1 << 20;
/// Maximum time to receive a large response. It is complete when its first byte is sent.
const TRANSFER_TIMEOUT: Duration = Duration::from_secs(20);

/// Maximum time to learn that a waiting process can still be reached.
const REACH_TIMEOUT: Duration = Duration::from_secs(1);

/// A process that answers queries, one after the other. It ends when it is dropped, because that closes
/// its input.
pub(super) struct QueryProcess {
    input: Box<dyn AsyncWrite + Send + Sync + Unpin>,
    output: BufReader<Box<dyn AsyncRead + Send + Sync + Unpin>>,
    /// Connection that must stay open as long as the process.
    _guard: Option<Box<dyn Send + Sync>>,
}

impl QueryProcess {
    pub(super) fn new(
        input: impl AsyncWrite + Send + Sync + Unpin + 'static,
        output: impl AsyncRead + Send + Sync + Unpin + 'static,
    ) -> Self {
        Self {
            input: Box::new(input),
            output: BufReader::new(Box::new(output)),
            _guard: None,
        }
    }

    /// Keeps a connection open as long as the process.
    pub(super) fn with(self, guard: impl Send + Sync + 'static) -> Self {
        Self {
            _guard: Some(Box::new(guard)),
            ..self
        }
    }

    /// Returns true if the process answers. A connection that was idle may be dead without notice.
    pub(super) async fn is_reachable(&mut self) -> bool {
        let answered = async {
            self.input.write_all(b"\n").await?;
            self.input.flush().await?;
            self.output.read_u8().await
        };
        matches!(timeout(REACH_TIMEOUT, answered).await, Ok(Ok(b'\n')))
    }

    /// Sends `question` and reads the response into `room`. Dropping the process interrupts the query.
    /// Returns `None` if the response is large and there is no room for it. Then, and after an error,
    /// the process can't be used again.
    ///
    /// # Errors
    /// Returns [`Error::Session`] after the query's own limit plus `QUERY_TIMEOUT_MARGIN`, if the
    /// connection breaks, or if the response is invalid or larger than the request allows.
    pub(super) async fn ask(
        &mut self,
        question: &QueryRequest,
        room: &mut AnswerRoom,
    ) -> Result<Option<QueryResponse>, Error> {
        let mut line = serde_json::to_vec(question).expect("a query request serializes to JSON");
        line.push(b'\n');
        let max_file_bytes = if question.parquet {
            question.max_file_bytes()
        } else {
            0
        };
        // In base64.
        let file = max_file_bytes.div_ceil(3) * 4;
        let most = u64::from(question.max_bytes) * 2 + file + MAX_OVERHEAD_BYTES;
        let (input, output) = (&mut self.input, &mut self.output);
        let mut answer = Vec::new();
        let begun = async {
            input.write_all(&line).await?;
            input.flush().await?;
            let small = &mut output.take(AnswerRoom::SMALL_BYTES);
            small.read_until(b'\n', &mut answer).await
        };
        let limit = Duration::from_secs(question.timeout_seconds.into()) + QUERY_TIMEOUT_MARGIN;
        within(limit, begun).await?;
        if answer.len() as u64 == AnswerRoom::SMALL_BYTES && !answer.ends_with(b"\n") {
            if !room.enlarge().await {
                return Ok(None);
            }
            // One byte more shows that the response is too large.
            let output = &mut self.output;
            let rest = &mut output.take(most + 1 - AnswerRoom::SMALL_BYTES);
            within(TRANSFER_TIMEOUT, rest.read_until(b'\n', &mut answer)).await?;
        }
        if answer.is_empty() {
            // The process was killed, or the session image is too old to support queries.
            return Ok(Some(QueryResponse::Exited));
        }
        if answer.len() as u64 > most || !Elements::count(&answer).fit(question) {
            return Err(failed("the response is larger than the query allows"));
        }
        // Don't report the response, because it may quote the query.
        let answer = serde_json::from_slice(&answer);
        let answer = answer.map_err(|_| failed("the response is not valid JSON"))?;
        if let QueryResponse::Rows(rows) = &answer
            && let Some(Parquet::File(file)) = &rows.parquet
            && file.content.len() as u64 > max_file_bytes
        {
            return Err(failed("the file is larger than the query allows"));
        }
        Ok(Some(answer))
    }
}

/// Waits for input or output, up to `limit`.
async fn within<T>(limit: Duration, io: impl Future<Output = io::Result<T>>) -> Result<T, Error> {
    match timeout(limit, io).await {
        // Don't report the error's text, because it may quote the query.
        Ok(done) => done.map_err(|why| failed(&why.kind().to_string())),
        Err(_) => Err(failed(&format!("no answer within {limit:?}"))),
    }
}

/// Returns the error of a query that got no usable answer.
pub(super) fn failed(why: &str) -> Error {
    Error::Session {
        action: "running a query in DuckDB".into(),
        why: why.into(),
    }
}

/// Number of elements in a JSON text, at least. Each takes memory of its own once the text is parsed,
/// however short it is.
#[derive(Default)]
struct Elements {
    /// Elements of all arrays and objects, and these themselves.
    all: u64,
    arrays: u64,
}

impl Elements {
    fn count(json: &[u8]) -> Self {
        let (mut count, mut is_string, mut is_escaped) = (Self::default(), false, false);
        for byte in json {
            match byte {
                _ if is_escaped => is_escaped = false,
                b'\\' if is_string => is_escaped = true,
                b'"' => is_string = !is_string,
                b'[' | b'{' | b',' if !is_string => {
                    count.all += 1;
                    count.arrays += u64::from(*byte == b'[');
                }
                _ => {}
            }
        }
        count
    }

    /// Returns true if a response may have as many. A cell counts once, a row twice and a column three
    /// times. With two rows or more, there are at most half as many columns as cells. A single row
    /// could have more, but no query has so many columns.
    fn fit(&self, question: &QueryRequest) -> bool {
        const OTHERS: u64 = 64;
        let cells = u64::from(question.max_cells);
        let rows = u64::from(question.max_rows);
        self.all <= cells * 3 + rows * 2 + OTHERS && self.arrays <= rows + OTHERS
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use futures_util::FutureExt;
    use tokio::io::{duplex, sink};

    use super::*;
    use crate::{
        duckdb::query::{Parquet, ParquetFile, Rows},
        runtime::answer_room::AnswerMemory,
    };

    fn question() -> QueryRequest {
        QueryRequest {
            sql: "SELECT 42".into(),
            max_rows: 10_000,
            max_bytes: 1 << 20,
            max_cells: 10_000,
            timeout_seconds: 60,
            allow_writes: false,
            list_tables: false,
            parquet: false,
            examine: None,
            keep: true,
            variables: HashMap::new(),
        }
    }

    fn rows(row: &str, count: usize) -> String {
        let rows = vec![row; count].join(",");
        format!(r#"{{"rows":{{"columns":[],"rows":[{rows}],"more":false,"milliseconds":1}}}}"#)
    }

    fn many(count: usize) -> io::Cursor<Vec<u8>> {
        io::Cursor::new(rows(r#"["a"]"#, count).into_bytes())
    }

    /// Result of a call that is answered with `text`.
    async fn answered(text: String) -> Result<Option<QueryResponse>, Error> {
        let (mut session, bot) = duplex(1 << 10);
        tokio::spawn(async move { session.write_all(text.as_bytes()).await });
        let mut room = AnswerMemory::default().room();
        process(bot).ask(&question(), &mut room).await
    }

    fn process(output: impl AsyncRead + Send + Sync + Unpin + 'static) -> QueryProcess {
        QueryProcess::new(sink(), output)
    }

    fn is_refused(answered: Result<Option<QueryResponse>, Error>) -> bool {
        // People are told about the session, not about the cluster.
        matches!(answered, Err(Error::Session { why, .. }) if why.contains("larger than"))
    }

    #[tokio::test]
    async fn a_result_within_the_limits_is_read() {
        let answered = answered(rows(r#"["a,[","\"],["]"#, 5_000)).await;
        let Ok(Some(QueryResponse::Rows(rows))) = answered else {
            panic!("{answered:?}");
        };
        assert_eq!(rows.rows.len(), 5_000);
        assert_eq!(rows.rows[4_999][1].as_deref(), Some("\"],["));
    }

    #[tokio::test]
    async fn a_process_answers_one_query_after_the_other() {
        let mut room = AnswerMemory::default().room();
        let two = format!("{}\n{}\n\n", rows("[]", 1), rows("[]", 6_000));
        let mut process = process(io::Cursor::new(two.into_bytes()));
        for count in [1, 6_000] {
            let answered = process.ask(&question(), &mut room).await;
            let Ok(Some(QueryResponse::Rows(rows))) = answered else {
                panic!("{answered:?}");
            };
            assert_eq!(rows.rows.len(), count);
        }
        assert!(process.is_reachable().await);
        assert!(!process.is_reachable().await);
    }

    #[tokio::test]
    async fn a_file_has_room_of_its_own() {
        let wish = QueryRequest {
            parquet: true,
            ..question()
        };
        let sent = |bytes: u64| {
            let file = ParquetFile {
                content: vec![0xfb; bytes as usize],
                rows: 1,
                changed: Vec::new(),
            };
            QueryResponse::Rows(Rows {
                rows: vec![vec![Some("a".repeat(1 << 20))]],
                parquet: Some(Parquet::File(file)),
                ..Rows::default()
            })
        };
        let ask = async |sent: &QueryResponse, wish: &QueryRequest| {
            let text = serde_json::to_vec(sent).expect("a response serializes to JSON");
            let mut room = AnswerMemory::default().room();
            process(io::Cursor::new(text)).ask(wish, &mut room).await
        };
        let most = sent(wish.max_file_bytes());
        assert_eq!(ask(&most, &wish).await, Ok(Some(most.clone())));
        assert!(is_refused(ask(&most, &question()).await));
        assert!(is_refused(ask(&sent(4 << 20), &wish).await));
    }

    #[tokio::test]
    async fn a_session_that_sends_more_than_agreed_is_cut_off() {
        let mut room = AnswerMemory::default().room();
        let endless = tokio::io::repeat(b'[');
        assert!(is_refused(
            process(endless).ask(&question(), &mut room).await
        ));
        // Short on the wire, and large in memory.
        assert!(is_refused(answered(rows("[]", 100_000)).await));
        assert!(is_refused(answered(rows("[]", 10_100)).await));
        assert!(is_refused(
            answered(rows("[null,null,null,null]", 20_000)).await
        ));
    }

    #[tokio::test]
    async fn large_answers_wait_for_each_other_and_small_ones_for_nobody() {
        let memory = AnswerMemory::default();
        let (question, large, small) = (question(), || many(5_000), || many(2));
        let mut held = [memory.room(), memory.room(), memory.room()];
        for room in &mut held {
            let answered = process(large()).ask(&question, room).await;
            assert!(answered.is_ok_and(|it| it.is_some()));
        }
        let mut room = memory.room();
        let mut waiting = process(large());
        let mut waits = Box::pin(waiting.ask(&question, &mut room));
        assert!(waits.as_mut().now_or_never().is_none());
        let mut other = memory.room();
        let answered = process(small()).ask(&question, &mut other).await;
        assert!(answered.is_ok_and(|it| it.is_some()));
        drop(held);
        assert!(waits.await.is_ok_and(|it| it.is_some()));
    }
}
