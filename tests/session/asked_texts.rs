//! Texts from the chat that DuckDB's command line would split, and what one query leaves to the next.

use std::path::Path;

use proptest::{
    collection::vec, prelude::*, strategy::ValueTree, test_runner::Config, test_runner::TestRunner,
};
use tempfile::TempDir;
use test_support::wait_until;

use super::asking::Asker;

#[tokio::test]
async fn a_query_sees_nothing_that_another_one_left() {
    let home = TempDir::new().unwrap();
    let mut asker = Asker::start(home.path(), home.path());
    asker.ask("SELECT 42 AS secret").await;
    let first = asker.duckdbs();
    assert_eq!(first.len(), 1, "it waits for the next query");
    let left = asker.ask("FROM _").await;
    assert!(!left.to_string().contains("42"), "{left}");
    assert_eq!(asker.duckdbs(), first, "the same DuckDB answers");
    for (leaves, looks) in [
        (
            "CREATE TEMP TABLE left_behind AS SELECT 42 AS x",
            "FROM left_behind",
        ),
        (
            "SET VARIABLE left_behind = 42",
            "SELECT getvariable('left_behind') AS x",
        ),
        (
            "PREPARE left_behind AS SELECT 42",
            "FROM duckdb_prepared_statements()",
        ),
        (
            "ATTACH ':memory:' AS left_behind",
            "SELECT database_name FROM duckdb_databases()",
        ),
        (
            "CREATE MACRO left_behind() AS 42",
            "SELECT left_behind() AS x",
        ),
        (
            "FROM enable_logging()",
            "SELECT current_setting('enable_logging') AS x",
        ),
        ("SELECT setseed(0.5)", "SELECT 1"),
    ] {
        asker.ask(leaves).await;
        let seen = asker.ask(looks).await;
        let seen = seen["rows"]["rows"].to_string();
        let is_left = ["42", "left_behind", "true"]
            .iter()
            .any(|it| seen.contains(it));
        assert!(!is_left, "{looks}: {seen}");
    }
    for statement in [
        "SHOW TABLES",
        "SHOW ALL TABLES",
        "SELECT table_name FROM information_schema.tables",
    ] {
        let answer = asker.ask(statement).await;
        let tables = answer["rows"]["rows"].to_string();
        assert!(tables.contains("ducks"), "{statement}: {answer}");
        assert!(!tables.contains("duckbot"), "{statement}: {answer}");
    }
    asker.end().await;
}

#[tokio::test]
async fn closing_the_input_ends_a_query_and_its_duckdb() {
    let home = TempDir::new().unwrap();
    let mut asker = Asker::start(home.path(), home.path());
    asker.ask("SELECT 1").await;
    let duckdbs = asker.duckdbs();
    asker
        .send("SELECT count(*) FROM range(10_000_000_000_000)")
        .await;
    asker.end().await;
    let runs = |id: &String| Path::new(&format!("/proc/{id}/cmdline")).exists();
    let running = async || duckdbs.iter().filter(|id| runs(id)).count();
    wait_until(running, |count| *count == 0).await;
}

/// A piece of text that means nothing to DuckDB, and much to a program that splits texts.
fn trivia() -> impl Strategy<Value = String> {
    let piece = proptest::sample::select(vec![
        " ",
        "\n",
        "\t",
        "\r\n",
        "-- it's; a $$comment\n",
        "-- /*\n",
        "/* ; */",
        "/* /* ' */\n.quit\n */",
        "\n/* .shell touch canary */\n",
        "--\n",
        "/*\n*/",
    ]);
    vec(piece, 0..4).prop_map(|pieces| pieces.concat())
}

/// A statement that returns the given text, and has such pieces between its words.
fn statement() -> impl Strategy<Value = String> {
    let value = proptest::sample::select(vec![
        "'a'",
        "';'",
        "'it''s'",
        "'--'",
        "'/*'",
        "e'\\';'",
        "$$;\n$$",
        "$a$ $$ $a$",
        "'\n.quit\n'",
        "'a;\n.shell touch canary\n;\n'",
        "e'\\';\n.quit\n'",
        "1 AS \"x;\n.quit\"",
        "1 AS \";\"",
        "1 AS x$$",
        "'\\'",
        "\n8\n/\n2\n",
        "'.shell touch canary'",
    ]);
    let form = proptest::sample::select(vec![
        "SELECT~%",
        "FROM~(~SELECT~%~)",
        "EXPLAIN~SELECT~%",
        "CALL~repeat(~1~,~2~)",
        "CREATE~TEMP~TABLE~t~AS~SELECT~%",
        "SET~VARIABLE~x~=~1",
        "PRAGMA~version",
        "PRAGMA~table_info~(~'duckdb_views'~)",
        "PIVOT~(~SELECT~1~AS~a~)~ON~a~USING~count(*)",
        "PIVOT~(~SELECT~1~AS~a,~%~)~ON~a~USING~count(*)",
    ]);
    (form, value, vec(trivia(), 12)).prop_map(|(form, value, trivia)| {
        let mut trivia = trivia.into_iter();
        let pieces = form.split('~').map(|word| {
            let between = trivia.next().unwrap_or_default();
            format!(" {between} {}", word.replace('%', value))
        });
        pieces.collect()
    })
}

/// DuckDB's parser decides how many statements there are, and each is run whole or not at all. Nothing
/// in a text becomes a command of the command line, of which `.quit` would end it.
#[tokio::test]
async fn a_text_is_run_as_the_one_statement_that_it_is() {
    let home = TempDir::new().unwrap();
    let mut asker = Asker::start(home.path(), home.path());
    let mut runner = TestRunner::new(Config::default());
    let texts = (vec(statement(), 0..3), trivia(), proptest::bool::ANY);
    for _ in 0..120 {
        let (statements, end, ends_with_semicolon) = texts.new_tree(&mut runner).unwrap().current();
        let mut sql = statements.join(&format!("{end};{end}"));
        if ends_with_semicolon {
            sql = format!("{end};{sql};{end}");
        }
        let answer = asker.ask(&sql).await;
        let is_right = match statements.len() {
            0 => answer == "empty",
            1 => answer["rows"].is_object() || answer["done"].is_object() || answer == "line_break",
            count => answer["several"] == count || answer == "line_break",
        };
        assert!(is_right, "{sql:?}\n{answer}");
        let columns = answer["rows"]["columns"].to_string();
        assert!(!columns.contains("nothing"), "not run: {sql:?}\n{answer}");
    }
    assert!(!home.path().join("canary").exists());
    asker.end().await;
}
