//! Help while somebody writes a statement: its tokens, and how it may go on.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::timeout;

use super::{
    answer::{Reply, write_limited},
    client::{MAX_ANSWER_BYTES, ReadError},
    position::{utf16_offset, utf16_offsets},
    problem::{Problem, ProblemKind},
    results::MAX_RESULTS,
    sql_text::{comments, last_statement, longest_operator, nesting},
    state::Console,
};
use crate::door::decode::Table;
use crate::duckdb::names::literal;

/// Maximum number of suggestions.
const MAX_SUGGESTIONS: usize = 100;
/// Names of DuckDB's kinds of tokens, by their numbers.
const TOKEN_KINDS: [&str; 6] = [
    "identifier",
    "number",
    "string",
    "operator",
    "keyword",
    "comment",
];

/// Maximum size of a text whose parts are colored.
const MAX_COLORED_BYTES: usize = 50_000;
/// Maximum number of operators without a space between them in such a text. DuckDB's tokenizer needs seconds for 2,500.
const MAX_OPERATOR_CHARS: usize = 50;
/// Maximum size and nesting of a statement that is completed. DuckDB's completion has no limits: its time doubles
/// or worse with each bracket, and a long text ends DuckDB.
const MAX_COMPLETED_BYTES: usize = 10_000;
const MAX_NESTING: usize = 4;
/// Maximum time for suggestions. Later ones are for a text that nobody sees any more.
const MAX_COMPLETION_TIME: Duration = Duration::from_secs(2);

#[derive(Deserialize)]
pub(super) struct SqlInput {
    sql: String,
}

#[derive(Serialize)]
struct Suggestion {
    text: String,
    kind: String,
}

impl Console {
    /// Returns the place and the kind of each token. DuckDB's tokenizer leaves comments out.
    pub(super) async fn tokens(&self, input: SqlInput) -> Result<Reply, Problem> {
        let SqlInput { sql } = input;
        // DuckDB's tokenizer takes minutes for a million characters of some kinds, and nobody reads so long a text.
        let is_short = (1..=MAX_COLORED_BYTES).contains(&sql.len());
        if !is_short || longest_operator(&sql) > MAX_OPERATOR_CHARS {
            return Ok(Reply::of(&json!({ "tokens": [] })));
        }
        let permit = self.client.answer_permit(1).await?;
        let mut tokens = self.client.tokens(&sql).await?;
        tokens.extend(comments(&sql).into_iter().map(|at| (at, 5)));
        tokens.sort_unstable();
        tokens.dedup_by_key(|(at, _)| *at);
        let kind = |kind| {
            let place = usize::try_from(kind).ok();
            place
                .and_then(|it| TOKEN_KINDS.get(it))
                .unwrap_or(&"operator")
        };
        let tokens = tokens.into_iter().map(|(at, number)| (at, kind(number)));
        let json = json!({ "tokens": utf16_offsets(&sql, tokens) });
        Ok(Reply::large(json.to_string().into_bytes(), permit))
    }

    /// Suggests how a text may go on, by DuckDB's own completion. None are better than late ones.
    pub(super) async fn complete(&self, input: SqlInput) -> Result<Reply, Problem> {
        let SqlInput { sql } = input;
        let end = sql.encode_utf16().count();
        let none = || Reply::of(&json!({ "from": end, "suggestions": [] }));
        let statement = last_statement(&sql);
        if statement.len() > MAX_COMPLETED_BYTES
            || nesting(statement) > MAX_NESTING
            || statement.contains('\0')
        {
            return Ok(none());
        }
        let before = sql.len() - statement.len();
        // One at a time, until DuckDB has ended.
        let turn = timeout(
            MAX_COMPLETION_TIME,
            Arc::clone(&self.completing).lock_owned(),
        );
        let Ok(turn) = turn.await else {
            return Ok(none());
        };
        // The console's own results are suggested too, and left out here.
        let query = format!(
            "SELECT suggestion, suggestion_type, suggestion_start::VARCHAR \
             FROM sql_auto_complete({}) LIMIT {}",
            literal(statement),
            MAX_SUGGESTIONS + MAX_RESULTS
        );
        let write = |table: &Table<'_>| {
            let text = |row, column| table.value(row, column).unwrap_or_default();
            let start = text(0, 2);
            let is_shown = |row: &usize| {
                // Others would replace another part of the text.
                text(*row, 2) == start && !is_result(text(*row, 0).trim_end())
            };
            let suggestions = (0..table.rows())
                .filter(is_shown)
                .map(|row| Suggestion {
                    text: text(row, 0).trim_end().to_owned(),
                    kind: text(row, 1).to_owned(),
                })
                .take(MAX_SUGGESTIONS);
            let from = start.parse::<usize>().ok();
            let from = from.and_then(|it| utf16_offset(&sql, before + it));
            let suggestions: Vec<_> = suggestions.collect();
            let json = json!({ "from": from.unwrap_or(end), "suggestions": suggestions });
            write_limited(&json, MAX_ANSWER_BYTES)
        };
        let read = self
            .client
            .read_within(MAX_COMPLETION_TIME, turn, &query, 1, write);
        match read.await {
            Ok((Some(json), permit)) => Ok(Reply::large(json, permit)),
            // DuckDB looks at all tables, also at those of a catalog that does not answer.
            Ok((None, _)) | Err(ReadError::TooLarge) => Ok(none()),
            Err(ReadError::Problem(problem))
                if matches!(problem.kind, ProblemKind::Sql | ProblemKind::Busy) =>
            {
                Ok(none())
            }
            Err(ReadError::Problem(problem)) => Err(problem),
        }
    }
}

/// Returns true for the name of a result's table.
fn is_result(name: &str) -> bool {
    let digits = name.strip_prefix('r');
    digits.is_some_and(|it| it.len() == 13 && it.bytes().all(|it| it.is_ascii_digit()))
}
