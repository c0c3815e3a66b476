//! What is said of questions to DuckDB and their answers.
//!
//! Whatever comes from outside (the question, DuckDB's words, values, names) stands in code,
//! cleaned.

use chrono::{DateTime, Utc};

use super::{Button, Emphasis, File, MAX_MESSAGE_CHARS, Reply, ago};
use crate::{
    discord::table::{self, clean, table, units},
    runtime::{QueryError, QueryResponse, Rows},
    service::TableList,
    session::{Record, SessionId},
};

/// What begins the line about an answer that could not be shared. In a code block each line has
/// more before it, or is the question's.
const SHARE_ERROR_PREFIX: &str = "\n⚠️ ";
/// How much of a question is repeated.
const MAX_QUERY_UNITS: usize = 350;
/// How much of DuckDB's words is shown.
const MAX_ERROR_UNITS: usize = 900;
/// What is kept free for who asked, the lines under a table, and what makes a code block.
const FRAME_UNITS: usize = 260;
/// How much of a line with a mistake is shown before and after it.
const ERROR_CONTEXT_CHARS: usize = 60;
/// The most tables that are named.
const MAX_TABLE_NAMES: usize = 60;

/// What was asked, and of whom.
pub struct QueryContext<'a> {
    /// In the person's words.
    pub sql: &'a str,
    /// Whose DuckDB answers.
    pub session: &'a SessionId,
    /// What its tables are in.
    pub catalog: &'a str,
    /// Tables that are called nearly like one that is not there.
    pub nearest: &'a [String],
}

/// While a question that takes longer is answered.
pub fn query_running(sql: &str, id: &str, since: DateTime<Utc>) -> Reply {
    Reply::new(format!(
        "{}\nDuckDB has been at it since {}.",
        quote_query(sql),
        ago(since)
    ))
    .with(Emphasis::Danger, "Cancel", Button::Cancel(id.to_owned()))
}

/// When it was interrupted.
pub fn cancelled(sql: &str) -> Reply {
    Reply::new(format!("{}\nCancelled.", quote_query(sql)))
}

/// When there is nothing to interrupt.
pub fn query_over() -> Reply {
    Reply::new("That question is over already.")
}

/// What became of a question.
pub fn answer(question: &QueryContext<'_>, answer: &QueryResponse) -> Reply {
    let said = match answer {
        QueryResponse::Rows(rows) => return rows_reply(question, rows),
        QueryResponse::Done { milliseconds } => format!("Done, in {}.", time(*milliseconds)),
        QueryResponse::NotCommitted => {
            "Nothing of it was kept: it began a transaction without a COMMIT at \
            the end. Each question is a connection of its own, so please end it with COMMIT and ask again."
                .to_owned()
        }
        QueryResponse::NotSelect => {
            "I only ask what DuckDB calls a SELECT, and this is none, so nothing was done. In the \
             session itself (`/duck open`) you can run anything."
                .to_owned()
        }
        QueryResponse::MultipleStatements(count) => {
            format!("Those are {count} statements. Ask one at a time, please.")
        }
        QueryResponse::Error(wrong) => {
            let hint = hint(question, wrong).map(|hint| format!("\n{hint}"));
            let error = block(&point_at_error(question.sql, wrong));
            format!("{error}{}", hint.unwrap_or_default())
        }
        QueryResponse::NoAccess { what, error } => format!(
            "Nothing was asked, because something before that failed: {what}.\n{}{}",
            block(error),
            access_denied_hint(error)
                .map(|hint| format!("\n{hint}"))
                .unwrap_or_default()
        ),
        QueryResponse::TimedOut => "That took longer than a question from the chat may, so I stopped it. \
            Ask for less (a WHERE, fewer columns), or run it in the session itself: `/duck open`."
            .to_owned(),
        QueryResponse::Exited => "DuckDB ended without an answer, probably for want of memory. Run it in \
            the session itself, which has more: `/duck open`. (If the session is from before an \
            update of mine, start a new one.)"
            .to_owned(),
    };
    Reply::new(format!("{}\n{said}", quote_query(question.sql)))
}

fn rows_reply(question: &QueryContext<'_>, rows: &Rows) -> Reply {
    let head = quote_query(question.sql);
    let room = MAX_MESSAGE_CHARS - units(&head) - FRAME_UNITS;
    let shown = table(rows, room);
    let count = rows.rows.len();
    let is_whole = shown.is_exact && shown.rows == count && shown.columns == rows.columns.len();
    let counted = match (count, rows.more) {
        (0, true) => {
            return Reply::new(format!(
                "{head}\nThere are rows, but already the first one is too large for the chat. Ask \
                 for less of it, like `left(column, 1000)`, or in the session itself: `/duck open`."
            ));
        }
        (1, false) => "1 row".to_owned(),
        (count, false) => format!("{count} rows"),
        (count, true) => format!("The first {count} rows (there are more)"),
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
            left.push(format!("{} of {count} rows", shown.rows));
        }
        if shown.columns < rows.columns.len() {
            left.push(format!(
                "{} of {} columns",
                shown.columns,
                rows.columns.len()
            ));
        }
        text += &match left.is_empty() {
            true => " Some values are cut.".to_owned(),
            false => format!(" Here: {}.", left.join(", ")),
        };
        text += " The file has them all.";
    }
    let reply = Reply::new(text).with(Emphasis::Quiet, "Share", Button::Share);
    let file = (!is_whole).then(|| File {
        name: format!("answer-{}.csv", question.session),
        text: table::csv(rows),
    });
    Reply { file, ..reply }
}

