//! Start and end of a session, and its resource limits.

use std::{collections::HashMap, fs, time::Duration};

use test_support::{Session, WAIT_TIMEOUT, lake, signal};

/// Grace period of the Pod.
const GRACE: Duration = Duration::from_secs(5);
/// Time in which a query has certainly started.
const A_MOMENT: Duration = Duration::from_millis(200);

#[tokio::test]
async fn a_query_that_needs_too_much_memory_fails_alone() {
    lake().s3.add_key("AKIAHUNGRY", "a-hungry-secret");
    let mut session = Session::start("AKIAHUNGRY", "a-hungry-secret");
    session.wait_until_prepared().await;
    let settings = "SELECT current_setting('memory_limit') AS memory, \
                    current_setting('threads') AS threads, \
                    current_setting('max_temp_directory_size') AS disk";
    let settings = session.rows(settings).await.unwrap();
    assert_eq!(settings[0]["memory"], "640.0 MiB");
    assert_eq!(settings[0]["threads"], 2);
    assert_eq!(settings[0]["disk"], "80.0 MiB");
    let hungry = "SELECT len(list(repeat('x', 1000) || range)) AS n FROM range(3_000_000)";
    let error = session.rows(hungry).await.unwrap_err();
    assert!(error.contains("Out of Memory Error"), "{error}");
    let rows = session
        .rows("SELECT count(*) AS n FROM lake.zoo.ducks")
        .await;
    assert_eq!(rows.unwrap()[0]["n"], 2);
}

#[tokio::test]
async fn told_to_stop_it_ends_whatever_it_does() {
    lake().s3.add_key("AKIABUSY", "a-busy-secret");
    let mut session = Session::start("AKIABUSY", "a-busy-secret");
    session.wait_until_prepared().await;
    let duckdb = format!("/proc/{}", session.duckdb());
    let endless = "SELECT sum(a.range * b.range) FROM range(10_000_000) a, range(10_000_000) b";
    let busy = tokio::time::timeout(A_MOMENT, session.run_sql(endless)).await;
    assert!(busy.is_err(), "{busy:?}");
    assert!(fs::exists(&duckdb).unwrap());
    let ended = session.terminate(GRACE).await;
    assert_eq!(ended.expect("the session ended in time").code(), Some(0));
    assert!(
        !fs::exists(&duckdb).unwrap(),
        "DuckDB must end with the session"
    );
}

#[tokio::test]
async fn told_to_stop_while_it_starts_it_ends_too() {
    let mut session = Session::start("AKIAHASTY", "a-hasty-secret");
    session.wait_for_log("Starting DuckDB's UI: done").await;
    let ended = session
        .terminate(GRACE)
        .await
        .expect("the session ended in time");
    assert_eq!(ended.code(), Some(0));
}

#[tokio::test]
async fn a_duckdb_that_crashes_takes_the_session_with_it() {
    let mut session = Session::start("AKIACRASH", "a-secret-in-a-crash");
    session.wait_until_prepared().await;
    signal("SEGV", session.duckdb()).await;
    let ended = session
        .wait(WAIT_TIMEOUT)
        .await
        .expect("the session ended in time");
    assert_eq!(ended.code(), Some(128 + 11), "{}", session.log());
}

#[tokio::test]
async fn without_a_ui_there_is_no_session() {
    let empty = tempfile::TempDir::new().unwrap();
    let nowhere = [("DUCKDB_EXTENSIONS", empty.path().to_str().unwrap())];
    let mut session = Session::start_with("AKIANOUI", "a-secret-without-ui", &nowhere);
    session.wait_for_log("Loading DuckDB's UI failed").await;
    assert_eq!(session.wait(WAIT_TIMEOUT).await.unwrap().code(), Some(1));
}

#[tokio::test]
async fn a_wrong_environment_is_told_whole() {
    let mut session = Session::spawn(&HashMap::from([
        ("S3_ENDPOINT", "minio:9000"),
        ("S3_PATH_STYLE", "yes"),
        ("S3_SECRET_ACCESS_KEY", "a-secret-in-a-wrong-place"),
        ("CATALOG_NAME", "la\nke"),
        ("DUCKDB_MEMORY", "4Gi"),
    ]));
    assert_eq!(session.wait(WAIT_TIMEOUT).await.unwrap().code(), Some(2));
    session.wait_for_log("CATALOG_ENDPOINT is missing.").await;
    for mistake in [
        "S3_ENDPOINT must begin with https:// or http://; it is \"minio:9000\".",
        "S3_PATH_STYLE must be true or false; it is \"yes\".",
        "CATALOG_NAME must not contain control characters; it is \"la\\nke\".",
        "DUCKDB_MEMORY must be a whole number, at least 1; it is \"4Gi\".",
        "DUCKDB_THREADS is missing.",
        "S3_ACCESS_KEY_ID is missing.",
    ] {
        assert!(session.log().contains(mistake), "{}", session.log());
    }
}

/// Credentials in every field; the test checks that they appear nowhere.
#[tokio::test]
async fn credential_values_are_shown_to_nobody() {
    const CANARIES: [(&str, &str); 6] = [
        ("S3_ACCESS_KEY_ID", "canary-key-id"),
        ("S3_SECRET_ACCESS_KEY", "canary-secret-key"),
        ("S3_SESSION_TOKEN", "canary-session-token"),
        ("CATALOG_TOKEN", "canary-catalog-token"),
        ("CATALOG_OAUTH2_CLIENT_ID", "canary-client-id"),
        ("CATALOG_OAUTH2_CLIENT_SECRET", "canary-client-secret"),
    ];
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("init.sql");
    // Make DuckDB quote them in its errors.
    let names = CANARIES.map(|(name, _)| format!("SELECT error(getenv('{name}'));"));
    fs::write(&file, names.join("\n")).unwrap();
    let init = ("DUCKDB_INIT", file.to_str().unwrap());
    for without_token in [false, true] {
        let mut variables: Vec<_> = CANARIES.into_iter().chain([init]).collect();
        variables.retain(|(name, _)| !(without_token && *name == "CATALOG_TOKEN"));
        let mut session = Session::start_with("", "", &variables);
        session.wait_until_prepared().await;
        let problems = session.problems().await.to_string();
        for (name, _) in CANARIES.into_iter().take(3) {
            assert!(problems.contains(&format!("<{name}>")), "{problems}");
        }
        let secrets = session.rows("SELECT * EXCLUDE secret_string FROM duckdb_secrets()");
        let secrets = secrets.await.unwrap().to_string();
        let ids = [session.id(), session.duckdb()];
        let lines = ids.map(|id| fs::read(format!("/proc/{id}/cmdline")).unwrap());
        let lines = lines.map(|line| String::from_utf8(line).unwrap());
        let log = session.log();
        for place in [&log, &problems, &secrets, &lines[0], &lines[1]] {
            assert!(!place.contains("canary"), "{place}");
        }
    }
}
