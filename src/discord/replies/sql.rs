//! Replies to `/duck sql`, `/duck tables` and `/duck describe`.
//!
//! Foreign text (queries, DuckDB's errors, values, names) is cleaned and shown as code.

use chrono::{DateTime, Utc};

use super::{
    format::{code, relative_time},
    reply::{Emphasis, File, MAX_MESSAGE_CHARS, Reply, message_len, shorten},
    request_failures::request_failure,
};
use crate::{
    discord::{
        buttons::Button,
        table::{self, clean, table},
    },
    runtime::{QueryError, QueryResponse, Rows, TableName, display_identifier},
    service::{MissingTable, TableList},
    session::{Record, SessionId},
    unicode::isolate,
};

/// Start of the line about a failed share. Cleaned text can't contain it, because [`clean`] replaces
/// U+FE0F, the second character of the sign.
const SHARE_ERROR_PREFIX: &str = "\n⚠️ ";
/// Maximum length of the query in a reply.
const MAX_QUERY_CHARS: usize = 350;
/// Maximum length of a DuckDB error in a reply.
const MAX_ERROR_CHARS: usize = 900;
/// Characters kept free for the person's mention, the code fences, and the lines under a table.
const FRAME_CHARS: usize = 300;
/// Maximum number of characters shown before and after the position of an error.
const ERROR_CONTEXT_CHARS: usize = 60;
/// Maximum length of a table's name in a list, so that a long one hides no others.
const MAX_TABLE_NAME_CHARS: usize = 150;
/// Maximum number of table names in a message.
const MAX_TABLE_NAMES: usize = 60;

/// A query and where it ran.
pub(crate) struct QueryContext<'a> {
    /// The query as the person typed it.
    pub sql: &'a str,
    /// The session whose credentials and catalog are used.
    pub session: &'a SessionId,
    /// Name of the attached catalog.
    pub catalog: &'a str,
    /// Table that was not found.
    pub missing: Option<&'a MissingTable>,
}

/// Progress of a query, with a button to cancel it.
pub(crate) fn query_running(sql: &str, id: &str, since: DateTime<Utc>) -> Reply {
    Reply::new(format!(
        "{}\nRunning, started {}.",
        quote_query(sql),
        relative_time(since)
    ))
    .with(Emphasis::Danger, "Cancel", Button::Cancel(id.to_owned()))
}

/// Confirms that a query was cancelled.
pub(crate) fn cancelled(sql: &str) -> Reply {
    Reply::new(format!("{}\nCancelled.", quote_query(sql)))
}

/// Reply to **Cancel** if the query has already ended.
pub(crate) fn query_over() -> Reply {
    Reply::new("This query has already finished.")
}

/// Result of a query.
pub(crate) fn answer(question: &QueryContext<'_>, answer: &QueryResponse) -> Reply {
    let said = match answer {
        QueryResponse::Rows(rows) => return rows_reply(question, rows),
        QueryResponse::Done { milliseconds } => format!("Done in {}.", time(*milliseconds)),
        QueryResponse::NotCommitted => {
            "Nothing was saved, because the query only began a transaction. Each query has its own \
             connection, and is saved by itself. For a transaction of several statements, use the \
             session itself: `/duck open`."
                .to_owned()
        }
        QueryResponse::NotSelect => {
            "The query did not run, because `/duck sql` only accepts statements that DuckDB \
             treats as a `SELECT`. In the session itself you can run anything: `/duck open`."
                .to_owned()
        }
        QueryResponse::MultipleStatements(count) => {
            format!("The query did not run, because it has {count} statements. Send one at a time.")
        }
        QueryResponse::Ambiguous => {
            "The statement did not run, because `/duck sql` might read its lines in another way than \
             you mean it. Write it in one line and without comments, or run it in the session \
             itself: `/duck open`."
                .to_owned()
        }
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
            "The query did not run, because a step before it failed: {what}.\n{}{}",
            block(error),
            failure
                .as_ref()
                .map(|failure| format!("\n{}", request_failure(failure)))
                .unwrap_or_default()
        ),
        QueryResponse::TimedOut => "The query was stopped, because it reached the time limit of \
            `/duck sql`. Ask for less (a `WHERE` clause, fewer columns), or run it in the session \
            itself: `/duck open`."
            .to_owned(),
        QueryResponse::Exited => "DuckDB exited without an answer, probably because it ran out of \
            memory. Run the query in the session itself, which has more: `/duck open`. (Sessions \
            from before an upgrade of the bot may not support `/duck sql`; in that case, start a \
            new one.)"
            .to_owned(),
    };
    Reply::new(format!("{}\n{said}", quote_query(question.sql)))
}

