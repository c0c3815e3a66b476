//! Texts of statements that DuckDB's `query()` does not accept. Pure.
//!
//! DuckDB's parser decides about every text that is made here. A mistake in this file can make DuckDB
//! refuse a text, but never makes it run another kind of statement.

use super::names::literal;

/// A statement that is run as a SELECT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rewritten {
    /// Text before the SELECT, such as `EXPLAIN ANALYZE`. Empty, or only letters, spaces, commas and
    /// parentheses.
    pub(super) prefix: String,
    /// Text that must be a SELECT.
    pub(super) select: String,
    /// Position in the original text, minus the position in `select`.
    pub(super) offset: usize,
}

/// Reads a text as `EXPLAIN`, with its options, or `CALL`, and what follows. DuckDB runs `CALL f()` as
/// `FROM f()`.
pub(super) fn rewrite(sql: &str) -> Option<Rewritten> {
    let (word, rest) = first_word(sql)?;
    let position = |rest: &str| sql.len() - rest.len();
    match &*word.to_ascii_lowercase() {
        "call" => Some(Rewritten {
            prefix: String::new(),
            select: format!("FROM{rest}"),
            offset: position(rest) - "FROM".len(),
        }),
        "explain" => {
            let (options, rest) = explain_options(rest);
            Some(Rewritten {
                prefix: format!("EXPLAIN {options}"),
                select: rest.to_owned(),
                offset: position(rest),
            })
        }
        _ => None,
    }
}

fn explain_options(rest: &str) -> (&str, &str) {
    match first_word(rest) {
        Some((word, after))
            if ["analyze", "analyse"]
                .iter()
                .any(|it| word.eq_ignore_ascii_case(it)) =>
        {
            return (word, after);
        }
        _ => {}
    }
    let begin = skip_comments(rest);
    let is_option = |c: char| c.is_ascii_alphabetic() || matches!(c, ' ' | ',' | '_');
    let options = begin.strip_prefix('(').and_then(|it| it.split_once(')'));
    match options {
        // A SELECT in parentheses has other characters, or is refused by DuckDB's parser.
        Some((options, after))
            if options.chars().all(is_option) && !skip_comments(after).is_empty() =>
        {
            (&begin[..options.len() + 2], after)
        }
        _ => ("", rest),
    }
}

/// Returns true if a statement begins a transaction.
pub(super) fn begins_transaction(sql: &str) -> bool {
    first_word(sql).is_some_and(|(word, _)| {
        ["begin", "start"]
            .iter()
            .any(|it| word.eq_ignore_ascii_case(it))
    })
}

/// Splits a text after its first word.
fn first_word(sql: &str) -> Option<(&str, &str)> {
    let begin = skip_comments(sql);
    let end = begin
        .find(|c: char| !c.is_ascii_alphabetic())
        .unwrap_or(begin.len());
    let (word, rest) = begin.split_at(end);
    (!word.is_empty()).then_some((word, rest))
}

/// Skips spaces, semicolons and comments.
fn skip_comments(sql: &str) -> &str {
    let mut scanner = Scanner::new(sql);
    let mut rest = sql;
    while let Some((kind, piece)) = scanner.next() {
        let is_empty = piece.chars().all(|c| c.is_whitespace() || c == ';');
        if kind != Kind::Comment && !is_empty {
            break;
        }
        rest = scanner.rest;
    }
    rest
}

/// Returns the text as one line, which DuckDB's command line passes on as it is. Line breaks between
/// words become carriage returns, which DuckDB's parser treats alike. Returns `None` if there is a line
/// break within quotes, which would change the value.
pub(super) fn one_line(sql: &str) -> Option<String> {
    let mut line = String::with_capacity(sql.len());
    for (kind, piece) in Scanner::new(sql) {
        if !piece.contains('\n') {
            line += piece;
        } else if kind == Kind::Quoted {
            return None;
        } else {
            line += &piece.replace('\n', "\r");
        }
    }
    Some(line)
}

