//! Comments in a query that was typed on one line. Pure.
//!
//! Discord turns line breaks in an option of a command into spaces. A comment that began with `--`
//! then also hides what followed it on other lines, and the answer to the rest may look valid.

/// Returns true if a `--` comment with any text reaches to the end of a query, as DuckDB's scanner
/// (`scan.l`) reads it. The text may have followed on another line.
pub fn ends_in_comment(sql: &str) -> bool {
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        if let Some(comment) = rest.strip_prefix("--") {
            let end = comment.find(['\n', '\r']);
            let (comment, after) = comment.split_at(end.unwrap_or(comment.len()));
            if end.is_none() {
                return !comment.trim().is_empty();
            }
            rest = after;
            continue;
        }
        rest = match first {
            '/' if rest.starts_with("/*") => after_block_comment(rest),
            '\'' => after_quote(&rest[1..], '\'', false),
            '"' => after_quote(&rest[1..], '"', false),
            '$' => after_dollar_quote(rest),
            _ if is_name_start(first) => {
                let (name, after) = rest.split_at(end_of(rest, is_name));
                match after.strip_prefix('\'') {
                    Some(quoted) if name.eq_ignore_ascii_case("e") => {
                        after_quote(quoted, '\'', true)
                    }
                    _ => after,
                }
            }
            _ => &rest[first.len_utf8()..],
        };
    }
    false
}

fn is_name_start(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_' || !c.is_ascii()
}

fn is_name(c: char) -> bool {
    is_name_start(c) || c.is_ascii_digit() || c == '$'
}

/// Returns the length of the longest start of `text` with only such characters.
fn end_of(text: &str, is_part: impl Fn(char) -> bool) -> usize {
    text.find(|c| !is_part(c)).unwrap_or(text.len())
}

/// Returns the text after a block comment. Such comments contain others.
fn after_block_comment(mut text: &str) -> &str {
    let mut depth = 0;
    loop {
        let (begin, end) = (text.find("/*"), text.find("*/"));
        match (begin, end) {
            (Some(begin), end) if end.is_none_or(|end| begin < end) => {
                depth += 1;
                text = &text[begin + 2..];
            }
            (_, Some(end)) => {
                depth -= 1;
                text = &text[end + 2..];
                if depth == 0 {
                    return text;
                }
            }
            (_, None) => return "",
        }
    }
}

/// Returns the text after a quote whose first quotation mark is removed. A doubled mark ends one quote
/// and begins the next, which makes no difference here.
fn after_quote(text: &str, mark: char, has_escapes: bool) -> &str {
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        if c == '\\' && has_escapes {
            chars.next();
        } else if c == mark {
            let after = &text[at + 1..];
            return match after.strip_prefix(mark) {
                Some(after) if has_escapes => after_quote(after, mark, true),
                _ => after,
            };
        }
    }
    ""
}

/// Returns the text after `$tag$ … $tag$`, or after the dollar sign if it begins no quote.
fn after_dollar_quote(text: &str) -> &str {
    let tag = end_of(&text[1..], |c| is_name(c) && c != '$');
    let (tag, quoted) = text[1..].split_at(tag);
    if tag.starts_with(|c: char| c.is_ascii_digit()) {
        return &text[1..];
    }
    let Some(quoted) = quoted.strip_prefix('$') else {
        return &text[1..];
    };
    let end = format!("${tag}$");
    quoted.split_once(&end).map_or("", |(_, after)| after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_that_reaches_to_the_end_is_found() {
        for hidden in [
            "SELECT 1 -- one , 2",
            "FROM t --all WHERE x",
            "SELECT 1--1",
            "SELECT '--' -- it",
            "SELECT 'it''s' -- it",
            "SELECT E'it\\'s' -- it",
            "SELECT '\\' -- it",
            "SELECT nameE'\\' -- it",
            "SELECT $a$ -- $b$ $a$ -- it",
            "SELECT x$a$ -- it",
            "SELECT $1 -- $1",
            "SELECT \"a--\" -- it",
            "/* /* */ ' */ SELECT 1 -- it",
            "SELECT 1 -- one\n, 2 -- two",
        ] {
            assert!(ends_in_comment(hidden), "{hidden}");
        }
        for whole in [
            "SELECT 1",
            "SELECT 1 --",
            "SELECT 1 -- ",
            "SELECT '-- one'",
            "SELECT 'it''s -- one'",
            "SELECT E'it\\'s -- one'",
            "SELECT E'it''\\'s -- one'",
            "SELECT e'\\\\' AS \"a -- b\"",
            "SELECT $$ -- one $$",
            "SELECT $a$ -- $b$ -- $a$ AS x",
            "SELECT $é$ -- $é$ AS x",
            "SELECT 1 /* -- one */ + 1",
            "SELECT 1 /* /* */ -- one */ + 1",
            "SELECT 1 - - 1",
            "SELECT '",
            "SELECT 1 /* -- one",
            "SELECT 1 -- one\n, 2",
            "SELECT 1 -- one\r+ 2",
        ] {
            assert!(!ends_in_comment(whole), "{whole}");
        }
    }
}
