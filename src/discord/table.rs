//! Rows as a chat shows them: a table of letters for a code block, and CSV. Pure.
//!
//! Whatever stands in a value, it stays in its cell: what would end the block, break a line,
//! turn the reading direction or can't be seen is shown as something else.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::runtime::{Column, Rows};

/// How wide a table may be: what a Discord window on a small screen still shows unbroken.
const MAX_TABLE_WIDTH: usize = 100;
/// How wide a cell may be; the next one is tried where the table does not fit.
const CELL_WIDTHS: [usize; 5] = [60, 40, 24, 16, 10];
/// How wide the name of a type may be.
const MAX_TYPE_WIDTH: usize = 16;
/// Digits after the point of a number that is no exact one.
const MAX_FRACTION_DIGITS: usize = 6;
/// What a value has where DuckDB says NULL.
const NULL: &str = "NULL";

/// A table, and how much of the rows it shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Lines; without the fence of a code block.
    pub text: String,
    /// How many rows are in it.
    pub rows: usize,
    /// How many columns are in it.
    pub columns: usize,
    /// Whether each value in it is whole.
    pub is_exact: bool,
}

/// As much of `all` as takes at most `room` UTF-16 units, which is how Discord may count.
pub fn table(all: &Rows, room: usize) -> Table {
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
    // At least one, cut to whatever fits.
    cells.draw(columns.max(1).min(all.columns.len()), width, room)
}

/// The texts of all cells, cleaned.
struct Cells {
    /// Names, then types.
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
        let days: Vec<_> = (0..all.columns.len()).map(|at| are_days(all, at)).collect();
        let cell = |at: usize, value: &Option<String>| {
            let column = &all.columns[at];
            let text = value
                .as_deref()
                .map_or_else(|| NULL.to_owned(), |text| format_value(text, column));
            match days[at] {
                true => clean(text.strip_suffix(MIDNIGHT).unwrap_or(&text)),
                false => clean(&text),
            }
        };
        let body: Vec<Vec<_>> = all
            .rows
            .iter()
            // No message holds more.
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

    /// How many columns fit with cells of that width.
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
                let cell = isolate_direction(cell);
                text += if at > 0 { " │ " } else { "" };
                text += &match self.is_number[at] {
                    true => space + &cell,
                    false => cell + &space,
                };
            }
            text.trim_end().to_owned() + "\n"
        };
        let [names, kinds] = &self.head;
        let rule: Vec<_> = widths.iter().map(|width| "─".repeat(*width)).collect();
        let mut text = line(names, false);
        // Where all of one kind are told apart, nobody says of which.
        if kinds.iter().any(|kind| !kind.is_empty()) {
            text += &line(kinds, false);
        }
        text += &(rule.join("─┼─") + "\n");
        let mut rows = 0;
        for cells in &self.body {
            let next = line(cells, true);
            if units(&text) + units(&next) > room {
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

/// How long a text is for Discord, at most.
pub fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

const MIDNIGHT: &str = " 00:00:00";

/// Whether a column of points in time only has days.
fn are_days(all: &Rows, at: usize) -> bool {
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

/// A value for reading: what is no exact number with fewer digits.
fn format_value(text: &str, column: &Column) -> String {
    let is_float = matches!(&*column.kind, "FLOAT" | "DOUBLE");
    let decimals = text.split_once('.').map_or(0, |(_, digits)| digits.len());
    match text.parse::<f64>() {
        Ok(number) if is_float && decimals > MAX_FRACTION_DIGITS && !text.contains('e') => {
            let rounded = format!("{number:.MAX_FRACTION_DIGITS$}");
            let rounded = rounded.trim_end_matches('0');
            // Nothing may be left of something small.
            match rounded.trim_start_matches('-') == "0." && number != 0.0 {
                true => format!("{number:e}"),
                false if rounded.ends_with('.') => format!("{rounded}0"),
                false => rounded.to_owned(),
            }
        }
        _ => text.to_owned(),
    }
}

/// `text` with everything that could leave its cell as something that can't.
pub fn clean(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len());
    let mut marks = 0;
    for c in text.chars() {
        let is_mark = c.width() == Some(0);
        marks = if is_mark { marks + 1 } else { 0 };
        match c {
            '\n' => cleaned.push('⏎'),
            '\r' | '\t' => cleaned.push(' '),
            // A fence is made of them.
            '`' => cleaned.push('ˋ'),
            c if c.is_control() || is_unseen(c) => cleaned.push('·'),
            // Accents stay with their letters; a pile of them would run into other lines.
            _ if marks > 2 => {}
            c => cleaned.push(c),
        }
    }
    cleaned
}

/// What can't be seen, or turns the direction of what follows.
fn is_unseen(c: char) -> bool {
    matches!(
        u32::from(c),
        0xAD | 0x34F | 0x61C | 0x115F | 0x1160 | 0x17B4 | 0x17B5 | 0x180B..=0x180F
            | 0x200B..=0x200F | 0x2028..=0x202E | 0x2060..=0x206F | 0x3164
            | 0xFE00..=0xFE0F | 0xFEFF | 0xFFA0 | 0xFFF0..=0xFFFB
            | 0x1BCA0..=0x1BCA3 | 0x1D173..=0x1D17A | 0xE0000..=0xE0FFF
    )
}

/// A cell that is written from right to left must not take its neighbours with it.
fn isolate_direction(cell: String) -> String {
    let is_turned = |c: char| {
        matches!(
            u32::from(c),
            0x590..=0x8FF | 0xFB1D..=0xFDFF | 0xFE70..=0xFEFC | 0x10800..=0x10FFF | 0x1E800..=0x1EFFF
        )
    };
    match cell.contains(is_turned) {
        true => format!("\u{2068}{cell}\u{2069}"),
        false => cell,
    }
}

/// As much of `text` as has that width, and whether that is all.
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

/// All of it, as RFC 4180 has it. NULL is nothing, an empty text is `""`.
pub fn csv(all: &Rows) -> String {
    let mut text = String::new();
    let names = all.columns.iter().map(|column| Some(&*column.name));
    line(&mut text, names);
    for row in &all.rows {
        line(&mut text, row.iter().map(Option::as_deref));
    }
    text
}

fn line<'a>(text: &mut String, values: impl Iterator<Item = Option<&'a str>>) {
    for (at, value) in values.enumerate() {
        if at > 0 {
            text.push(',');
        }
        let value = value.map(|value| {
            let is_plain = !value.is_empty() && !value.contains([',', '"', '\n', '\r']);
            match is_plain {
                true => value.to_owned(),
                false => format!("\"{}\"", value.replace('"', "\"\"")),
            }
        });
        text.push_str(&value.unwrap_or_default());
    }
    text.push_str("\r\n");
}

#[cfg(test)]
mod tests;
