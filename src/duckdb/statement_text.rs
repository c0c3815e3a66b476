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

/// Returns the text as DuckDB's command line passes it on as a whole. Line breaks between words become
/// carriage returns, which DuckDB's parser treats alike. Those within quotes stay. Returns `None` if
/// the command line could take one of these for the end of the statement: it looks for an end in each
/// line that has a semicolon, and drops lines in which it sees only a comment.
pub(super) fn in_one_piece(sql: &str) -> Option<String> {
    let mut text = String::with_capacity(sql.len());
    let mut is_after_escapes = false;
    for (kind, piece) in Scanner::new(sql) {
        if kind == Kind::Quoted {
            if is_after_escapes && piece.contains('\\') {
                // On another line, a quote goes on that can have escapes.
                return None;
            }
            is_after_escapes |= piece.starts_with(['e', 'E']);
            text += piece;
        } else {
            is_after_escapes &= kind == Kind::Comment || piece.trim().is_empty();
            text += &piece.replace('\n', "\r");
        }
    }
    let goes_on = |at: usize| {
        let line = text[..at].rsplit('\n').next().unwrap_or_default();
        !text[..at].contains("--") && (!line.contains(';') || is_read_alike(&text[..=at]))
    };
    if !text.match_indices('\n').all(|(at, _)| goes_on(at)) {
        return None;
    }
    Some(text)
}

/// Returns the text as DuckDB's command line must get it, so that it does not take the whole text for a
/// comment and run nothing. To it, a comment that begins with `--` goes on after a carriage return.
pub(super) fn for_command_line(text: &str) -> String {
    let is_space = |piece: &str| piece.trim().is_empty() || piece.starts_with("/*");
    let first = Scanner::new(text).find(|(_, piece)| !is_space(piece));
    let begins_with_comment = first.is_some_and(|(_, piece)| piece.starts_with("--"));
    let begin = if begins_with_comment { ";" } else { "" };
    format!("{begin}{text}")
}

/// Returns true if DuckDB's command line certainly finds the same quotes and comments in the text as
/// DuckDB's parser. It knows no escapes and no comments within comments, takes more for a quote in
/// dollars, and ends a comment that begins with `--` only at a line feed.
pub(super) fn is_read_alike(text: &str) -> bool {
    let mut pieces = Scanner::new(text);
    while let Some((kind, piece)) = pieces.next() {
        let is_alike = match kind {
            Kind::Comment if piece.starts_with("--") => !pieces.rest.contains('\n'),
            Kind::Comment => !piece[2..].contains("/*"),
            Kind::Plain | Kind::Quoted => !piece.contains('$') && !piece.contains("\\'"),
        };
        if !is_alike {
            return false;
        }
    }
    true
}

/// Returns the name of the pragma that a statement calls, in lower case.
pub(super) fn pragma_name(sql: &str) -> Option<String> {
    let (word, rest) = first_word(sql)?;
    let name = skip_comments(rest);
    let end = name.find(|c| !is_name(c)).unwrap_or(name.len());
    let is_pragma = word.eq_ignore_ascii_case("pragma") && end > 0;
    is_pragma.then(|| name[..end].to_ascii_lowercase())
}

/// Returns true if a statement that changes something may return rows: `INSERT … RETURNING`, for
/// example, or `COPY … (RETURN_FILES)`.
pub(super) fn may_return_rows(sql: &str) -> bool {
    sql.to_ascii_lowercase().contains("return")
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

/// Returns true for a character of a name without quotes.
fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii()
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

/// Returns the length of a quoted text. A doubled quotation mark does not end it.
fn quote_length(text: &str, has_escapes: bool) -> usize {
    let mut chars = text.char_indices();
    let quote = chars.next().map(|(_, quote)| quote);
    while let Some((at, c)) = chars.next() {
        if c == '\\' && has_escapes {
            chars.next();
        } else if Some(c) == quote {
            if !text[at + 1..].starts_with(c) {
                return at + 1;
            }
            chars.next();
        }
    }
    text.len()
}

#[cfg(test)]
mod tests;
