//! A notebook in the console: cells, errors, charts, and what is saved.

use serde_json::json;
use test_support::wait_until;

use super::OpenConsole;
use crate::local::stop_session;

/// Alternative text of the chart that is shown.
const CHART: &str = "return [...document.querySelectorAll('[data-chart] img')]
    .filter((it) => it.naturalWidth > 0).map((it) => it.alt)[0]";

/// Compressed bytes of the page and all that it has loaded.
const LOADED: &str =
    "return performance.getEntries().reduce((sum, it) => sum + (it.encodedBodySize ?? 0), 0)";
/// Maximum of them, so that the page also opens soon with a slow connection.
const MAX_BYTES: u64 = 250_000;

/// Kinds of the cells of a notebook that was exported and imported. Its text has each kind of line break.
const IMPORTED_KINDS: &str =
    "const { toSql, fromSql } = await import('/.duckbot/console/sql-file.js');
    const cells = [{ kind: 'text', text: 'a\\rb\\r\\nc\\nd' }, { kind: 'sql', text: 'SELECT 1' }];
    return fromSql(toSql({ title: 'Ducks', cells }), '').cells.map((it) => it.kind)";

#[tokio::test]
async fn ana_runs_cells_draws_a_chart_and_finds_her_notebook_again() {
    let console = OpenConsole::start().await;
    let browser = &console.browser;
    let loaded = browser.run_script(LOADED).await.as_u64().unwrap();
    assert!((100_000..MAX_BYTES).contains(&loaded), "{loaded} bytes");
    let kinds = browser.run_script(IMPORTED_KINDS).await;
    assert_eq!(kinds, json!(["text", "sql"]), "a line of a text became SQL");

    let ducks = "SELECT * FROM (VALUES ('mallard', 1100), ('teal', 330)) AS ducks(species, grams)";
    console.run(ducks).await;
    console.wait_for_row(&["mallard", "1100"]).await;
    browser.wait_for_text("2 rows").await;
    browser.save_screenshot("console-1-rows").await;

    browser.press_button("Chart").await;
    let chart = wait_until(
        async || browser.run_script(CHART).await,
        |it| it.is_string(),
    )
    .await;
    assert_eq!(chart, "Bars of grams by species: mallard 1,100, teal 330.");
    browser.save_screenshot("console-2-chart").await;

    // An error is marked in the text, with DuckDB's hint.
    console
        .run_in_new_cell("SELECT grms FROM (SELECT 1 AS grams)")
        .await;
    browser.wait_for_text("Candidate bindings: \"grams\"").await;
    browser.wait_for_text("Go to line 1").await;
    browser.save_screenshot("console-3-error").await;
    console.run_in_new_cell("SELECT 1 AS a, 2 AS a").await;
    console.wait_for_row(&["1", "2"]).await;
    console
        .run_in_new_cell("CREATE TABLE nest AS SELECT 7 AS eggs")
        .await;
    // The tree shows it without a reload.
    browser.wait_for_text("nest").await;

    // The notebook is saved as she types, and is there after a reload.
    wait_until(
        async || console.call("notebooks", json!({})).await,
        |it| it["notebooks"][0]["cells"] == 4,
    )
    .await;
    browser.open(&format!("{}/", console.origin)).await;
    browser.wait_for_text("CREATE TABLE nest").await;
    browser.press_button("History").await;
    browser.wait_for_text("SELECT grms").await;
    browser.save_screenshot("console-4-history").await;
    console.assert_asked_nobody_else().await;
    let home = console.home;
    stop_session(&home.ana).await;
    home.assert_clean().await;
}
