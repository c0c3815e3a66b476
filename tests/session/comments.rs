//! Comments: the bot finds them where DuckDB's parser does.

use std::{fs, process::Command};

use duckbot::discord::comments::ends_in_comment;
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use serde_json::{Value, json};
use tempfile::TempDir;
use test_support::tools;

/// Number of texts. DuckDB can parse about one in fifteen.
const TEXTS: usize = 30_000;
/// Words that DuckDB reads as an alias, unless they are in a comment.
const ALIAS: &str = " zz";

/// A query with many characters that begin or end quotes and comments.
fn query() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "'", "''", "'a'", "--", "-", "/*", "*/", "/", "*", "$$", "$a$", "$", "$1", "E'", "e'",
        "\\'", "\\", "x", "1", "E", "a$a$", "é", "$é$", "\"", "\"\"", " ", "\n", "\r", "+ 1",
        ", 2", "x'", "1$$", ";",
    ]);
    let begin = prop::sample::select(vec!["SELECT 1 ", "SELECT 1 + 'a' ", "SELECT 1 AS a "]);
    (begin, prop::collection::vec(part, 1..8))
        .prop_map(|(begin, parts)| begin.to_owned() + &parts.concat())
}

/// Parses each text with DuckDB. Returns `None` for a text that it can't parse.
fn parse(texts: &[String]) -> Vec<Option<String>> {
    let folder = TempDir::new().unwrap();
    let (given, parsed) = (folder.path().join("given"), folder.path().join("parsed"));
    let lines = texts
        .iter()
        .map(|text| json!({ "text": text }).to_string() + "\n");
    fs::write(&given, lines.collect::<String>()).unwrap();
    let script = format!(
        "COPY (SELECT json_serialize_sql(text, skip_default := true)::VARCHAR AS parsed \
         FROM read_json('{}', columns = {{text: 'VARCHAR'}})) TO '{}' (FORMAT json)",
        given.display(),
        parsed.display()
    );
    let mut duckdb = Command::new(tools::duckdb().join("duckdb"));
    let output = duckdb.args(["-init", "/dev/null", "-c", &script]).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{output:?}");
    let parsed = fs::read_to_string(parsed).unwrap();
    let parsed = parsed.lines().map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        let tree = line["parsed"].as_str()?.to_owned();
        tree.contains("\"error\":false").then_some(tree)
    });
    parsed.collect()
}

#[test]
fn a_comment_hides_what_duckdb_does_not_read() {
    let mut runner = TestRunner::deterministic();
    let texts = (0..TEXTS).map(|_| query().new_tree(&mut runner).unwrap().current());
    let texts: Vec<_> = texts.collect();
    let longer: Vec<_> = texts.iter().map(|text| text.clone() + ALIAS).collect();
    let (before, after) = (parse(&texts), parse(&longer));
    let mut counts = [0, 0];
    for ((before, after), text) in before.iter().zip(after).zip(&longer) {
        if let Some(before) = before {
            let is_hidden = after.as_ref() == Some(before);
            assert_eq!(ends_in_comment(text), is_hidden, "{text:?}");
            counts[usize::from(is_hidden)] += 1;
        }
    }
    assert!(counts.into_iter().all(|count| count > 100), "{counts:?}");
}
