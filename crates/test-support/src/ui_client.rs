//! Client of DuckDB's UI server, which sends SQL and reads rows like the UI's own pages.

use reqwest::{Client, Response};
use serde_json::Value;
use tokio::time::timeout;

use crate::wait::WAIT_TIMEOUT;

/// Marks around the JSON in a response. The rest of the UI's format is skipped.
const MARKS: [&str; 2] = ["\u{1f986}<", ">\u{1f986}"];

/// Client of one UI server.
pub struct UiClient {
    url: String,
    headers: Vec<(&'static str, String)>,
    /// Name of the connection in DuckDB.
    connection: String,
    client: Client,
}

impl UiClient {
    /// Client for `localhost:port`, with the origin that the server expects at its own port `own`.
    pub fn at(port: u16, own: u16) -> Self {
        Self {
            url: format!("http://localhost:{port}"),
            // The UI answers only requests from its own pages.
            headers: vec![("origin", format!("http://localhost:{own}"))],
            connection: "test".to_owned(),
            client: Client::builder().no_proxy().build().unwrap(),
        }
    }

    /// Client for `url` that sends these headers, as a browser would.
    pub fn through(url: String, headers: Vec<(&'static str, String)>) -> Self {
        Self {
            url,
            headers,
            connection: "test".to_owned(),
            client: Client::builder().no_proxy().build().unwrap(),
        }
    }

    /// Client that uses another connection in DuckDB, as each notebook does.
    pub fn on(&self, connection: &str) -> Self {
        Self {
            url: self.url.clone(),
            headers: self.headers.clone(),
            connection: connection.to_owned(),
            client: self.client.clone(),
        }
    }

    /// Enters a session with a link of `/duck open`. `door` is the URL of its door.
    pub async fn enter(link: &str, door: &str) -> Self {
        let client = Client::builder().no_proxy().build().unwrap();
        Self::enter_with(client, link, door).await
    }

    /// Enters a session at the address of the link, with a client that reaches it.
    pub async fn enter_through(client: Client, link: &str) -> Self {
        let origin = &link[..link.rfind("/.duckbot").unwrap()];
        Self::enter_with(client, link, origin).await
    }

    async fn enter_with(client: Client, link: &str, door: &str) -> Self {
        let (page, ticket) = link.split_once('#').unwrap();
        let (origin, path) = page.split_at(page.rfind("/.duckbot").unwrap());
        let (_, host) = origin.split_once("://").unwrap();
        let shown = client.post(format!("{door}{path}"));
        let shown = shown.header("host", host).header("origin", origin);
        let answer = shown.body(ticket.to_owned()).send().await.unwrap();
        let cookie = answer.headers()["set-cookie"].to_str().unwrap();
        let cookie = cookie.split(';').next().unwrap();
        let headers = [("host", host), ("origin", origin), ("cookie", cookie)];
        let headers = headers.map(|(name, value)| (name, value.to_owned()));
        Self {
            client,
            ..Self::through(door.to_owned(), headers.into())
        }
    }

    /// Returns true if the server answers within [`WAIT_TIMEOUT`].
    pub async fn is_answering(&self) -> bool {
        let url = format!("{}/info", self.url);
        let answers = async { while self.client.get(&url).send().await.is_err() {} };
        timeout(WAIT_TIMEOUT, answers).await.is_ok()
    }

    /// Waits until queries work again.
    pub async fn wait_until_back(&self) {
        let is_back = async || {
            let answer = self.request("SELECT 1").send().await;
            answer.is_ok_and(|answer| answer.status() == 200)
        };
        let back = async { while !is_back().await {} };
        timeout(WAIT_TIMEOUT, back)
            .await
            .expect("the UI is back in time");
    }

    /// Runs statements that may end DuckDB.
    pub async fn try_sql(&self, sql: &str) -> reqwest::Result<()> {
        self.request(sql).send().await.map(drop)
    }

    /// Length of the response to a query in bytes. The response is not kept.
    pub async fn answer_length(&self, sql: &str) -> usize {
        let mut answer = self.request(sql).send().await.unwrap();
        let mut length = 0;
        while let Some(piece) = answer.chunk().await.unwrap() {
            length += piece.len();
        }
        length
    }

    /// Runs statements in the UI. Errors are those of DuckDB.
    pub async fn run_sql(&self, sql: &str) -> Result<(), String> {
        result(&self.query(sql).await).map(drop)
    }

    /// Returns the rows of a query, each as an object.
    pub async fn rows(&self, query: &str) -> Result<Value, String> {
        let [open, close] = MARKS;
        let sql = format!(
            "SELECT '{open}' || coalesce(to_json(list(it))::TEXT, '[]') || '{close}' AS answer \
             FROM ({query}) it"
        );
        let answer = result(&self.query(&sql).await)?;
        let (_, rest) = answer.split_once(open).expect(&answer);
        let (json, _) = rest.split_once(close).unwrap();
        Ok(serde_json::from_str(json).unwrap())
    }

    /// Rows of the table `memory.problems`.
    pub async fn problems(&self) -> Value {
        let query = "SELECT what, error, try_again FROM memory.problems";
        self.rows(query).await.unwrap()
    }

    /// Interrupts the query of the connection. Returns the status of the response. Has no effect
    /// before DuckDB has begun the query.
    pub async fn interrupt(&self) -> u16 {
        let asked = self.post("/ddb/interrupt", "").send().await;
        asked.unwrap().status().as_u16()
    }

    /// Opens the stream of events, as each tab of the UI does.
    pub async fn open_tab(&self) -> Response {
        let tab = self.with_headers(self.client.get(format!("{}/localEvents", self.url)));
        let tab = tab.send().await.unwrap();
        assert_eq!(tab.status(), 200);
        assert_eq!(tab.headers()["content-type"], "text/event-stream");
        tab
    }

    /// Splits SQL into tokens, as the UI does while somebody types. Returns the status of the
    /// response.
    pub async fn tokenize(&self, sql: &str) -> u16 {
        let asked = self.post("/ddb/tokenize", sql).send().await;
        asked.unwrap().status().as_u16()
    }

    /// Calls the console with this body, as its page does.
    pub async fn call_console(&self, call: &str, body: &str) -> Value {
        let called = self
            .client
            .post(format!("{}/.duckbot/console/{call}", self.url));
        let called = self.with_headers(called).body(body.to_owned()).send();
        called.await.unwrap().json().await.unwrap()
    }

    /// Has DuckDB write errors as JSON, as DuckDB's UI and the console do. It then writes all errors so.
    pub async fn turn_errors_into_json(&self) {
        let asked = self.request("SELECT 1");
        let asked = asked.header("X-DuckDB-UI-Errors-As-JSON", "true");
        assert_eq!(asked.send().await.unwrap().status(), 200);
    }

    /// Response to a query, with its status, as it comes.
    pub async fn raw_answer(&self, sql: &str) -> Response {
        self.request(sql).send().await.unwrap()
    }

    fn request(&self, sql: &str) -> reqwest::RequestBuilder {
        self.post("/ddb/run", sql)
    }

    fn post(&self, path: &str, body: &str) -> reqwest::RequestBuilder {
        let asked = self.client.post(format!("{}{path}", self.url));
        self.with_headers(asked)
            .header("X-DuckDB-UI-Connection-Name", &self.connection)
            .body(body.to_owned())
    }

    fn with_headers(&self, asked: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        let with = |asked: reqwest::RequestBuilder, (name, value): &(&str, String)| {
            asked.header(*name, value)
        };
        self.headers.iter().fold(asked, with)
    }

    async fn query(&self, sql: &str) -> Vec<u8> {
        let asked = self.request(sql).send();
        let answer: Response = timeout(WAIT_TIMEOUT, asked)
            .await
            .expect("the query ended in time")
            .unwrap();
        assert_eq!(answer.status(), 200);
        answer.bytes().await.unwrap().into()
    }
}

/// Parses a response of the UI, in DuckDB's serialization. Field 100 says if the query succeeded.
/// If not, field 101 is the error: its length, seven bits per byte, and its text.
fn result(answer: &[u8]) -> Result<String, String> {
    match answer {
        [100, 0, 1, ..] => Ok(String::from_utf8_lossy(answer).into()),
        [100, 0, 0, 101, 0, rest @ ..] => {
            let digits = rest.iter().take_while(|byte| **byte >= 128).count() + 1;
            let text = &rest[digits..rest.len() - 2];
            Err(String::from_utf8_lossy(text).into())
        }
        _ => panic!("unexpected response: {answer:?}"),
    }
}
