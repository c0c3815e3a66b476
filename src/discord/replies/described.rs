//! Details and statistics of a table.

use std::fmt::Write;

use super::{
    format::code,
    reply::{Emphasis, File, MAX_MESSAGE_CHARS, Reply, message_len},
};
use crate::{
    discord::{
        buttons::Button,
        table::{self, table},
    },
    runtime::{Rows, TableName},
    service::TableDetails,
    session::SessionId,
};

/// Characters kept free for the code fences, and the lines around a table.
const FRAME_CHARS: usize = 120;
/// Minimum number of characters for a sample.
const MIN_SAMPLE_CHARS: usize = 200;
/// Maximum length of a comment.
const MAX_COMMENT_CHARS: usize = 100;

/// Adds details of a table to the reply with its columns, as far as they fit.
pub(crate) fn with_details(mut reply: Reply, details: &TableDetails) -> Reply {
    let TableDetails {
        row_count,
        sample,
        comments,
        ..
    } = details;
    let text = &mut reply.text;
    text.truncate(text.trim_end().len());
    let room = |text: &str| MAX_MESSAGE_CHARS.saturating_sub(message_len(text) + FRAME_CHARS);
    for row in comments.iter().flat_map(|comments| &comments.rows) {
        let [Some(column), Some(comment)] = &row[..] else {
            continue;
        };
        let comment = code(comment, MAX_COMMENT_CHARS);
        let line = format!("\n- `{}`: `{comment}`", code(column, MAX_COMMENT_CHARS));
        if message_len(&line) > room(text) {
            break;
        }
        text.push_str(&line);
    }
    match row_count {
        Some(count) => {
            let rows = if *count == 1 { "row" } else { "rows" };
            let _ = write!(text, "\n{} {rows}.", with_commas(*count));
        }
        None => text.push_str("\nThe number of rows could not be read."),
    }
    if let Some(sample) = sample.as_ref().filter(|it| !it.rows.is_empty()) {
        let room = room(text);
        let shown = table(sample, room);
        if room >= MIN_SAMPLE_CHARS && message_len(&shown.text) <= room && shown.rows > 0 {
            let _ = write!(text, " Some of them:\n```\n{}\n```", shown.text);
        }
    }
    reply
}

/// Adds the button for statistics to the reply with a table's columns.
pub(crate) fn with_statistics_button(
    reply: Reply,
    session: &SessionId,
    table: &TableName,
) -> Reply {
    match Button::statistics(session, &table.sql()) {
        Some(button) => reply.with(Emphasis::Secondary, "Statistics", button),
        None => reply,
    }
}

/// Shows statistics of a table's columns.
pub(crate) fn table_statistics(name: &TableName, catalog: &str, rows: &Rows) -> Reply {
    let head = format!(
        "Statistics of `{}`. The numbers of distinct values are estimates.",
        code(&name.in_catalog(catalog), 300)
    );
    let shown = table(rows, MAX_MESSAGE_CHARS - message_len(&head) - FRAME_CHARS);
    let is_whole =
        shown.is_exact && shown.rows == rows.rows.len() && shown.columns == rows.columns.len();
    let mut text = format!("{head}\n```\n{}\n```", shown.text);
    if !is_whole {
        text += "\nThe attached file has all of them.";
    }
    let file = (!is_whole).then(|| File::new("statistics.csv", table::csv(rows)));
    Reply {
        files: file.into_iter().collect(),
        ..Reply::new(text)
    }
}

/// Formats a number with commas: 1,000,000.
fn with_commas(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
