//! Completions in a cell, in the console's editor and in the plain text field that stands in for it.

use test_support::wait_until;

use super::{FOCUS, OpenConsole, RUN};
use crate::local::stop_session;

/// Script that holds the answers with completions until they are let go.
const HOLD: &str = "
    const { fetch } = window;
    window.heldAnswers = [];
    window.fetch = async (url, request) => {
        const answer = await fetch(url, request);
        if (!`${url}`.endsWith('/complete')) return answer;
        await new Promise((letGo) => window.heldAnswers.push(letGo));
        return answer;
    };";

/// Script that lets the held answers go, and returns after the page has drawn what comes of them.
const LET_GO: &str = "
    for (const letGo of window.heldAnswers.splice(0)) letGo();
    const drawn = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
    for (let frame = 0; frame < 5; frame += 1) await drawn();";

/// Script that returns true if a list of completions is shown.
const IS_LISTED: &str = "return document.querySelector('.cm-tooltip-autocomplete, .completions:not([hidden])') !== null";

/// Types a name, whose completions are shown, and runs the cell before those of the next name come.
async fn type_and_run(console: &OpenConsole) {
    let browser = &console.browser;
    let is_held = async || {
        let count = browser.run_script("return window.heldAnswers.length").await;
        count.as_u64().unwrap_or_default() > 0
    };
    let is_listed = async || browser.run_script(IS_LISTED).await;
    browser.run_script(HOLD).await;
    browser.type_text("SELECT 1 AS one ORDER BY on").await;
    wait_until(is_held, |it| *it).await;
    browser.run_script(LET_GO).await;
    wait_until(is_listed, |it| *it == true).await;

    browser.type_text("e").await;
    wait_until(is_held, |it| *it).await;
    browser.type_text(RUN).await;
    console.wait_for_row(&["1"]).await;
    browser.run_script(LET_GO).await;
    assert_eq!(is_listed().await, false, "a list covers the result");
}

#[tokio::test]
async fn completions_that_come_after_the_cell_has_run_are_not_shown() {
    let console = OpenConsole::start().await;
    let browser = &console.browser;
    let is_plain = async || {
        let tag = "return document.activeElement.tagName === 'TEXTAREA'";
        browser.run_script(tag).await
    };
    assert_eq!(is_plain().await, false);
    type_and_run(&console).await;

    browser.block("*/.duckbot/console/editor.js").await;
    browser.open(&format!("{}/", console.origin)).await;
    browser.wait_for_text("ORDER BY one").await;
    browser.press_button("SQL").await;
    let focus = async || browser.run_script(FOCUS).await;
    wait_until(focus, |it| *it == "Text of SQL cell 2").await;
    assert_eq!(is_plain().await, true);
    type_and_run(&console).await;
    let home = console.home;
    stop_session(&home.ana).await;
    home.assert_clean().await;
}
