//! A server of `POST /sessions`, with an environment of its own: the bot, its floor or a rival.

use std::time::{Duration, Instant};

use duckbot::api::{NewToken, new_token};
use futures_util::future::join_all;
use reqwest::{Client, RequestBuilder};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use test_support::{Bot, TestEnv};

use super::{
    binary, rivals,
    setup::{Objects, address, env, floor},
};

pub const CALLERS: usize = 16;
/// Number of requests of each caller in a burst.
const REQUESTS_PER_CALLER: usize = 8;
/// Number of sessions of a burst.
pub const BURST_SIZE: usize = CALLERS * REQUESTS_PER_CALLER;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Server {
    Bot,
    /// The bot, as the production image has it. People compare that with other programs.
    Shipped,
    Floor,
    /// `benches/rivals/original.py`
    Original,
}

pub struct Side {
    pub env: TestEnv,
    url: String,
    client: Client,
    /// A token per owner.
    tokens: Vec<String>,
    process: Option<Bot>,
}

pub fn owner(number: usize) -> u64 {
    1_000_000 + number as u64
}

/// Body of a request for a session with credentials of its own.
fn own_credentials(number: usize) -> Value {
    json!({
        "username": owner(number).to_string(), "s3_key": "AKIAFIGURES", "s3_secret": "figures",
        "catalog": "lake",
    })
}

/// The session's ID in a response.
fn session_id(text: &str) -> String {
    let after = text.rsplit("\"session_id\":\"").next().unwrap();
    after.split('"').next().unwrap().to_owned()
}

impl Side {
    /// Starts a server for this number of owners.
    pub async fn start(server: Server, owners: usize) -> Self {
        let mut env = env(0, None, &[]).await;
        let (mut tokens, mut lines) = (Vec::new(), String::new());
        for number in 0..owners {
            let (name, owner) = (format!("t{number}"), owner(number));
            let ask = NewToken {
                name,
                owner,
                stored_keys: true,
                admin: false,
            };
            let (token, line) = new_token(&ask).unwrap();
            lines += &(line + "\n");
            tokens.push(match server {
                Server::Floor => owner.to_string(),
                _ => token.expose_secret().to_owned(),
            });
        }
        let file = env.file("tokens", &lines);
        for (name, value) in [
            ("DUCKBOT_API__LISTEN", "127.0.0.1:0"),
            ("DUCKBOT_API__TOKENS_FILE", &file),
            ("DUCKBOT_API__REQUESTS_PER_MINUTE", "100000"),
        ] {
            env.variables.insert(name.into(), value.into());
        }
        let mut process = match server {
            Server::Bot => None,
            Server::Shipped => {
                env.program = binary::program();
                None
            }
            Server::Floor => Some(floor("api", &env)),
            Server::Original => Some(rivals::original(&env)),
        };
        let url = match &mut process {
            Some(process) => address(process).await,
            None => {
                env.start_bot().await;
                address(env.bot()).await
            }
        };
        Self {
            env,
            url,
            client: Client::builder().no_proxy().build().unwrap(),
            tokens,
            process,
        }
    }

    /// Sends a request. Returns the time until the whole response, and its text.
    async fn time(&self, request: RequestBuilder, expected: u16) -> (Duration, String) {
        let begin = Instant::now();
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        let took = begin.elapsed();
        let log = || self.process.as_ref().map(Bot::log);
        assert_eq!(status, expected, "{text}\n{}", log().unwrap_or_default());
        (took, text)
    }

    /// Requests a session with credentials of its own for the owner with this number. Returns the time until the
    /// response, and the session's ID.
    pub async fn post(&self, number: usize) -> (Duration, String) {
        let asked = self.client.post(format!("{}/sessions", self.url));
        let asked = asked
            .bearer_auth(&self.tokens[number])
            .json(&own_credentials(number));
        let (took, text) = self.time(asked, 201).await;
        (took, session_id(&text))
    }

    /// Requests a session, with credentials of its own or the stored ones. Returns the time until it is ready, and
    /// its ID.
    pub async fn start_session(&self, number: usize, is_stored: bool) -> (Duration, String) {
        let url = format!("{}/sessions?wait=ready", self.url);
        let body = if is_stored {
            json!({ "use_stored_credentials": true })
        } else {
            own_credentials(number)
        };
        let asked = self.client.post(url).bearer_auth(&self.tokens[number]);
        let (took, text) = self.time(asked.json(&body), 200).await;
        assert!(text.contains("event: ready"), "{text}");
        (took, session_id(&text))
    }

    /// Deletes a session of the owner with this number. Returns the time until the response.
    pub async fn delete(&self, number: usize, id: &str) -> Duration {
        let asked = self.client.delete(format!("{}/sessions/{id}", self.url));
        self.time(asked.bearer_auth(&self.tokens[number]), 204)
            .await
            .0
    }
}

/// Runs `work` for the [`BURST_SIZE`] owners from `first` on, with [`CALLERS`] at a time. Returns the results, in the
/// order of the owners.
pub async fn at_once<T>(first: usize, work: impl AsyncFn(usize) -> T) -> Vec<T> {
    by_callers(CALLERS, first, work).await
}

/// Same as [`at_once`], with another number of callers, which divides that of the owners.
pub async fn by_callers<T>(callers: usize, first: usize, work: impl AsyncFn(usize) -> T) -> Vec<T> {
    let work = &work;
    let requests = BURST_SIZE / callers;
    let callers = (0..callers).map(async |caller| {
        let first = first + caller * requests;
        let mut done = Vec::new();
        for number in first..first + requests {
            done.push(work(number).await);
        }
        done
    });
    join_all(callers).await.into_iter().flatten().collect()
}

/// Sessions per second of a burst that took so long.
pub fn rate(took: Duration) -> f64 {
    BURST_SIZE as f64 / took.as_secs_f64()
}

/// A server that creates a session per owner, and a watch of their objects.
pub struct Creation {
    pub side: Side,
    objects: Objects,
    /// IDs of the sessions, by the number of their owners.
    pub sessions: Vec<String>,
}

impl Creation {
    pub async fn start(server: Server, owners: usize) -> Self {
        let side = Side::start(server, owners).await;
        let objects = Objects::of(&side.env.cluster);
        let sessions = Vec::new();
        Self {
            side,
            objects,
            sessions,
        }
    }

    /// Requests one session. Returns the times until the response and until all objects exist.
    pub async fn time_one(&mut self) -> [Duration; 2] {
        let number = self.sessions.len();
        let begin = Instant::now();
        let (answered, id) = self.side.post(number).await;
        self.sessions.push(id);
        let made = self.objects.wait_until_made(owner(number)).await;
        [answered, made - begin]
    }

    /// Requests many sessions at once. Returns sessions per second: until the responses, and until
    /// all objects exist.
    pub async fn time_burst(&mut self) -> [f64; 2] {
        let begin = Instant::now();
        let first = self.sessions.len();
        let made = at_once(first, async |number| self.side.post(number).await.1).await;
        let answered = begin.elapsed();
        self.sessions.extend(made);
        self.objects.wait_for_count(self.sessions.len()).await;
        [answered, begin.elapsed()].map(rate)
    }
}
