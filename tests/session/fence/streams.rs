//! The streams and stored secrets of a session's DuckDB.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::json;
use tempfile::TempDir;
use test_support::{Session, lake};

use super::folder_with_stored_secret;

const KEY_ID: &str = "AKIASTREAMS";
const SECRET: &str = "a-secret-beside-streams";

/// Pipes and sockets of a process, each with its path.
fn streams_of(process: &str) -> Vec<(PathBuf, String)> {
    let entries = fs::read_dir(format!("/proc/{process}/fd")).unwrap();
    let links = entries.map(|entry| {
        let path = entry.unwrap().path();
        (
            fs::read_link(&path).unwrap_or_default(),
            path.to_str().unwrap().to_owned(),
        )
    });
    let is_stream = |link: &Path| {
        let link = link.to_str().unwrap();
        ["pipe:", "socket:"]
            .iter()
            .any(|kind| link.starts_with(kind))
    };
    links.filter(|(link, _)| is_stream(link)).collect()
}

#[tokio::test]
async fn sql_can_not_write_to_the_command_line() {
    lake().s3.add_key(KEY_ID, SECRET);
    let mut session = Session::start(KEY_ID, SECRET);
    session.wait_until_prepared().await;
    let folder = TempDir::new().unwrap();
    let ran = folder.path().join("ran");
    let line = format!(".shell touch {}", ran.display());
    let inherited = streams_of("self");
    let output = streams_of(&session.id().to_string());
    let output: Vec<_> = output
        .iter()
        .filter(|(_, path)| path.ends_with("/fd/1") || path.ends_with("/fd/2"))
        .collect();
    let streams = [session.id(), session.duckdb()].map(|it| streams_of(&it.to_string()));
    let known = |link: &PathBuf| {
        let others = inherited.iter().chain(output.iter().copied());
        others.map(|(link, _)| link).any(|it| it == link)
    };
    let streams = streams
        .concat()
        .into_iter()
        .filter(|(link, _)| !known(link));
    let streams = streams.map(|(_, path)| path);
    let by_name = ["/dev/stdin", "/dev/stderr", "/proc/self/fd/0"].map(str::to_owned);
    for stream in streams.chain(by_name) {
        let write = format!(
            "COPY (SELECT '{line}') TO '{stream}' \
             (FORMAT csv, HEADER false, QUOTE '', USE_TMP_FILE false)"
        );
        let written = session.run_sql(&write).await;
        assert!(written.is_err(), "SQL can write to {stream}");
    }
    let rows = session.rows("SELECT 42 AS n").await;
    assert_eq!(rows, Ok(json!([{"n": 42}])));
    assert!(!ran.exists());
    assert!(!session.log().contains(".shell"), "{}", session.log());
}

#[tokio::test]
async fn a_secret_that_is_stored_in_the_home_is_lent_to_nobody() {
    lake().s3.add_key(KEY_ID, SECRET);
    let home = folder_with_stored_secret();
    let path = home.path().to_str().unwrap();
    let mut session = Session::start_with(KEY_ID, SECRET, &[("HOME", path)]);
    session.wait_for_log("the session is prepared").await;
    let secrets = session.rows("SELECT name FROM duckdb_secrets()").await;
    assert_eq!(secrets, Ok(json!([{"name": "s3"}])));
    let store = "CREATE PERSISTENT SECRET mine (TYPE s3, KEY_ID 'a', SECRET 'b')";
    let error = session.run_sql(store).await.unwrap_err();
    assert!(error.contains("Persistent secrets are disabled"), "{error}");
}
