//! Tables with the names in the first row: CSV files, and tables of consoles and chats.

use secrecy::{ExposeSecret, SecretString, zeroize::Zeroizing};

use super::{
    absent::{is_nothing, is_placeholder},
    after::continues,
    names,
    pair::{Flaw, Name, Pair},
    quoted::quoted,
    shapes::{is_key_id, is_secret},
};
use crate::credentials::CredentialField;

const DELIMITERS: [char; 4] = [',', ';', '\t', '|'];

/// Maximum number of delimiters in a sentence before a table.
const MAX_PREFIX: usize = 5;

/// Reads a table. Returns no values if the text is none.
pub(crate) fn table(text: &str) -> Vec<Pair> {
    let lines = with_lines(text);
    let columns = with_tabs(text);
    let tables = DELIMITERS.into_iter().map(|delimiter| {
        let rows = rows_of_lines(&lines, delimiter);
        rows.or_else(|| rows_of_one_line(text, delimiter))
    });
    let aligned = || rows_of_lines(&columns, '\t');
    let rows = tables.flatten().next().or_else(aligned).unwrap_or_default();
    let Some((heading, rows)) = rows.split_first() else {
        return Vec::new();
    };
    let user = heading.iter().position(|cell| {
        let plain = names::plain(cell);
        matches!(plain.as_str(), "username" | "user" | "alias" | "profile")
    });
    let mut pairs: Vec<Pair> = Vec::new();
    for row in rows {
        let profile = user.and_then(|at| row.get(at)).map(|cell| bare(cell));
        let is_rest = row.first().is_some_and(|it| it.is_empty()) && !pairs.is_empty();
        for (name, cell) in heading.iter().zip(row) {
            let Some(name) = names::at_end(&bare(name)) else {
                continue;
            };
            if is_rest && !cell.is_empty() {
                // The row above was too narrow for the value.
                let mut broken = pairs.iter_mut().rev();
                if let Some(pair) = broken.find(|it| it.name == Some(name)) {
                    pair.flaw = Some(Flaw::Broken(pair.value.expose_secret().chars().count()));
                }
                continue;
            }
            let is_hidden = is_placeholder(cell) || is_placeholder(&bare(cell));
            let (cell, flaw) = without_rest(cell);
            let value = bare(cell);
            if !is_nothing(&value) {
                pairs.push(Pair {
                    name: Some(name),
                    is_quoted: cell.starts_with('"'),
                    flaw: if is_hidden || is_placeholder(&value) {
                        Some(Flaw::Placeholder)
                    } else {
                        flaw
                    },
                    value: SecretString::from(value),
                    profile: profile.clone(),
                    ..Pair::default()
                });
            }
        }
    }
    pairs
}

/// Ends the rows of a table with bars whose line breaks became spaces: between two rows, there is
/// nothing or a rule between two bars.
fn with_lines(text: &str) -> Zeroizing<String> {
    let is_gap = |cell: &str| !cell.is_empty() && cell.chars().all(|c| " -+:".contains(c));
    let cells = text
        .trim()
        .split('|')
        .map(|cell| if is_gap(cell) { "\n" } else { cell });
    Zeroizing::new(if text.trim().contains('\n') {
        text.to_owned()
    } else {
        cells.collect::<Vec<_>>().join("|")
    })
}

/// Replaces the spaces that align columns by tabs.
fn with_tabs(text: &str) -> Zeroizing<String> {
    let mut tabs = Zeroizing::new(String::with_capacity(text.len()));
    for line in text.split_inclusive('\n') {
        let mut cells = line.trim().split("  ").map(str::trim);
        tabs.push_str(cells.next().unwrap_or_default());
        for cell in cells.filter(|it| !it.is_empty()) {
            tabs.push('\t');
            tabs.push_str(cell);
        }
        tabs.push('\n');
    }
    tabs
}

/// Splits the text after the last row from its last cell, which is on the same line.
fn without_rest(cell: &str) -> (&str, Option<Flaw>) {
    let end = quoted(cell).map_or_else(
        || cell.find(char::is_whitespace).unwrap_or(cell.len()),
        |it| it.length,
    );
    let (value, rest) = cell.split_at(end);
    let is_broken = !is_key_id(value) && continues(rest);
    (
        value,
        is_broken.then(|| Flaw::Broken(value.chars().count())),
    )
}

