//! Requests in DuckDB's errors. Pure.
//!
//! A failure is recognised by the type of the error and by the beginning of its message, never by words
//! further on: errors quote data, paths, queries and answers. `‹M›` is an HTTP method.
//!
//! | written by | beginning of the message | request |
//! | --- | --- | --- |
//! | httpfs | `HTTP ‹M› error reading '‹URL›' in region …` | with S3 credentials |
//! | httpfs | `Unable to connect to URL ‹URL›: …` | writing |
//! | httpfs | `HTTP ‹M› error on '‹URL›'`, `HTTP error on '‹URL›'` | without credentials |
//! | httpfs | `Request returned HTTP ‹status› for HTTP ‹M› to '‹URL›'` | any |
//! | httpfs | `‹curl's reason› error for HTTP ‹M› to '‹URL›'` | any, without an answer |
//! | iceberg | `‹M› request to endpoint '‹URL›' failed`, or `… returned an error response (HTTP ‹status›)` | signed |
//! | iceberg | `Request to '‹URL›' returned a non-200 status code (Forbidden_403)…` | to a catalog |
//! | iceberg | `‹name› endpoint returned response code Forbidden_403 …` | to the catalog |
//! | iceberg | `Enum value: unrecognized enum value "419" for enum "HTTPStatusCode"` | to the catalog |
//! | iceberg | `Could not get token from ‹URL›: ` and `HTTP Forbidden_403 …` or one of these forms | to the catalog |
//! | iceberg | nothing, or an answer that is not an error of Iceberg's specification | to the catalog, for a table |
//!
//! `CREATE TABLE` puts the whole error after `Request to '‹URL›' returned a non-200 status code body: `. A
//! commit puts the message after `Failed to commit: Failed to commit Iceberg transaction: `.
//!
//! Sources: the texts in DuckDB 1.5.5's httpfs, iceberg (45163a28) and avro, and its answers to servers that fail
//! in each way. curl's reasons: <https://github.com/curl/curl/blob/master/lib/strerror.c>.

use crate::duckdb::error_text::DuckDbError;

/// Types of the errors that are about requests.
const TYPES: [&str; 5] = [
    "HTTP",
    "IO",
    "Invalid Configuration",
    "Not implemented",
    COMMIT_TYPE,
];
const COMMIT_TYPE: &str = "TransactionContext";
/// Beginning of the message of a commit that failed.
const COMMIT: &str = "Failed to commit: Failed to commit Iceberg transaction: ";
/// Type of the errors with a catalog's answer about a table as their message.
const FOREIGN_TYPE: &str = "Invalid Configuration";
/// curl's reasons that a later attempt does not change.
const TLS_REASONS: [&str; 3] = [
    "SSL peer certificate or SSH remote key was not OK",
    "Problem with the SSL CA cert (path? access rights?)",
    "SSL connect error",
];
const REDIRECTS_REASON: &str = "Number of redirects hit maximum amount";

/// A failed request, as far as the error says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) target: Target,
    pub(super) outcome: Outcome,
    /// Body of the answer. Empty if the error has none.
    pub(super) body: String,
}

/// Target of a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// The session's catalog.
    Catalog,
    /// URL of a catalog.
    Iceberg(String),
    /// URL that was read or written with S3 credentials.
    Storage(String),
    /// URL that was read or written without credentials.
    Web(String),
    /// URL of any server.
    Any(String),
}

/// Outcome of a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Status(u16),
    NoAnswer(NoAnswer),
    /// DuckDB can't read the answer.
    Unreadable,
}

/// Reasons why there is no answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoAnswer {
    Connection,
    Tls,
    Redirects,
}

/// Reads the request that failed, if `error` is about one.
pub(super) fn read(error: &DuckDbError) -> Option<Request> {
    if !TYPES.contains(&&*error.kind) {
        return None;
    }
    let message = match error.message.strip_prefix(COMMIT) {
        Some(message) => message,
        None if error.kind == COMMIT_TYPE => return None,
        None => &error.message,
    };
    let answer = message.trim_start();
    let is_foreign =
        error.kind == FOREIGN_TYPE && (answer.is_empty() || answer.starts_with(['{', '[', '<']));
    if is_foreign {
        return Some(Request {
            target: Target::Catalog,
            outcome: Outcome::Unreadable,
            body: String::new(),
        });
    }
    if let Some((_, after)) = quoted(message, "Request to ")
        && let Some(inner) = after.strip_prefix(" returned a non-200 status code body: ")
    {
        return read(&DuckDbError::parse(inner)?);
    }
    let (target, outcome) = target_and_outcome(message)?;
    let outcome = match (outcome, &error.status_code) {
        (Outcome::Status(_), Some(status)) => Outcome::Status(status.parse().ok()?),
        (outcome, _) => outcome,
    };
    // DuckDB's status is 0 if it could not make sense of the answer, such as a denial by an ordinary web server.
    let outcome = match (outcome, &target) {
        (Outcome::Status(0), Target::Web(_)) => Outcome::Unreadable,
        (Outcome::Status(0), _) => Outcome::NoAnswer(NoAnswer::Connection),
        (outcome, _) => outcome,
    };
    let body = error.response_body.clone().unwrap_or_default();
    let body = if body.is_empty() {
        s3_document(message)
    } else {
        body
    };
    Some(Request {
        target,
        outcome,
        body,
    })
}