/// Returns the query that counts the statements in `sql`, a text that DuckDB can parse. `None` if
/// there is at most one.
///
/// DuckDB's own parser finds the semicolons that separate statements: the text before is complete,
/// and a parenthesis that follows it is an error. (After a comment that began with `--` it is not.)
pub(super) fn count_statements(sql: &str) -> Option<String> {
    let ends: Vec<_> = sql
        .chars()
        .enumerate()
        .filter(|(_, c)| *c == ';')
        .map(|(end, _)| end.to_string())
        .collect();
    if ends.is_empty() {
        return None;
    }
    let (sql, ends) = (literal(sql), ends.join(", "));
    let parses = |text: &str| {
        format!(
            "coalesce(json_serialize_sql({text})->>'error_type', 'not implemented') = 'not implemented'"
        )
    };
    let [complete, followed] = ["start", "start || ' )'"].map(parses);
    // Nothing, or only comments, is not a statement.
    let empty = "json_array_length(json_serialize_sql(part)->'statements') IS NOT DISTINCT FROM 0";
    Some(format!(
        "WITH ends AS (SELECT place FROM \
             (SELECT unnest([{ends}]) AS place, left({sql}, place) AS start) \
             WHERE {complete} AND NOT {followed}), \
         places AS (SELECT place, coalesce(lag(place) OVER (ORDER BY place) + 1, 0) AS before \
             FROM (FROM ends UNION ALL SELECT length({sql}))), \
         parts AS (SELECT substring({sql}, 1 + before, place - before) AS part FROM places) \
         SELECT count(*) FROM parts WHERE NOT ({empty});"
    ))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Words, spaces and operators.
    Plain,
    /// A string or a name in quotes, with them.
    Quoted,
    Comment,
}

/// Splits a text as DuckDB's parser does, as far as quotes and comments are concerned.
struct Scanner<'a> {
    rest: &'a str,
    /// Last character of the piece before.
    last: Option<char>,
}

impl<'a> Scanner<'a> {
    fn new(sql: &'a str) -> Self {
        Self {
            rest: sql,
            last: None,
        }
    }

    /// Returns the kind and the length of the piece at the start of the text.
    fn piece(&self) -> (Kind, usize) {
        let text = self.rest;
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii();
        let follows_name = self.last.is_some_and(|c| is_name(c) || c == '$');
        let quoted = |length| (Kind::Quoted, length);
        if text.starts_with("--") {
            return (Kind::Comment, text.find(['\n', '\r']).unwrap_or(text.len()));
        }
        if text.starts_with("/*") {
            return (Kind::Comment, comment_length(text));
        }
        if text.starts_with(['e', 'E']) && text[1..].starts_with('\'') && !follows_name {
            return quoted(1 + quote_length(&text[1..], true));
        }
        if text.starts_with(['\'', '"']) {
            return quoted(quote_length(text, false));
        }
        if text.starts_with('$') && !follows_name {
            let tag = text[1..].find(|c| !is_name(c)).unwrap_or(text.len() - 1);
            let mark = &text[..tag + 1];
            let is_tag = !mark[1..].starts_with(|c: char| c.is_ascii_digit());
            if is_tag && text[mark.len()..].starts_with('$') {
                let mark = &text[..mark.len() + 1];
                let body = &text[mark.len()..];
                let end = body.find(mark).map(|end| end + 2 * mark.len());
                return quoted(end.unwrap_or(text.len()));
            }
        }
        let first = text.chars().next().map_or(0, char::len_utf8);
        // A word, so that its last letter is not taken for the beginning of a string.
        let word = text.find(|c| !is_name(c)).unwrap_or(text.len());
        (Kind::Plain, word.max(first))
    }
}

impl<'a> Iterator for Scanner<'a> {
    type Item = (Kind, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let (kind, length) = self.piece();
        let (piece, rest) = self.rest.split_at(length);
        self.last = piece.chars().next_back();
        self.rest = rest;
        Some((kind, piece))
    }
}

/// Returns the length of a comment, which may contain others.
fn comment_length(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    loop {
        let next = [("/*", 1), ("*/", -1)]
            .into_iter()
            .filter_map(|(mark, step)| {
                let found = text[at..].find(mark)?;
                Some((at + found, step))
            });
        let Some((found, step)) = next.min() else {
            return text.len();
        };
        at = found + 2;
        depth += step;
        if depth == 0 {
            return at;
        }
    }
}