fn rows_reply(question: &QueryContext<'_>, rows: &Rows) -> Reply {
    let head = quote_query(question.sql);
    let room = MAX_MESSAGE_CHARS - message_len(&head) - FRAME_CHARS;
    let shown = table(rows, room);
    let count = rows.rows.len();
    let is_whole = shown.is_exact && shown.rows == count && shown.columns == rows.columns.len();
    let counted = match (count, rows.more) {
        (0, true) => {
            return Reply::new(format!(
                "{head}\nThere are rows, but the first one is too large for the chat. Ask for less \
                 of it, for example `left(column, 1000)`, or run the query in the session itself: \
                 `/duck open`."
            ));
        }
        (count, false) => row_count(count),
        (1, true) => "First row (there are more)".to_owned(),
        (count, true) => format!("First {count} rows (there are more)"),
    };
    let mut text = format!(
        "{head}\n```\n{}\n```\n{counted} in {}, from session `{}`.",
        shown.text,
        time(rows.milliseconds),
        question.session,
    );
    if !is_whole {
        let mut left = Vec::new();
        if shown.rows < count {
            left.push(format!("{} of {}", shown.rows, row_count(count)));
        }
        if shown.columns < rows.columns.len() {
            let all = column_count(rows.columns.len());
            left.push(format!("{} of {all}", shown.columns));
        }
        text += &if left.is_empty() {
            " Some values are shortened.".to_owned()
        } else {
            format!(" Shown: {}.", left.join(", "))
        };
        text += " The attached file has these rows in full.";
        text += formula_note(rows);
    }
    let reply = Reply::new(text).with(Emphasis::Secondary, "Share", Button::Share);
    let file = (!is_whole).then(|| File {
        name: format!("answer-{}.csv", question.session),
        text: table::csv(rows),
    });
    Reply { file, ..reply }
}

/// Public message with a shared result. `text` is the text of a reply by [`answer`].
pub(crate) fn shared(who: u64, text: &str, file: Option<File>) -> Reply {
    Reply {
        file,
        ..Reply::new(format!("<@{who}> shared a query:\n{text}"))
    }
}

/// Adds to a result that it was shared.
pub(crate) fn share_done(text: &str) -> Reply {
    Reply::new(format!("{text}\nShared in this channel."))
}

/// Removes the line about a failed share from the text of a reply.
pub(crate) fn strip_share_error(text: &str) -> &str {
    // Queries, values and errors are cleaned, so only that line can match.
    let said = text.rsplit_once(SHARE_ERROR_PREFIX);
    said.map_or(text, |(text, _)| text)
}

/// Adds to a result that the person lacks permissions to post it. `missing` has their names.
pub(crate) fn share_denied(text: &str, missing: &[&str]) -> Reply {
    let names: Vec<_> = missing.iter().map(|name| format!("**{name}**")).collect();
    let (permission, this) = match missing.len() {
        1 => ("permission", "this permission"),
        _ => ("permissions", "these permissions"),
    };
    let why = format!(
        "I did not share the result, because you don't have the {permission} {} here. Only you can \
         see it. To share it, run the query with `share:True` in a channel where you have {this}.",
        names.join(" and ")
    );
    share_failed(text, &why)
}

