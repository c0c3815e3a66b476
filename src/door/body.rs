//! Bodies of requests and answers: their limits, and the bodies of waiting queries.

use std::{pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http_body_util::{BodyExt, BodyStream, Full, Limited, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    HeaderMap, Request,
    body::{Frame, Incoming},
    header::{self, HeaderValue},
};
use tokio::sync::Semaphore;
use tower_http::timeout::TimeoutBody;

/// Maximum size of a request's body: a query with the data that it inserts.
pub(super) const MAX_BODY_BYTES: usize = 64 << 20;
/// Maximum size of a body that is received whole: the text of a query.
pub(super) const MAX_TEXT_BYTES: usize = 1 << 20;
/// Maximum size of the bodies of waiting queries together. The door has 64 MiB.
const MAX_WAITING_BYTES: usize = 16 << 20;
/// Maximum time to wait for the next chunk of a request's body, and to receive a small body.
const CHUNK_TIMEOUT: Duration = Duration::from_secs(20);

/// Failure while a body is transferred.
#[derive(Debug, thiserror::Error)]
#[error("a body ended before it was complete")]
pub(super) struct BodyError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// A body of any source: a browser, DuckDB or the door.
pub(super) type Body = UnsyncBoxBody<Bytes, BodyError>;

/// Creates a body from a complete text.
pub(super) fn full_body(text: impl Into<Bytes>) -> Body {
    let full = Full::new(text.into());
    full.map_err(|never| match never {}).boxed_unsync()
}

/// Refuses a request whose body is over [`MAX_BODY_BYTES`] by its own account.
pub(super) fn check_length(headers: &HeaderMap) -> Result<(), ProxyError> {
    let length = headers.get(header::CONTENT_LENGTH);
    let length = length.and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > MAX_BODY_BYTES) {
        return Err(ProxyError::TooLarge(MAX_BODY_BYTES));
    }
    Ok(())
}

/// Limits the size and the pauses of a request's body, which is streamed.
pub(super) fn stream_body(request: Request<Incoming>) -> Request<Body> {
    request.map(|body| {
        let steady = TimeoutBody::new(CHUNK_TIMEOUT, body);
        let limited = Limited::new(Box::pin(steady), MAX_BODY_BYTES);
        limited.map_err(BodyError).boxed_unsync()
    })
}

/// Receives a small body whole.
///
/// # Errors
/// Returns [`ProxyError::TooLarge`] if the body has more than `most` bytes, and
/// [`ProxyError::TooSlow`] if it is not there in time.
pub(super) async fn receive_body(
    request: Request<Body>,
    most: usize,
) -> Result<Request<Body>, ProxyError> {
    let (mut head, body) = request.into_parts();
    let body = Limited::new(body, most).collect();
    let body = tokio::time::timeout(CHUNK_TIMEOUT, body).await;
    let body = body.map_err(|_| ProxyError::TooSlow)?;
    let body = body.map_err(|error| match ProxyError::from_source(&*error) {
        ProxyError::TooLarge(_) => ProxyError::TooLarge(most),
        error => error,
    })?;
    let body = body.to_bytes();
    set_length(&mut head.headers, body.len());
    Ok(Request::from_parts(head, full_body(body)))
}

/// States the length of a body. DuckDB refuses a POST without it, and hyper omits it for an empty
/// body.
fn set_length(headers: &mut HeaderMap, length: usize) {
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
}

/// Memory for the bodies of waiting queries. The end of a connection is behind its body, so a browser
/// that goes away is only noticed once its query's body was received.
pub(super) struct WaitingBodies(Arc<Semaphore>);

impl Default for WaitingBodies {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_WAITING_BYTES)))
    }
}

impl WaitingBodies {
    /// Receives a request's body, as far as there is memory for it, until `waiting` ends.
    ///
    /// # Errors
    /// If the body can't be received.
    pub(super) async fn receive_during<T>(
        &self,
        waiting: impl Future<Output = T>,
        request: Request<Body>,
    ) -> Result<(T, Request<Body>), ProxyError> {
        let mut waiting = pin!(waiting);
        let (mut head, mut body) = request.into_parts();
        let mut received = Vec::new();
        let (mut length, mut is_complete, mut has_room) = (0, false, true);
        let waited = loop {
            let frame = tokio::select! {
                biased;
                waited = &mut waiting => break waited,
                frame = body.frame(), if has_room && !is_complete => frame,
            };
            let Some(frame) = frame else {
                is_complete = true;
                continue;
            };
            let frame = frame.map_err(|error| ProxyError::from_source(&error))?;
            if let Ok(data) = frame.into_data() {
                let size = u32::try_from(data.len()).unwrap_or(u32::MAX);
                let room = self.0.clone().try_acquire_many_owned(size).ok();
                has_room = room.is_some();
                length += data.len();
                received.push((data, room));
            }
        };
        if is_complete {
            set_length(&mut head.headers, length);
        }
        // The memory is free again once a chunk was passed on.
        let received = stream::iter(received).map(|(data, _room)| Ok(Frame::data(data)));
        let body = StreamBody::new(received.chain(BodyStream::new(body))).boxed_unsync();
        Ok((waited, Request::from_parts(head, body)))
    }
}

/// Reasons why there is no answer from DuckDB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProxyError {
    /// DuckDB does not listen, or closed the connection.
    Unavailable,
    /// Too many requests are in progress.
    Busy,
    /// The request's body has more than this number of bytes.
    TooLarge(usize),
    /// The request's body stopped before its end.
    TooSlow,
}

impl ProxyError {
    /// Finds the reason in an error of [`stream_body`]'s body or of the HTTP client.
    pub(super) fn from_source(error: &(dyn std::error::Error + 'static)) -> Self {
        let mut cause = Some(error);
        let mut is_of_body = false;
        while let Some(error) = cause {
            is_of_body |= error.is::<BodyError>();
            if error.is::<http_body_util::LengthLimitError>() {
                return Self::TooLarge(MAX_BODY_BYTES);
            }
            if error.is::<tower_http::timeout::TimeoutError>() {
                return Self::TooSlow;
            }
            cause = error.source();
        }
        if is_of_body {
            // The browser's connection broke.
            Self::TooSlow
        } else {
            Self::Unavailable
        }
    }
}
