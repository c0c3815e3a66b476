//! Kinds of statements from the chat: what needs the role that may write, and how the others are run.

use serde_json::json;
use tempfile::TempDir;
use test_support::{TreeCatalog, TreeTable};

use super::asking::Asker;

#[tokio::test]
async fn what_writes_needs_the_role_however_it_is_written() {
    let home = TempDir::new().unwrap();
    let mut asker = Asker::start(home.path(), home.path());
    asker.request["writes"] = false.into();
    for sql in [
        "INSERT INTO lake.zoo.ducks VALUES ('x', 1) RETURNING *",
        "CREATE TABLE t AS PIVOT (VALUES ('a', 1)) t(k, v) ON k USING sum(v)",
        "COPY (PIVOT (VALUES ('a', 1)) t(k, v) ON k USING sum(v)) TO 's3://lake/x.csv'",
        "COPY (SELECT 1) TO 's3://lake/x.csv'",
        "ATTACH ':memory:' AS other",
        "CREATE SECRET s (TYPE s3)",
        "SET VARIABLE x = 1",
        "CALL set_iceberg_table_properties(lake.zoo.ducks, MAP {'x': 'y'}); DROP TABLE t",
    ] {
        let answer = asker.ask(sql).await;
        let is_refused = answer == "not_select" || answer["several"].is_u64();
        assert!(is_refused, "{sql}: {answer}");
    }
    // DuckDB takes it for a SELECT.
    let sql = "FROM set_iceberg_table_properties(lake.zoo.ducks, {'x': 'y'})";
    let answer = asker.ask(sql).await;
    let message = answer["wrong"]["message"].as_str().unwrap_or_default();
    assert!(message.contains("read-only mode"), "{answer}");
    asker.end().await;
}

#[tokio::test]
async fn what_a_statement_returns_is_shown() {
    let home = TempDir::new().unwrap();
    let mut asker = Asker::start(home.path(), home.path());
    let answer = asker.ask("SET VARIABLE x = 1").await;
    assert!(answer["done"].is_object(), "{answer}");
    for sql in [
        "CREATE OR REPLACE TEMP TABLE t AS SELECT 'a\nb' AS x",
        "CREATE TEMP TABLE \"t\n.quit\" AS SELECT 'it''s;\n.quit\n;' AS x;",
        "CREATE TEMP TABLE t AS SELECT e'\\'\n' AS x, $$\n$$ AS y -- ;",
    ] {
        let answer = asker.ask(sql).await;
        assert!(answer["done"].is_object(), "{sql}: {answer}");
    }
    for unsure in [
        "CREATE TEMP TABLE t AS SELECT e'\\';\n.quit' AS x",
        "-- it's\nCREATE TEMP TABLE t AS SELECT 'a\n.quit' AS x",
    ] {
        assert_eq!(asker.ask(unsure).await, json!("line_break"));
    }
    asker.end().await;
}

#[tokio::test]
async fn line_breaks_of_all_kinds_arrive_within_quotes() {
    let home = TempDir::new().unwrap();
    let mut asker = Asker::start(home.path(), home.path());
    for value in ["a\nb", "a\r\nb", "a\rb", "\r\r\n\n", "a;\r\n.quit"] {
        let select = format!("SELECT '{value}' AS v");
        let pivot = format!("PIVOT (SELECT 'k' AS k, '{value}' AS v) ON k USING first(v)");
        // DuckDB's command line does not read these quotes as the parser does.
        let escaped = pivot.replace("'k'", "e'\\'k'");
        let is_unsure = value.contains(';');
        for (sql, is_run) in [(select, true), (pivot, true), (escaped, !is_unsure)] {
            let answer = asker.ask(&sql).await;
            if is_run {
                assert_eq!(
                    answer["rows"]["rows"],
                    json!([[value]]),
                    "{sql:?}: {answer}"
                );
            } else {
                assert_eq!(answer, json!("line_break"), "{sql:?}");
            }
        }
    }
    asker.end().await;
}

