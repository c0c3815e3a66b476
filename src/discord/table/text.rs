//! Cleaned and shortened texts, and a drawn table. Pure.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::{runtime::Rows, unicode::is_invisible};

/// Maximum width of a table, in character cells. Discord shows lines of this width in a window on a
/// desktop without wrapping them.
pub(super) const MAX_TABLE_WIDTH: usize = 100;
/// Maximum width of a line that Discord shows as one on a phone.
pub(super) const PHONE_WIDTH: usize = 45;
/// Maximum width of a type name.
pub(super) const MAX_TYPE_WIDTH: usize = 16;
const ZERO_WIDTH_NON_JOINER: char = '\u{200C}';
const ZERO_WIDTH_JOINER: char = '\u{200D}';
/// Variation selector 16, which makes an emoji of the character before.
const EMOJI_STYLE: char = '\u{FE0F}';
/// Text for DuckDB's NULL.
pub(super) const NULL: &str = "NULL";

/// A text table, and how much of the result it shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::discord) struct Table {
    /// Lines of the table, without code fences.
    pub text: String,
    /// Number of rows shown.
    pub rows: usize,
    /// Number of columns shown.
    pub columns: usize,
    /// True if no value was shortened.
    pub is_exact: bool,
}

impl Table {
    /// Returns true if all of `all` is shown, and no value is shortened.
    pub(in crate::discord) fn is_whole(&self, all: &Rows) -> bool {
        self.is_exact && self.rows == all.count() && self.columns == all.columns.len()
    }

    /// Returns true if a phone shows each line as one.
    pub(in crate::discord) fn fits_phone(&self) -> bool {
        self.text.lines().all(|line| line.width() <= PHONE_WIDTH)
    }
}

/// Replaces all characters that could break out of a cell or a code block.
pub(in crate::discord) fn clean(text: &str) -> String {
    cleaned(text).0
}

/// Cleans a text like [`clean`]. The second value is false if a character that can't be seen was replaced, or
/// one was left out.
pub(super) fn cleaned(text: &str) -> (String, bool) {
    let mut cleaned = String::with_capacity(text.len());
    let (mut marks, mut is_exact) = (0, true);
    let mut before = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let is_joined = joins(before, c, chars.peek().copied());
        before = Some(c);
        let is_mark = c.width() == Some(0);
        marks = if is_mark { marks + 1 } else { 0 };
        match c {
            '\n' => cleaned.push('⏎'),
            '\r' | '\t' => cleaned.push(' '),
            // Code fences consist of these.
            '`' => cleaned.push('ˋ'),
            c if is_invisible(c) && !is_joined => {
                is_exact = false;
                cleaned.push('·');
            }
            // Keep at most two combining marks per letter: more would run into other lines.
            _ if marks > 2 => is_exact = false,
            c => cleaned.push(c),
        }
    }
    (cleaned, is_exact)
}

/// Returns true for a joiner between letters or emoji, and for the sign that makes an emoji of the character
/// before. Between ASCII letters, a joiner only hides a difference.
/// See <https://www.unicode.org/reports/tr31/#Layout_and_Format_Control_Characters>.
fn joins(before: Option<char>, c: char, after: Option<char>) -> bool {
    let is_visible = |c: char| !c.is_ascii() && !c.is_whitespace() && !is_invisible(c);
    let is_joinable = |c: Option<char>| c.is_some_and(|c| is_visible(c) || c == EMOJI_STYLE);
    match c {
        ZERO_WIDTH_NON_JOINER | ZERO_WIDTH_JOINER => {
            is_joinable(before) && after.is_some_and(is_visible)
        }
        EMOJI_STYLE => before.is_some_and(is_visible),
        _ => false,
    }
}

/// Shortens `text` to a display width. The second value is true if nothing was cut.
pub(super) fn short(text: &str, width: usize) -> (String, bool) {
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
