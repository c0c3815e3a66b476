//! Queries from the chat, as the bot sends them to a session.

use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::folder_with_stored_secret;
use crate::session::asking::Asker;

/// Runs a query in a session with this home. The working folder is `folder`.
async fn ask(home: &Path, folder: &Path, sql: &str) -> Value {
    let mut asker = Asker::start(home, folder);
    let answer = asker.ask(sql).await;
    asker.end().await;
    answer
}

#[tokio::test]
async fn a_stored_secret_is_lent_to_no_query() {
    let home = folder_with_stored_secret();
    let sql = "SELECT name FROM duckdb_secrets()";
    let answer = ask(home.path(), home.path(), sql).await;
    assert_eq!(answer["rows"]["rows"], json!([["s3"]]), "{answer}");
}

/// Checks that a text was not run. A command in it would end DuckDB.
async fn assert_refused(sql: &str, why: Value) {
    let home = TempDir::new().unwrap();
    let answer = ask(home.path(), home.path(), sql).await;
    assert_eq!(answer, why, "{sql}");
}

#[tokio::test]
async fn a_text_of_several_statements_is_not_run() {
    for (sql, count) in [
        ("CREATE TABLE a AS SELECT 1; SELECT nonsense", 2),
        ("BEGIN; CREATE TABLE ä AS SELECT ';'; COMMIT", 3),
        ("CREATE TABLE a AS SELECT 1 -- one;\n;DROP TABLE a", 2),
        (
            "CREATE TABLE a AS SELECT 1 /* ; */;/* /* ; */ ; */ DROP TABLE a",
            2,
        ),
    ] {
        assert_refused(sql, json!({"several": count})).await;
    }
}

#[tokio::test]
async fn a_single_statement_is_run_whatever_it_contains() {
    let home = TempDir::new().unwrap();
    for sql in [
        ";CREATE TEMP TABLE t AS SELECT 'a;b' AS \"c;d\";",
        "/* /* */\n.quit\n*/ CREATE TEMP TABLE t AS SELECT 1",
        "CREATE TEMP TABLE t AS SELECT 1 /* /* */ ;\n.quit\n*/",
        "CREATE TEMP TABLE t AS SELECT 8\n/\n2 AS x",
        "CREATE TEMP TABLE t AS SELECT E'\\';' AS x",
        "CREATE TEMP TABLE t AS SELECT 1 AS x$$",
        "CREATE TEMP TABLE t AS SELECT 1 -- a; b",
        "CREATE TEMP TABLE t AS\r\n  SELECT 'a b .c' AS x,\n  8 / 2 AS y -- half\n;",
        "CREATE TEMP TABLE t AS SELECT $$a;b$$ AS x, 'it''s;' AS y, 1 /* ; */ AS z",
    ] {
        let answer = ask(home.path(), home.path(), sql).await;
        assert!(answer["done"].is_object(), "{sql}: {answer}");
    }
}

#[tokio::test]
async fn a_failure_is_no_success_however_long_its_error_is() {
    let home = TempDir::new().unwrap();
    let error = "error(repeat('x', 17000000))";
    for sql in [
        format!("SELECT {error}"),
        format!("CREATE TEMP TABLE t AS SELECT {error} AS x"),
    ] {
        let answer = ask(home.path(), home.path(), &sql).await;
        let message = answer["wrong"]["message"].as_str();
        assert!(
            message.is_some_and(|it| it.contains("xxx")),
            "{sql}: {:.200}",
            answer.to_string()
        );
    }
}

#[tokio::test]
async fn a_name_that_the_command_line_can_not_read_is_no_obstacle() {
    let home = TempDir::new().unwrap();
    let json = r#"{"a\u0000b": 1, "c\n\"": 2}"#;
    let structure = r#"{"a\u0000b": "INTEGER", "c\n\"": "INTEGER"}"#;
    let sql = format!("SELECT unnest(from_json('{json}', '{structure}'))");
    let answer = ask(home.path(), home.path(), &sql).await;
    assert_eq!(answer["rows"]["rows"], json!([["1", "2"]]), "{answer}");
    assert_eq!(answer["rows"]["columns"][0]["name"], "a\0b");
    let answer = ask(home.path(), home.path(), "SELECT 'a\0b'").await;
    let message = answer["wrong"]["message"].as_str();
    assert!(message.is_some_and(|it| it.contains("U+0000")), "{answer}");
}
