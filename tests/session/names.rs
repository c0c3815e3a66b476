//! Names of namespaces and tables: levels, dots, and all characters that the catalog's
//! specification allows.

use std::collections::BTreeSet;

use duckbot::duckdb::names::{TableName, display_identifier};
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, TestRunner},
};
use serde_json::json;
use test_support::{Nesting, Session, TreeCatalog, TreeTable, lake};

const KEY_ID: &str = "AKIANAMES";
const SECRET: &str = "a-secret-with-odd-names";

async fn session(catalog: &TreeCatalog) -> Session {
    lake().s3.add_key(KEY_ID, SECRET);
    let endpoint = [("CATALOG_ENDPOINT", &*catalog.url())];
    let mut session = Session::start_with(KEY_ID, SECRET, &endpoint);
    session.wait_until_prepared().await;
    session
}

fn ducks<'a>(namespaces: &[&'a [&'a str]]) -> Vec<(Vec<&'a str>, &'a str, TreeTable)> {
    let table = |levels: &&'a [&'a str]| (levels.to_vec(), "ducks", TreeTable::Ducks);
    namespaces.iter().map(table).collect()
}

/// Names of all schemas with tables, as DuckDB lists them.
async fn listed_schemas(session: &Session) -> serde_json::Value {
    let all = "SELECT DISTINCT schema_name AS name FROM duckdb_tables() \
               WHERE database_name = 'lake' ORDER BY name";
    session.rows(all).await.unwrap()
}

async fn assert_reads(session: &Session, name: &str) {
    let rows = session
        .rows(&format!("SELECT count(*) AS ducks FROM {name}"))
        .await;
    assert_eq!(rows, Ok(json!([{"ducks": 2}])), "{name}: {}", session.log());
}

#[tokio::test]
async fn namespaces_in_namespaces_are_listed_and_read() {
    for nesting in [Nesting::Supported, Nesting::WholeTree] {
        assert_lists_levels(nesting).await;
    }
}

async fn assert_lists_levels(nesting: Nesting) {
    let tables = ducks(&[
        &["a", "b", "c"],
        &["a"],
        &["a.dotted"],
        &["main"],
        &["x", "y.z"],
    ]);
    let catalog = TreeCatalog::start(tables).await;
    catalog.set_nesting(nesting);
    catalog.set_page(1);
    let session = session(&catalog).await;
    assert_reads(&session, "lake.\"a.dotted\".ducks").await;
    assert_reads(&session, "lake.\"a.b.c\".ducks").await;
    assert_reads(&session, "lake.main.ducks").await;
    assert_reads(&session, "lake.\"x.y.z\".ducks").await;
    let all = ["a", "a.b.c", "a.dotted", "main", "x.y.z"].map(|name| json!({ "name": name }));
    assert_eq!(listed_schemas(&session).await, json!(all));
}

#[tokio::test]
async fn a_catalog_without_levels_is_listed_once() {
    for nesting in [
        Nesting::Ignored,
        Nesting::Refused(500),
        Nesting::Refused(400),
    ] {
        let catalog = TreeCatalog::start(ducks(&[&["a"], &["b"]])).await;
        catalog.set_nesting(nesting);
        let session = session(&catalog).await;
        let all = ["a", "b"].map(|name| json!({ "name": name }));
        assert_eq!(listed_schemas(&session).await, json!(all), "{nesting:?}");
        assert_reads(&session, "lake.b.ducks").await;
    }
}

/// Any name without control characters, with many that are special in SQL or in URLs.
fn name() -> impl Strategy<Value = String> {
    let special = prop::sample::select(vec![
        "'", "\"", "\"\"", "\\", ";", "--", "/*", "$$", "%", "%2F", "%1F", "?", "&", "#", "=",
        "{}", ".", "..", "select", "main", "Group", " ", "/", "🦆", "é", "+", "@", "`", "1",
        "\u{2028}",
    ]);
    let part = prop_oneof![
        special.prop_map(str::to_owned),
        "[a-z]{1,4}",
        any::<char>()
            .prop_filter("no control characters", |it| !it.is_control())
            .prop_map(String::from),
    ];
    let name = prop::collection::vec(part, 1..5).prop_map(|parts| parts.concat());
    // A URL can't have these names: they mean other paths.
    name.prop_filter("no path", |name| ![".", ".."].contains(&name.as_str()))
}

#[tokio::test]
async fn any_table_is_found_by_its_printed_name() {
    let mut runner = TestRunner::new(Config::default());
    let any = (prop::collection::vec(name(), 1..5), name());
    let mut tables: Vec<(Vec<String>, String)> = vec![
        (vec!["a".into(), "b.c".into()], "x.y".into()),
        (vec!["select".into()], "from".into()),
    ];
    tables.extend((0..60).map(|_| any.new_tree(&mut runner).unwrap().current()));
    // DuckDB joins levels with dots, and ignores case.
    let mut seen = BTreeSet::new();
    tables.retain(|(levels, _)| seen.insert(levels.join(".").to_lowercase()));
    let tree = tables.iter().map(|(levels, name)| {
        let levels = levels.iter().map(String::as_str).collect();
        (levels, name.as_str(), TreeTable::Ducks)
    });
    let catalog = TreeCatalog::start(tree).await;
    let session = session(&catalog).await;
    for (levels, name) in &tables {
        let table = TableName::new(levels.join("."), name.clone());
        assert_reads(&session, &table.in_catalog("lake")).await;
    }
    assert!(session.rows("FROM memory.problems").await.is_err());
    let keywords = "SELECT DISTINCT keyword_name AS name FROM duckdb_keywords() \
                    WHERE keyword_category IN ('reserved', 'type_function')";
    for row in session.rows(keywords).await.unwrap().as_array().unwrap() {
        let name = row["name"].as_str().unwrap();
        assert!(display_identifier(name).starts_with('"'), "{name}");
    }
}
