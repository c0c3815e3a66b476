//! Query results as text tables for code blocks, and as CSV. Pure.
//!
//! No value can break out of its cell. Invisible characters are replaced, unless they join letters or emoji, and characters that would
//! end the block, break a line or change the text direction.

mod csv;
mod text;
mod vertical;

pub(super) use csv::{csv, has_formula};
use text::{MAX_TABLE_WIDTH, MAX_TYPE_WIDTH, NULL, cleaned, short};
pub(super) use text::{Table, clean};
use unicode_width::UnicodeWidthStr;

use super::replies::message_len;
use crate::{
    runtime::{Column, Rows},
    unicode::isolate,
};

/// Maximum widths of a cell. The next one is tried if the table does not fit.
const CELL_WIDTHS: [usize; 5] = [60, 40, 24, 16, 10];

/// Draws as much of `all` as fits into `room` characters, as counted by [`message_len`]. The head
/// is drawn even if it does not fit. A single row, a summary and a plan are drawn vertically.
pub(super) fn table(all: &Rows, room: usize) -> Table {
    if let Some(plan) = vertical::plan(all, room) {
        return plan;
    }
    if vertical::is_better(all) {
        return vertical::records(all, room);
    }
    grid(all, room)
}

/// Draws like [`table`], with a column for each of the columns.
pub(super) fn grid(all: &Rows, room: usize) -> Table {
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
    /// Texts of each row, and false if one of them differs from its value in what can't be seen.
    body: Vec<(Vec<String>, bool)>,
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
        let body: Vec<(Vec<_>, bool)> = all
            .rows
            .iter()
            // No message has room for more rows.
            .take(200)
            .map(|row| {
                let values = row.iter().take(all.columns.len());
                let cells = values.map(|value| cleaned(value.as_deref().unwrap_or(NULL)));
                let (texts, exact): (Vec<_>, Vec<_>) = cells.unzip();
                (texts, exact.into_iter().all(|is| is))
            })
            .collect();
        let widest = |at: usize| {
            let column = body.iter().filter_map(|(row, _)| row.get(at));
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
        let mut is_clean = true;
        for (cells, is_row_clean) in &self.body {
            let next = line(cells, true);
            if message_len(&text) + message_len(&next) > room {
                break;
            }
            text += &next;
            rows += 1;
            is_clean &= is_row_clean;
        }
        text.pop();
        Table {
            text,
            rows,
            columns,
            is_exact: is_exact && is_clean,
        }
    }
}

fn is_number(column: &Column) -> bool {
    const NUMBERS: [&str; 8] = [
        "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "DECIMAL", "FLOAT", "DOUBLE",
    ];
    let kind = column.kind.trim_start_matches('U');
    !kind.ends_with(']') && NUMBERS.iter().any(|name| kind.starts_with(name))
}

#[cfg(test)]
mod tests;