/// Reads a table with a row on each line. Returns `None` if a line after a row may be the rest of its
/// values.
fn rows_of_lines(text: &str, delimiter: char) -> Option<Vec<Vec<&str>>> {
    let mut lines = text.lines().map(|line| (line, cells(line, delimiter)));
    let (_, heading) = lines.find(|(_, cells)| is_heading(cells))?;
    let columns = heading.len();
    let is_rule = |row: &[&str]| row.iter().all(|it| it.chars().all(|c| "-:+= ".contains(c)));
    let mut all = vec![heading];
    for (line, row) in lines {
        let is_complete = |row: &Vec<&str>| row.iter().any(|it| is_secret(&bare(it)));
        if row.len() == columns && !is_rule(&row) {
            all.push(row);
        } else if all.len() > 1
            && !all.last().is_some_and(is_complete)
            && continues(&format!("\n{line}"))
        {
            return None;
        }
    }
    (all.len() > 1).then_some(all)
}

/// Reads a table whose line breaks became spaces: the last cell of a row and the first one of the
/// next are in one piece.
fn rows_of_one_line(text: &str, delimiter: char) -> Option<Vec<Vec<&str>>> {
    let pieces = cells(text, delimiter);
    // A sentence before the table may contain the delimiter, too.
    let starts = 0..pieces.len().min(MAX_PREFIX);
    starts
        .into_iter()
        .find_map(|start| rows_of_pieces(&pieces[start..]))
}

fn rows_of_pieces<'a>(pieces: &[&'a str]) -> Option<Vec<Vec<&'a str>>> {
    let gaps = pieces.len() - 1;
    let counts = (1..=gaps).filter(|count| gaps.is_multiple_of(*count) && gaps / count > 1);
    counts.into_iter().find_map(|count| {
        let mut rows = vec![Vec::new()];
        for (at, piece) in pieces.iter().enumerate() {
            if at == 0 || at == gaps || at % count != 0 {
                rows.last_mut()?.push(*piece);
            } else {
                let (last, first) = split_piece(piece, rows.len() == 1)?;
                rows.last_mut()?.push(last);
                rows.push(vec![first]);
            }
        }
        is_heading(&rows[0]).then_some(rows)
    })
}

/// Splits a piece at the end of a known name, or at its last space.
fn split_piece(piece: &str, is_heading: bool) -> Option<(&str, &str)> {
    let known = names::at(piece, piece.len() - piece.trim_start_matches('"').len());
    let end = known.filter(|_| is_heading).map(|found| {
        let quotes = piece[found.end..].starts_with('"');
        found.end + usize::from(quotes)
    });
    let end = end.or_else(|| piece.rfind(' '))?;
    let rest = piece[end..].strip_prefix(' ')?;
    Some((piece[..end].trim(), rest.trim()))
}

fn is_heading(cells: &[&str]) -> bool {
    let has = |field| {
        let is_field = |cell: &&str| names::at_end(&bare(cell)) == Some(Name::Credential(field));
        cells.iter().any(is_field)
    };
    has(CredentialField::KeyId) && has(CredentialField::SecretKey)
}

/// Splits a row at its delimiters outside of quotes.
fn cells(line: &str, delimiter: char) -> Vec<&str> {
    let line = line.trim_matches(' ');
    let borders = line.find('|').zip(line.rfind('|'));
    let line = match borders {
        Some((first, last)) if delimiter == '|' && first < last => {
            let has_borders = first == 0 || last == line.len() - 1;
            if has_borders {
                &line[first + 1..last]
            } else {
                line
            }
        }
        _ => line,
    };
    let mut cells = Vec::new();
    let mut start = 0;
    let mut is_quoted = false;
    for (at, c) in line.char_indices() {
        if c == '"' {
            is_quoted = !is_quoted;
        } else if c == delimiter && !is_quoted {
            cells.push(line[start..at].trim_matches(' '));
            start = at + c.len_utf8();
        }
    }
    cells.push(line[start..].trim_matches(' '));
    cells
}

/// A cell without quotes.
fn bare(cell: &str) -> String {
    let cell = cell.trim();
    let inside = quoted(cell).filter(|it| it.length == cell.len());
    inside.map_or_else(|| cell.to_owned(), |it| it.text.trim().to_owned())
}
