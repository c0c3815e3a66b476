//! Statements other than SELECT, whose text DuckDB's command line reads. Pure.
//!
//! The command line splits its input into lines and statements by rules of its own, which differ
//! from those of DuckDB's parser, for example in nested comments. So a text is passed on only if the
//! two can't differ.

use super::names::literal;

/// Removes what surrounds a statement: space and semicolons.
pub(super) fn trim(sql: &str) -> &str {
    sql.trim_matches(|c: char| c.is_whitespace() || c == ';')
}

/// Returns the query that counts the statements in `sql`, a text that DuckDB can parse. `None` if
/// there is exactly one.
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
    Some(format!(
        "SELECT 1 + count(*) FROM (SELECT left({sql}, unnest([{ends}])) AS start) \
         WHERE {complete} AND NOT {followed};"
    ))
}

/// Returns true if the command line certainly passes `statement` on as it is, as one statement.
///
/// The command line ends a statement only at the end of a line, after a semicolon or with a line `go`
/// or `/`. It runs a line that begins with a dot, and skips one that begins with `#`, if it takes all lines
/// before for comments. It knows neither backslashes in quotes nor comments in comments, takes `x$$`
/// for the begin of a quote, and would wait for their end.
pub(super) fn is_read_as_one(statement: &str) -> bool {
    let has_control = statement
        .chars()
        .any(|c| c.is_control() && !matches!(c, '\n' | '\t'));
    let (_, after) = statement.split_once(';').unwrap_or_default();
    let mut comments = statement.split("/*").skip(1);
    let is_nested = comments.any(|comment| !comment.contains("*/"));
    !has_control
        && !after.contains('\n')
        && !is_nested
        && !statement.contains("\\'")
        && !has_dollar_name(statement)
        && !statement.lines().any(is_command)
}

/// Returns true unless each `$$` or `$a$` certainly begins or ends a quote. It may also be part of a
/// name, or within another quote or a comment.
fn has_dollar_name(statement: &str) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || c == '_' || !c.is_ascii();
    let is_odd = |text: &str, quote: char| text.matches(quote).count() % 2 == 1;
    let is_unclear = |before: &str| {
        before.ends_with(is_name)
            || is_odd(before, '\'')
            || is_odd(before, '"')
            || ["--", "/*"].iter().any(|begin| before.contains(begin))
    };
    let (mut text, mut searched) = (statement, 0);
    while let Some(found) = text[searched..].find('$') {
        let (before, after) = text.split_at(searched + found);
        let after = &after[1..];
        let (tag, body) = after.split_at(after.find(|c| !is_name(c)).unwrap_or(after.len()));
        let Some(quoted) = body.strip_prefix('$') else {
            searched = text.len() - body.len();
            continue;
        };
        match quoted.split_once(&format!("${tag}$")) {
            Some((_, rest)) if !is_unclear(before) => (text, searched) = (rest, 0),
            _ => return true,
        }
    }
    false
}

/// Returns true if the command line may take a line for its own.
fn is_command(line: &str) -> bool {
    let line = line.trim_start();
    let word = line
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .next();
    line.starts_with(['.', '#'])
        || line.starts_with('/') && !line.starts_with("/*")
        || word.is_some_and(|word| word.eq_ignore_ascii_case("go"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_cannot_be_read_differently_is_read_as_one() {
        for whole in [
            "DROP TABLE t",
            "CREATE TABLE t AS\n  SELECT 1 -- one\n  AS a /* two\n */",
            "INSERT INTO t VALUES ('a;b', '.c')",
            "INSERT INTO t\nVALUES ('a; b')",
            "UPDATE t SET goose = 1\nWHERE\ngoose = 2",
            "INSERT INTO t VALUES ('US$', $$5$ or a$b$$, $a$x$$$a$, $1)",
        ] {
            assert!(is_read_as_one(whole), "{whole}");
        }
        for other in [
            "/* /* */\n.shell id\n*/ DROP TABLE t",
            "SELECT 1 /* /* */ ;\n.shell id\n*/",
            "INSERT INTO t VALUES (E'a\\';\nDROP TABLE t;\n')",
            "INSERT INTO t VALUES ($$a;\n$$)",
            "INSERT INTO t VALUES (E'\\'')",
            "DROP TABLE /* /* */ */ t",
            "SELECT 8\n/\n2",
            "SELECT 8\n GO -- on\n",
            "/* /* */\n# */ DROP TABLE t",
            "CREATE TABLE x$$ AS SELECT 1",
            "CREATE TABLE t AS SELECT 1 AS x$a$, '$a$' AS y",
            "CREATE TABLE ente_ü$$ AS SELECT 1",
            "CREATE TABLE t AS SELECT '$$' AS x$$",
            "CREATE TABLE t AS SELECT --'$$\n1 AS x$$",
            "DROP TABLE t\0",
            "DROP\rTABLE t",
        ] {
            assert!(!is_read_as_one(other), "{other}");
        }
    }

    #[test]
    fn a_text_without_semicolons_needs_no_count() {
        assert_eq!(trim("\n;DROP TABLE t ; ;"), "DROP TABLE t");
        assert_eq!(count_statements("DROP TABLE t"), None);
        let count = count_statements("ä; DROP TABLE t").unwrap();
        assert!(count.contains("unnest([1])"), "{count}");
    }
}
