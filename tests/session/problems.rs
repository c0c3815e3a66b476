//! Failures that don't keep the UI from starting. The person finds them in the table `memory.problems`,
//! next to the statement that tries again.

use serde_json::Value;
use test_support::{ReservedPort, Server, Session, lake, tools};

const COUNT: &str = "SELECT count(*) AS ducks FROM lake.zoo.ducks";

/// Returns the only problem: what failed, the error, and the statement that tries again.
async fn only_problem(session: &Session) -> [String; 3] {
    let problems = session.problems().await;
    assert_eq!(problems.as_array().unwrap().len(), 1, "{problems}");
    ["what", "error", "try_again"].map(|column| match &problems[0][column] {
        Value::String(text) => text.clone(),
        other => panic!("{column} is {other}"),
    })
}

/// Runs the statement that tries again, and checks that the table can be read.
async fn assert_retry_works(session: &Session, try_again: &str) {
    assert_eq!(session.run_sql(try_again).await, Ok(()));
    let rows = session.rows(COUNT).await.unwrap();
    assert_eq!(rows[0]["ducks"], 2);
}

#[tokio::test]
async fn the_catalog_is_down() {
    try_without_catalog("").await;
}

#[tokio::test]
async fn the_catalog_is_down_where_settings_are_locked() {
    try_without_catalog("s3://lake/").await;
}

/// Starts a session with these folders, if there are any, before its catalog.
async fn try_without_catalog(folders: &str) {
    lake()
        .s3
        .add_key("AKIANOCATALOG", "a-secret-without-catalog");
    let mut port = ReservedPort::reserve();
    let url = port.url();
    let mut session = Session::start_with(
        "AKIANOCATALOG",
        "a-secret-without-catalog",
        &[("CATALOG_ENDPOINT", &url), ("DUCKDB_FOLDERS", folders)],
    );
    session.wait_until_prepared().await;
    let [what, error, try_again] = only_problem(&session).await;
    assert_eq!(what, "Attaching the catalog lake");
    assert!(error.contains("Could not connect to server"), "{error}");
    assert_eq!(
        session.run_sql(&try_again).await.unwrap_err(),
        error,
        "the catalog is still down"
    );
    port.forward_to(&lake().catalog);
    assert_retry_works(&session, &try_again).await;
}

#[tokio::test]
async fn the_authorization_server_is_down() {
    lake().s3.add_key("AKIANOSERVER", "a-secret-without-server");
    let mut port = ReservedPort::reserve();
    let server = format!("{}/v1/oauth/tokens", port.url());
    let client = [
        ("CATALOG_OAUTH2_CLIENT_ID", "duck-team"),
        ("CATALOG_OAUTH2_CLIENT_SECRET", "the-clients-secret"),
        ("CATALOG_OAUTH2_SERVER_URI", &server),
    ];
    let mut session = Session::start_with("AKIANOSERVER", "a-secret-without-server", &client);
    session.wait_until_prepared().await;
    let [what, error, try_again] = only_problem(&session).await;
    assert_eq!(what, "Attaching the catalog lake");
    assert!(error.contains("Could not get token"), "{error}");
    port.forward_to(&lake().catalog);
    assert_retry_works(&session, &try_again).await;
}

#[tokio::test]
async fn s3_is_down() {
    lake().s3.add_key("AKIANOS3", "a-secret-without-s3");
    let mut port = ReservedPort::reserve();
    let url = port.url();
    let endpoint = [("S3_ENDPOINT", url.as_str())];
    let mut session = Session::start_with("AKIANOS3", "a-secret-without-s3", &endpoint);
    session.wait_until_prepared().await;
    let [what, error, try_again] = only_problem(&session).await;
    assert_eq!(what, "Reading a table of lake with your S3 credentials");
    assert!(error.contains("Could not connect to server"), "{error}");
    port.forward_to(&lake().s3.url());
    assert_retry_works(&session, &try_again).await;
}

