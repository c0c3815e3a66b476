//! Tests of the console's page, as a person uses it: a browser, the door and DuckDB on this machine.

mod completions;
mod notebook;
mod results;
mod trouble;

use serde_json::Value;
use test_support::{Browser, LocalEnv, link_of, tools, wait_until};

use crate::local::{ready_session, reply_to};

/// Keys that run a cell: Control is held, Enter is pressed.
const RUN: &str = "\u{E009}\u{E007}\u{E000}";

/// Name of the element that has the focus.
const FOCUS: &str = "return document.activeElement?.getAttribute('aria-label')";

/// Ana's browser on the console of her session.
struct OpenConsole {
    home: LocalEnv,
    browser: Browser,
    /// ID of the session.
    session: String,
    /// Origin of the session's URL.
    origin: String,
}

impl OpenConsole {
    /// Starts a session, and opens its console.
    async fn start() -> Self {
        let mut home = LocalEnv::start().await;
        let settings = [
            ("DUCKBOT_DUCKDB__UI", "console"),
            ("DUCKBOT_LOCAL__EDITOR", tools::editor().to_str().unwrap()),
            ("DUCKBOT_LOG__FILTER", "info"),
        ];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
        home.variables.extend(settings);
        home.restart_bot().await;
        home.enter_credentials(&home.ana).await;
        let session = ready_session(&home.ana).await;
        let browser = Browser::start_local().await;
        browser.resize(1300, 850).await;
        let opened = reply_to(&home.ana, "/duck open").await;
        let link = link_of(&opened, "Open DuckDB");
        let origin = link[..link.find("/.duckbot").unwrap()].to_owned();
        browser.open(&link).await;
        // The first cell has the focus.
        let focused = async || browser.run_script(FOCUS).await;
        wait_until(focused, |it| *it == "Text of SQL cell 1").await;
        Self {
            home,
            browser,
            session,
            origin,
        }
    }

    /// Types SQL into the cell that has the focus, and runs it.
    async fn run(&self, sql: &str) {
        // The editor closes brackets and quotes by itself, and types over them.
        self.browser.type_text(sql).await;
        self.browser.type_text(RUN).await;
    }

    /// Adds a cell below all others, and runs SQL in it.
    async fn run_in_new_cell(&self, sql: &str) {
        self.browser.press_button("SQL").await;
        self.run(sql).await;
    }

    /// Calls the console as its page does.
    async fn call(&self, call: &str, body: Value) -> Value {
        let script = format!(
            "return await (await fetch('/.duckbot/console/{call}', {{ method: 'POST', \
             headers: {{ 'content-type': 'application/json' }}, body: JSON.stringify({body}) }})).json()"
        );
        self.browser.run_script(&script).await
    }

    /// Texts of the cells of the last grid that are shown, row by row.
    async fn grid(&self) -> Vec<Vec<String>> {
        let read = "const grid = [...document.querySelectorAll('[data-grid]')].pop();
            return [...grid.querySelectorAll('[role=row]')]
                .map((row) => [...row.querySelectorAll('[role=gridcell]')].map((it) => it.innerText));";
        let rows = self.browser.run_script(read).await;
        let rows: Vec<Vec<String>> = serde_json::from_value(rows).unwrap_or_default();
        rows.into_iter().filter(|row| !row.is_empty()).collect()
    }

    /// Waits until the last grid shows these values in one of its rows.
    async fn wait_for_row(&self, values: &[&str]) {
        wait_until(
            async || self.grid().await,
            |rows| {
                rows.iter()
                    .any(|row| row.iter().map(String::as_str).eq(values.iter().copied()))
            },
        )
        .await;
    }

    /// Asserts that the browser has asked nobody but the session.
    async fn assert_asked_nobody_else(&self) {
        for url in self.browser.requested_urls().await {
            let is_own = url.starts_with(&self.origin);
            let is_made_here = url.starts_with("blob:") || url.starts_with("data:");
            assert!(is_own || is_made_here, "{url}");
        }
    }
}
