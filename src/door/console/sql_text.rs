//! The texts of statements: their comments and their end. Pure.

/// Piece of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    Comment,
    Space,
    /// Semicolon outside of quotes.
    Semicolon,
    Other,
}

/// Returns the first bytes of the comments in a text.
pub(super) fn comments(sql: &str) -> Vec<usize> {
    let comments = pieces(sql).filter(|(_, piece)| *piece == Piece::Comment);
    comments.map(|(at, _)| at).collect()
}

/// Returns a text without the semicolons and comments at its end.
pub(super) fn without_end(sql: &str) -> &str {
    let mut end = None;
    for (at, piece) in pieces(sql) {
        match piece {
            Piece::Semicolon => end = end.or(Some(at)),
            Piece::Other => end = None,
            Piece::Comment | Piece::Space => {}
        }
    }
    &sql[..end.unwrap_or(sql.len())]
}

/// Returns a text's last statement, which may be empty.
pub(super) fn last_statement(sql: &str) -> &str {
    let semicolons = pieces(sql).filter(|(_, piece)| *piece == Piece::Semicolon);
    &sql[semicolons.last().map_or(0, |(at, _)| at + 1)..]
}

/// Returns the largest number of brackets around a place in a text.
pub(super) fn nesting(sql: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for (at, piece) in pieces(sql) {
        match sql.as_bytes()[at] {
            b'(' | b'[' | b'{' if piece == Piece::Other => depth += 1,
            b')' | b']' | b'}' if piece == Piece::Other => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// Returns the largest number of characters of operators without another one between them.
pub(super) fn longest_operator(sql: &str) -> usize {
    let (mut length, mut longest) = (0, 0);
    for (at, piece) in pieces(sql) {
        let is_operator = b"+-*/<>=~!@#%^&|`?".contains(&sql.as_bytes()[at]);
        length = match piece {
            Piece::Other if is_operator => length + 1,
            _ => 0,
        };
        longest = longest.max(length);
    }
    longest
}

fn pieces(sql: &str) -> impl Iterator<Item = (usize, Piece)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = sql.get(at..).filter(|rest| !rest.is_empty())?;
        let (piece, length) = first_piece(rest);
        let from = at;
        at += length;
        Some((from, piece))
    })
}

/// Returns the first piece of a text that is not empty, and its length in bytes, as DuckDB's scanner reads it.
fn first_piece(text: &str) -> (Piece, usize) {
    let first = text.chars().next().unwrap_or_default();
    let until = |end: Option<usize>| end.unwrap_or(text.len());
    match first {
        '-' if text.starts_with("--") => (Piece::Comment, until(text.find(['\n', '\r']))),
        '/' if text.starts_with("/*") => (Piece::Comment, block_comment(text)),
        ';' => (Piece::Semicolon, 1),
        '\'' | '"' => (Piece::Other, quoted(text, first, false)),
        '$' => (Piece::Other, dollar_quoted(text)),
        _ if first.is_whitespace() => (Piece::Space, first.len_utf8()),
        _ if is_name(first) => {
            let end = until(text.find(|c| !is_name(c)));
            let is_escaped = text[..end].eq_ignore_ascii_case("e") && text[end..].starts_with('\'');
            let string = if is_escaped {
                quoted(&text[end..], '\'', true)
            } else {
                0
            };
            (Piece::Other, end + string)
        }
        _ => (Piece::Other, first.len_utf8()),
    }
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_$".contains(c) || !c.is_ascii()
}

/// Length of a text in quotes, which are doubled inside, or have a backslash before.
fn quoted(text: &str, quote: char, has_escapes: bool) -> usize {
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = characters.next() {
        if has_escapes && c == '\\' {
            characters.next();
        } else if c == quote && characters.next_if(|(_, next)| *next == quote).is_none() {
            return at + 1;
        }
    }
    text.len()
}

/// Length of a text such as `$tag$ … $tag$`, or of a single `$`.
fn dollar_quoted(text: &str) -> usize {
    let Some(end) = text[1..].find('$') else {
        return 1;
    };
    let tag = &text[..end + 2];
    let is_tag = tag[1..=end].chars().all(|c| c != '$' && is_name(c));
    if !is_tag || tag[1..].starts_with(|c: char| c.is_ascii_digit()) {
        return 1;
    }
    let close = text[tag.len()..].find(tag);
    close.map_or(text.len(), |it| it + 2 * tag.len())
}

/// Length of a block comment. Such comments contain others.
fn block_comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while let Some(found) = text[at..].find(['/', '*']) {
        let rest = &text[at + found..];
        at += found;
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_brackets_and_operators_of_a_text_count() {
        let sql = "SELECT ((1)) - '((((' -- ((((\n+[{(----------\n/**********/";
        assert_eq!((nesting(sql), longest_operator(sql)), (3, 1));
        assert_eq!((nesting("))((]}"), longest_operator("a+-*/b")), (2, 4));
        assert_eq!(
            last_statement("FROM a; FROM ';' --;\n(1"),
            " FROM ';' --;\n(1"
        );
        assert_eq!(last_statement("FROM a;"), "");
    }

    #[test]
    fn the_end_of_a_statement_is_cut_off() {
        for (sql, expected) in [
            ("SELECT 1", "SELECT 1"),
            ("SELECT 1;", "SELECT 1"),
            ("SELECT 1 ; -- done;\n /* ; */ ;\n", "SELECT 1 "),
            ("SELECT ';' -- a;", "SELECT ';' -- a;"),
            ("SELECT 1; SELECT 2;", "SELECT 1; SELECT 2"),
            (
                "SELECT \"a;\"\";\", $$;$$, e'\\';';",
                "SELECT \"a;\"\";\", $$;$$, e'\\';'",
            ),
            ("SELECT $a$ ; $$ ; $a$;", "SELECT $a$ ; $$ ; $a$"),
            ("SELECT $1;", "SELECT $1"),
            ("SELECT ';", "SELECT ';"),
            ("", ""),
        ] {
            assert_eq!(without_end(sql), expected, "{sql}");
        }
    }

    #[test]
    fn comments_are_found_outside_of_quotes() {
        let sql = "SELECT '--' -- one\n, /* /* two */ */ \"/*\" - - 1 -- é";
        assert_eq!(comments(sql), [12, 21, 48]);
    }

    proptest! {
        #[test]
        fn every_text_is_read_to_its_end(sql in "([-/*;'\"$eé\\\\\n a1]|SELECT){0,40}") {
            let at: Vec<_> = pieces(&sql).map(|(at, _)| at).collect();
            prop_assert!(at.windows(2).all(|it| it[0] < it[1]));
            prop_assert!(sql.starts_with(without_end(&sql)));
        }
    }
}
