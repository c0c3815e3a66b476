//! DuckDB's errors in replies, with the next step. Foreign text is cleaned and shown as code.

use super::{format::code, reply::shorten, request_failures::request_failure};
use crate::{
    discord::{
        charts::{ChartError, Picture},
        file_format::FileFormat,
        table::clean,
    },
    runtime::{QueryError, display_identifier},
    service::MissingTable,
    session::SessionId,
};

/// Maximum length of a DuckDB error in a reply.
const MAX_ERROR_CHARS: usize = 900;
/// Maximum number of characters shown before and after the position of an error.
const ERROR_CONTEXT_CHARS: usize = 60;

/// A query and where it ran.
#[derive(Clone, Copy, Default)]
pub(crate) struct QueryContext<'a> {
    /// The query as the person typed it.
    pub sql: &'a str,
    /// Session whose credentials and catalog are used. `None` for a query runner.
    pub session: Option<&'a SessionId>,
    /// Name of the attached catalog.
    pub catalog: &'a str,
    /// Table that was not found.
    pub missing: Option<&'a MissingTable>,
    /// File that the person wants.
    pub file: Option<FileFormat>,
    /// Chart that the person wants, or the reason why there is none.
    pub chart: Option<&'a Result<Picture, ChartError>>,
    /// True if the query ran before, and runs again only for the file or the chart.
    pub is_rerun: bool,
    /// Length of the text that is added before the reply.
    pub lead_chars: usize,
    /// True if no file may be attached, however long the result is.
    pub no_file: bool,
}

/// A session of the person, and commands for it, if it is not known whether there is one.
pub(super) const ANY_SESSION: &str = "a session: `/duck open`, or `/duck start` if you have none";

/// Names the place for what `/duck sql` can't do, and its command. A person whose query ran in a query
/// runner has no session.
pub(super) fn larger_place(question: &QueryContext<'_>) -> (&'static str, &'static str) {
    match question.session {
        Some(_) => ("the session itself", "`/duck open`"),
        None => ("a session", "`/duck start`"),
    }
}

/// Returns true if a query needs more memory and disk than it has.
pub(super) fn is_out_of_memory(error: &QueryError) -> bool {
    error.kind == "Out of Memory"
}

pub(super) fn block(text: &str) -> String {
    let lines: Vec<_> = text.trim().lines().map(clean).collect();
    format!("```\n{}\n```", shorten(&lines.join("\n"), MAX_ERROR_CHARS))
}

/// Returns DuckDB's error, and the line of the query with its position marked.
pub(super) fn point_at_error(sql: &str, wrong: &QueryError) -> String {
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
pub(super) fn hint(question: &QueryContext<'_>, wrong: &QueryError) -> Option<String> {
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
                "`/duck tables` shows the tables of `{}`. Tables that you created in your session are \
                 visible only there: `/duck open`.",
                clean(&catalog)
            ),
            [name] => format!("Did you mean {name}?"),
            names => format!("Did you mean one of these? {}", names.join(", ")),
        });
    }
    let (place, command) = larger_place(question);
    if is_out_of_memory(wrong) {
        return Some(format!(
            "The query needs more memory and disk than `/duck sql` has. Ask for less, for example fewer \
             columns or rows, or run it in {place}, which has more: {command}."
        ));
    }
    if wrong.kind == "Permission" {
        return Some(format!(
            "`/duck sql` can read the team's tables, but no local files, and it can't change \
             settings. You can do more in {place}: {command}."
        ));
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
            session: Some(&id),
            catalog: "lake",
            missing: Some(&missing),
            ..QueryContext::default()
        };
        let hint = hint(&question, &wrong);
        assert_eq!(hint.as_deref(), Some("Did you mean `lake.sales.orders`?"));
    }
}
