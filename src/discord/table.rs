//! Query results as text tables for code blocks, and as CSV. Pure.
//!
//! No value can break out of its cell. Invisible characters are replaced, and characters that would
//! end the block, break a line or change the text direction.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::replies::message_len;
use crate::{
    runtime::{Column, Rows},
    unicode::{is_invisible, isolate},
};

/// Maximum width of a table, in character cells. Discord shows lines of this width on a small
/// screen without wrapping them.
const MAX_TABLE_WIDTH: usize = 100;
/// Maximum widths of a cell. The next one is tried if the table does not fit.
const CELL_WIDTHS: [usize; 5] = [60, 40, 24, 16, 10];
/// Maximum width of a type name.
const MAX_TYPE_WIDTH: usize = 16;
/// Maximum number of digits after the decimal point of a floating-point value.
const MAX_FRACTION_DIGITS: usize = 6;
/// Text for DuckDB's NULL.
const NULL: &str = "NULL";

/// A text table, and how much of the result it shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table {
    /// Lines of the table, without code fences.
    pub text: String,
    /// Number of rows shown.
    pub rows: usize,
    /// Number of columns shown.
    pub columns: usize,
    /// True if no value was shortened.
    pub is_exact: bool,
}

/// Draws as much of `all` as fits into `room` characters, as counted by [`message_len`]. The head
/// is drawn even if it does not fit.
pub(super) fn table(all: &Rows, room: usize) -> Table {
    let cells = Cells::of(all);
    let mut width = CELL_WIDTHS[0];
    let mut columns = cells.fit(width);
    for narrower in &CELL_WIDTHS[1..] {
        if columns == all.columns.len() {
            break;
        }
        width = *narrower;
        columns = cells.fit(width);
    }
    // At least one column, shortened to fit.
    cells.draw(columns.max(1).min(all.columns.len()), width, room)
}

/// Cleaned texts of all cells.
struct Cells {
    /// Column names, then types.
    head: [Vec<String>; 2],
    body: Vec<Vec<String>>,
    is_number: Vec<bool>,
    widths: Vec<usize>,
}

impl Cells {
    fn of(all: &Rows) -> Self {
        let names: Vec<_> = all.columns.iter().map(|it| clean(&it.name)).collect();
        let kinds: Vec<_> = all
            .columns
            .iter()
            .map(|it| short(&clean(&it.kind), MAX_TYPE_WIDTH).0)
            .collect();
        let days: Vec<_> = (0..all.columns.len())
            .map(|at| has_only_dates(all, at))
            .collect();
        let cell = |at: usize, value: &Option<String>| {
            let column = &all.columns[at];
            let text = value
                .as_deref()
                .map_or_else(|| NULL.to_owned(), |text| format_value(text, column));
            if days[at] {
                clean(text.strip_suffix(MIDNIGHT).unwrap_or(&text))
            } else {
                clean(&text)
            }
        };
        let body: Vec<Vec<_>> = all
            .rows
            .iter()
            // No message has room for more rows.
            .take(200)
            .map(|row| {
                row.iter()
                    .take(all.columns.len())
                    .enumerate()
                    .map(|(at, value)| cell(at, value))
                    .collect()
            })
            .collect();
        let widest = |at: usize| {
            let column = body.iter().filter_map(|row: &Vec<String>| row.get(at));
            let all = column.chain([&names[at], &kinds[at]]);
            all.map(|text| text.width()).max().unwrap_or(0)
        };
        Self {
            widths: (0..names.len()).map(widest).collect(),
            is_number: all.columns.iter().map(is_number).collect(),
            head: [names, kinds],
            body,
        }
    }

    /// Returns the number of columns that fit with cells of this width.
    fn fit(&self, width: usize) -> usize {
        let mut left = MAX_TABLE_WIDTH;
        let fits = |widest: &&usize| {
            let needed = (**widest).min(width) + 3;
            let is_room = needed <= left + 3;
            left = left.saturating_sub(needed);
            is_room
        };
        self.widths.iter().take_while(fits).count()
    }

    fn draw(&self, columns: usize, width: usize, room: usize) -> Table {
        let widths: Vec<_> = self
            .widths
            .iter()
            .take(columns)
            .map(|it| (*it).min(width))
            .collect();
        let mut is_exact = true;
        let mut line = |cells: &[String], is_body: bool| {
            let mut text = String::new();
            for (at, cell) in cells.iter().take(columns).enumerate() {
                let (cell, is_whole) = short(cell, widths[at]);
                is_exact &= is_whole || !is_body;
                let space = " ".repeat(widths[at].saturating_sub(cell.width()));
                let cell = isolate(cell);
                text += if at > 0 { " │ " } else { "" };
                text += &if self.is_number[at] {
                    space + &cell
                } else {
                    cell + &space
                };
            }
            text.trim_end().to_owned() + "\n"
        };
        let [names, kinds] = &self.head;
        let rule: Vec<_> = widths.iter().map(|width| "─".repeat(*width)).collect();
        let mut text = line(names, false);
        // The result of `/duck describe`, for example, has no types.
        if kinds.iter().any(|kind| !kind.is_empty()) {
            text += &line(kinds, false);
        }
        text += &(rule.join("─┼─") + "\n");
        let mut rows = 0;
        for cells in &self.body {
            let next = line(cells, true);
            if message_len(&text) + message_len(&next) > room {
                break;
            }
            text += &next;
            rows += 1;
        }
        text.pop();
        Table {
            text,
            rows,
            columns,
            is_exact,
        }
    }
}

