//! Sends a request of a check.

use reqwest::{RequestBuilder, StatusCode, header::HeaderMap};

use super::error::{CheckedService, PreflightError};
use crate::outbound::CertificateProblem;

/// Maximum size of an answer. Error documents have a few hundred bytes.
const MAX_RESPONSE_BYTES: usize = 64 * 1024;

/// Head and beginning of an answer.
pub(super) struct HttpResponse {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

/// Sends a request to `who` and reads the beginning of the answer.
///
/// # Errors
/// If there is no answer within the time limit, or the certificate is not accepted.
pub(super) async fn send(
    request: RequestBuilder,
    who: &CheckedService,
) -> Result<HttpResponse, PreflightError> {
    let failed = |error: reqwest::Error| match CertificateProblem::find(&error) {
        Some(problem) => PreflightError::BadCertificate {
            who: who.clone(),
            problem,
        },
        None => PreflightError::Unreachable(who.clone()),
    };
    let mut response = request.send().await.map_err(failed)?;
    let mut read = Vec::new();
    while read.len() < MAX_RESPONSE_BYTES {
        match response.chunk().await.map_err(failed)? {
            Some(chunk) => read.extend_from_slice(&chunk),
            None => break,
        }
    }
    read.truncate(MAX_RESPONSE_BYTES);
    Ok(HttpResponse {
        status: response.status(),
        headers: std::mem::take(response.headers_mut()),
        text: String::from_utf8_lossy(&read).into_owned(),
    })
}
