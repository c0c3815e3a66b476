//! Failures of the console's calls, in words.

use std::time::Duration;

use hyper::StatusCode;
use serde::{Deserialize, Serialize};

use super::{position::utf16_offset, results::MAX_ROWS};
use crate::door::{body::ProxyError, outcome::RequestOutcome};

/// Maximum size of the text of a failure, in bytes.
const MAX_MESSAGE_BYTES: usize = 16 << 10;

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
    /// Change by somebody else, which came first.
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
    /// Version of the notebook that somebody else saved; 0 if it is gone.
    #[serde(skip)]
    pub version: Option<i64>,
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
            version: None,
        }
    }

    /// Outcome of a call that ends with this problem. An error of a statement is an answer.
    pub(super) fn outcome(&self) -> RequestOutcome {
        match (self.kind, self.status) {
            (_, StatusCode::OK | StatusCode::CONFLICT) => RequestOutcome::Done,
            (ProblemKind::Unavailable, StatusCode::BAD_GATEWAY) => {
                RequestOutcome::Failed("DuckDB's answer can't be read")
            }
            (ProblemKind::Unavailable, _) => RequestOutcome::Failed("DuckDB does not respond"),
            (ProblemKind::Busy, _) => RequestOutcome::Refused("the session is busy"),
            (_, StatusCode::NOT_FOUND) => {
                RequestOutcome::Refused("the console has no such call or file")
            }
            (ProblemKind::Limit, _) => RequestOutcome::Refused("the request is too large"),
            _ => RequestOutcome::Refused("the console can't read the request"),
        }
    }

    /// Error of a statement. `text` is DuckDB's, in JSON or words.
    pub(super) fn of_statement(text: &str, sql: &str) -> Self {
        let mut problem = Self::of_whole_statement(text, sql);
        for text in [Some(&mut problem.message), problem.hint.as_mut()]
            .into_iter()
            .flatten()
        {
            text.truncate(text.floor_char_boundary(MAX_MESSAGE_BYTES));
        }
        problem
    }

    fn of_whole_statement(text: &str, sql: &str) -> Self {
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

    /// Failure to list tables. DuckDB lists those of all databases together.
    pub(super) fn explain_catalog(self) -> Self {
        let hint = match self.exception.as_str() {
            "IO" | "HTTP" => {
                "A catalog does not answer, so DuckDB can't list any tables. Statements about your own tables \
                 work. Try again later."
            }
            _ => return self,
        };
        Self {
            hint: Some(hint.to_owned()),
            position: None,
            ..self
        }
    }

    /// A statement that has run while DuckDB could not be made ready to keep its result. `self` is the reason.
    pub(super) fn without_result(self) -> Self {
        Self {
            message: format!(
                "The statement has run, but its result can't be shown: {}",
                self.message
            ),
            position: None,
            hint: Some(
                "A setting or an open transaction may be the reason. Change it back (RESET, ROLLBACK), and run \
                 the statement again."
                    .to_owned(),
            ),
            ..self
        }
    }

    /// The console's own statements took too long, and were interrupted.
    pub(super) fn too_slow(time: Duration) -> Self {
        Self::busy(format!(
            "DuckDB took more than {} seconds for this, so it was stopped. Cancel other statements, or wait \
             until they end, and try again.",
            time.as_secs()
        ))
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

    pub(super) fn too_many_calls() -> Self {
        Self::busy("The session is receiving other large requests. Try again in a few seconds.")
    }

    /// A notebook that was changed since the page read it. `version` is 0 if it was deleted.
    pub(super) fn changed_notebook(version: i64) -> Self {
        let message = match version {
            0 => "This notebook was deleted in another tab.",
            _ => "This notebook was changed in another tab.",
        };
        Self {
            version: Some(version),
            ..Self::new(StatusCode::CONFLICT, ProblemKind::Conflict, message)
        }
    }

    pub(super) fn no_notebook() -> Self {
        Self::new(
            StatusCode::OK,
            ProblemKind::Gone,
            "This notebook is not there. It was deleted, or the session's database was replaced.",
        )
    }

    /// A notebook whose cells were changed by hand.
    pub(super) fn unreadable_notebook() -> Self {
        Self::refused(
            "The cells of this notebook can't be read. They are in the table work.duckbot.notebooks.",
        )
    }

    /// A panic while a chart is drawn.
    pub(super) fn no_drawing() -> Self {
        Self::refused("The chart could not be drawn. The result is complete.")
    }

    pub(super) fn no_files() -> Self {
        Self::refused(
            "This session has no folder for files. Start a new one, or ask an admin to update duckbot.",
        )
    }

    /// A file that was downloaded already, or was not fetched in time.
    pub(super) fn no_file() -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            ..Self::refused("This download is over. Start it again on the console's page.")
        }
    }

    /// A failure of the folder for files.
    pub(super) fn file_error(error: &std::io::Error) -> Self {
        if matches!(
            error.kind(),
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded
        ) {
            return Self::new(
                StatusCode::INSUFFICIENT_STORAGE,
                ProblemKind::Limit,
                "The session's disk is full. Drop tables that you don't need, and try again.",
            );
        }
        Self {
            hint: Some(error.to_string()),
            ..Self::refused(
                "The session's folder for files can't be used. Try again, or tell an admin.",
            )
        }
    }

    /// A result that is not complete, and whose statement can't run inside of another one.
    pub(super) fn only_queries_download() -> Self {
        Self {
            hint: Some(format!(
                "The result has more than {MAX_ROWS} rows. To download them all, write one SELECT \
                 statement."
            )),
            ..Self::refused("Only the result of a query can be downloaded whole.")
        }
    }

    pub(super) fn unknown_file_kind() -> Self {
        Self::refused(
            "This file is not loaded. The name of a file with data ends in .csv, .tsv, .json, .ndjson or \
             .parquet.",
        )
    }

    pub(super) fn no_free_table(name: &str) -> Self {
        Self::refused(format!(
            "There are too many tables called \"{name}\". Rename the file, and try again."
        ))
    }

    fn refused(message: impl Into<String>) -> Self {
        Self::new(StatusCode::OK, ProblemKind::Refused, message)
    }

    pub(super) fn unavailable() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            ProblemKind::Unavailable,
            "DuckDB does not answer. It is restarting, or too busy. Try again in a few seconds. If this \
             does not change, type /duck doctor in Discord to find out why.",
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

    pub(super) fn columns_too_large(most: usize) -> Self {
        Self::new(
            StatusCode::OK,
            ProblemKind::Limit,
            format!(
                "The names and types of the columns can have at most {} KiB together. Choose fewer columns.",
                most >> 10
            ),
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
            ProxyError::Busy => Self {
                kind: ProblemKind::Busy,
                ..Self::unavailable()
            },
            ProxyError::TooLarge(most) => Self::too_large("A statement", most),
            ProxyError::TooSlow => Self {
                status: StatusCode::REQUEST_TIMEOUT,
                ..Self::invalid("it stopped before it was complete")
            },
        }
    }
}
