//! Sends a signed command about DuckDB clients to a session's door.

use std::time::Duration;

use reqwest::StatusCode;

use super::request::error_chain;
use crate::runtime::ClientsResponse;

/// Maximum time for the door's response. It waits 10 s for DuckDB, for each of two statements.
const TIMEOUT: Duration = Duration::from_secs(25);

/// Sends a command to the door at `url`.
///
/// # Errors
/// If the door does not answer, or its response is not valid.
pub(super) async fn send(
    doors: &reqwest::Client,
    url: &str,
    signed: String,
) -> Result<ClientsResponse, String> {
    let sent = doors.post(url).timeout(TIMEOUT).body(signed).send().await;
    let response = sent.map_err(|error| error_chain(&error))?;
    if response.status() == StatusCode::NOT_FOUND {
        // An older version of the door.
        return Ok(ClientsResponse::NotSupported);
    }
    let response = response.error_for_status();
    let body = match response {
        Ok(response) => response.text().await,
        Err(error) => Err(error),
    };
    let body = body.map_err(|error| error_chain(&error))?;
    serde_json::from_str(&body).map_err(|_| "its door's response is not valid".to_owned())
}
