//! Quoting: any names and values reach DuckDB unchanged.
//!
//! A real DuckDB stays open behind the same shell that runs a session's statements.

use std::collections::HashMap;

use axum::{Router, routing::get};
use duckbot::{
    catalog::values,
    duckdb::{
        environment::{self, SessionConfig},
        names::{TableName, identifier, literal},
        script::{access_steps, record_problem, tables},
        shell::{Answer, Shell},
    },
};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use tempfile::TempDir;
use test_support::{Server, WAIT_TIMEOUT, tools};
use tokio::{runtime::Runtime, sync::Mutex, time::timeout};

/// Any text that the environment allows, with many characters that are special in SQL, in DuckDB's
/// command line or in URLs.
fn text() -> impl Strategy<Value = String> {
    let special = prop::sample::select(vec![
        "'", "''", "\"", "\"\"", "\\", "\\'", ";", "; ", "--", "/*", "*/", "$$", "$x$", "%", "%2F",
        "%s", "?", "&", "#", "=", "{}", "{0}", ".", "E'", "SELECT", " ", "/", "🦆", "é",
        "\u{2028}",
    ]);
    let part = prop_oneof![
        special.prop_map(str::to_owned),
        "[a-z]{1,4}",
        any::<char>()
            .prop_filter("no control characters", |it| !it.is_control())
            .prop_map(String::from),
    ];
    prop::collection::vec(part, 1..8).prop_map(|parts| parts.concat())
}

/// Any name that the settings accept for a catalog.
fn catalog_name() -> impl Strategy<Value = String> {
    let name = "[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?|select|default|problems|ui|zoo";
    name.prop_filter("not reserved", |name| values::catalog_name(name).is_ok())
}

fn session_config(name: &str, warehouse: &str, endpoint: &str) -> SessionConfig {
    let variables = HashMap::from([
        ("HOME", "/nowhere"),
        ("DUCKDB_MEMORY", "1024"),
        ("DUCKDB_THREADS", "1"),
        ("DUCKDB_DISK", "1"),
        ("S3_REGION", "us-east-1"),
        ("S3_PATH_STYLE", "true"),
        ("S3_ACCESS_KEY_ID", "x"),
        ("S3_SECRET_ACCESS_KEY", "x"),
        ("CATALOG_NAME", name),
        ("CATALOG_WAREHOUSE", warehouse),
        ("CATALOG_ENDPOINT", endpoint),
    ]);
    let variables = variables
        .into_iter()
        .map(|(name, value)| (name.into(), value.into()));
    environment::read(&variables.collect()).unwrap()
}

/// DuckDB with the Iceberg extension loaded.
struct DuckDbShell {
    runtime: Runtime,
    shell: Mutex<Shell>,
    _home: TempDir,
}

impl DuckDbShell {
    fn start() -> Self {
        let runtime = Runtime::new().unwrap();
        let guard = runtime.enter();
        let home = TempDir::new().unwrap();
        let database = home.path().join("work.duckdb");
        let shell = Shell::start(&tools::duckdb().join("duckdb"), home.path(), &database);
        let shell = Mutex::new(shell.unwrap());
        drop(guard);
        let duck = Self {
            runtime,
            shell,
            _home: home,
        };
        let extensions = literal(tools::duckdb().join("extensions").to_str().unwrap());
        duck.run("ATTACH ':memory:' AS memory;");
        duck.run(&format!("SET extension_directory = {extensions};"));
        duck.run("LOAD httpfs; LOAD avro; LOAD iceberg;");
        duck
    }

    fn run(&self, sql: &str) {
        // DuckDB would wait for the end of an incomplete statement.
        let outcome = async { timeout(WAIT_TIMEOUT, self.shell.lock().await.execute(sql)).await };
        let outcome = self
            .runtime
            .block_on(outcome)
            .expect("the statement is complete");
        let outcome = outcome.expect("DuckDB is running");
        assert_eq!(outcome, Answer::Done(()), "{sql}");
    }