/// For everybody: who asked, and what they see. `text` is one of ours.
pub fn shared(who: u64, text: &str, file: Option<File>) -> Reply {
    Reply {
        file,
        ..Reply::new(format!("<@{who}> asked:\n{text}"))
    }
}

/// Under an answer that everybody sees now.
pub fn share_done(text: &str) -> Reply {
    Reply::new(format!("{text}\nShared in this channel."))
}

/// An answer without what was said of a try to share it.
pub fn strip_share_error(text: &str) -> &str {
    // No value has a line of its own.
    let said = text.rsplit_once(SHARE_ERROR_PREFIX);
    said.map_or(text, |(text, _)| text)
}

/// Under an answer that could not be shown to everybody; they may try again.
pub fn share_failed(text: &str, why: &str) -> Reply {
    Reply::new(format!("{text}{SHARE_ERROR_PREFIX}{why}")).with(
        Emphasis::Quiet,
        "Share",
        Button::Share,
    )
}

/// The tables of a catalog whose names are like that.
pub fn tables(record: &Record, catalog: &str, all: &TableList, pattern: Option<&str>) -> Reply {
    let TableList { names, more } = all;
    let like: Vec<_> = names.iter().filter(|name| is_like(name, pattern)).collect();
    let catalog = clean(catalog);
    if like.is_empty() {
        let which = match more {
            true => "first ",
            false => "",
        };
        return Reply::new(match (names.is_empty(), pattern) {
            (false, Some(pattern)) => format!(
                "None of the {which}{} tables of `{catalog}` is called like `{}`.",
                names.len(),
                short(&clean(pattern), 60)
            ),
            _ => format!(
                "The catalog `{catalog}` lists no tables. Perhaps your keys don't show them: \
                 `/duck setup` checks them."
            ),
        });
    }
    let mut named = String::new();
    let mut count = 0;
    for name in like.iter().take(MAX_TABLE_NAMES) {
        let line = clean(name) + "\n";
        if units(&named) + units(&line) > MAX_MESSAGE_CHARS - FRAME_UNITS {
            break;
        }
        named += &line;
        count += 1;
    }
    let how_many = match like.len() {
        1 => "1 table".to_owned(),
        n => format!("{n} tables"),
    };
    let mut text = format!(
        "{how_many} in `{catalog}`, as session `{}` sees it:\n```\n{named}```\n",
        record.id
    );
    if *more {
        text += &format!(
            "There are more: I only know the first {}. In the session itself (`/duck open`), \
             `SHOW ALL TABLES` shows all.\n",
            names.len()
        );
    }
    match count < like.len() {
        false => Reply::new(text),
        true => {
            text += &format!("Here: {count} of {}. The file has them all.", like.len());
            let lines = like.iter().map(|name| format!("{name}\n"));
            Reply {
                file: Some(File {
                    name: "tables.txt".into(),
                    text: lines.collect(),
                }),
                ..Reply::new(text)
            }
        }
    }
}

