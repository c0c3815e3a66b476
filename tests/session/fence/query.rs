//! Queries from the chat, as the bot sends them to a session.

use std::{collections::HashMap, path::Path, process::Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;
use test_support::{command, lake, tools};
use tokio::io::AsyncWriteExt;

use super::folder_with_stored_secret;

/// Runs a query in a session with this home. The working folder is `folder`.
async fn ask(home: &Path, folder: &Path, sql: &str) -> Value {
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let lake = lake();
    lake.s3
        .add_key("AKIAFENCEDQUERY", "a-secret-of-a-fenced-query");
    let variables = [
        ("HOME", text(home)),
        ("DUCKDB_PROGRAM", text(&tools::duckdb().join("duckdb"))),
        (
            "DUCKDB_EXTENSIONS",
            text(&tools::duckdb().join("extensions")),
        ),
        ("DUCKDB_MEMORY", "1024".into()),
        ("DUCKDB_THREADS", "1".into()),
        ("DUCKDB_DISK", "100".into()),
        ("CATALOG_NAME", "lake".into()),
        ("CATALOG_ENDPOINT", lake.catalog.clone()),
        ("S3_ENDPOINT", lake.s3.url()),
        ("S3_REGION", "us-east-1".into()),
        ("S3_PATH_STYLE", "true".into()),
        ("S3_ACCESS_KEY_ID", "AKIAFENCEDQUERY".into()),
        ("S3_SECRET_ACCESS_KEY", "a-secret-of-a-fenced-query".into()),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value));
    let mut child = command(&["duckdb", "--ask"], &HashMap::from(variables))
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let request = json!({
        "sql": sql, "rows": 100, "bytes": 10000, "cells": 1000, "seconds": 60, "writes": true
    });
    // The query is cancelled when the input closes.
    let mut input = child.stdin.take().unwrap();
    let line = format!("{request}\n");
    input.write_all(line.as_bytes()).await.unwrap();
    let output = child.wait_with_output().await.unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|why| panic!("{why}: {output:?}"))
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
async fn a_text_that_the_command_line_reads_differently_is_not_run() {
    for sql in [
        "/* /* */\n.quit\n*/ CREATE TABLE t AS SELECT 1",
        "CREATE TABLE t AS SELECT 1 /* /* */ ;\n.quit\n*/",
        "CREATE TABLE t AS SELECT E'a\\';\n.quit\n' AS x",
        "CREATE TABLE t AS SELECT $$a;\n.quit\n$$ AS x",
        "CREATE TABLE t AS SELECT 8\n/\n2",
        "CREATE TABLE t AS SELECT E'\\';' AS x",
        "CREATE TABLE t AS SELECT 1 AS x$$",
    ] {
        assert_refused(sql, json!("ambiguous")).await;
    }
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
        ";CREATE TABLE t AS SELECT 'a;b' AS \"c;d\";",
        "CREATE TABLE t AS SELECT 1 -- a; b",
        "CREATE TABLE t AS\r\n  SELECT 'a\nb .c' AS x,\n  8 / 2 AS y -- half\n;",
        "CREATE TABLE t AS SELECT $$a;b$$ AS x, 'it''s;' AS y, 1 /* ; */ AS z",
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
        format!("CREATE TABLE t AS SELECT {error} AS x"),
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