/// Adds to a result that Discord does not let the bot share it. `code` is Discord's error code.
pub(crate) fn share_refused(text: &str, code: Option<isize>) -> Reply {
    let code = code.map_or_else(|| "unknown".to_owned(), |code| code.to_string());
    let why = format!(
        "Discord does not let me post in this channel (error {code}), so nobody else sees the \
         result. An admin can grant the permission."
    );
    share_failed(text, &why)
}

/// Adds to a result that its file is gone.
pub(crate) fn share_without_file(text: &str) -> Reply {
    let why = "The result's file can't be downloaded from Discord any more. Run the query again \
               with `share:True`.";
    share_failed(text, why)
}

/// Adds to a result why it could not be shared, with the button to try again.
pub(crate) fn share_failed(text: &str, why: &str) -> Reply {
    Reply::new(format!("{text}{SHARE_ERROR_PREFIX}{why}")).with(
        Emphasis::Secondary,
        "Share",
        Button::Share,
    )
}

/// Lists the tables of a catalog whose names match `pattern`. A name that needs quotes is followed by
/// its form in SQL.
pub(crate) fn tables(
    record: &Record,
    catalog: &str,
    all: &TableList,
    pattern: Option<&str>,
) -> Reply {
    let TableList { names, more } = all;
    let is_like = |name: &&TableName| is_like(&name.to_string(), pattern);
    let like: Vec<_> = names.iter().filter(is_like).collect();
    let line = |name: &TableName| {
        let plain = name.to_string();
        let sql = (name.sql() != plain).then(|| format!("  in SQL: {}", name.in_catalog(catalog)));
        plain + &sql.unwrap_or_default()
    };
    let shown_catalog = clean(catalog);
    if like.is_empty() {
        let searched = match (more, names.len()) {
            (true, count) => format!("{}, which are not all", table_count(count)),
            (false, count) => table_count(count),
        };
        return Reply::new(match (names.is_empty(), pattern) {
            (false, Some(pattern)) => format!(
                "No table in `{shown_catalog}` matches `{}` (searched {searched}).",
                code(pattern, 60)
            ),
            _ if *more => format!(
                "The catalog `{shown_catalog}` did not list its tables in time. Try again in a \
                 minute. `/duck sql` can read a table whose name you know."
            ),
            _ => format!(
                "The catalog `{shown_catalog}` lists no tables. Your credentials may not have access; \
                 check them with `/duck setup`."
            ),
        });
    }
    let mut named = String::new();
    let (mut count, mut is_whole) = (0, true);
    for name in like.iter().take(MAX_TABLE_NAMES) {
        let cleaned = clean(&line(name));
        let short = shorten(&cleaned, MAX_TABLE_NAME_CHARS);
        is_whole &= short == cleaned;
        let line = isolate(short) + "\n";
        if message_len(&named) + message_len(&line) > MAX_MESSAGE_CHARS - FRAME_CHARS {
            break;
        }
        named += &line;
        count += 1;
    }
    let how_many = table_count(like.len());
    let mut text = format!(
        "{how_many} in `{shown_catalog}`, as seen by session `{}`:\n```\n{named}```\n",
        record.id
    );
    if *more {
        text += &format!(
            "This list is not complete ({} searched): the catalog has more tables, or did not list \
             all of them in time. `/duck describe` and `/duck sql` find the others by their names.\n",
            table_count(names.len())
        );
    }
    if count >= like.len() && is_whole {
        Reply::new(text)
    } else {
        text += &format!("Shown: {count} of {how_many}. The attached file has all of them.");
        // A name with a line break would look like two.
        let lines = like.iter().map(|name| clean(&line(name)) + "\n");
        Reply {
            file: Some(File {
                name: "tables.txt".into(),
                text: lines.collect(),
            }),
            ..Reply::new(text)
        }
    }
}

