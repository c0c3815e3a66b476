//! Commands in the chat: time until they are acknowledged, and until all objects exist.

use std::time::{Duration, Instant};

use discord_loopback::Interaction;
use futures_util::{StreamExt, stream};
use test_support::{Bot, TestEnv};

use super::{
    setup::{Objects, env, floor},
    stats::{stats, time_stats},
    table::{Aim, Row},
};

const BURST_SIZE: usize = 200;
const BURSTS: usize = 5;
const ROUNDS: usize = 60;
const PEOPLE: usize = BURST_SIZE * BURSTS + ROUNDS;
const START: &str = "/duck start";
/// A command that changes nothing.
const LIST: &str = "/duck list";

/// Starts an environment in which all people have credentials, with the bot, or a floor of this
/// kind.
async fn start_env(kind: Option<&str>) -> (TestEnv, Option<Bot>) {
    let mut env = env(PEOPLE, None, &[]).await;
    stream::iter(0..PEOPLE)
        .for_each_concurrent(16, async |number| {
            let id = env.discord.person(&format!("p{number}")).id();
            env.cluster.store_credentials(id).await;
        })
        .await;
    let floor = match kind {
        None => {
            env.start_bot().await;
            None
        }
        Some(kind) => {
            let floor = floor(kind, &env);
            env.discord.wait_connected().await;
            env.discord.wait_for_commands().await;
            Some(floor)
        }
    };
    (env, floor)
}

async fn run_command(env: &TestEnv, number: usize, line: &str) -> (u64, Interaction) {
    let person = env.discord.person(&format!("p{number}"));
    (
        person.id(),
        person.run_command("#data", line).await.unwrap(),
    )
}

/// Lets [`BURST_SIZE`] people send a command at once. Returns the times until the acknowledgements.
async fn time_burst(env: &TestEnv, first: usize, line: &str) -> Vec<Duration> {
    let mut asked = Vec::new();
    for number in first..first + BURST_SIZE {
        asked.push(run_command(env, number, line).await.1);
    }
    let mut times = Vec::new();
    for asked in asked {
        // A missing acknowledgement counts as 3 s, the maximum that Discord waits.
        let acknowledged = asked.try_acknowledgement().await.map(|it| it.elapsed);
        times.push(acknowledged.unwrap_or(Duration::from_secs(3)));
    }
    times
}

/// Time from one command until all of its objects exist.
async fn time_one(env: &TestEnv, objects: &Objects, number: usize) -> Duration {
    let begin = Instant::now();
    let (owner, _) = run_command(env, number, START).await;
    objects.wait_until_made(owner).await - begin
}

fn burst_row(what: &'static str, ours: f64, floor: f64, worst: f64) -> Row {
    Row {
        what,
        aim: "under 1.5, never over 3 s",
        floor: format!("{floor:.0} ms"),
        ours: format!("{ours:.0} ms, maximum {worst:.0} ms"),
        p95: String::new(),
        figure: ours / floor,
        is_ratio: true,
        limits: Aim::Under(&[1.5]),
    }
}

pub async fn rows() -> Vec<Row> {
    let (ours, _none) = start_env(None).await;
    let (bare, _acknowledges) = start_env(Some("acknowledges")).await;
    let (making, _starts) = start_env(Some("starts")).await;

    let (objects, bare_objects) = (Objects::of(&ours.cluster), Objects::of(&making.cluster));
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for number in 0..ROUNDS {
        with.push(time_one(&ours, &objects, number).await);
        without.push(time_one(&making, &bare_objects, number).await);
    }
    // Without the first ten rounds, which open connections.
    let (with, without) = (time_stats(&with[10..]), time_stats(&without[10..]));

    let (mut p99, mut p99_listing, mut worst) = (Vec::new(), Vec::new(), 0.0_f64);
    let (mut p99_bare, mut p99_making) = (Vec::new(), Vec::new());
    for round in 0..BURSTS {
        let first = ROUNDS + round * BURST_SIZE;
        let listing = time_burst(&ours, first, LIST).await;
        let times = time_burst(&ours, first, START).await;
        let slowest = times.iter().chain(&listing).max().unwrap();
        worst = worst.max(slowest.as_secs_f64() * 1000.0);
        objects.wait_for_count(first + BURST_SIZE).await;
        p99.push(time_stats(&times).p99);
        p99_listing.push(time_stats(&listing).p99);
        p99_bare.push(time_stats(&time_burst(&bare, first, START).await).p99);
        p99_making.push(time_stats(&time_burst(&making, first, START).await).p99);
        bare_objects.wait_until_settled(first + BURST_SIZE).await;
    }
    let median = |all| stats(all).median;
    let (p99, p99_listing) = (median(p99), median(p99_listing));
    let (p99_bare, p99_making) = (median(p99_bare), median(p99_making));
    for env in [&ours, &bare, &making] {
        env.mark_all_read().await;
    }
    vec![
        burst_row(
            "200 concurrent `/duck list`, acknowledged: p99",
            p99_listing,
            p99_bare,
            worst,
        ),
        burst_row(
            "200 concurrent `/duck start`, acknowledged: p99",
            p99,
            p99_bare,
            worst,
        ),
        burst_row(
            "the same, if the floor also creates the sessions",
            p99,
            p99_making,
            worst,
        ),
        Row {
            what: "from command to all objects created",
            aim: "under 1.5",
            floor: format!("{:.1} ms", without.median),
            ours: format!("{:.1} ms", with.median),
            p95: format!("{:.1} ms", with.p95),
            figure: with.median / without.median,
            is_ratio: true,
            limits: Aim::Under(&[1.5]),
        },
    ]
}
