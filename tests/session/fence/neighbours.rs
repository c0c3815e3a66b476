//! Other sessions on the same machine.

use duckbot::duckdb::confine;
use serde_json::json;
use test_support::{Session, lake};

const KEY_ID: &str = "AKIANEIGHBOURS";
const SECRET: &str = "a-secret-of-neighbours";
/// DuckDB's UI server reads this many bytes at once, and forgets the rest of them after a request.
const READ_BYTES: usize = 4096;

/// The headers of DuckDB's own requests can contain line breaks, and so whole requests.
#[tokio::test]
async fn no_session_can_query_the_duckdb_of_another_one() {
    if !confine::is_supported() {
        eprintln!("skipped: this system has no Landlock");
        return;
    }
    lake().s3.add_key(KEY_ID, SECRET);
    let confined = [
        ("DUCKDB_FOLDERS", "s3://,https://,http://"),
        ("DUCKDB_CONFINED", "true"),
    ];
    let mut session = Session::start_with(KEY_ID, SECRET, &confined);
    let mut other = Session::start_with(KEY_ID, SECRET, &confined);
    session.wait_until_prepared().await;
    other.wait_until_prepared().await;
    let host = format!("localhost:{}", other.port());
    let sql = "CREATE TABLE memory.main.planted AS SELECT 42";
    let before = format!("HEAD /info HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\nX-A: ");
    let padding = "a".repeat(READ_BYTES - before.len() - "\r\n\r\n".len());
    let header = format!(
        "{padding}\r\n\r\nPOST /ddb/run HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\n\
         X-DuckDB-UI-Connection-Name: planted\r\nContent-Length: {}\r\n\r\n{sql}",
        sql.len()
    );
    let header = header.replace('\r', "' || chr(13) || '");
    let header = header.replace('\n', "' || chr(10) || '");
    let secret = format!(
        "CREATE SECRET planted (TYPE http, EXTRA_HTTP_HEADERS MAP {{'X-A': '{header}'}}, \
         SCOPE 'http://{host}')"
    );
    assert_eq!(session.run_sql(&secret).await, Ok(()));
    let url = format!("FROM read_blob('http://{host}/info')");
    let error = session.run_sql(&url).await.unwrap_err();
    assert!(error.contains("Could not connect"), "{error}");
    let tables = "SELECT table_name FROM duckdb_tables() WHERE table_name = 'planted'";
    assert_eq!(other.rows(tables).await, Ok(json!([])));
}