    /// Checks that `query` returns `text`, compared as bytes, so nothing is quoted twice.
    fn assert_value(&self, query: &str, text: &str) {
        let hex: String = text.bytes().map(|byte| format!("{byte:02X}")).collect();
        self.run(&format!(
            "SELECT CASE WHEN list(hex(encode(it))) <> ['{hex}'] \
             THEN error('something else: ' || list(it)::TEXT) END FROM ({query}) _(it);"
        ));
    }
}

fn check_property<T: std::fmt::Debug>(cases: u32, of: impl Strategy<Value = T>, test: impl Fn(T)) {
    let mut runner = TestRunner::new(Config {
        cases,
        // Without shrinking, because the first failure leaves DuckDB in a changed state.
        max_shrink_iters: 0,
        failure_persistence: None,
        ..Config::default()
    });
    runner
        .run(&of, |value| {
            test(value);
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_literal_is_what_it_was() {
    let duck = DuckDbShell::start();
    check_property(400, text(), |text| {
        duck.assert_value(&format!("SELECT {}", literal(&text)), &text)
    });
}

#[test]
fn a_catalog_and_its_warehouse_are_called_what_they_are() {
    let duck = DuckDbShell::start();
    let config = || async { r#"{"defaults": {}, "overrides": {}}"# };
    let app = Router::new().route("/v1/config", get(config));
    let catalog = duck.runtime.block_on(Server::start(|_| app));
    check_property(400, (catalog_name(), text()), |(name, warehouse)| {
        let [_, attach] = access_steps(&session_config(&name, &warehouse, &catalog.url()));
        duck.run(&attach.try_again);
        assert_eq!(warehouse_in(catalog.requests().last().unwrap()), warehouse);
        let query = "SELECT database_name FROM duckdb_databases() WHERE type = 'iceberg'";
        duck.assert_value(query, &name);
        duck.run(&format!("DETACH {};", identifier(&name)));
    });
}

/// Returns the warehouse of a request line such as `GET /v1/config?warehouse=…`.
fn warehouse_in(line: &str) -> String {
    let path = line.strip_prefix("GET ").unwrap();
    let url = reqwest::Url::parse(&format!("http://localhost{path}")).unwrap();
    let [(name, value)] = &url.query_pairs().collect::<Vec<_>>()[..] else {
        panic!("{line}")
    };
    assert_eq!(name, "warehouse");
    value.clone().into_owned()
}

#[test]
fn a_table_is_found_whatever_its_names() {
    let duck = DuckDbShell::start();
    check_property(
        300,
        (catalog_name(), text(), text()),
        |(name, schema, table)| {
            let catalog = identifier(&name);
            duck.run(&format!("ATTACH ':memory:' AS {catalog};"));
            let whole = TableName::new(&schema, &table).in_catalog(&name);
            duck.run(&format!("CREATE SCHEMA {catalog}.{};", identifier(&schema)));
            duck.run(&format!(
                "CREATE TABLE {whole} AS SELECT {} AS it;",
                literal(&table)
            ));
            let table = TableName::new(schema, table);
            for step in [
                tables::read_table(&name, &table, false),
                tables::list_tables(&name),
            ] {
                step.statements
                    .iter()
                    .for_each(|statement| duck.run(statement));
            }
            duck.run(&tables::read_row(&name, &table));
            duck.assert_value(&format!("FROM {whole}"), &table.table);
            duck.run(&format!("DETACH {catalog};"));
        },
    );
}

#[test]
fn an_error_is_told_as_it_was_whatever_it_says() {
    let duck = DuckDbShell::start();
    // Lines that the command line would take for its own, outside of quotes.
    let line = prop_oneof![text(), Just(".quit".to_owned()), Just("go".to_owned())];
    let error = prop::collection::vec(line, 1..4).prop_map(|lines| lines.join("\n"));
    let [keys, _] = access_steps(&session_config("lake", "", "http://localhost"));
    check_property(200, error, |error| {
        for statement in record_problem(&keys, &error) {
            duck.run(&statement);
        }
        duck.assert_value("SELECT error FROM memory.problems", &error);
        duck.assert_value("SELECT try_again FROM memory.problems", &keys.try_again);
        duck.run("DROP TABLE memory.problems;");
    });
}
