//! Results as Parquet files, read back by another DuckDB.

use std::{path::Path, process::Stdio};

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use serde_json::{Value, json};
use tempfile::TempDir;
use test_support::tools;
use tokio::{io::AsyncWriteExt, process::Command};

use super::asking::Asker;

/// Runs statements in DuckDB's command line. Returns the lines of the output.
async fn duckdb(sql: &str) -> Vec<String> {
    let mut duckdb = Command::new(tools::duckdb().join("duckdb"))
        .args(["-batch", "-init", "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = duckdb.stdin.take().unwrap();
    let all = format!(".bail on\n.mode list\n.headers off\n{sql}\n");
    input.write_all(all.as_bytes()).await.unwrap();
    drop(input);
    let done = duckdb.wait_with_output().await.unwrap();
    let error = String::from_utf8_lossy(&done.stderr);
    assert!(error.is_empty(), "{sql}: {error}");
    let text = String::from_utf8(done.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// A running worker and its folders.
struct Worker {
    asker: Asker,
    home: TempDir,
    read: TempDir,
}

impl Worker {
    fn start() -> Self {
        let (home, folder) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let mut asker = Asker::start(home.path(), folder.path());
        asker.request["parquet"] = true.into();
        Self {
            asker,
            home,
            read: folder,
        }
    }

    /// Runs a query, and returns its rows and their file.
    async fn ask(&mut self, sql: &str) -> (Value, Value) {
        let response = self.asker.ask(sql).await;
        let mut rows = response["rows"].clone();
        assert!(rows.is_object(), "{sql}: {response}");
        let parquet = rows["parquet"].take();
        (rows, parquet)
    }

    /// Runs a query, and returns the path of its file and the changed types.
    async fn file(&mut self, sql: &str) -> (String, Value) {
        let (_, parquet) = self.ask(sql).await;
        let file = &parquet["file"];
        assert!(file.is_object(), "{sql}: {parquet}");
        let content = BASE64.decode(file["content"].as_str().unwrap()).unwrap();
        let path = self.read.path().join("result.parquet");
        std::fs::write(&path, content).unwrap();
        (path.to_str().unwrap().to_owned(), file["changed"].clone())
    }

    /// Files in the working folders of DuckDBs.
    fn left(&self) -> Vec<String> {
        let mut left = Vec::new();
        files_below(&self.home.path().join(".duckdb"), &mut left);
        left
    }

    async fn end(self) {
        self.asker.end().await;
    }
}

fn files_below(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_below(&path, found);
        } else {
            found.push(path.display().to_string());
        }
    }
}

/// SELECTs whose results Parquet holds with the same types.
const EXACT: [&str; 9] = [
    "SELECT 1/3 AS third, 0.00012345678::DOUBLE AS p, 1e300 AS large, 0.1::FLOAT AS f, 'nan'::DOUBLE AS n, -0.0::DOUBLE AS z",
    "SELECT 12.50::DECIMAL(10, 2) AS d, 99999999999999999999.5::DECIMAL(30, 1) AS e, NULL::DECIMAL(4, 1) AS n",
    "SELECT '2020-01-01'::DATE AS d, '2020-01-01 10:00:00.000001'::TIMESTAMP AS t, \
     '2020-01-01 10:00:00.123456+02'::TIMESTAMPTZ AS tz, 'infinity'::TIMESTAMPTZ AS i, TIME '12:00:01.5' AS m, \
     '2020-01-01 10:00:00.123456789'::TIMESTAMP_NS AS ns",
    "SELECT {'a': 1, 'b': [NULL, 'x, y']} AS s, [{'k': MAP {'x': 1.5, 'y': NULL}}] AS nested, [[1, 2], NULL] AS l",
    "SELECT * FROM (VALUES (1, 'é', NULL), (NULL, '', [1]), (3, NULL, [])) t(a, b, c)",
    "SELECT '\\xAA\\x00b'::BLOB AS b, '6e6ffd4b-9ab5-4b8d-8b6e-0a0f4a9f6d0c'::UUID AS u, '{\"a\": [1, 2.50]}'::JSON AS j",
    "SELECT 18446744073709551615::UBIGINT AS u, (-128)::TINYINT AS t, true AS yes",
    "SELECT 1 AS \"a b\", 2 AS \"c\"\"d\", 3 AS \"e\nf\", 4 AS \"|\", 5 AS \"select\", 6 AS \".shell id\"",
    "FROM range(0)",
];

/// SELECTs with a type that Parquet lacks: the SELECT, and its type in the file.
const CHANGED: [(&str, &str); 13] = [
    ("SELECT sum(range) AS c FROM range(5)", "DECIMAL(38,0)"),
    (
        "SELECT {'a': [1::HUGEINT, NULL]} AS c",
        "STRUCT(a DECIMAL(38,0)[])",
    ),
    (
        "SELECT 170141183460469231731687303715884105727 AS c",
        "VARCHAR",
    ),
    (
        "SELECT 123456789012345678901234567890::BIGNUM AS c",
        "VARCHAR",
    ),
    (
        "SELECT unnest([INTERVAL '1 microsecond', NULL]) AS c",
        "VARCHAR",
    ),
    ("SELECT INTERVAL '-3 hours' AS c", "VARCHAR"),
    ("SELECT '12:00:00+02'::TIMETZ AS c", "VARCHAR"),
    ("SELECT union_value(n := 1) AS c", "VARCHAR"),
    ("SELECT '10101'::BIT AS c", "VARCHAR"),
    ("SELECT 'x'::ENUM('x', 'y') AS c", "VARCHAR"),
    ("SELECT [1, 2, 3]::INT[3] AS c", "INTEGER[]"),
    ("SELECT '2020-01-01'::TIMESTAMP_S AS c", "TIMESTAMP"),
    (
        "SELECT HUGEINT AS c FROM (SELECT 1::HUGEINT AS \"HUGEINT\")",
        "DECIMAL(38,0)",
    ),
];

#[tokio::test]
async fn a_file_has_the_types_and_values_of_the_result() {
    let mut worker = Worker::start();
    for sql in EXACT {
        let (path, changed) = worker.file(sql).await;
        assert_eq!(changed, json!([]), "{sql}");
        let compare = format!(
            "DESCRIBE {sql};\nSELECT '---';\nDESCRIBE FROM '{path}';\nSELECT '---';\n\
             ({sql}) EXCEPT ALL FROM '{path}';\nFROM '{path}' EXCEPT ALL ({sql});"
        );
        let lines = duckdb(&compare).await.join("\n");
        let parts: Vec<_> = lines.split("---").map(str::trim).collect();
        assert_eq!(parts, [parts[0], parts[0], ""], "{sql}");
    }
    assert_eq!(worker.left(), [""; 0], "while DuckDB waits");
    let sql = "SELECT count(*) FROM glob(current_setting('temp_directory') || '/*')";
    let (rows, _) = worker.ask(sql).await;
    assert_eq!(rows["rows"], json!([["0"]]));
    worker.end().await;
}

#[tokio::test]
async fn a_type_that_parquet_lacks_is_replaced_without_a_loss() {
    let mut worker = Worker::start();
    let text = |path: &str| format!("SELECT c::VARCHAR FROM {path}");
    for (sql, kind) in CHANGED {
        let (path, changed) = worker.file(sql).await;
        assert_eq!(changed[0]["column"], "c", "{sql}: {changed}");
        assert_eq!(changed[0]["in_file"], kind, "{sql}");
        let [ours, theirs] = [text(&format!("'{path}'")), text(&format!("({sql})"))];
        assert_eq!(
            duckdb(&format!("{ours};")).await,
            duckdb(&format!("{theirs};")).await,
            "{sql}"
        );
        let described = format!("SELECT column_type FROM (DESCRIBE FROM '{path}');");
        assert_eq!(duckdb(&described).await, [kind], "{sql}");
    }
    // Every type that DuckDB has.
    let all = "FROM test_all_types()";
    let (path, _) = worker.file(all).await;
    let compare = format!(
        "SELECT COLUMNS(*)::VARCHAR FROM '{path}' EXCEPT ALL SELECT COLUMNS(*)::VARCHAR {all};"
    );
    assert_eq!(duckdb(&compare).await, [""; 0]);
    let count = format!("SELECT count(*) FROM '{path}';");
    assert_eq!(duckdb(&count).await, ["3"]);
    worker.end().await;
}

#[tokio::test]
async fn a_file_holds_the_rows_within_the_limits() {
    let mut worker = Worker::start();
    worker.asker.request["rows"] = 500.into();
    let sql = "SELECT range AS n, 'x' || range AS t FROM range(1000)";
    let (path, _) = worker.file(sql).await;
    let read = format!("SELECT count(*), min(n), max(n), any_value(t) FROM '{path}';");
    assert_eq!(duckdb(&read).await, ["500|0|499|x0"]);
    let (rows, parquet) = worker.ask(sql).await;
    assert_eq!(parquet["file"]["rows"], 500);
    assert_eq!(rows["more"], true);
    assert_eq!(rows["rows"].as_array().unwrap().len(), 200, "of no use");

    worker.asker.request["bytes"] = 100.into();
    let (rows, parquet) = worker.ask("SELECT 1 AS a, 2 AS b, 3 AS c").await;
    assert_eq!(parquet, "too_large");
    assert_eq!(rows["rows"], json!([["1", "2", "3"]]));
    assert_eq!(worker.left(), [""; 0]);
    worker.end().await;
}

#[tokio::test]
async fn some_results_have_no_file() {
    let mut worker = Worker::start();
    let secret = "SELECT ['a-secret-of-' || 'one-who-asks-duckdb'] AS mine";
    let (rows, parquet) = worker.ask(secret).await;
    assert_eq!(parquet, "has_secrets");
    assert_eq!(rows["rows"], json!([["[<S3_SECRET_ACCESS_KEY>]"]]));
    let secret = "SELECT 1 AS \"AKIAASKING\"";
    assert_eq!(worker.ask(secret).await.1, "has_secrets");

    // The command line could read these quotes in another way, so the result is not kept.
    let pivot = "PIVOT (VALUES ($$a$$, 1)) t(k, v) ON k USING sum(v)";
    let (rows, parquet) = worker.ask(pivot).await;
    assert_eq!(
        (&parquet, &rows["has_effects"]),
        (&json!("not_select"), &json!(false))
    );
    worker.end().await;
}

#[tokio::test]
async fn a_plan_in_a_file_quotes_the_typed_text() {
    let mut worker = Worker::start();
    let (path, _) = worker.file("EXPLAIN ANALYZE SELECT 'my text' AS a").await;
    let plan = duckdb(&format!("FROM '{path}';")).await.join("\n");
    assert!(
        plan.contains("EXPLAIN ANALYZE SELECT 'my text' AS a"),
        "{plan}"
    );
    assert!(!plan.contains("query("), "{plan}");
    worker.end().await;
}
