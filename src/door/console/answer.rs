//! The console's answers to the page: JSON, and the rows of results in it.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http_body_util::{BodyExt, StreamBody};
use hyper::{
    Response, StatusCode,
    body::Frame,
    header::{self, HeaderValue},
};
use serde::{Serialize, Serializer, ser::SerializeSeq};
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc},
    time::timeout,
};

use super::problem::Problem;
use crate::door::decode::Table;
use crate::door::{
    body::{Body, BodyError, full_body},
    outcome::RequestOutcome,
    policy::rewrite_response_headers,
};

/// Number of characters of a value that a page of a result shows.
pub(super) const MAX_SHOWN_CHARS: usize = 1000;
/// Size of the pieces of a large answer.
const PIECE_BYTES: usize = 64 << 10;
/// Maximum time for the browser to take a piece. After that, the answer's memory is needed for others.
const PIECE_TIMEOUT: Duration = Duration::from_secs(30);

/// Memory for an answer.
pub(super) type AnswerPermit = OwnedSemaphorePermit;

/// JSON, with the permit for its memory if it can be large.
pub(super) struct Reply {
    json: Vec<u8>,
    permit: Option<AnswerPermit>,
}

impl Reply {
    /// Writes a small answer.
    pub(super) fn of(value: &impl Serialize) -> Self {
        Self {
            json: serde_json::to_vec(value).expect("an answer serializes to JSON"),
            permit: None,
        }
    }

    /// JSON of any size, with the permit for its memory.
    pub(super) fn large(json: Vec<u8>, permit: AnswerPermit) -> Self {
        Self {
            json,
            permit: Some(permit),
        }
    }

    pub(super) fn empty() -> Self {
        Self::of(&serde_json::json!({}))
    }

    fn into_body(self) -> Body {
        if self.json.len() <= PIECE_BYTES {
            return full_body(self.json);
        }
        let (pieces, mut received) = mpsc::channel(1);
        tokio::spawn(async move {
            let mut rest = Bytes::from(self.json);
            while !rest.is_empty() {
                let piece = rest.split_to(rest.len().min(PIECE_BYTES));
                match timeout(PIECE_TIMEOUT, pieces.send(Ok(Frame::data(piece)))).await {
                    Ok(Ok(())) => {}
                    // The browser is gone.
                    Ok(Err(_)) => break,
                    Err(late) => {
                        let _ = pieces.try_send(Err(BodyError(late.into())));
                        break;
                    }
                }
            }
            drop(self.permit);
        });
        StreamBody::new(stream::poll_fn(move |context| received.poll_recv(context)).fuse())
            .boxed_unsync()
    }
}

/// Answers a call.
pub(super) fn respond(outcome: Result<Reply, Problem>) -> Response<Body> {
    let (status, reply, noted) = match outcome {
        Ok(reply) => (StatusCode::OK, reply, RequestOutcome::Done),
        Err(problem) => {
            let noted = problem.outcome();
            let mut error = serde_json::json!({ "error": problem });
            if let Some(version) = problem.version {
                error["version"] = version.into();
            }
            (problem.status, Reply::of(&error), noted)
        }
    };
    let mut answer = Response::new(reply.into_body());
    *answer.status_mut() = status;
    noted.note(&mut answer);
    let headers = answer.headers_mut();
    let json = HeaderValue::from_static("application/json");
    headers.insert(header::CONTENT_TYPE, json);
    protect(headers);
    answer
}

/// Adds the headers of all of the console's answers that are not files of the page.
pub(super) fn protect(headers: &mut hyper::HeaderMap) {
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let nosniff = HeaderValue::from_static("nosniff");
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    rewrite_response_headers(headers);
}

/// Writes an answer with rows, up to a limit of its size.
pub(super) fn write_limited(value: &impl Serialize, most: usize) -> Option<Vec<u8>> {
    let mut limited = LimitedWriter {
        bytes: Vec::new(),
        most,
    };
    serde_json::to_writer(&mut limited, value).ok()?;
    Some(limited.bytes)
}

struct LimitedWriter {
    bytes: Vec<u8>,
    most: usize,
}

impl std::io::Write for LimitedWriter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.most {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Rows of a result whose long values were cut by [`cut`].
pub(super) struct Rows<'a>(pub &'a Table<'a>);

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((0..self.0.rows()).map(|row| Row(self.0, row)))
    }
}

struct Row<'a>(&'a Table<'a>, usize);

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(table, row) = self;
        let mut values = serializer.serialize_seq(Some(table.columns.len()))?;
        for column in 0..table.columns.len() {
            match table.value(*row, column).map(split_cut) {
                None => values.serialize_element(&None::<()>)?,
                Some((text, None)) => values.serialize_element(text)?,
                Some(cut) => values.serialize_element(&cut)?,
            }
        }
        values.end()
    }
}

/// Cuts long values in SQL. The length of such a value follows its first characters, so a value that is longer
/// than [`MAX_SHOWN_CHARS`] was cut.
pub(super) fn cut() -> String {
    let most = MAX_SHOWN_CHARS;
    format!(
        "if(length(COLUMNS(*)) > {most}, left(COLUMNS(*), {most}) || length(COLUMNS(*)), COLUMNS(*))"
    )
}

/// Splits a value of [`cut`] into its first characters and, if it was cut, its length.
fn split_cut(text: &str) -> (&str, Option<u64>) {
    match text.char_indices().nth(MAX_SHOWN_CHARS) {
        Some((end, _)) => (&text[..end], text[end..].parse().ok()),
        None => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_is_told_from_empty_and_a_cut_value_has_its_length() {
        let long = "é".repeat(MAX_SHOWN_CHARS) + "1048576";
        let table = Table {
            names: vec!["a", "b"],
            columns: vec![vec![None, Some("")], vec![Some("<b>\u{1}"), Some(&long)]],
        };
        let json = write_limited(&Rows(&table), 1 << 20).expect("small enough");
        let json: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
        let cut = "é".repeat(MAX_SHOWN_CHARS);
        let expected = serde_json::json!([[null, "<b>\u{1}"], ["", [cut, 1_048_576]]]);
        assert_eq!(json, expected);
        assert_eq!(write_limited(&Rows(&table), 20), None);
    }
}
