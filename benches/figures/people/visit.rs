//! A person's browser at the URL of a session.

use std::time::{Duration, Instant};

use reqwest::{Client, RequestBuilder, Response};
use test_support::Traefik;

/// Pause between two attempts.
const PAUSE: Duration = Duration::from_millis(10);

/// A browser that was let into a session.
pub struct Visit {
    client: Client,
    origin: String,
    cookie: String,
}

impl Visit {
    /// Opens a link as a browser does: loads its page, and submits the ticket. Tries again until Traefik has the
    /// route. `link` is called when the page has been loaded.
    pub async fn enter(traefik: &Traefik, session: &str, link: impl FnOnce() -> String) -> Self {
        let client = traefik.client(session);
        let origin = format!("https://duckui-{session}.duck.example.com");
        let page = format!("{origin}/.duckbot/enter");
        loop {
            let answer = client.get(&page).send().await.unwrap();
            if answer.status() == 200 {
                answer.bytes().await.unwrap();
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        let link = link();
        let (_, ticket) = link.split_once('#').unwrap();
        let asked = client.post(&page).header("origin", &origin);
        let answer = asked.body(ticket.to_owned()).send().await.unwrap();
        assert_eq!(answer.status(), 204);
        let cookie = cookie_of(&answer);
        Self {
            client,
            origin,
            cookie,
        }
    }

    /// Loads the first page. Returns its head.
    pub async fn open(&self) -> Response {
        let page = self.client.get(format!("{}/", self.origin));
        self.send(page).await
    }

    /// Runs the first query, as DuckDB's UI does. Tries again until DuckDB answers.
    pub async fn run_query(&self) {
        loop {
            let asked = self.client.post(format!("{}/ddb/run", self.origin));
            let asked = asked
                .header("x-duckdb-ui-connection-name", "first")
                .body("SELECT 'duck' || 42");
            let answer = self.send(asked).await;
            if answer.status() == 200 {
                let text = answer.bytes().await.unwrap();
                assert!(String::from_utf8_lossy(&text).contains("duck42"));
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn send(&self, asked: RequestBuilder) -> Response {
        let asked = asked
            .header("origin", &self.origin)
            .header("cookie", &self.cookie);
        asked.send().await.unwrap()
    }
}

/// Cookie that an answer sets.
pub fn cookie_of(answer: &Response) -> String {
    let cookie = answer.headers()["set-cookie"].to_str().unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

/// Opens a session and runs the first query. Returns when the browser was let in, and when it had the answer.
pub async fn first_answer(
    traefik: &Traefik,
    session: &str,
    link: impl FnOnce() -> String,
) -> [Instant; 2] {
    let visit = Visit::enter(traefik, session, link).await;
    let entered = Instant::now();
    visit.run_query().await;
    [entered, Instant::now()]
}