fn target_and_outcome(message: &str) -> Option<(Target, Outcome)> {
    if let Some(rest) = message.strip_prefix("Could not get token from ") {
        // URLs have no spaces.
        let (_, reason) = rest.split_once(": ")?;
        let outcome = match reason.strip_prefix("HTTP ") {
            // Most authorization servers refuse a client with 400:
            // <https://www.rfc-editor.org/rfc/rfc6749#section-5.2>.
            Some(status) if named_status(status) == Some(400) => Outcome::Status(401),
            Some(status) if named_status(status).is_some() => {
                Outcome::Status(named_status(status)?)
            }
            _ => target_and_outcome(reason)?.1,
        };
        return Some((Target::Catalog, outcome));
    }
    if let Some(rest) = message.strip_prefix("Enum value: unrecognized enum value \"") {
        let status = rest.strip_suffix("\" for enum \"HTTPStatusCode\"")?;
        return Some((Target::Catalog, Outcome::Status(status.parse().ok()?)));
    }
    if let Some((name, rest)) = message.split_once(" endpoint returned response code ") {
        let status = named_status(rest).filter(|_| is_word(name))?;
        return Some((Target::Catalog, Outcome::Status(status)));
    }
    if let Some(rest) = message.strip_prefix("Unable to connect to URL ") {
        let (url, _) = rest.split_once(": ")?;
        let is_web = url.starts_with("http://") || url.starts_with("https://");
        let target = if is_web { Target::Web } else { Target::Storage };
        let status = last_number(rest, " (HTTP code ")?;
        return Some((target(url.to_owned()), Outcome::Status(status)));
    }
    if let Some((url, after)) = quoted(message, "Request to ") {
        let status = after.strip_prefix(" returned a non-200 status code (")?;
        return Some((Target::Iceberg(url), Outcome::Status(named_status(status)?)));
    }
    let (before, _) = message.split_once('\'')?;
    let (url, after) = quoted(message, before)?;
    let words: Vec<_> = before.trim_end().split(' ').collect();
    match *words {
        ["HTTP", method, "error", "reading"] if is_word(method) => {
            let status = last_number(after, " (HTTP ")?;
            Some((Target::Storage(url), Outcome::Status(status)))
        }
        ["HTTP", .., "error", "on"] => Some((
            Target::Web(url),
            Outcome::Status(last_number(after, " (HTTP ")?),
        )),
        [
            "Request",
            "returned",
            "HTTP",
            status,
            "for",
            "HTTP",
            method,
            "to",
        ] if is_word(method) => Some((Target::Any(url), Outcome::Status(status.parse().ok()?))),
        [method, "request", "to", "endpoint"] if is_word(method) => {
            let answered = after.strip_prefix(" returned an error response");
            let outcome = match answered {
                Some(rest) => Outcome::Status(last_number(rest, " (HTTP ")?),
                None => Outcome::NoAnswer(NoAnswer::Connection),
            };
            Some((Target::Iceberg(url), outcome))
        }
        [ref reason @ .., "error", "for", "HTTP", method, "to"]
            if is_word(method) && after.is_empty() =>
        {
            let reason = no_answer(&reason.join(" "))?;
            Some((Target::Any(url), Outcome::NoAnswer(reason)))
        }
        _ => None,
    }
}

/// Reads curl's reason. Returns `None` for a text with quotes or a colon, as before quoted data.
fn no_answer(reason: &str) -> Option<NoAnswer> {
    if reason.contains(['"', '`', ':', '\n']) {
        return None;
    }
    Some(match reason {
        REDIRECTS_REASON => NoAnswer::Redirects,
        _ if TLS_REASONS.contains(&reason) => NoAnswer::Tls,
        _ => NoAnswer::Connection,
    })
}

/// Returns the text in single quotes after `before`, with which the message begins, and the rest.
fn quoted<'a>(message: &'a str, before: &str) -> Option<(String, &'a str)> {
    let rest = message.strip_prefix(before)?.strip_prefix('\'')?;
    let (text, after) = rest.split_once('\'')?;
    Some((text.to_owned(), after))
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphabetic())
}

/// Parses a status like `Forbidden_403` at the beginning of a text.
fn named_status(text: &str) -> Option<u16> {
    let name = text.split([' ', ')', ',', '.']).next()?;
    name.rsplit_once('_')?.1.parse().ok()
}

/// Parses the number after the last `sign` in the first line. The URL before may contain `sign` too.
fn last_number(text: &str, sign: &str) -> Option<u16> {
    let (_, rest) = text.lines().next()?.rsplit_once(sign)?;
    let end = rest.find(|c: char| !c.is_ascii_digit());
    rest[..end.unwrap_or(rest.len())].parse().ok()
}

/// Returns the S3 error in the second paragraph of a message (`AccessDenied: …`) as a document. The
/// error of a commit has no other body.
fn s3_document(message: &str) -> String {
    let error = message.split("\n\n").nth(1);
    match error.and_then(|error| error.split_once(": ")) {
        Some((code, text)) if is_word(code) => {
            format!("<Error><Code>{code}</Code><Message>{text}</Message></Error>")
        }
        _ => String::new(),
    }
}
