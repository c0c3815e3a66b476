//! Failures of requests to Discord: their status and code, and whether a retry can help. Pure.

use serenity::http::HttpError;

use crate::{error::Error, metrics};

/// HTTP status of a response, if Discord responded.
pub(super) fn status(error: &serenity::Error) -> Option<u16> {
    match error {
        serenity::Error::Http(HttpError::UnsuccessfulRequest(answer)) => {
            Some(answer.status_code.as_u16())
        }
        _ => None,
    }
}

/// Discord's error code in the response body, such as `10008` (unknown message).
pub(super) fn code(error: &serenity::Error) -> Option<isize> {
    match error {
        serenity::Error::Http(HttpError::UnsuccessfulRequest(answer)) => Some(answer.error.code),
        _ => None,
    }
}

/// Discord's error code for an interaction token that expired after 15 minutes.
const INVALID_WEBHOOK_TOKEN: isize = 50027;

/// Returns true if Discord refused for good: the channel, message or permission is gone, the thread
/// is archived, or the reply is too old. Waiting helps after other failures: an invalid bot token
/// (401), a timeout (408), a rate limit (429), a server error or no answer.
pub(super) fn is_final(error: &serenity::Error) -> bool {
    let client_error = |status: &u16| (400..500).contains(status);
    code(error) == Some(INVALID_WEBHOOK_TOKEN)
        || status(error)
            .filter(client_error)
            .is_some_and(|status| ![401, 408, 429].contains(&status))
}

/// Creates an error without serenity's own message, which contains the request's URL.
pub(super) fn discord_error(action: &str, error: &serenity::Error) -> Error {
    Error::Discord {
        action: action.to_owned(),
        why: match status(error) {
            Some(status) => format!("Discord answered {status} (code {:?})", code(error)),
            None => "Discord did not answer".to_owned(),
        },
    }
}

/// Counts a request to Discord by its outcome.
pub(super) fn count<T>(what: &'static str, answer: &serenity::Result<T>) {
    let outcome = match answer {
        Ok(_) => "done",
        Err(error) if is_final(error) => "refused",
        Err(_) => "failed",
    };
    metrics::count_discord_request(what, outcome);
}