const MIDNIGHT: &str = " 00:00:00";

/// Returns true if all timestamps of a column are at midnight.
fn has_only_dates(all: &Rows, at: usize) -> bool {
    let mut values = all.rows.iter().filter_map(|row| row.get(at)?.as_ref());
    all.columns[at].kind.starts_with("TIMESTAMP") && values.all(|value| value.ends_with(MIDNIGHT))
}

fn is_number(column: &Column) -> bool {
    const NUMBERS: [&str; 8] = [
        "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "DECIMAL", "FLOAT", "DOUBLE",
    ];
    let kind = column.kind.trim_start_matches('U');
    !kind.ends_with(']') && NUMBERS.iter().any(|name| kind.starts_with(name))
}

/// Formats a value for reading: floating-point numbers get fewer digits.
fn format_value(text: &str, column: &Column) -> String {
    let is_float = matches!(&*column.kind, "FLOAT" | "DOUBLE");
    let decimals = text.split_once('.').map_or(0, |(_, digits)| digits.len());
    match text.parse::<f64>() {
        Ok(number) if is_float && decimals > MAX_FRACTION_DIGITS && !text.contains('e') => {
            let rounded = format!("{number:.MAX_FRACTION_DIGITS$}");
            let rounded = rounded.trim_end_matches('0');
            // A small number must not become zero.
            if rounded.trim_start_matches('-') == "0." && number != 0.0 {
                format!("{number:e}")
            } else if rounded.ends_with('.') {
                format!("{rounded}0")
            } else {
                rounded.to_owned()
            }
        }
        _ => text.to_owned(),
    }
}

/// Replaces all characters that could break out of a cell or a code block.
pub(super) fn clean(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len());
    let mut marks = 0;
    for c in text.chars() {
        let is_mark = c.width() == Some(0);
        marks = if is_mark { marks + 1 } else { 0 };
        match c {
            '\n' => cleaned.push('⏎'),
            '\r' | '\t' => cleaned.push(' '),
            // Code fences consist of these.
            '`' => cleaned.push('ˋ'),
            c if is_invisible(c) => cleaned.push('·'),
            // Keep at most two combining marks per letter: more would run into other lines.
            _ if marks > 2 => {}
            c => cleaned.push(c),
        }
    }
    cleaned
}

/// Shortens `text` to a display width. The second value is true if nothing was cut.
fn short(text: &str, width: usize) -> (String, bool) {
    if text.width() <= width {
        return (text.to_owned(), true);
    }
    let mut cut = String::new();
    for c in text.chars() {
        if cut.width() + c.width().unwrap_or(0) + 1 > width {
            break;
        }
        cut.push(c);
    }
    cut.push('…');
    (cut, false)
}

/// First characters of a formula, also in full width.
const FORMULA_STARTS: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];

/// Formats all rows as CSV (RFC 4180). NULL is an empty field, an empty text is `""`. A text that a
/// spreadsheet would take for a formula gets an apostrophe: the file is for people, and the text may
/// be anybody's.
pub(super) fn csv(all: &Rows) -> String {
    let mut text = String::new();
    let names = all.columns.iter().map(|column| Some(&*column.name));
    line(&mut text, names);
    for row in &all.rows {
        line(&mut text, row.iter().map(Option::as_deref));
    }
    text
}

/// Returns true if [`csv`] changes a text.
pub(super) fn has_formula(all: &Rows) -> bool {
    let names = all.columns.iter().map(|column| &column.name);
    let mut values = names.chain(all.rows.iter().flatten().flatten());
    values.any(|value| is_formula(value))
}

/// Returns true if a spreadsheet would calculate the value. Numbers are never formulas.
fn is_formula(value: &str) -> bool {
    let is_skipped = |c: char| c.is_whitespace() || is_invisible(c);
    let begin = value.trim_start_matches(is_skipped);
    begin.starts_with(FORMULA_STARTS) && value.parse::<f64>().is_err()
}

fn line<'a>(text: &mut String, values: impl Iterator<Item = Option<&'a str>>) {
    for (at, value) in values.enumerate() {
        if at > 0 {
            text.push(',');
        }
        let value = value.map(|value| {
            let mut value = value.to_owned();
            if is_formula(&value) {
                value.insert(0, '\'');
            }
            // Some spreadsheets also separate at semicolons and tabs.
            let is_plain = !value.is_empty() && !value.contains([',', '"', '\n', '\r', ';', '\t']);
            if is_plain {
                value
            } else {
                format!("\"{}\"", value.replace('"', "\"\""))
            }
        });
        text.push_str(&value.unwrap_or_default());
    }
    text.push_str("\r\n");
}

#[cfg(test)]
mod tests;
