//! Commands in the chat: until they are acknowledged, and until what they ask for is made.

use std::time::{Duration, Instant};

use duckbot::sandbox::discord::Interaction;
use futures_util::{StreamExt, stream};

use super::{
    lab::{Objects, floor, team},
    stats::{of_times, stats},
    support::{Bot, TestEnv},
    table::{Aim, Row},
};

const AT_ONCE: usize = 200;
const BURSTS: usize = 5;
const ROUNDS: usize = 60;
const PEOPLE: usize = AT_ONCE * BURSTS + ROUNDS;
const START: &str = "/duck start";
/// Asks for nothing but an answer.
const LIST: &str = "/duck list";

/// A team whose people all have keys; its bot is ours, or a floor of that kind.
async fn gathers(kind: Option<&str>) -> (TestEnv, Option<Bot>) {
    let mut team = team(PEOPLE, None, &[]).await;
    stream::iter(0..PEOPLE)
        .for_each_concurrent(16, async |number| {
            let id = team.discord.person(&format!("p{number}")).id();
            team.cluster.store_credentials(id).await;
        })
        .await;
    let floor = match kind {
        None => {
            team.start_bot().await;
            None
        }
        Some(kind) => {
            let floor = floor(kind, &team);
            team.discord.connected().await;
            team.discord.commands_registered().await;
            Some(floor)
        }
    };
    (team, floor)
}

async fn types(team: &TestEnv, number: usize, line: &str) -> (u64, Interaction) {
    let person = team.discord.person(&format!("p{number}"));
    (person.id(), person.types("#data", line).await.unwrap())
}

/// So many people type at once; from that to the acknowledgement.
async fn burst(team: &TestEnv, first: usize, line: &str) -> Vec<Duration> {
    let mut asked = Vec::new();
    for number in first..first + AT_ONCE {
        asked.push(types(team, number, line).await.1);
    }
    let mut times = Vec::new();
    for asked in asked {
        // What is too late counts as the most that Discord waits.
        let acknowledged = asked.outcome().await.map(|it| it.elapsed);
        times.push(acknowledged.unwrap_or(Duration::from_secs(3)));
    }
    times
}

/// From one command to all of its objects.
async fn once(team: &TestEnv, objects: &Objects, number: usize) -> Duration {
    let begin = Instant::now();
    let (owner, _) = types(team, number, START).await;
    objects.made(owner).await - begin
}

fn at_once(what: &'static str, ours: f64, floor: f64, worst: f64) -> Row {
    Row {
        what,
        aim: "under 1.5, and never past 3 s",
        floor: format!("{floor:.0} ms"),
        ours: format!("{ours:.0} ms, the worst {worst:.0} ms"),
        p95: String::new(),
        figure: ours / floor,
        is_ratio: true,
        limits: Aim::Under(&[1.5]),
    }
}

pub async fn rows() -> Vec<Row> {
    let (ours, _none) = gathers(None).await;
    let (bare, _acknowledges) = gathers(Some("acknowledges")).await;
    let (making, _starts) = gathers(Some("starts")).await;

    let (objects, bare_objects) = (Objects::of(&ours.cluster), Objects::of(&making.cluster));
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for number in 0..ROUNDS {
        with.push(once(&ours, &objects, number).await);
        without.push(once(&making, &bare_objects, number).await);
    }
    // The first ones open connections.
    let (with, without) = (of_times(&with[10..]), of_times(&without[10..]));

    let (mut p99, mut p99_listing, mut worst) = (Vec::new(), Vec::new(), 0.0_f64);
    let (mut p99_bare, mut p99_making) = (Vec::new(), Vec::new());
    for round in 0..BURSTS {
        let first = ROUNDS + round * AT_ONCE;
        let listing = burst(&ours, first, LIST).await;
        let times = burst(&ours, first, START).await;
        let slowest = times.iter().chain(&listing).max().unwrap();
        worst = worst.max(slowest.as_secs_f64() * 1000.0);
        objects.count(first + AT_ONCE).await;
        p99.push(of_times(&times).p99);
        p99_listing.push(of_times(&listing).p99);
        p99_bare.push(of_times(&burst(&bare, first, START).await).p99);
        p99_making.push(of_times(&burst(&making, first, START).await).p99);
        bare_objects.settles(first + AT_ONCE).await;
    }
    let median = |all| stats(all).median;
    let (p99, p99_listing) = (median(p99), median(p99_listing));
    let (p99_bare, p99_making) = (median(p99_bare), median(p99_making));
    for team in [&ours, &bare, &making] {
        team.mark_all_read().await;
    }
    vec![
        at_once(
            "200 × `/duck list` at once, acknowledged: p99",
            p99_listing,
            p99_bare,
            worst,
        ),
        at_once(
            "200 × `/duck start` at once, acknowledged: p99",
            p99,
            p99_bare,
            worst,
        ),
        at_once(
            "the same against a bare bot that starts, too",
            p99,
            p99_making,
            worst,
        ),
        Row {
            what: "command to objects made",
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
