//! Client of a door's console, which calls it as its page does.

use reqwest::Response;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::{door::Door, wait::WAIT_TIMEOUT};

/// Path of the console.
const PATH: &str = "/.duckbot/console";

/// Tab of a browser that shows the console.
pub struct ConsoleTab<'a> {
    door: &'a Door,
    cookie: String,
    tab: String,
}

impl<'a> ConsoleTab<'a> {
    /// Opens a tab in a new browser.
    pub async fn open(door: &'a Door, tab: &str) -> Self {
        Self {
            cookie: door.admit().await,
            door,
            tab: tab.to_owned(),
        }
    }

    /// Opens another tab of the same browser.
    pub fn another(&self, tab: &str) -> Self {
        Self {
            door: self.door,
            cookie: self.cookie.clone(),
            tab: tab.to_owned(),
        }
    }

    /// Calls the door, and returns its answer with its status.
    pub async fn try_call(&self, name: &str, body: impl Into<reqwest::Body>) -> (u16, Value) {
        let call = self.door.post(&format!("{PATH}/{name}"), body);
        let call = call.header("cookie", &self.cookie).send();
        let answer = timeout(WAIT_TIMEOUT, call).await;
        let answer = answer.expect("the call ended in time").unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        (status, serde_json::from_str(&text).expect(&text))
    }

    /// Calls the door. SQL errors are answers too.
    pub async fn call(&self, name: &str, body: Value) -> Value {
        let (status, answer) = self.try_call(name, body.to_string()).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    /// Runs statements in a cell.
    pub async fn run(&self, cell: &str, sql: &str) -> Value {
        let run = json!({ "tab": self.tab, "cell": cell, "sql": sql });
        self.call("run", run).await
    }

    /// Runs a query in a cell, and returns its first rows.
    pub async fn rows(&self, cell: &str, sql: &str) -> Value {
        let answer = self.run(cell, sql).await;
        assert!(answer.get("error").is_none(), "{answer}");
        answer["first"].clone()
    }

    /// Kind and message of a statement's error.
    pub async fn error(&self, cell: &str, sql: &str) -> (String, String) {
        let answer = self.run(cell, sql).await;
        let text = |name: &str| answer["error"][name].as_str().expect("an error").to_owned();
        (text("kind"), text("message"))
    }

    /// Cancels the statement of the tab.
    pub async fn cancel(&self) {
        self.call("cancel", json!({ "tab": self.tab })).await;
    }

    /// Leaves the page.
    pub async fn close(&self) {
        self.call("close", json!({ "tab": self.tab })).await;
    }

    /// Fetches a path of the session.
    pub async fn get(&self, path: &str) -> Response {
        let request = self.door.get(path).header("cookie", &self.cookie);
        request.send().await.unwrap()
    }
}
