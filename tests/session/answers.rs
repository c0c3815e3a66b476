//! Answers to queries from the chat, compared with those of DuckDB's command line.

use std::process::Stdio;

use serde_json::{Value, json};
use tempfile::TempDir;
use test_support::tools;
use tokio::{io::AsyncWriteExt, process::Command};

use super::asking::Asker;

/// Statements that read. Each is compared whole.
const STATEMENTS: [&str; 64] = [
    "SELECT 1/3 AS third, 0.00012345678::DOUBLE AS p, 52.520006599999::DOUBLE AS lat, 1e300, 0.1::FLOAT",
    "SELECT 'nan'::DOUBLE, '-inf'::FLOAT, -0.0::DOUBLE, 1e-300",
    "SELECT (1, 'a') AS pair, row(1, 2), row(row(1), [row('x')])",
    "SELECT DISTINCT (name, length(name)) AS pair FROM (VALUES ('teal'), ('mallard')) t(name) ORDER BY 1",
    "SELECT list_zip([1, 2], ['a', 'b']) AS zipped, unnest([(1, 2), (3, 4)])",
    "SELECT {'a': 1, 'b': [NULL, 'x, y']}::VARIANT AS v, 42::VARIANT, NULL::VARIANT",
    "SELECT [1, NULL], MAP {'k': 1, 'l': NULL}, {'s': 'it''s', 't': NULL}, union_value(n := 1)",
    "SELECT '2020-01-01'::DATE, '2020-01-01'::TIMESTAMP, '2020-01-01 00:00:00.000001'::TIMESTAMP",
    "SELECT '2020-01-01 10:00:00+02'::TIMESTAMPTZ, TIME '12:00', '12:00:00+02'::TIMETZ, INTERVAL '1 month 2 days'",
    "SELECT '\\xAA\\x00b'::BLOB, '10101'::BIT, '6e6ffd4b-9ab5-4b8d-8b6e-0a0f4a9f6d0c'::UUID",
    "SELECT 1::HUGEINT << 100, 340282366920938463463374607431768211455::UHUGEINT, 123456789012345678901234567890::BIGNUM",
    "SELECT 12.50::DECIMAL(10, 2), -0.001::DECIMAL(18, 3), 99999999999999999999.5::DECIMAL(30, 1)",
    "SELECT 'a' || chr(10) || 'b' AS lines, chr(9) AS tab, '' AS nothing, ' x ' AS spaces, '\"' AS quote",
    "SELECT 'ünïcödé 🦆', chr(128512), 'a|b', 'NULL' AS word, NULL AS missing",
    "SELECT 1 AS \"a b\", 2 AS \"c\"\"d\", 3 AS \"e\nf\", 4 AS \"|\"",
    "SELECT '{\"a\": [1, 2.50]}'::JSON, 'x'::ENUM('x', 'y')",
    "SELECT [[1, 2], [3]]::INT[][], [1, 2, 3]::INT[3]",
    "SELECT 1 AS a, 2 AS a, 3 AS \"A\", 4 AS a_1, 5 AS b_1",
    "FROM (VALUES (1, 2)) t(a, b) JOIN (VALUES (1, 3)) u(a, b) ON t.a = u.a -- both",
    "WITH t AS (SELECT 'x' AS \"n_1\", 1 AS n) SELECT *, n FROM t",
    "SELECT 1 WHERE false",
    "FROM range(3)",
    "FROM range(3) SELECT range * 2 AS twice",
    "VALUES (1, 'a'), (2, NULL)",
    "WITH t AS (SELECT 1 AS a), u AS (FROM t) FROM u",
    "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 5) FROM r",
    "(SELECT 1 AS a) UNION BY NAME (SELECT 2 AS b) ORDER BY ALL",
    "SELECT 1 AS a UNION ALL SELECT 2 ORDER BY 1 DESC LIMIT 1",
    "DESCRIBE SELECT 1 AS a, 'x' AS b",
    "DESC SELECT {'a': 1} AS s",
    "SHOW TABLES",
    "SHOW ALL TABLES",
    "SELECT * FROM information_schema.tables",
    "SELECT table_name FROM duckdb_tables()",
    "SUMMARIZE SELECT range AS n, range / 3 AS third FROM range(10)",
    "SUMMARIZE FROM range(5)",
    "PIVOT (VALUES ('a', 1), ('b', 2)) t(k, v) ON k IN ('a', 'b') USING sum(v)",
    "PIVOT (VALUES ('a', 1), ('b', 2)) t(k, v) ON k USING sum(v)",
    "FROM (PIVOT (VALUES ('a', 1), ('b', 2)) t(k, v) ON k USING sum(v), first((v, 1)))",
    "WITH t AS (SELECT 'a' AS k, 1 / 3 AS v) PIVOT t ON k USING sum(v) -- why",
    "PIVOT (SELECT 'a;\n.quit;\nb' AS x, 'k' AS k) ON k USING first(x)",
    "PIVOT (SELECT $$a\nb$$ AS x, 'k\nl' AS k) ON k USING first(x), last(x);",
    "/* it's */\nPIVOT (SELECT 'a\n.quit' AS x, $$k$$ AS k) ON k USING first(x)",
    "UNPIVOT (SELECT 1 AS a, 2 AS b) ON a, b",
    "PRAGMA version",
    "pragma /* this */ platform;",
    "-- which\nPRAGMA platform",
    "-- why\nPIVOT (VALUES ('a', 1)) t(k, v) ON k USING sum(v)",
    "/* why */ -- not\nPIVOT (SELECT $$a$$ AS x, 'k' AS k) ON k USING first(x)",
    "PRAGMA table_info('duckdb_types')",
    "PRAGMA table_info=duckdb_views -- a view",
    "CALL range(3)",
    "/* now */ call\n generate_series(1, 3) -- three\n",
    "CALL pragma_version()",
    "SELECT * FROM unnest([1, 2, 3]) WITH ORDINALITY",
    "SELECT i, sum(i) OVER (ORDER BY i) AS running FROM range(4) t(i) QUALIFY running > 1",
    "SELECT list_transform([1, 2], lambda x: x + 1), [x * 2 FOR x IN [1, 2]]",
    "SELECT COLUMNS(*) + 1 FROM (SELECT 1 AS a, 2 AS b)",
    "SELECT * EXCLUDE (b) REPLACE (a + 1 AS a) FROM (SELECT 1 AS a, 2 AS b)",
    "SELECT a, count(*) FROM (VALUES (1), (1), (2)) t(a) GROUP BY ROLLUP (a) ORDER BY ALL",
    "SELECT $$it's; /* no comment */$$ AS x, e'a\\tb' AS y, 1 /* /* ; */ */ AS z;",
    "SELECT 8\n/\n2",
    "SELECT 1 -- .shell id\n;",
    ";;SELECT 1;;",
];

