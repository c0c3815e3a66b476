//! Replies with the result of a query. Foreign text (queries, values, names) is cleaned and shown as
//! code.

use super::{
    format::{count_of, grouped},
    picture::{chart_notes, no_chart, with_picture},
    query_errors::{QueryContext, block, hint, larger_place, point_at_error},
    reply::{Emphasis, MAX_MESSAGE_CHARS, Reply, message_len, shorten},
    request_failures::request_failure,
    result_file::{formula_note, result_file, wanted_file_note},
};
use crate::{
    discord::{
        buttons::Button,
        table::{Table, clean, table},
    },
    runtime::{QueryResponse, Rows},
};

/// Maximum length of the query in a reply.
const MAX_QUERY_CHARS: usize = 350;
/// Characters kept free for the person's mention, the code fences, and the lines under a table.
pub(super) const FRAME_CHARS: usize = 350;

/// Result of a query.
pub(crate) fn answer(question: &QueryContext<'_>, answer: &QueryResponse) -> Reply {
    let (place, command) = larger_place(question);
    let said = match answer {
        QueryResponse::Rows(rows) => return rows_reply(question, rows),
        QueryResponse::Done { milliseconds } => format!("Done in {}.", time(*milliseconds)),
        QueryResponse::NotCommitted => format!(
            "Nothing was saved, because the query only began a transaction. Each query has its own \
             connection, and is saved by itself. For a transaction of several statements, use \
             {place}: {command}."
        ),
        QueryResponse::NotSelect => format!(
            "The statement did not run, because it may change something, and your roles don't allow \
             that here. `/duck sql` runs statements that read, such as `SELECT`, `DESCRIBE` and \
             `EXPLAIN`. You can run anything in {place}: {command}."
        ),
        QueryResponse::MultipleStatements(count) => {
            format!("The query did not run, because it has {count} statements. Send one at a time.")
        }
        QueryResponse::Empty => "The query did not run, because it has only comments.".to_owned(),
        QueryResponse::LineBreak => format!(
            "The statement did not run, because DuckDB could take a line break within quotes for its end: \
             one after a comment that begins with `--`, or after a semicolon in its line. Write the \
             comment as `/* … */`, or the line break as `'…' || chr(10) || '…'`. Or run it in {place}: \
             {command}."
        ),
        QueryResponse::Error(wrong) => {
            let hint = hint(question, wrong).map(|hint| format!("\n{hint}"));
            let error = block(&point_at_error(question.sql, wrong));
            format!("{error}{}", hint.unwrap_or_default())
        }
        QueryResponse::NoAccess {
            what,
            error,
            failure,
        } => format!(
            "The query did not run, because a step before it failed: {what}.\n{}\n{}",
            block(error),
            failure.as_ref().map_or_else(
                || "Try again in a minute. `/duck doctor` shows what is wrong.".to_owned(),
                request_failure
            )
        ),
        QueryResponse::TimedOut => format!(
            "The query was stopped, because it reached the time limit of `/duck sql`. Ask for less (a \
             `WHERE` clause, fewer columns), or run it in {place}: {command}."
        ),
        QueryResponse::Exited => format!(
            "DuckDB exited without an answer, probably because it ran out of memory. Run the query in \
             {place}, which has more: {command}."
        ),
    };
    Reply::new(format!("{}\n{said}", quote_query(question.sql)))
}

fn rows_reply(question: &QueryContext<'_>, rows: &Rows) -> Reply {
    let head = quote_query(question.sql);
    let again = match (question.is_rerun, question.chart) {
        (false, _) => "",
        (true, None) => " The query ran again for this file.",
        (true, Some(_)) => " The query ran again for this chart.",
    };
    let about_chart = match question.chart {
        None => String::new(),
        Some(Ok(picture)) => chart_notes(picture, rows),
        Some(Err(why)) => no_chart(why),
    };
    let note = again.to_owned() + &wanted_file_note(question, rows) + &about_chart;
    let room = MAX_MESSAGE_CHARS - message_len(&head) - FRAME_CHARS - message_len(&note);
    let room = room - question.lead_chars;
    let shown = table(rows, room);
    let count = rows.count();
    if count == 0 && rows.more {
        let (place, command) = larger_place(question);
        return Reply::new(format!(
            "{head}\nThere are rows, but the first one is too large for the chat. Ask for less of it, \
             for example `left(column, 1000)`, or run the query in {place}: {command}."
        ));
    }
    let held = if rows.more {
        format!("The first {}", count_of(count, "row"))
    } else {
        count_of(count, "row")
    };
    let mut text = format!(
        "{head}\n```\n{}\n```\n{held} in {}, from {}.{note}",
        shown.text,
        time(rows.milliseconds),
        match question.session {
            Some(session) => format!("session `{session}`"),
            None => format!("catalog `{}`", clean(question.catalog)),
        },
    );
    let is_whole = shown.is_whole(rows);
    let is_wide = !shown.fits_phone();
    let has_file = !question.no_file && (question.file.is_some() || !is_whole || is_wide);
    if !is_whole {
        text += &format!(" Shown here: {}.", shown_part(&shown, rows));
    } else if is_wide {
        text += " This is wider than a phone's screen.";
    }
    text += match (has_file, rows.more) {
        (true, true) => " The file has these rows in full; the result has more.",
        (true, false) => " The file has all rows in full.",
        (false, true) => " The result has more.",
        (false, false) => "",
    };
    if has_file {
        text += formula_note(rows);
    }
    if count == 0 && rows.lacks_default_schema {
        text += "\nOnly tables of the default schema are listed, and a catalog with several schemas has \
                 no default. `/duck tables` and `SHOW ALL TABLES` list all tables.";
    }
    let reply = Reply::new(text).with(Emphasis::Secondary, "Share", Button::Share);
    let files = has_file.then(|| result_file(question.sql, rows));
    let reply = Reply {
        files: files.into_iter().collect(),
        ..reply
    };
    let Some(Ok(picture)) = question.chart else {
        return reply;
    };
    let mut reply = with_picture(reply, picture);
    if rows.has_effects {
        // The statement must not run again for another chart.
        reply.menu = None;
    }
    reply
}

/// Tells how much of the rows is shown.
fn shown_part(shown: &Table, rows: &Rows) -> String {
    let mut parts = Vec::new();
    let count = rows.count();
    if shown.rows < count {
        parts.push(format!(
            "{} of {}",
            grouped(shown.rows),
            count_of(count, "row")
        ));
    }
    let columns = rows.columns.len();
    if shown.columns < columns {
        parts.push(format!(
            "{} of {}",
            shown.columns,
            count_of(columns, "column")
        ));
    }
    if !shown.is_exact {
        parts.push("some values shortened".to_owned());
    }
    parts.join(", ")
}

/// Formats a query as a code block, shortened.
pub(super) fn quote_query(sql: &str) -> String {
    let lines: Vec<_> = sql.trim().lines().map(clean).collect();
    format!(
        "```sql\n{}\n```",
        shorten(&lines.join("\n"), MAX_QUERY_CHARS)
    )
}

fn time(milliseconds: u64) -> String {
    match milliseconds {
        0..1000 => format!("{milliseconds} ms"),
        _ => format!("{:.1} s", milliseconds as f64 / 1000.0),
    }
}