/// Returns the length of a quoted text. A quote of two parts, as in `'it''s'`, is two quoted texts.
fn quote_length(text: &str, has_escapes: bool) -> usize {
    let quote = text.chars().next().unwrap_or('\'');
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if has_escapes => is_escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::select};

    use super::*;

    /// Texts of pieces that begin and end quotes and comments.
    fn texts() -> impl Strategy<Value = String> {
        let pieces = vec![
            "'", "\"", "$$", "$a$", "$", "--", "/*", "*/", "\n", "\r", "\\", "e'", "E", ";", ".",
            "x", "ü", "1", " ", "EXPLAIN", "CALL", "(", ")", "analyze",
        ];
        let piece = prop_oneof![select(pieces).prop_map(str::to_owned), any::<String>()];
        vec(piece, 0..20).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn nothing_is_lost_or_changed_but_line_breaks(sql in texts()) {
            let pieces: String = Scanner::new(&sql).map(|(_, piece)| piece).collect();
            prop_assert_eq!(&pieces, &sql);
            if let Some(line) = one_line(&sql) {
                prop_assert!(!line.contains('\n'));
                prop_assert_eq!(line.replace('\r', "\n"), sql.replace('\r', "\n"));
            }
            if let Some(rewritten) = rewrite(&sql) {
                let rest = rewritten.select.trim_start_matches("FROM");
                prop_assert!(sql.ends_with(rest));
                let is_plain = |c: char| c.is_ascii_alphabetic() || " ,_()".contains(c);
                prop_assert!(rewritten.prefix.chars().all(is_plain));
            }
        }
    }

    #[test]
    fn explain_and_call_are_read_as_a_select() {
        let parts = |sql: &str| {
            let rewritten = rewrite(sql)?;
            Some((rewritten.prefix, rewritten.select))
        };
        let is = |prefix: &str, select: &str| Some((prefix.to_owned(), select.to_owned()));
        assert_eq!(parts("EXPLAIN SELECT 1"), is("EXPLAIN ", " SELECT 1"));
        assert_eq!(
            parts("/* a /* b */ */ -- c\n explain Analyze\nFROM t"),
            is("EXPLAIN Analyze", "\nFROM t")
        );
        assert_eq!(
            parts("EXPLAIN (ANALYZE, FORMAT json) SELECT 1"),
            is("EXPLAIN (ANALYZE, FORMAT json)", " SELECT 1")
        );
        assert_eq!(parts("EXPLAIN (FROM t)"), is("EXPLAIN ", " (FROM t)"));
        assert_eq!(parts(";CALL range(3)"), is("", "FROM range(3)"));
        assert_eq!(parts("explained"), None);
        assert_eq!(parts("'EXPLAIN' SELECT 1"), None);
        let call = rewrite("CALL range(x)").unwrap();
        assert_eq!(call.select.find('x').unwrap() + call.offset, 11);
        assert!(begins_transaction("/**/ Begin TRANSACTION") && !begins_transaction("beginning"));
    }

    #[test]
    fn line_breaks_outside_of_quotes_become_carriage_returns() {
        for (sql, line) in [
            (
                "INSERT INTO t -- '\nSELECT 1",
                Some("INSERT INTO t -- '\rSELECT 1"),
            ),
            ("a /* /* \n */ ' */\n b", Some("a /* /* \r */ ' */\r b")),
            ("x$$\n$$ 'a'", Some("x$$\r$$ 'a'")),
            ("$1\n$2", Some("$1\r$2")),
            ("'it''s'\n", Some("'it''s'\r")),
            ("e'a\\''\n", Some("e'a\\''\r")),
            ("type'a\\'\n", Some("type'a\\'\r")),
            ("'a\nb'", None),
            ("e'\\'\n'", None),
            ("\"a\nb\"", None),
            ("$ä$ \n $ä$", None),
            ("('$$', $$\n$$)", None),
        ] {
            assert_eq!(one_line(sql).as_deref(), line, "{sql}");
        }
    }

    #[test]
    fn a_text_without_semicolons_needs_no_count() {
        assert_eq!(count_statements("DROP TABLE t"), None);
        let count = count_statements("ä; DROP TABLE t").unwrap();
        assert!(count.contains("unnest([1])"), "{count}");
    }
}
