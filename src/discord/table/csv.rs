//! Query results as CSV. Pure.

use crate::{runtime::Rows, unicode::is_invisible};

/// First characters of a formula, also in full width.
const FORMULA_STARTS: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];

/// Formats all rows as CSV (RFC 4180). NULL is an empty field, an empty text is `""`. A text that a
/// spreadsheet would take for a formula gets an apostrophe: the file is for people, and the text may
/// be anybody's.
pub(in crate::discord) fn csv(all: &Rows) -> String {
    let mut text = String::new();
    let names = all.columns.iter().map(|column| Some(&*column.name));
    line(&mut text, names);
    for row in &all.rows {
        line(&mut text, row.iter().map(Option::as_deref));
    }
    text
}

/// Returns true if [`csv`] changes a text.
pub(in crate::discord) fn has_formula(all: &Rows) -> bool {
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
