//! The page, and when it is shown.

use serde_json::json;
use test_support::{ConsoleTab, Door, DuckDb, HOST, ORIGIN, wait_until};

use super::start;

#[tokio::test]
async fn the_page_and_its_files_come_from_the_door_alone() {
    let (_duckdb, door) = start().await;
    let tab = ConsoleTab::open(&door, "a").await;
    let page = tab.get("/.duckbot/console").await;
    let policy = page.headers()["content-security-policy"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(
        policy.starts_with("default-src 'self'; style-src 'self' 'nonce-"),
        "{policy}"
    );
    let again = tab.get("/.duckbot/console").await;
    assert_ne!(
        again.headers()["content-security-policy"],
        policy.as_str(),
        "a nonce per page"
    );
    assert_eq!(
        tab.get("/").await.text().await.unwrap().len(),
        page.text().await.unwrap().len()
    );
    for path in [
        "/assets/index.js",
        "/config",
        "/.duckbot/console/editor.js",
        "/.duckbot/x",
    ] {
        assert_eq!(tab.get(path).await.status(), 404, "{path}");
    }
    for path in ["/.duckbot/console", "/.duckbot/console/info"] {
        let answer = door.get(path).send().await.unwrap();
        assert_eq!(answer.status(), 401, "{path}");
    }
    let call = door
        .post("/.duckbot/console/databases", "{}")
        .send()
        .await
        .unwrap();
    assert_eq!(call.status(), 401);
    let elsewhere = format!(
        "POST /.duckbot/console/databases HTTP/1.1\r\nhost: {HOST}\r\norigin: {ORIGIN}.evil.example\r\n\
         content-length: 2\r\nconnection: close\r\n\r\n{{}}"
    );
    assert!(door.send_raw(&elsewhere).await.starts_with("HTTP/1.1 403"));
}

#[tokio::test]
async fn a_door_of_before_has_no_console() {
    let (_duckdb, port) = DuckDb::start_ui().await;
    let door = Door::start(port).await;
    let tab = ConsoleTab::open(&door, "a").await;
    assert_eq!(tab.get("/.duckbot/console").await.status(), 404);
}

#[tokio::test]
async fn without_duckdbs_pages_the_console_is_shown() {
    // Nobody listens at the proxy, so DuckDB can't fetch the pages.
    let (mut duckdb, port) = DuckDb::start_at_port().await;
    duckdb
        .run("SET GLOBAL http_proxy = '127.0.0.1:1'; CALL start_ui_server();")
        .await;
    let door = Door::start_with(port, &[("DOOR_UI", "auto")]).await;
    wait_until(async || door.readiness().await, |it| *it == 200).await;
    let tab = ConsoleTab::open(&door, "a").await;
    let page = tab.get("/").await;
    assert!(page.headers().contains_key("content-security-policy"));
    assert_eq!(page.status(), 200);
    assert_eq!(tab.call("info", json!({})).await["duckdb_ui"], false);
    let page = tab.get("/?ui=duckdb").await;
    assert_eq!(page.status(), 502);
    let page = page.text().await.unwrap();
    assert!(
        page.contains("The console works without these pages."),
        "{page}"
    );
}