/// A table's columns.
pub fn table_columns(name: &str, catalog: &str, rows: &Rows) -> Reply {
    let shown = table(rows, MAX_MESSAGE_CHARS - FRAME_UNITS);
    let name = format!("{}.{}", clean(catalog), clean(name));
    let count = rows.rows.len();
    let columns = match count {
        1 => "1 column".to_owned(),
        n => format!("{n} columns"),
    };
    let mut text = format!(
        "`{}`, {columns}:\n```\n{}\n```\n",
        short(&name, 120),
        shown.text
    );
    let is_whole = shown.rows == count && shown.is_exact;
    if !is_whole {
        text += "The file has it all.";
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

/// Whether a table is called like that: `*` stands for anything, and without one it is looked
/// for within the name.
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

/// What was asked, as code.
fn quote_query(sql: &str) -> String {
    let lines: Vec<_> = sql.trim().lines().map(clean).collect();
    format!("```sql\n{}\n```", short(&lines.join("\n"), MAX_QUERY_UNITS))
}

fn block(text: &str) -> String {
    let lines: Vec<_> = text.trim().lines().map(clean).collect();
    format!("```\n{}\n```", short(&lines.join("\n"), MAX_ERROR_UNITS))
}

fn short(text: &str, most: usize) -> String {
    if units(text) <= most {
        return text.to_owned();
    }
    let mut cut = String::new();
    for c in text.chars() {
        if units(&cut) + c.len_utf16() >= most {
            break;
        }
        cut.push(c);
    }
    cut + "…"
}

/// DuckDB's words, and where in the question it is.
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

/// What to do about it, where that is known.
fn hint(question: &QueryContext<'_>, wrong: &QueryError) -> Option<String> {
    if wrong.missing_table().is_some() {
        let nearest = question.nearest.iter();
        let catalog = clean(question.catalog);
        let names: Vec<_> = nearest
            .map(|name| format!("`{}`", short(&format!("{catalog}.{}", clean(name)), 80)))
            .collect();
        return Some(match names.is_empty() {
            true => format!(
                "Tables are called `{catalog}.schema.table` here; `/duck tables` shows them."
            ),
            false => format!("Near to that are: {}.", names.join(", ")),
        });
    }
    if wrong.kind == "Out of Memory" {
        return Some(
            "A question from the chat has little memory of its own. Ask for less, or run it in \
             the session itself, which has more: `/duck open`."
                .into(),
        );
    }
    if wrong.kind == "Permission" {
        return Some(
            "A question from the chat reads the team's tables and nothing of the machine that it \
             runs on, and changes no settings. The session itself may do more: `/duck open`."
                .into(),
        );
    }
    access_denied_hint(&wrong.message)
}

/// If the storage or the catalog turned the keys down: what they may not read.
fn access_denied_hint(error: &str) -> Option<String> {
    let is_denied = ["403", "AccessDenied", "Forbidden", "401"];
    if !is_denied.iter().any(|word| error.contains(word)) {
        return None;
    }
    let what = match bucket(error) {
        Some(bucket) => format!("the bucket `{}`", short(&clean(bucket), 63)),
        None => "that".to_owned(),
    };
    Some(format!(
        "Your keys may not read {what}, or don't work any more. `/duck setup` checks them; the \
         admin of the storage can widen them."
    ))
}

/// The bucket that an error names: `s3://bucket/…`, or the first part of a path.
fn bucket(error: &str) -> Option<&str> {
    let until = |text: &'static str| move |rest: &'_ str| rest.find(|c: char| text.contains(c));
    if let Some((_, rest)) = error.split_once("s3://") {
        let end = until("/'\" \n")(rest).unwrap_or(rest.len());
        return Some(&rest[..end]).filter(|name| !name.is_empty());
    }
    let (_, rest) = error.split_once("://")?;
    let (host, path) = rest.split_once('/')?;
    if let Some((bucket, _)) = host.split_once(".s3") {
        return Some(bucket);
    }
    let end = until("/'\" \n?")(path).unwrap_or(path.len());
    Some(&path[..end]).filter(|name| !name.is_empty())
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
    fn where_it_is_wrong_is_marked_in_its_line() {
        let sql = "SELECT é,\n  totl FROM orders";
        let at = sql.find("totl");
        let point_at_error = point_at_error(sql, &wrong("Binder", "no column \"totl\"", at));
        assert_eq!(
            point_at_error,
            "Binder Error: no column \"totl\"\n\nLINE 2:   totl FROM orders\n          ^"
        );
        let odd = super::point_at_error(sql, &wrong("", "odd", Some(8)));
        assert_eq!(odd, "odd", "in the middle of a letter");
    }

    #[test]
    fn a_table_that_is_not_there_is_nearly_another_one() {
        let mut wrong = wrong("Catalog", "no such table", None);
        wrong.missing = Some("Table".into());
        wrong.name = Some("ordrs".into());
        let id = "977a26".parse().expect("an id");
        let nearest = ["sales.orders".to_owned()];
        let question = QueryContext {
            sql: "FROM ordrs",
            session: &id,
            catalog: "lake",
            nearest: &nearest,
        };
        let hint = hint(&question, &wrong);
        assert_eq!(
            hint.as_deref(),
            Some("Near to that are: `lake.sales.orders`.")
        );
    }

    #[test]
    fn the_bucket_that_keys_may_not_read_is_named() {
        for (error, named) in [
            ("HTTP 403 reading 's3://finance/x.parquet'", Some("finance")),
            (
                "HTTP GET error on 'http://s3.test:9000/finance/x' (HTTP 403)",
                Some("finance"),
            ),
            (
                "error on 'https://finance.s3.eu-west-1.amazonaws.com/x' (HTTP 403)",
                Some("finance"),
            ),
            ("Forbidden", None),
        ] {
            assert_eq!(bucket(error), named, "{error}");
            assert!(access_denied_hint(error).is_some(), "{error}");
        }
        assert_eq!(access_denied_hint("HTTP 500"), None);
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
