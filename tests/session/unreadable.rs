//! Tables that can't be read. They are no sign of wrong credentials if others can be read.

use std::time::Duration;

use serde_json::{Value, json};
use test_support::{Session, TreeCatalog, TreeTable, lake};

const DUCKS: &str = "SELECT count(*) AS ducks FROM lake.pond.species";

/// Starts a session with working credentials and the tables of `catalog`.
async fn session(key_id: &str, catalog: &TreeCatalog) -> Session {
    lake().s3.add_key(key_id, "a-secret-beside-odd-tables");
    let endpoint = [("CATALOG_ENDPOINT", &*catalog.url())];
    let mut session = Session::start_with(key_id, "a-secret-beside-odd-tables", &endpoint);
    session.wait_until_prepared().await;
    session
}

#[tokio::test]
async fn one_table_that_can_not_be_read_is_no_problem_of_the_credentials() {
    for (at, first) in [
        TreeTable::Status(403),
        TreeTable::Status(404),
        TreeTable::Status(500),
        TreeTable::UnknownType,
        TreeTable::Empty,
    ]
    .into_iter()
    .enumerate()
    {
        let catalog = TreeCatalog::start([
            (vec!["aaa"], "secret", first.clone()),
            (vec!["pond"], "species", TreeTable::Ducks),
        ])
        .await;
        let session = session(&format!("AKIAUNREADABLE{at}"), &catalog).await;
        let ducks = session.rows(DUCKS).await;
        assert_eq!(ducks, Ok(json!([{"ducks": 2}])), "{}", session.log());
        let error = session.rows("FROM memory.problems").await.unwrap_err();
        assert!(
            error.contains("problems does not exist"),
            "{first:?}: {error}"
        );
    }
}

#[tokio::test]
async fn an_empty_name_does_not_end_the_session() {
    let catalog = TreeCatalog::start([
        (vec![""], "nameless", TreeTable::Ducks),
        (vec!["pond"], "", TreeTable::Ducks),
        (vec!["pond"], "species", TreeTable::Ducks),
    ])
    .await;
    let session = session("AKIANAMELESS", &catalog).await;
    let ducks = session.rows(DUCKS).await;
    assert_eq!(ducks, Ok(json!([{"ducks": 2}])), "{}", session.log());
    let problems = session.problems().await;
    assert_eq!(problems.as_array().unwrap().len(), 1, "{problems}");
    let error = problems[0]["error"].as_str().unwrap();
    assert!(error.contains("has an empty name"), "{error}");
}

#[tokio::test]
async fn tables_none_of_which_can_be_read_are_named() {
    let names: Vec<_> = (0..40).map(|number| format!("n{number:02}")).collect();
    let tables = names
        .iter()
        .map(|name| (vec![name.as_str()], "secret", TreeTable::Status(403)));
    let catalog = TreeCatalog::start(tables).await;
    let session = session("AKIAUNREADABLE", &catalog).await;
    let problems = session.problems().await;
    assert_eq!(problems.as_array().unwrap().len(), 1, "{problems}");
    let what = problems[0]["what"].as_str().unwrap();
    assert_eq!(what, "Loading a table of lake from the catalog");
    let error = problems[0]["error"].as_str().unwrap();
    assert!(error.contains("lake.n00.secret: "), "{error}");
    assert!(error.contains("You may not"), "{error}");
    assert!(!what.contains("S3") && !error.contains("S3"), "{error}");
    let asked = catalog.requests();
    let loaded = asked.iter().filter(|line| line.ends_with("/tables/secret"));
    assert!(loaded.count() < 40, "only some tables are tried");
}

#[tokio::test]
async fn an_empty_table_hides_no_wrong_credentials() {
    let catalog = TreeCatalog::start([
        (vec!["aaa"], "empty", TreeTable::Empty),
        (vec!["pond"], "species", TreeTable::Ducks),
    ])
    .await;
    let endpoint = [("CATALOG_ENDPOINT", &*catalog.url())];
    let mut session = Session::start_with("AKIANOBODYKNOWS", "an-unknown-secret", &endpoint);
    session.wait_until_prepared().await;
    let problems = session.problems().await;
    assert_eq!(
        problems[0]["what"],
        "Reading a table of lake with your S3 credentials"
    );
    let error = problems[0]["error"].as_str().unwrap();
    assert!(error.contains("lake.pond.species: HTTP Error"), "{error}");
}

#[tokio::test]
async fn a_slow_catalog_holds_up_neither_the_start_nor_the_tables() {
    let names: Vec<_> = (0..200).map(|number| format!("n{number:03}")).collect();
    let tables = names
        .iter()
        .map(|name| (vec![name.as_str()], "ducks", TreeTable::Ducks));
    let catalog = TreeCatalog::start(tables).await;
    catalog.delay(Duration::from_millis(500));
    let fence = ("DUCKDB_FOLDERS", "s3://lake/");
    let endpoint = ("CATALOG_ENDPOINT", &*catalog.url());
    lake().s3.add_key("AKIASLOW", "a-secret-of-slow-tables");
    // With folders, the UI opens only after the tables were tried.
    let mut session =
        Session::start_with("AKIASLOW", "a-secret-of-slow-tables", &[fence, endpoint]);
    session.wait_until_prepared().await;
    // DuckDB itself needs 100 s to list them.
    let listed = catalog.requests();
    assert!(listed.len() < 400, "{}", listed.len());
    let ducks = session
        .rows("SELECT count(*) AS ducks FROM lake.n199.ducks")
        .await;
    assert_eq!(ducks, Ok(json!([{"ducks": 2}])), "{}", session.log());
    let problems = session.rows("FROM memory.problems").await;
    assert!(problems.is_err(), "{problems:?}");
}

#[tokio::test]
async fn a_catalog_that_moved_is_refused_by_name() {
    let catalog = TreeCatalog::start([(vec!["pond"], "species", TreeTable::Ducks)]).await;
    let elsewhere = json!({ "defaults": {}, "overrides": { "uri": "http://catalog.example:1/lake", "prefix": "x" } });
    catalog.set_config(elsewhere);
    let session = session("AKIAMOVED", &catalog).await;
    let problems = session.problems().await;
    let [what, error] = ["what", "error"].map(|column| match &problems[0][column] {
        Value::String(text) => text.clone(),
        other => panic!("{column} is {other}"),
    });
    assert_eq!(what, "Listing the tables of lake");
    assert!(error.contains("http://catalog.example:1/lake"), "{error}");
}
