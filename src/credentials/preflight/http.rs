//! Sends a request of a check.

use reqwest::{RequestBuilder, StatusCode, header::HeaderMap};

/// Maximum size of an answer. Error documents have a few hundred bytes.
const MAX_RESPONSE_BYTES: usize = 64 * 1024;

/// Head and beginning of an answer.
pub(super) struct HttpResponse {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

/// Sends a request and reads the beginning of the answer. Returns `None` if there is no answer
/// within the time limit.
pub(super) async fn send(request: RequestBuilder) -> Option<HttpResponse> {
    let mut response = request.send().await.ok()?;
    let mut read = Vec::new();
    while read.len() < MAX_RESPONSE_BYTES {
        match response.chunk().await.ok()? {
            Some(chunk) => read.extend_from_slice(&chunk),
            None => break,
        }
    }
    read.truncate(MAX_RESPONSE_BYTES);
    Some(HttpResponse {
        status: response.status(),
        headers: std::mem::take(response.headers_mut()),
        text: String::from_utf8_lossy(&read).into_owned(),
    })
}
