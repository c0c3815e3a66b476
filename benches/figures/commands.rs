//! Commands in the chat: until they are acknowledged, and until what they ask for is made.

use std::time::{Duration, Instant};

use duckbot::sandbox::discord::Interaction;
use futures_util::{StreamExt, stream};

use super::{
    lab::{Objects, floor, team},
    stats::{of_times, stats},
    support::{Bot, Team},
    table::{Aim, Row},
};

const AT_ONCE: usize = 200;
const BURSTS: usize = 5;
const ROUNDS: usize = 60;
const PEOPLE: usize = AT_ONCE * BURSTS + ROUNDS;
const LINE: &str = "/duck start";

/// A team whose people all have keys; its bot is ours, or a floor of that kind.
async fn gathers(kind: Option<&str>) -> (Team, Option<Bot>) {
    let mut team = team(PEOPLE, None, &[]).await;
    stream::iter(0..PEOPLE)
        .for_each_concurrent(16, async |number| {
            let id = team.discord.person(&format!("p{number}")).id();
            team.cluster.keys_of(id).await;
        })
        .await;
    let floor = match kind {
        None => {
            team.starts_the_bot().await;
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

async fn types(team: &Team, number: usize) -> (u64, Interaction) {
    let person = team.discord.person(&format!("p{number}"));
    (person.id(), person.types("#data", LINE).await.unwrap())
}

/// So many people type at once; from that to the acknowledgement.
async fn burst(team: &Team, first: usize) -> Vec<Duration> {
    let mut asked = Vec::new();
    for number in first..first + AT_ONCE {
        asked.push(types(team, number).await.1);
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
async fn once(team: &Team, objects: &Objects, number: usize) -> Duration {
    let begin = Instant::now();
    let (owner, _) = types(team, number).await;
    objects.made(owner).await - begin
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

    let (mut p99, mut p99_bare, mut worst) = (Vec::new(), Vec::new(), 0.0_f64);
    for round in 0..BURSTS {
        let first = ROUNDS + round * AT_ONCE;
        let times = burst(&ours, first).await;
        worst = worst.max(times.iter().max().unwrap().as_secs_f64() * 1000.0);
        p99.push(of_times(&times).p99);
        objects.count(first + AT_ONCE).await;
        p99_bare.push(of_times(&burst(&bare, first).await).p99);
    }
    let (p99, p99_bare) = (stats(p99), stats(p99_bare));
    for team in [&ours, &bare, &making] {
        team.reads_everything().await;
    }
    vec![
        Row {
            what: "200 commands at once, until acknowledged: p99",
            aim: "under 1.5, and never past 3 s",
            floor: format!("{:.0} ms", p99_bare.median),
            ours: format!("{:.0} ms, the worst {worst:.0} ms", p99.median),
            p95: String::new(),
            figure: p99.median / p99_bare.median,
            is_ratio: true,
            limits: Aim::Under(&[1.5]),
        },
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
