//! A team whose bot serves the HTTP API, and a program that calls it.

use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};

use crate::{
    bot::{Bot, command},
    credentials::CREDENTIALS,
    test_env::TestEnv,
    wait::wait_until,
};

/// Environment with the API, and tokens of Ana, Ben and Ada (an admin).
pub struct ApiEnv {
    pub env: TestEnv,
    pub url: String,
    pub client: Client,
    pub ana: String,
    pub ben: String,
    pub ada: String,
}

impl ApiEnv {
    pub async fn start(settings: &[(&str, &str)]) -> Self {
        Self::start_with_env(TestEnv::without_bot(settings).await).await
    }

    /// Adds the API to an environment whose bot is not started yet.
    pub async fn start_with_env(mut env: TestEnv) -> Self {
        let (mut lines, mut tokens) = (String::new(), Vec::new());
        for (person, more) in [
            (&env.ana, &["--stored-keys"][..]),
            (&env.ben, &[]),
            (&env.ada, &["--admin"]),
        ] {
            let owner = person.id().to_string();
            let name = format!("of-{owner}");
            let (line, token) = create_token(&name, &owner, more).await;
            lines += &line;
            tokens.push(token);
        }
        let file = env.file("tokens", &format!("# Of the tests.\n{lines}"));
        for (name, value) in [
            ("DUCKBOT_API__LISTEN", "127.0.0.1:0"),
            ("DUCKBOT_API__TOKENS_FILE", &file),
            ("DUCKBOT_API__REQUESTS_PER_MINUTE", "100000"),
        ] {
            let setting = env.variables.entry(name.into());
            setting.or_insert_with(|| value.to_owned());
        }
        let [ana, ben, ada] = tokens.try_into().unwrap();
        let mut api_env = Self {
            env,
            url: String::new(),
            client: Client::builder().no_proxy().build().unwrap(),
            ana,
            ben,
            ada,
        };
        api_env.start_bot().await;
        api_env
    }

    /// See [`TestEnv::assert_clean`].
    pub async fn assert_clean(self) {
        self.env.assert_clean().await;
    }

    pub async fn start_bot(&mut self) {
        self.env.start_bot().await;
        self.find_url().await;
    }

    /// See [`TestEnv::swap_bots`].
    pub async fn swap_bots(&mut self) {
        self.env.swap_bots().await;
        self.find_url().await;
    }

    /// Starts a bot that stands by, and calls its API from now on.
    pub async fn start_standby(&mut self) {
        self.env.start_standby().await;
        self.url = url_of(self.env.standby().0).await;
    }

    async fn find_url(&mut self) {
        self.url = url_of(self.env.bot()).await;
    }

    pub fn request(&self, method: Method, path: &str, token: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.url);
        self.client.request(method, url).bearer_auth(token)
    }

    pub async fn post(&self, path: &str, token: &str, body: Value) -> (u16, Value) {
        let asked = self.request(Method::POST, path, token).json(&body);
        parse_response(asked.send().await.unwrap()).await
    }

    pub async fn get(&self, path: &str, token: &str) -> (u16, Value) {
        parse_response(self.request(Method::GET, path, token).send().await.unwrap()).await
    }

    pub async fn delete(&self, path: &str, token: &str) -> (u16, Value) {
        parse_response(
            self.request(Method::DELETE, path, token)
                .send()
                .await
                .unwrap(),
        )
        .await
    }

    /// Waits until a session of Ana is running.
    pub async fn wait_until_running(&self, id: &str) {
        let path = format!("/sessions/{id}");
        let phase = async || self.get(&path, &self.ana).await.1["phase"].clone();
        wait_until(phase, |phase| phase == "running").await;
    }

    /// Creates a session of Ana and waits until it is running. Returns its ID.
    pub async fn ready_session(&self) -> String {
        let (status, made) = self.post("/sessions", &self.ana, session_request()).await;
        assert_eq!(status, 201, "{made}");
        let id = made["session_id"].as_str().unwrap().to_owned();
        self.env.kubelet.mark_ready(&id).await;
        self.wait_until_running(&id).await;
        id
    }
}

/// URL of a bot's API.
async fn url_of(bot: &mut Bot) -> String {
    const SAYS: &str = "the API is at ";
    bot.wait_for_log(SAYS).await;
    let log = bot.log();
    let url = log.split(SAYS).last().unwrap().split_whitespace().next();
    url.unwrap().to_owned()
}

/// Runs `duckbot token`. Returns the line for the tokens file, and the token.
pub async fn create_token(name: &str, owner: &str, more: &[&str]) -> (String, String) {
    let arguments = [&["token", name, "--owner", owner][..], more].concat();
    let made = command(&arguments, &[].into()).output().await.unwrap();
    let said = String::from_utf8(made.stderr).unwrap();
    let token = said.split_whitespace().last().unwrap().to_owned();
    (String::from_utf8(made.stdout).unwrap(), token)
}

/// Checks the headers of a response. Returns its status and body.
pub async fn parse_response(answer: Response) -> (u16, Value) {
    let status = answer.status().as_u16();
    let kind = answer.headers().get("content-type").cloned();
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let id = answer.headers()["x-request-id"]
        .to_str()
        .unwrap()
        .to_owned();
    let text = answer.text().await.unwrap();
    if status == 204 {
        return (status, Value::Null);
    }
    let body: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{status}: {text}"));
    if status >= 400 {
        assert_eq!(kind.unwrap(), "application/problem+json");
        assert_eq!(
            (&body["status"], &body["request_id"]),
            (&json!(status), &json!(id))
        );
    }
    (status, body)
}

/// A request for a session with [`CREDENTIALS`].
pub fn session_request() -> Value {
    json!({
        "username": "ana", "s3_key": CREDENTIALS[0].1, "s3_secret": CREDENTIALS[1].1,
        "session_token": CREDENTIALS[2].1, "catalog_token": CREDENTIALS[3].1, "catalog": "lake",
    })
}
