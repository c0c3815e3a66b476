//! `POST /sessions`, with credentials that belong to the session.

use std::time::{Duration, Instant};

use duckbot::api::{NewToken, new_token};
use futures_util::future::join_all;
use reqwest::Client;
use secrecy::ExposeSecret;
use serde_json::json;
use test_support::{Bot, TestEnv};

use super::{
    setup::{Objects, address, env, floor},
    stats::{stats, time_stats},
    table::{Aim, Row},
};

const ROUNDS: usize = 150;
const CALLERS: usize = 16;
/// Number of requests of each caller in one of the [`BURSTS`].
const REQUESTS_PER_CALLER: usize = 8;
const BURSTS: usize = 5;
const OWNERS: usize = 10 + ROUNDS + CALLERS * REQUESTS_PER_CALLER * BURSTS;

/// A server of the API: the bot or the floor.
struct Side {
    url: String,
    client: Client,
    /// A token per owner. Each owner gets one session.
    tokens: Vec<String>,
    objects: Objects,
    next: usize,
    _env: TestEnv,
    _floor: Option<Bot>,
}

fn owner(number: usize) -> u64 {
    1_000_000 + number as u64
}

impl Side {
    async fn start(is_floor: bool) -> Self {
        let mut env = env(0, None, &[]).await;
        let (mut tokens, mut lines) = (Vec::new(), String::new());
        for number in 0..OWNERS {
            let (name, owner) = (format!("t{number}"), owner(number));
            let ask = NewToken {
                name,
                owner,
                stored_keys: false,
                admin: false,
            };
            let (token, line) = new_token(&ask).unwrap();
            lines += &(line + "\n");
            tokens.push(if is_floor {
                owner.to_string()
            } else {
                token.expose_secret().to_owned()
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
        let (url, floor) = if is_floor {
            let mut floor = floor("api", &env);
            (address(&mut floor).await, Some(floor))
        } else {
            env.start_bot().await;
            (address(env.bot()).await, None)
        };
        let client = Client::builder().no_proxy().build().unwrap();
        let objects = Objects::of(&env.cluster);
        Self {
            url,
            client,
            tokens,
            objects,
            next: 0,
            _env: env,
            _floor: floor,
        }
    }

    /// Requests a session for the owner with this number. Returns the time until the response.
    async fn post(&self, number: usize) -> Duration {
        let asked = self.client.post(format!("{}/sessions", self.url));
        let asked = asked.bearer_auth(&self.tokens[number]).json(&json!({
            "username": "ana", "s3_key": "AKIAFIGURES", "s3_secret": "figures", "catalog": "lake",
        }));
        let begin = Instant::now();
        let answer = asked.send().await.unwrap();
        assert_eq!(answer.status(), 201, "{}", answer.text().await.unwrap());
        answer.bytes().await.unwrap();
        begin.elapsed()
    }

    /// Requests one session. Returns the time until the response, and waits for all objects.
    async fn time_one(&mut self) -> Duration {
        let number = self.next;
        self.next += 1;
        let took = self.post(number).await;
        self.objects.wait_until_made(owner(number)).await;
        took
    }

    /// Requests many sessions at once. Returns sessions per second: until the responses, and until
    /// all objects exist.
    async fn time_burst(&mut self) -> [f64; 2] {
        let first = self.next;
        self.next += CALLERS * REQUESTS_PER_CALLER;
        let this = &*self;
        let begin = Instant::now();
        join_all((0..CALLERS).map(async |caller| {
            for each in 0..REQUESTS_PER_CALLER {
                this.post(first + caller * REQUESTS_PER_CALLER + each).await;
            }
        }))
        .await;
        let answered = begin.elapsed();
        self.objects.wait_for_count(self.next).await;
        [answered, begin.elapsed()]
            .map(|time| (CALLERS * REQUESTS_PER_CALLER) as f64 / time.as_secs_f64())
    }
}

pub async fn rows() -> Vec<Row> {
    let (mut ours, mut bare) = (Side::start(false).await, Side::start(true).await);
    for _ in 0..10 {
        ours.time_one().await;
        bare.time_one().await;
    }
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        with.push(ours.time_one().await);
        without.push(bare.time_one().await);
    }
    let (with, without) = (time_stats(&with), time_stats(&without));
    let (mut many, mut many_bare) = (Vec::new(), Vec::new());
    for _ in 0..BURSTS {
        many.push(ours.time_burst().await);
        many_bare.push(bare.time_burst().await);
    }
    let rate = |all: &[[f64; 2]], which: usize| stats(all.iter().map(|it| it[which])).median;
    let throughput = |what, which| {
        let (ours, floor) = (rate(&many, which), rate(&many_bare, which));
        Row {
            what,
            aim: "over 0.8, ideally 0.9",
            floor: format!("{floor:.0}/s"),
            ours: format!("{ours:.0}/s"),
            p95: String::new(),
            figure: ours / floor,
            is_ratio: true,
            limits: Aim::Over(&[0.8, 0.9]),
        }
    };
    vec![
        Row {
            what: "`POST /sessions`, one caller",
            aim: "under 1.3, ideally 1.15",
            floor: format!("{:.1} ms", without.median),
            ours: format!("{:.1} ms", with.median),
            p95: format!("{:.1} ms", with.p95),
            figure: with.median / without.median,
            is_ratio: true,
            limits: Aim::Under(&[1.3, 1.15]),
        },
        throughput("16 callers: sessions with a response", 0),
        throughput("16 callers: sessions with all objects", 1),
    ]
}