/// Each of DuckDB's pragmas, called without the role that may write.
#[tokio::test]
async fn a_pragma_that_reads_needs_no_role() {
    let home = TempDir::new().unwrap();
    let mut asker = Asker::start(home.path(), home.path());
    asker.request["writes"] = false.into();
    let pragmas = "SELECT DISTINCT function_name, len(parameters) FROM duckdb_functions() \
                   WHERE function_type = 'pragma' ORDER BY ALL";
    let answer = asker.ask(pragmas).await;
    let pragmas = answer["rows"]["rows"].as_array().unwrap().clone();
    assert!(pragmas.len() > 40, "{answer}");
    let mut reading = Vec::new();
    for pragma in &pragmas {
        let name = pragma[0].as_str().unwrap();
        let call = match pragma[1].as_str().unwrap() {
            "0" => format!("PRAGMA {name}"),
            "1" => format!("PRAGMA {name}('duckdb_views')"),
            _ => format!("PRAGMA {name}('memory', 'lake')"),
        };
        let answer = asker.ask(&call).await;
        if answer["wrong"]["kind"] == "Parser" {
            // `PRAGMA show` is no statement, because `show` is a keyword.
            continue;
        }
        let is_run = answer["rows"].is_object() || answer["wrong"].is_object();
        assert_ne!(answer == "not_select", is_run, "{call}: {answer}");
        reading.extend(is_run.then_some(name));
    }
    assert_eq!(
        reading,
        [
            "all_profiling_output",
            "collations",
            "database_list",
            "database_size",
            "extension_versions",
            "functions",
            "metadata_info",
            "platform",
            "show_databases",
            "show_tables",
            "show_tables_expanded",
            "storage_info",
            "table_info",
            "user_agent",
            "version",
        ]
    );
    for changing in [
        "PRAGMA threads=1",
        "PRAGMA memory_limit='1GB'",
        "PRAGMA version=1; PRAGMA enable_profiling",
        "PRAGMA version; DROP TABLE lake.zoo.ducks",
        "PRAGMA \"enable_profiling\"",
        "PRAGMA enable_profiling='json'",
    ] {
        let answer = asker.ask(changing).await;
        let is_refused = answer == "not_select" || answer["several"].is_u64();
        assert!(is_refused, "{changing}: {answer}");
    }
    let unchanged = "SELECT current_setting('enable_profiling') IS NULL AS is_unchanged";
    let answer = asker.ask(unchanged).await;
    assert_eq!(answer["rows"]["rows"], json!([["true"]]), "{answer}");
    asker.end().await;
}

#[tokio::test]
async fn a_list_of_the_default_schema_says_that_there_is_none() {
    let ducks = |schema| (vec![schema], "ducks", TreeTable::Ducks);
    let catalog = TreeCatalog::start(vec![ducks("pond"), ducks("zoo")]).await;
    let endpoint = [("CATALOG_ENDPOINT", &*catalog.url())];
    let home = TempDir::new().unwrap();
    let mut asker = Asker::start_with(home.path(), home.path(), &endpoint);
    asker.request["writes"] = false.into();
    for (sql, tables, lacks_default) in [
        ("SHOW TABLES", json!([]), true),
        ("PRAGMA show_tables", json!([]), true),
        ("SELECT name FROM (SHOW TABLES)", json!([]), true),
        ("SHOW TABLES FROM lake.zoo", json!([["ducks"]]), false),
        (
            "SHOW TABLES FROM lake",
            json!([["ducks"], ["ducks"]]),
            false,
        ),
        (
            "SELECT schema, name FROM (SHOW ALL TABLES)",
            json!([["pond", "ducks"], ["zoo", "ducks"]]),
            false,
        ),
    ] {
        let answer = asker.ask(sql).await;
        assert_eq!(answer["rows"]["rows"], tables, "{sql}: {answer}");
        let told = &answer["rows"]["lacks_default_schema"];
        assert_eq!(told, lacks_default, "{sql}: {answer}");
    }
    asker.end().await;
}
