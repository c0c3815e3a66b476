//! The statements that ran. They stay in the door's memory, because a statement may hold a secret.

use std::{collections::VecDeque, time::Duration};

use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use serde::Serialize;

use super::problem::{Problem, ProblemKind};

/// Maximum number of statements.
const MAX_STATEMENTS: usize = 200;
/// Maximum size of a statement's text and of its error, in bytes.
const MAX_TEXT_BYTES: usize = 5000;
const MAX_MESSAGE_BYTES: usize = 500;

/// Statement that ran. Has no `Debug`, because its text may be secret.
#[derive(Serialize)]
struct Statement {
    at: DateTime<Utc>,
    sql: String,
    elapsed_ms: u64,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rows: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

/// The last statements of all tabs, the newest first.
#[derive(Default)]
pub(super) struct History {
    statements: Mutex<VecDeque<Statement>>,
}

impl History {
    /// Records a statement that has ended now, with the number of its result's rows.
    pub(super) fn record(&self, sql: &str, elapsed: Duration, outcome: Result<u64, &Problem>) {
        let (outcome, rows, message) = match outcome {
            Ok(rows) => ("rows", Some(rows), None),
            Err(problem) if problem.kind == ProblemKind::Cancelled => ("cancelled", None, None),
            Err(problem) => (
                "error",
                None,
                Some(cut(&problem.message, MAX_MESSAGE_BYTES)),
            ),
        };
        let statement = Statement {
            at: Utc::now() - elapsed,
            sql: cut(sql, MAX_TEXT_BYTES),
            elapsed_ms: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
            outcome,
            rows,
            message,
        };
        let mut statements = self.statements.lock();
        statements.truncate(MAX_STATEMENTS - 1);
        statements.push_front(statement);
    }

    /// Writes all of them as JSON.
    pub(super) fn json(&self) -> Vec<u8> {
        #[derive(Serialize)]
        struct HistoryReply<'a> {
            statements: &'a VecDeque<Statement>,
        }
        let statements = &*self.statements.lock();
        serde_json::to_vec(&HistoryReply { statements }).expect("statements serialize to JSON")
    }
}

fn cut(text: &str, most: usize) -> String {
    text[..text.floor_char_boundary(most)].to_owned()
}
