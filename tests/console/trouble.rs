//! Two tabs, a DuckDB that ends, and a session that ends, in the console.

use serde_json::json;
use test_support::{duckdb_pids, signal, wait_until};

use super::OpenConsole;
use crate::local::stop_session;

#[tokio::test]
async fn what_ends_is_noticed_and_cells_are_not_lost() {
    let console = OpenConsole::start().await;
    let browser = &console.browser;
    console.run("SELECT 'kept' AS word").await;
    console.wait_for_row(&["kept"]).await;
    let saved = wait_until(
        async || console.call("notebooks", json!({})).await,
        |it| it["notebooks"][0]["cells"] == 1,
    );
    let saved = saved.await;

    // Another tab changes the same notebook.
    let id = saved["notebooks"][0]["id"].clone();
    let notebook = console.call("notebook", json!({ "id": id })).await;
    let theirs = json!({
        "id": id, "title": "Changed elsewhere", "version": notebook["version"],
        "cells": [{ "id": "theirs", "kind": "sql", "text": "SELECT 'theirs'" }],
    });
    let changed = console.call("save", theirs).await;
    assert!(changed["version"].is_number(), "{changed}");
    console.run_in_new_cell("SELECT 'mine' AS word").await;
    browser.wait_for_text("Keep mine as a copy").await;
    browser.save_screenshot("console-7-conflict").await;
    browser.press_button("Keep mine as a copy").await;
    wait_until(
        async || console.call("notebooks", json!({})).await,
        |it| it["notebooks"].as_array().is_some_and(|all| all.len() == 2),
    )
    .await;

    // DuckDB is killed, and started again.
    for pid in duckdb_pids(&console.session) {
        signal("KILL", pid).await;
    }
    console.run_in_new_cell("SELECT 'after' AS word").await;
    browser.wait_for_text("DuckDB was restarted").await;
    browser.save_screenshot("console-8-restarted").await;
    browser.wait_for_text("SELECT 'mine'").await;

    stop_session(&console.home.ana).await;
    browser.press_button("Run all").await;
    browser.wait_for_text("has ended").await;
    browser.save_screenshot("console-9-ended").await;
    console.home.assert_clean().await;
}