/// Lists the columns of a table.
pub(crate) fn table_columns(name: &TableName, catalog: &str, rows: &Rows) -> Reply {
    let shown = table(rows, MAX_MESSAGE_CHARS - FRAME_CHARS);
    let name = name.in_catalog(catalog);
    let count = rows.rows.len();
    let columns = column_count(count);
    let mut text = format!(
        "`{}`, {columns}:\n```\n{}\n```\n",
        code(&name, 300),
        shown.text
    );
    let is_whole = shown.rows == count && shown.is_exact;
    if !is_whole {
        text += "The attached file has the complete list.";
        text += formula_note(rows);
    }
    let file = (!is_whole).then(|| File {
        name: "columns.csv".into(),
        text: table::csv(rows),
    });
    Reply {
        file,
        ..Reply::new(text)
    }
}

/// Returns what the person should know about the values of a CSV file, if anything.
fn formula_note(rows: &Rows) -> &'static str {
    if table::has_formula(rows) {
        " In it, `'` begins each text that a spreadsheet would take for a formula."
    } else {
        ""
    }
}

pub(super) fn row_count(count: usize) -> String {
    match count {
        1 => "1 row".to_owned(),
        _ => format!("{count} rows"),
    }
}

fn column_count(count: usize) -> String {
    match count {
        1 => "1 column".to_owned(),
        _ => format!("{count} columns"),
    }
}

fn table_count(count: usize) -> String {
    match count {
        1 => "1 table".to_owned(),
        _ => format!("{count} tables"),
    }
}

