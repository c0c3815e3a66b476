//! Removes from a text what word processors, chats and browsers put into it.

use secrecy::zeroize::Zeroizing;

use super::link::looks_random;

/// Replaces typographic quotes, spaces and borders, and removes invisible characters: no credential contains
/// any of them. Line breaks become `\n`.
pub(crate) fn clean(text: &str) -> Zeroizing<String> {
    // The result is not longer, so it is never moved and leaves no copy behind.
    let mut clean = Zeroizing::new(String::with_capacity(text.len()));
    let mut before = ' ';
    for c in text.chars() {
        let plain = match c {
            '\n' if before == '\r' => None,
            '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}' => Some('\n'),
            '\u{201c}'..='\u{201f}' | '\u{ab}' | '\u{bb}' => Some('"'),
            '\u{2018}'..='\u{201b}' => Some('\''),
            '\u{ff1a}' => Some(':'),
            '\u{ff1d}' => Some('='),
            // The borders of tables.
            '\u{2502}' | '\u{2503}' | '\u{2551}' => Some('|'),
            '\u{2500}'..='\u{257f}' => Some('-'),
            _ if is_invisible(c) => None,
            _ if c.is_whitespace() && c != '\t' => Some(' '),
            _ => Some(c),
        };
        clean.extend(plain);
        before = c;
    }
    clean
}

fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
    )
}

/// Removes the lines that are comments.
pub(crate) fn without_comments(text: &str) -> Zeroizing<String> {
    let mut kept = Zeroizing::new(String::with_capacity(text.len()));
    for line in text.split_inclusive('\n') {
        if !is_comment(line.trim()) {
            kept.push_str(line);
        }
    }
    kept
}

fn is_comment(line: &str) -> bool {
    let starts = ["#", ";", "// ", "-- ", "::", "/*", "<!--"];
    let is_remark = line.len() > 4 && line.is_char_boundary(4);
    // The second half of a value that begins with slashes is no remark.
    let is_value = |text: &str| looks_random(text.trim()) && !text.contains("://");
    let is_half = line.strip_prefix("// ").is_some_and(is_value);
    !is_half && starts.iter().any(|it| line.starts_with(it))
        || is_remark && line[..4].eq_ignore_ascii_case("rem ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cleaned() {
        assert_eq!(*clean("\u{2502} a\u{ff1a}b \u{251c}"), "| a:b -");
        let text = "\u{feff}a\u{a0}b\r\nc\rd \u{201c}e\u{201d} f\u{200b}g";
        assert_eq!(*clean(text), "a b\nc\nd \"e\" fg");
    }

    #[test]
    fn comments_of_every_format_are_removed() {
        let text = "# a\n  ; b\n// c\n-- d\nREM e\nf=1 # g\n--conf h\n";
        assert_eq!(*without_comments(text), "f=1 # g\n--conf h\n");
    }
}
