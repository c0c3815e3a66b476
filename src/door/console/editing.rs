//! Help while somebody writes a statement: its tokens, and how it may go on.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    answer::Reply,
    decode::Table,
    position::{utf16_offset, utf16_offsets},
    problem::{Problem, ProblemKind},
    sql_text::comments,
    state::Console,
};
use crate::{door::body::MAX_TEXT_BYTES, duckdb::names::literal};

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
        if sql.is_empty() || sql.len() > MAX_COLORED_BYTES {
            return Ok(Reply::of(&json!({ "tokens": [] })));
        }
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
        Ok(Reply::of(&json!({ "tokens": utf16_offsets(&sql, tokens) })))
    }

    /// Suggests how a text may go on, by DuckDB's own completion.
    pub(super) async fn complete(&self, input: SqlInput) -> Result<Reply, Problem> {
        let SqlInput { sql } = input;
        check_size(&sql)?;
        let query = format!(
            "USE work; SELECT suggestion, suggestion_type, suggestion_start::VARCHAR \
             FROM sql_auto_complete({}) WHERE NOT regexp_full_match(suggestion, 'r[0-9]{{13}}') LIMIT {MAX_SUGGESTIONS}",
            literal(&sql)
        );
        let read = |table: &Table<'_>| {
            let text = |row, column| table.value(row, column).unwrap_or_default();
            let start = text(0, 2);
            // Others would replace another part of the text.
            let rows = (0..table.rows()).filter(|row| text(*row, 2) == start);
            let suggestions = rows.map(|row| Suggestion {
                text: text(row, 0).trim_end().to_owned(),
                kind: text(row, 1).to_owned(),
            });
            (start.parse().ok(), suggestions.collect::<Vec<_>>())
        };
        let (start, suggestions) = match self.client.query(&query, read).await {
            // DuckDB looks at all tables, also at those of a catalog that does not answer.
            Err(problem) if problem.kind == ProblemKind::Sql => (None, Vec::new()),
            outcome => outcome?,
        };
        let from = start.and_then(|it| utf16_offset(&sql, it));
        let from = from.unwrap_or_else(|| sql.encode_utf16().count());
        Ok(Reply::of(
            &json!({ "from": from, "suggestions": suggestions }),
        ))
    }
}

fn check_size(sql: &str) -> Result<(), Problem> {
    if sql.len() > MAX_TEXT_BYTES {
        return Err(Problem::too_large("A text for the editor", MAX_TEXT_BYTES));
    }
    Ok(())
}
