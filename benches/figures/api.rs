//! `POST /sessions`, with credentials that belong to the session.

use super::{
    side::{BURST_SIZE, Creation, Server},
    stats::{stats, time_stats},
    table::{Aim, Row},
};

const ROUNDS: usize = 150;
const BURSTS: usize = 5;
const OWNERS: usize = 10 + ROUNDS + BURST_SIZE * BURSTS;

pub async fn rows() -> Vec<Row> {
    let mut ours = Creation::start(Server::Bot, OWNERS).await;
    let mut bare = Creation::start(Server::Floor, OWNERS).await;
    for _ in 0..10 {
        ours.time_one().await;
        bare.time_one().await;
    }
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        with.push(ours.time_one().await[0]);
        without.push(bare.time_one().await[0]);
    }
    let (with, without) = (time_stats(&with), time_stats(&without));
    let (mut many, mut many_bare) = (Vec::new(), Vec::new());
    for _ in 0..BURSTS {
        many.push(ours.time_burst().await);
        many_bare.push(bare.time_burst().await);
    }
    let rate = |all: &[[f64; 2]], which: usize| stats(all.iter().map(|it| it[which])).median;
    let throughput = |what, which| {
        let aim = ("over 0.8, ideally 0.9", &[0.8, 0.9] as &'static [f64]);
        Row::of_rates(what, aim, [rate(&many, which), rate(&many_bare, which)])
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
