//! Results with a line for each value. Pure.

use unicode_width::UnicodeWidthStr;

use super::{
    super::replies::message_len,
    text::{MAX_TABLE_WIDTH, MAX_TYPE_WIDTH, NULL, Table, clean, cleaned, short},
};
use crate::{runtime::Rows, unicode::isolate};

/// Maximum width of a column's name.
const MAX_NAME_WIDTH: usize = 30;
/// Names of columns by which a summary (`SUMMARIZE`) is known.
const SUMMARY: [&str; 4] = [
    "column_name",
    "column_type",
    "approx_unique",
    "null_percentage",
];
/// Columns of a plan (`EXPLAIN`).
const PLAN: [&str; 2] = ["explain_key", "explain_value"];

/// Returns true if `all` is easier to read with a line for each value.
pub(super) fn is_better(all: &Rows) -> bool {
    let has = |name: &&str| all.columns.iter().any(|it| it.name == **name);
    let is_summary = SUMMARY.iter().all(has);
    all.columns.len() > 1 && (all.rows.len() == 1 || is_summary && !all.rows.is_empty())
}

/// Draws the first rows that fit into `room`. Of the first row, draws the columns that fit.
pub(super) fn records(all: &Rows, room: usize) -> Table {
    let heads: Vec<_> = all
        .columns
        .iter()
        .map(|it| {
            let name = short(&clean(&it.name), MAX_NAME_WIDTH).0;
            (name, short(&clean(&it.kind), MAX_TYPE_WIDTH).0)
        })
        .collect();
    let widest = |widths: &mut dyn Iterator<Item = usize>| widths.max().unwrap_or(0);
    let name_width = widest(&mut heads.iter().map(|(name, _)| name.width()));
    let kind_width = widest(&mut heads.iter().map(|(_, kind)| kind.width()));
    let pad = |text: &str, width: usize| {
        let space = " ".repeat(width.saturating_sub(text.width()));
        isolate(text.to_owned()) + &space
    };
    let mut table = Table {
        text: String::new(),
        rows: 0,
        columns: all.columns.len(),
        is_exact: true,
    };
    for (number, row) in all.rows.iter().enumerate() {
        let mut record = String::new();
        let mut is_exact = true;
        let mut shown = 0;
        let begin = if number > 0 { "\n" } else { "" };
        for ((name, kind), value) in heads.iter().zip(row) {
            let mut line = pad(name, name_width) + " │ ";
            if kind_width > 0 {
                line += &(pad(kind, kind_width) + " │ ");
            }
            let left = MAX_TABLE_WIDTH.saturating_sub(line.width());
            let (value, is_clean) = cleaned(value.as_deref().unwrap_or(NULL));
            let (value, is_whole) = short(&value, left);
            line += &isolate(value);
            let line = line.trim_end().to_owned() + "\n";
            let used = [&table.text, &record, &line].map(|it| message_len(it));
            if used.iter().sum::<usize>() + begin.len() > room && (number > 0 || shown > 0) {
                break;
            }
            record += &line;
            shown += 1;
            is_exact &= is_whole && is_clean;
        }
        if number > 0 && shown < all.columns.len() {
            break;
        }
        table.text = table.text + begin + &record;
        table.is_exact &= is_exact;
        table.columns = table.columns.min(shown);
        table.rows += 1;
        if shown < all.columns.len() {
            break;
        }
    }
    table.text.pop();
    table
}

/// Draws a plan, whose values have many lines. Returns `None` if `all` is none.
pub(super) fn plan(all: &Rows, room: usize) -> Option<Table> {
    if !all.columns.iter().map(|it| &*it.name).eq(PLAN) || all.rows.is_empty() {
        return None;
    }
    let mut table = Table {
        text: String::new(),
        rows: all.rows.len(),
        columns: all.columns.len(),
        is_exact: true,
    };
    let values = all.rows.iter().filter_map(|row| row.get(1)?.as_deref());
    for line in values.flat_map(str::lines) {
        let line = isolate(clean(line)).trim_end().to_owned() + "\n";
        if message_len(&table.text) + message_len(&line) > room {
            table.is_exact = false;
            break;
        }
        table.text += &line;
    }
    table.text.pop();
    Some(table)
}
