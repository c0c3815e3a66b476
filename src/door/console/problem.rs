//! Failures of the console's calls, in words.

use hyper::StatusCode;
use serde::{Deserialize, Serialize};

use super::position::utf16_offset;
use crate::door::body::ProxyError;

/// Sorts of failures. The page reacts to some of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ProblemKind {
    /// Error of a statement.
    Sql,
    /// The statement was interrupted.
    Cancelled,
    /// The result is not there any more.
    Gone,
    /// Something else must end first.
    Busy,
    /// The request is not valid.
    Refused,
    /// DuckDB does not answer.
    Unavailable,
    /// Something is too large.
    Limit,
    /// Somebody else changed it.
    Conflict,
}

/// Failure of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Problem {
    #[serde(skip)]
    pub status: StatusCode,
    pub kind: ProblemKind,
    pub message: String,
    /// Place of the mistake in the statement, in UTF-16 code units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// DuckDB's sort of error, such as `Parser`.
    #[serde(skip)]
    pub exception: String,
}

/// Error as DuckDB writes it.
#[derive(Deserialize)]
struct Exception {
    exception_type: String,
    exception_message: String,
    position: Option<String>,
}

impl Problem {
    fn new(status: StatusCode, kind: ProblemKind, message: impl Into<String>) -> Self {
        Self {
            status,
            kind,
            message: message.into(),
            position: None,
            hint: None,
            exception: String::new(),
        }
    }

    /// Error of a statement. `text` is DuckDB's, in JSON or words.
    pub(super) fn of_statement(text: &str, sql: &str) -> Self {
        let sql_error = |message| Self::new(StatusCode::OK, ProblemKind::Sql, message);
        let Ok(error) = serde_json::from_str::<Exception>(text) else {
            return match text {
                "No statements" => sql_error("There is no statement in this text.".to_owned()),
                text => sql_error(text.to_owned()),
            };
        };
        if error.exception_type == "INTERRUPT" {
            return Self::cancelled();
        }
        let (message, hint) = match error.exception_message.split_once('\n') {
            Some((first, more)) => (first.to_owned(), Some(more.trim().to_owned())),
            None => (error.exception_message, None),
        };
        let position = error.position.and_then(|it| it.parse().ok());
        Self {
            position: position.and_then(|it| utf16_offset(sql, it)),
            hint: hint.filter(|it| !it.is_empty()),
            exception: error.exception_type.clone(),
            ..sql_error(format!("{} Error: {message}", error.exception_type))
        }
    }

    /// Returns the name that two columns of a result have, if that is the problem.
    pub(super) fn same_column_name(&self) -> Option<String> {
        let name = self
            .message
            .strip_prefix("Catalog Error: Column with name ")?;
        Some(name.strip_suffix(" already exists!")?.to_owned())
    }

    pub(super) fn cancelled() -> Self {
        Self::new(
            StatusCode::OK,
            ProblemKind::Cancelled,
            "The statement was cancelled.",
        )
    }

    /// The same name stands for two columns of a statement that can't be put into another one.
    pub(super) fn same_names(name: &str) -> Self {
        Self {
            hint: Some(format!(
                "The statement has run. To see its result, give each column a name of its own, such as \
                 \"{name}\" AS other."
            )),
            ..Self::new(
                StatusCode::OK,
                ProblemKind::Sql,
                format!("Two columns of the result are called \"{name}\"."),
            )
        }
    }

    pub(super) fn gone() -> Self {
        Self::new(
            StatusCode::OK,
            ProblemKind::Gone,
            "This result is gone, because DuckDB was restarted or newer results took its place. Run \
             the statement again.",
        )
    }

    /// A tab that already runs a statement.
    pub(super) fn tab_is_busy() -> Self {
        Self::new(
            StatusCode::OK,
            ProblemKind::Busy,
            "Another statement of this tab is still running. Wait for it, or cancel it.",
        )
    }

    pub(super) fn busy(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, ProblemKind::Busy, message)
    }

    pub(super) fn too_many_answers() -> Self {
        Self::busy("The session is sending other large answers. Try again in a few seconds.")
    }

    pub(super) fn unavailable() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            ProblemKind::Unavailable,
            "DuckDB does not answer. It is restarting, or too busy. Try again in a few seconds. If this \
             does not change, type /duck list in Discord to see the state of your session.",
        )
    }

    /// An answer of DuckDB that can't be read.
    pub(super) fn unreadable(why: impl ToString) -> Self {
        Self {
            hint: Some(why.to_string()),
            ..Self::new(
                StatusCode::BAD_GATEWAY,
                ProblemKind::Unavailable,
                "DuckDB's answer can't be read. This version of duckbot may not fit this DuckDB; tell an \
                 admin.",
            )
        }
    }

    pub(super) fn invalid(what: &str) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            ProblemKind::Refused,
            format!("The request is not valid: {what}. Reload the page."),
        )
    }

    pub(super) fn unknown_call() -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            ..Self::invalid("there is no such call")
        }
    }

    pub(super) fn too_large(what: &str, most: usize) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            ProblemKind::Limit,
            format!("{what} can have at most {} MiB.", most >> 20),
        )
    }

    pub(super) fn value_too_large(most: usize) -> Self {
        Self {
            status: StatusCode::OK,
            hint: Some("Download the result to get it whole.".to_owned()),
            ..Self::too_large("A value that is shown here", most)
        }
    }

    pub(super) fn row_too_large(most: usize) -> Self {
        Self {
            status: StatusCode::OK,
            hint: Some("Select fewer columns, or download the result.".to_owned()),
            ..Self::too_large("A row that is shown here", most)
        }
    }
}

impl From<ProxyError> for Problem {
    fn from(error: ProxyError) -> Self {
        match error {
            ProxyError::Unavailable => Self::unavailable(),
            ProxyError::TooLarge(most) => Self::too_large("A statement", most),
            ProxyError::TooSlow => Self {
                status: StatusCode::REQUEST_TIMEOUT,
                ..Self::invalid("it stopped before it was complete")
            },
        }
    }
}