/// DuckDB's command line, for many statements.
struct CommandLine {
    script: String,
}

/// Texts between the columns, between the rows, and in the place of NULL.
const COLUMN: &str = "<column 0b7c>";
const ROW: &str = "<row 0b7c>";
const NULL: &str = "<null 0b7c>";
const END: &str = "<end 0b7c>";

impl CommandLine {
    fn new() -> Self {
        let extensions = tools::duckdb().join("extensions");
        Self {
            script: format!(
                "SET extension_directory = '{}';\n.mode list\n.headers on\n\
                 .separator \"{COLUMN}\" \"{ROW}\"\n.nullvalue \"{NULL}\"\n",
                extensions.display()
            ),
        }
    }

    fn add(&mut self, statement: &str) {
        self.script += &format!("{statement}\n;\n.print \"{END}\"\n");
    }

    /// Runs the statements, and returns the rows of each, of which the first has the names.
    async fn run(self) -> Vec<Vec<Vec<Option<String>>>> {
        let mut child = Command::new(tools::duckdb().join("duckdb"))
            .args(["-batch", "-init", "/dev/null"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        let writes = async move { input.write_all(self.script.as_bytes()).await };
        let (output, written) = tokio::join!(child.wait_with_output(), writes);
        written.unwrap();
        let output = output.unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(errors.trim().is_empty(), "{errors}");
        let output = String::from_utf8(output.stdout).unwrap();
        let value = |text: &str| (text != NULL).then(|| text.to_owned());
        let row = |row: &str| row.split(COLUMN).map(value).collect();
        let table = |text: &str| {
            let text = text.strip_prefix('\n').unwrap_or(text);
            let rows = text.strip_suffix(ROW).unwrap_or(text);
            rows.split(ROW).map(row).collect()
        };
        let mut tables: Vec<_> = output.split(END).map(table).collect();
        tables.pop();
        tables
    }
}

/// Returns the rows of an answer, of which the first has the names.
fn rows_of(answer: &Value) -> Vec<Vec<Option<String>>> {
    let rows = &answer["rows"];
    let columns = rows["columns"].as_array();
    let columns = columns.unwrap_or_else(|| panic!("{answer}"));
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let names = columns.iter().map(|it| text(&it["name"])).collect();
    let body = rows["rows"].as_array().unwrap().iter();
    let body = body.map(|row| row.as_array().unwrap().iter().map(text).collect());
    [names].into_iter().chain(body).collect()
}

/// Asks each statement, and compares the answers with those of DuckDB's command line.
async fn assert_alike(statements: &[String]) {
    let home = TempDir::new().unwrap();
    let mut asker = Asker::start(home.path(), home.path());
    // None of them needs the role that may write.
    asker.request["writes"] = false.into();
    let mut command_line = CommandLine::new();
    for statement in statements {
        command_line.add(statement);
    }
    let expected = command_line.run().await;
    assert_eq!(expected.len(), statements.len());
    let mut differing = Vec::new();
    for (statement, expected) in statements.iter().zip(expected) {
        let answer = asker.ask(statement).await;
        if !answer["rows"].is_object() {
            differing.push(format!("{statement}\n  {answer}"));
        } else if rows_of(&answer) != expected {
            differing.push(format!(
                "{statement}\n  {:?}\n  {expected:?}",
                rows_of(&answer)
            ));
        }
    }
    asker.end().await;
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

#[tokio::test]
async fn every_statement_that_reads_is_answered_as_duckdb_answers() {
    // The lake's own tables are not in the command line.
    let own = |it: &&&str| !it.contains("TABLES") && !it.contains("tables");
    let statements = STATEMENTS.iter().filter(own);
    assert_alike(&statements.map(|it| (*it).to_owned()).collect::<Vec<_>>()).await;
}

#[tokio::test]
async fn values_of_all_types_are_those_that_duckdb_prints() {
    let mut command_line = CommandLine::new();
    command_line.add("SELECT column_name FROM (DESCRIBE FROM test_all_types())");
    let names = command_line.run().await.remove(0);
    let statements: Vec<_> = names[1..]
        .iter()
        .flat_map(|row| {
            let name = format!("\"{}\"", row[0].as_deref().unwrap());
            [
                "x",
                "[x, NULL]",
                "{'a': x}",
                "(x, 1)",
                "MAP {1: x}",
                "x::VARIANT",
            ]
            .map(|form| {
                format!("SELECT {form} AS value FROM (SELECT {name} AS x FROM test_all_types())")
            })
        })
        .collect();
    assert!(statements.len() > 200, "{}", statements.len());
    // Not every type has a VARIANT.
    let statements: Vec<_> = statements
        .into_iter()
        .filter(|it| !it.contains("VARIANT") || !it.contains("union"))
        .collect();
    assert_alike(&statements).await;
}

#[tokio::test]
async fn the_types_of_columns_are_told() {
    let home = TempDir::new().unwrap();
    let mut asker = Asker::start(home.path(), home.path());
    let sql = "SELECT 1 AS n, 1/3 AS d, (1, 'a') AS pair, 1::VARIANT AS v WHERE false";
    let answer = asker.ask(sql).await;
    assert_eq!(
        answer["rows"]["columns"],
        json!([
            {"name": "n", "kind": "INTEGER"},
            {"name": "d", "kind": "DOUBLE"},
            {"name": "pair", "kind": "STRUCT(INTEGER, VARCHAR)"},
            {"name": "v", "kind": "VARIANT"},
        ])
    );
    let kinds = async |asker: &mut Asker, sql: &str| {
        let answer = asker.ask(sql).await;
        let columns = answer["rows"]["columns"].as_array();
        let columns = columns.unwrap_or_else(|| panic!("{sql}: {answer}")).iter();
        columns
            .map(|it| it["kind"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    // Statements that are no queries.
    let pivot = "PIVOT (SELECT 'k' AS k, (1, 'a') AS v) ON k USING first(v), sum(1) AS n";
    assert_eq!(
        kinds(&mut asker, pivot).await,
        ["STRUCT(INTEGER, VARCHAR)", "HUGEINT"]
    );
    let version = kinds(&mut asker, "PRAGMA version").await;
    assert_eq!(version, ["VARCHAR", "VARCHAR", "VARCHAR"]);
    let copy = "COPY (SELECT 1) TO 's3://lake/typed.csv' (RETURN_FILES)";
    assert_eq!(kinds(&mut asker, copy).await, ["BIGINT", "VARCHAR[]"]);
    asker.end().await;
}

#[tokio::test]
async fn explain_shows_the_plan_of_what_was_typed() {
    let home = TempDir::new().unwrap();
    let mut asker = Asker::start(home.path(), home.path());
    asker.request["writes"] = false.into();
    for sql in [
        "EXPLAIN SELECT name FROM lake.zoo.ducks WHERE grams > 500",
        "explain analyze\n-- how long\nFROM lake.zoo.ducks;",
        "EXPLAIN (FORMAT json) FROM ducks",
    ] {
        let answer = asker.ask(sql).await;
        let plan = answer["rows"]["rows"][0][1].as_str();
        let plan = plan.unwrap_or_else(|| panic!("{sql}: {answer}"));
        assert!(plan.contains("ICEBERG_SCAN"), "{plan}");
        assert!(!plan.contains("query("), "{plan}");
    }
    let refused = asker.ask("EXPLAIN DROP TABLE lake.zoo.ducks").await;
    assert_eq!(refused, json!("not_select"));
    let refused = asker
        .ask("EXPLAIN ANALYZE CREATE TABLE t AS SELECT 1")
        .await;
    assert_eq!(refused, json!("not_select"));
    asker.end().await;
}

#[tokio::test]
async fn a_large_sort_has_room_on_the_disk() {
    let home = TempDir::new().unwrap();
    let mut asker = Asker::start(home.path(), home.path());
    asker.request["rows"] = 10_000.into();
    asker.request["cells"] = 200_000.into();
    asker.request["bytes"] = (4 << 20).into();
    let sql =
        "SELECT n, repeat('x', 100) AS x FROM range(2000000) t(n) ORDER BY random() LIMIT 10000";
    let answer = asker.ask(sql).await;
    assert_eq!(
        answer["rows"]["rows"].as_array().map(Vec::len),
        Some(10_000),
        "{:.300}",
        answer.to_string()
    );
    let too_much = "SELECT list(n) FROM range(200000000) t(n)";
    let answer = asker.ask(too_much).await;
    assert_eq!(answer["wrong"]["kind"], "Out of Memory", "{answer}");
    let message = answer["wrong"]["message"].as_str().unwrap();
    assert!(!message.contains("SET "), "{message}");
    asker.end().await;
    let query_folders = std::fs::read_dir(home.path().join(".duckdb")).unwrap();
    assert_eq!(query_folders.count(), 0);
}

#[tokio::test]
async fn names_need_no_catalog() {
    let home = TempDir::new().unwrap();
    let mut asker = Asker::start(home.path(), home.path());
    let all = asker.ask("SELECT count(*) FROM lake.zoo.ducks").await;
    assert_eq!(all["rows"]["rows"], json!([["2"]]), "{all}");
    for sql in [
        "SELECT count(*) FROM zoo.ducks",
        "WITH d AS (FROM zoo.ducks) SELECT count(*) FROM d",
        "EXPLAIN FROM zoo.ducks",
        "DESCRIBE zoo.ducks",
        "SUMMARIZE zoo.ducks",
    ] {
        let answer = asker.ask(sql).await;
        assert!(answer["rows"]["rows"][0].is_array(), "{sql}: {answer}");
    }
    // Columns keep their names, although two of them have the same.
    let pairs = "SELECT a.name, b.name FROM ducks a, ducks b WHERE a.name = b.name ORDER BY ALL";
    let pairs = asker.ask(pairs).await;
    assert_eq!(
        rows_of(&pairs)[..2],
        [["name", "name"], ["mallard", "mallard"]].map(|row| row.map(|it| Some(it.to_owned()))),
        "{pairs}"
    );
    let wrong = asker.ask("SELECT * FROM zoo.dukcs").await;
    assert_eq!(wrong["wrong"]["name"], "dukcs", "{wrong}");
    assert_eq!(wrong["wrong"]["position"], 14, "{wrong}");
    asker.end().await;
}