#[tokio::test]
async fn the_credentials_are_wrong_for_now() {
    let mut session = Session::start("AKIAEARLY", "a-secret-not-known-yet");
    session.wait_until_prepared().await;
    let [what, error, try_again] = only_problem(&session).await;
    assert_eq!(what, "Reading a table of lake with your S3 credentials");
    assert!(error.contains("HTTP 403"), "{error}");
    lake().s3.add_key("AKIAEARLY", "a-secret-not-known-yet");
    assert_retry_works(&session, &try_again).await;
}

#[tokio::test]
async fn the_ui_waits_for_nobody() {
    let silent = Server::start(|_| axum::Router::new()).await;
    silent.hang();
    let url = silent.url();
    let endpoint = [("CATALOG_ENDPOINT", url.as_str())];
    let session = Session::start_with("AKIAPATIENT", "a-patient-secret", &endpoint);
    session.wait_for_ui().await;
    // DuckDB waits for the unresponsive catalog, but the UI answers.
    while silent.requests().is_empty() {
        tokio::task::yield_now().await;
    }
    let rows = session.rows("SELECT 42 AS answer").await.unwrap();
    assert_eq!(rows[0]["answer"], 42);
    assert!(!session.log().contains("prepared"), "{}", session.log());
}

#[tokio::test]
async fn an_admins_sql_runs_last_and_may_fail() {
    lake().s3.add_key("AKIAADMIN", "a-secret-beside-an-admin");
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("their own.sql");
    let sql = "CREATE VIEW heavy AS FROM lake.zoo.ducks WHERE grams > 1000;\n\
               CREATE VIEW wrong AS SELECT nonsense;\n\
               CREATE TABLE after_it (a INT);\n\
               SELECT 'this is left open";
    std::fs::write(&file, sql).unwrap();
    let init = [("DUCKDB_INIT", file.to_str().unwrap())];
    let mut session = Session::start_with("AKIAADMIN", "a-secret-beside-an-admin", &init);
    session.wait_until_prepared().await;
    let heavy = session.rows("FROM heavy").await.unwrap();
    assert_eq!(heavy[0]["name"], "mallard");
    assert_eq!(session.run_sql("FROM after_it").await, Ok(()));
    let [what, error, try_again] = only_problem(&session).await;
    assert_eq!(what, format!("Running {}", file.display()));
    assert!(error.contains("\"nonsense\" was not found"), "{error}");
    assert!(error.contains("unterminated"), "{error}");
    assert_eq!(try_again, sql);
}

#[tokio::test]
async fn credentials_that_are_common_words_confuse_nobody() {
    let mut session = Session::start("duckbot", "end of statement");
    session.wait_until_prepared().await;
    let [what, ..] = only_problem(&session).await;
    assert_eq!(what, "Reading a table of lake with your S3 credentials");
}

#[tokio::test]
async fn further_extensions_are_loaded_and_a_missing_one_is_no_obstacle() {
    lake().s3.add_key("AKIAFURTHER", "a-secret-with-more");
    let extensions = tools::duckdb_with(&["spatial"]).join("extensions");
    let further = [
        ("DUCKDB_EXTENSIONS", extensions.to_str().unwrap()),
        ("DUCKDB_FURTHER_EXTENSIONS", "excel,spatial"),
    ];
    let mut session = Session::start_with("AKIAFURTHER", "a-secret-with-more", &further);
    session.wait_until_prepared().await;
    let [what, error, try_again] = only_problem(&session).await;
    assert_eq!(what, "Loading the extension excel");
    assert!(
        error.contains("excel.duckdb_extension\" not found"),
        "{error}"
    );
    assert_eq!(try_again, "LOAD excel;");
    let distance = session.rows("SELECT ST_Distance(ST_Point(0, 0), ST_Point(3, 4)) AS far");
    assert_eq!(distance.await.unwrap()[0]["far"], 5.0);
    assert_eq!(session.rows(COUNT).await.unwrap()[0]["ducks"], 2);
}