/// Returns true if a table's name matches, ignoring case. `*` matches any text; a pattern without
/// `*` matches any part of the name.
fn is_like(name: &str, pattern: Option<&str>) -> bool {
    let Some(pattern) = pattern else {
        return true;
    };
    let (name, pattern) = (name.to_lowercase(), pattern.trim().to_lowercase());
    if !pattern.contains('*') {
        return name.contains(&pattern);
    }
    let mut pieces = pattern.split('*');
    let Some(mut rest) = pieces.next().and_then(|first| name.strip_prefix(first)) else {
        return false;
    };
    let pieces: Vec<_> = pieces.collect();
    let Some((last, between)) = pieces.split_last() else {
        return rest.is_empty();
    };
    for piece in between {
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// Formats a query as a code block, shortened.
pub(super) fn quote_query(sql: &str) -> String {
    let lines: Vec<_> = sql.trim().lines().map(clean).collect();
    format!(
        "```sql\n{}\n```",
        shorten(&lines.join("\n"), MAX_QUERY_CHARS)
    )
}

fn block(text: &str) -> String {
    let lines: Vec<_> = text.trim().lines().map(clean).collect();
    format!("```\n{}\n```", shorten(&lines.join("\n"), MAX_ERROR_CHARS))
}

/// Returns DuckDB's error, and the line of the query with its position marked.
fn point_at_error(sql: &str, wrong: &QueryError) -> String {
    let said = wrong.to_string();
    let position = wrong
        .position
        .filter(|at| sql.is_char_boundary(*at) && *at < sql.len());
    let Some(at) = position else {
        return said;
    };
    let (before, after) = sql.split_at(at);
    let begin = before.rfind('\n').map_or(0, |at| at + 1);
    let number = before.matches('\n').count() + 1;
    let before = clean(&before[begin..]);
    let after = clean(after.lines().next().unwrap_or_default());
    let before_count = before.chars().count();
    let start: String = before
        .chars()
        .skip(before_count.saturating_sub(ERROR_CONTEXT_CHARS))
        .collect();
    let end: String = after.chars().take(ERROR_CONTEXT_CHARS).collect();
    let label = format!("LINE {number}: ");
    let space = unicode_width::UnicodeWidthStr::width(&*start) + label.len();
    format!("{said}\n\n{label}{start}{end}\n{}^", " ".repeat(space))
}

/// Returns the next step after an error, if there is one.
fn hint(question: &QueryContext<'_>, wrong: &QueryError) -> Option<String> {
    if let Some(missing) = question.missing {
        let catalog = display_identifier(question.catalog);
        let full = |name: &String| format!("`{}`", code(&format!("{catalog}.{name}"), 200));
        let nearest = match missing {
            MissingTable::Listed(name) => return Some(unreadable_table(&full(name))),
            MissingTable::Unknown(nearest) => nearest,
        };
        let names: Vec<_> = nearest.iter().map(full).collect();
        return Some(match names.as_slice() {
            [] => format!(
                "Table names have the form `{catalog}.schema.table`. `/duck tables` shows all of \
                 them."
            ),
            [name] => format!("Did you mean {name}?"),
            names => format!("Did you mean one of these? {}", names.join(", ")),
        });
    }
    if wrong.kind == "Out of Memory" {
        return Some(
            "`/duck sql` has little memory. Ask for less, or run the query in the session itself, \
             which has more: `/duck open`."
                .into(),
        );
    }
    if wrong.kind == "Permission" {
        return Some(
            "`/duck sql` can read the team's tables, but no local files, and it can't change \
             settings. The session itself can do more: `/duck open`."
                .into(),
        );
    }
    wrong.failure.as_ref().map(request_failure)
}

/// Explains that a table is listed but can't be read. `name` is formatted.
pub(super) fn unreadable_table(name: &str) -> String {
    format!(
        "The catalog lists {name}, but does not find it when it is read. Either it was just \
         dropped, or you may not read it; the catalog's admin can grant you access."
    )
}

fn time(milliseconds: u64) -> String {
    match milliseconds {
        0..1000 => format!("{milliseconds} ms"),
        _ => format!("{:.1} s", milliseconds as f64 / 1000.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(kind: &str, message: &str, position: Option<usize>) -> QueryError {
        QueryError {
            kind: kind.into(),
            message: message.into(),
            position,
            ..QueryError::default()
        }
    }

    #[test]
    fn the_position_of_an_error_is_marked_in_its_line() {
        let sql = "SELECT é,\n  totl FROM orders";
        let at = sql.find("totl");
        let point_at_error = point_at_error(sql, &wrong("Binder", "no column \"totl\"", at));
        assert_eq!(
            point_at_error,
            "Binder Error: no column \"totl\"\n\nLINE 2:   totl FROM orders\n          ^"
        );
        let odd = super::point_at_error(sql, &wrong("", "odd", Some(8)));
        assert_eq!(odd, "odd", "a position inside a character is ignored");
    }

    #[test]
    fn a_missing_table_gets_a_suggestion() {
        let mut wrong = wrong("Catalog", "no such table", None);
        wrong.missing = Some("Table".into());
        wrong.name = Some("ordrs".into());
        let id = "977a26".parse().expect("an id");
        let missing = MissingTable::Unknown(vec!["sales.orders".to_owned()]);
        let question = QueryContext {
            sql: "FROM ordrs",
            session: &id,
            catalog: "lake",
            missing: Some(&missing),
        };
        let hint = hint(&question, &wrong);
        assert_eq!(hint.as_deref(), Some("Did you mean `lake.sales.orders`?"));
    }

    #[test]
    fn a_pattern_finds_names() {
        for (pattern, name, is) in [
            ("order", "sales.Orders", true),
            ("sales.*", "sales.orders", true),
            ("*.orders", "sales.orders", true),
            ("s*o*s", "sales.orders", true),
            ("*x*", "sales.orders", false),
            ("sales*orders*", "sales.orders", true),
            ("orders*", "sales.orders", false),
        ] {
            assert_eq!(is_like(name, Some(pattern)), is, "{pattern} {name}");
        }
    }
}
