//! Replies to `/duck tables` and `/duck describe`. Foreign names are cleaned and shown as code.

use std::collections::HashMap;

use super::{
    answer::FRAME_CHARS,
    format::{code, count_of},
    reply::{File, MAX_MESSAGE_CHARS, Reply, message_len, shorten},
    result_file::formula_note,
};
use crate::{
    discord::table::{self, clean},
    runtime::{Rows, TableName},
    service::TableList,
    session::Record,
    unicode::isolate,
};

/// Maximum length of a table's name in a list, so that a long one hides no others.
const MAX_TABLE_NAME_CHARS: usize = 150;
/// Maximum number of table names in a message.
const MAX_TABLE_NAMES: usize = 60;

/// Lists the tables of a catalog whose names match `pattern`.
pub(crate) fn tables(
    record: &Record,
    catalog: &str,
    all: &TableList,
    pattern: Option<&str>,
) -> Reply {
    let TableList { names, more } = all;
    let is_like = |name: &&TableName| is_like(&name.to_string(), pattern);
    let like: Vec<_> = names.iter().filter(is_like).collect();
    // The name as in SQL, so that it can be pasted.
    let line = TableName::sql;
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
        is_whole &= short == line(name);
        let line = isolate(short) + "\n";
        if message_len(&named) + message_len(&line) > MAX_MESSAGE_CHARS - FRAME_CHARS {
            break;
        }
        named += &line;
        count += 1;
    }
    let how_many = table_count(like.len());
    let viewer = if record.is_runner() {
        "with your credentials".to_owned()
    } else {
        format!("by session `{}`", record.id)
    };
    let mut text = format!("{how_many} in `{shown_catalog}`, as seen {viewer}:\n```\n{named}```\n");
    if *more {
        text += &format!(
            "This list is not complete ({} searched): the catalog has more tables, or did not list \
             all of them in time. `/duck describe` and `/duck sql` find the others by their names.\n",
            table_count(names.len())
        );
    }
    if let Some([a, b]) = same_but_case(names) {
        let [a, b] = [a, b].map(|name| code(&name, MAX_TABLE_NAME_CHARS));
        text +=
            &format!("DuckDB ignores case in names, so it finds only one of `{a}` and `{b}`.\n");
    }
    if count >= like.len() && is_whole {
        Reply::new(text)
    } else {
        text += &if count >= like.len() {
            "The attached file has the exact names.".to_owned()
        } else {
            format!("Shown: {count} of {how_many}. The attached file has all of them.")
        };
        let lines = like.iter().map(|name| file_line(&line(name)) + "\n");
        Reply {
            files: vec![File::new("tables.txt", lines.collect::<String>())],
            ..Reply::new(text)
        }
    }
}

/// Lists the columns of a table.
pub(crate) fn table_columns(name: &TableName, catalog: &str, rows: &Rows) -> Reply {
    let shown = table::grid(rows, MAX_MESSAGE_CHARS - FRAME_CHARS);
    let name = name.in_catalog(catalog);
    let columns = count_of(rows.rows.len(), "column");
    let mut text = format!(
        "`{}`, {columns}:\n```\n{}\n```\n",
        code(&name, 300),
        shown.text
    );
    let is_whole = shown.is_whole(rows);
    if !is_whole {
        text += "The attached file has the complete list.";
        text += formula_note(rows);
    }
    let file = (!is_whole).then(|| File::new("columns.csv", table::csv(rows)));
    Reply {
        files: file.into_iter().collect(),
        ..Reply::new(text)
    }
}

/// Cleans a name for a file, where a backtick is harmless. A name with a line break would look like two.
fn file_line(name: &str) -> String {
    let parts: Vec<_> = name.split('`').map(clean).collect();
    parts.join("`")
}

/// Returns two names of schemas, or of tables of one schema, that differ only in case.
fn same_but_case(names: &[TableName]) -> Option<[String; 2]> {
    let mut seen: HashMap<String, String> = HashMap::new();
    names.iter().find_map(|name| {
        [name.schema.clone(), name.sql()]
            .into_iter()
            .find_map(|text| {
                let first = seen
                    .entry(text.to_lowercase())
                    .or_insert_with(|| text.clone());
                (*first != text).then(|| [first.clone(), text])
            })
    })
}

fn table_count(count: usize) -> String {
    count_of(count, "table")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_duckdb_takes_for_one_are_found() {
        let names = |all: &[(&str, &str)]| -> Vec<TableName> {
            let name = |(schema, table): &(&str, &str)| TableName::new(*schema, *table);
            all.iter().map(name).collect()
        };
        let pair = |a: &str, b: &str| Some([a.to_owned(), b.to_owned()]);
        for (all, expected) in [
            (&[("a", "t"), ("a", "u"), ("b", "t")][..], None),
            (&[("A", "t"), ("a", "u")][..], pair("A", "a")),
            (&[("a", "T"), ("a", "t")][..], pair("a.T", "a.t")),
        ] {
            assert_eq!(same_but_case(&names(all)), expected, "{all:?}");
        }
    }

    #[test]
    fn a_file_of_names_keeps_backticks_and_lines() {
        assert_eq!(file_line("a.\"t`ick\""), "a.\"t`ick\"");
        assert_eq!(file_line("a.\"x\ny\""), "a.\"x⏎y\"");
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
