//! Results in the console: a million rows, a thousand columns, and hostile values.

use serde_json::{Value, json};
use test_support::wait_until;

use super::OpenConsole;
use crate::local::stop_session;

/// Most memory that the page's scripts may use with a million rows. The limit for a tab is 300 MB.
const MAX_SCRIPT_BYTES: u64 = 100 << 20;
/// Keys that move to the last row of a grid: Control is held, the down arrow is pressed.
const TO_THE_END: &str = "\u{E009}\u{E015}\u{E000}";

#[tokio::test]
async fn large_and_hostile_results_are_shown_and_harm_nothing() {
    let console = OpenConsole::start().await;
    let browser = &console.browser;

    // A million rows are never in the browser together.
    let columns: Vec<_> = (1..20).map(|at| format!("range + {at} AS c{at}")).collect();
    let million = format!("SELECT range, {} FROM range(1000000)", columns.join(", "));
    console.run(&million).await;
    browser.wait_for_text("1,000,000 rows").await;
    browser.click("//*[@data-grid]//*[@role='gridcell']").await;
    browser.type_text(TO_THE_END).await;
    let last = |rows: &Vec<Vec<String>>| rows.iter().any(|row| row[0] == "999999");
    wait_until(async || console.grid().await, last).await;
    browser.save_screenshot("console-5-million").await;
    let memory = browser.script_memory().await;
    assert!(memory < MAX_SCRIPT_BYTES, "{memory}");
    let elements = "return document.querySelectorAll('*').length";
    let elements = browser.run_script(elements).await;
    assert!(elements.as_u64().unwrap() < 5000, "{elements}");

    // A thousand columns.
    let columns: Vec<_> = (0..1000).map(|at| format!("{at} AS column_{at}")).collect();
    let wide = console.call(
        "run",
        json!({
            "tab": "test", "cell": "wide", "sql": format!("SELECT {}", columns.join(", ")),
        }),
    );
    let wide = wide.await;
    assert_eq!(wide["columns"].as_array().unwrap().len(), 1000);
    assert_eq!(wide["first"][0][999], "999");

    // Values that are HTML, quotes, marks of direction, control characters or very long.
    let attack =
        "<img src=x onerror=\"document.title='harmed'\"><script>document.title='harmed'</script>";
    let hostile = format!(
        "SELECT '{}' AS html, chr(8238) || 'gnp.exe' AS rlo, 'a' || chr(0) || chr(7) || 'b' AS control, \
         repeat('x', 1000000) AS long, '' AS empty, NULL AS nothing, '\"''`${{}}' AS quotes",
        attack.replace('\'', "''")
    );
    let run = json!({ "tab": "test", "cell": "hostile", "sql": hostile });
    let answer = console.call("run", run).await;
    assert_eq!(answer["first"][0][0], attack);
    assert_eq!(answer["first"][0][3][1], 1_000_000, "{answer}");
    assert_eq!(answer["first"][0][5], Value::Null);
    console.run_in_new_cell("SELECT '<b onclick=x>' AS html, chr(8238) || 'gnp' AS rlo, '' AS empty, NULL AS nothing").await;
    let shown = |rows: &Vec<Vec<String>>| {
        rows.iter()
            .any(|row| row[0] == "<b onclick=x>" && row[3] == "NULL")
    };
    wait_until(async || console.grid().await, shown).await;
    browser.save_screenshot("console-6-hostile").await;
    let harmed = "return document.querySelectorAll('[data-grid] b, [data-grid] img, [data-grid] script').length";
    assert_eq!(browser.run_script(harmed).await, 0);
    assert_eq!(
        browser
            .run_script("return document.title.includes('harmed')")
            .await,
        false
    );
    console.assert_asked_nobody_else().await;
    let home = console.home;
    stop_session(&home.ana).await;
    home.assert_clean().await;
}
