//! The service that preceded duckbot. It answers a POST when all objects exist, and a DELETE when they are deleted.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use test_support::{Bot, TestEnv};

use super::{
    super::{
        side::{BURST_SIZE, Creation, Server, at_once, rate},
        stats::stats,
        table::Row,
    },
    program,
};

/// Rounds that are not counted, which open connections.
const WARM_UP: usize = 10;
const ROUNDS: usize = 100;
const BURSTS: usize = 5;
const SESSIONS: usize = WARM_UP + ROUNDS + BURST_SIZE * BURSTS;

/// Starts the service.
pub fn serve(env: &TestEnv) -> Bot {
    let mut command = program("original.py", env);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    Bot::spawn(command)
}

/// Deletes many sessions at once. Returns sessions per second.
async fn delete_burst(it: &Creation, first: usize) -> f64 {
    let begin = Instant::now();
    at_once(first, async |number| {
        it.side.delete(number, &it.sessions[number]).await
    })
    .await;
    rate(begin.elapsed())
}

/// Reports the Pods of all sessions as ready, and waits until the bot's sessions run.
async fn make_ready(ours: &mut Creation, theirs: &Creation) {
    let kubelets = [&ours.side, &theirs.side].map(|side| side.env.kubelet.ready_all_pods());
    let bot = ours.side.env.bot();
    bot.wait_for_log_times("announcing its URL", SESSIONS).await;
    // The last records are written after that.
    tokio::time::sleep(Duration::from_secs(3)).await;
    for kubelet in kubelets {
        kubelet.abort();
    }
}

pub async fn rows() -> Vec<Row> {
    let mut ours = Creation::start(Server::Shipped, SESSIONS).await;
    let mut theirs = Creation::start(Server::Original, SESSIONS).await;
    let (mut answered, mut made) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    for round in 0..WARM_UP + ROUNDS {
        for (at, side) in [&mut ours, &mut theirs].into_iter().enumerate() {
            let times = side.time_one().await;
            if round >= WARM_UP {
                answered[at].push(times[0]);
                made[at].push(times[1]);
            }
        }
    }
    let mut rates = [Vec::new(), Vec::new()];
    for _ in 0..BURSTS {
        rates[0].push(ours.time_burst().await);
        rates[1].push(theirs.time_burst().await);
    }

    make_ready(&mut ours, &theirs).await;
    let mut deleted = [Vec::new(), Vec::new()];
    for number in 0..WARM_UP + ROUNDS {
        for (at, it) in [&ours, &theirs].into_iter().enumerate() {
            let took = it.side.delete(number, &it.sessions[number]).await;
            if number >= WARM_UP {
                deleted[at].push(took);
            }
        }
    }
    let mut deletions = [Vec::new(), Vec::new()];
    for round in 0..BURSTS {
        let first = WARM_UP + ROUNDS + round * BURST_SIZE;
        deletions[0].push(delete_burst(&ours, first).await);
        deletions[1].push(delete_burst(&theirs, first).await);
    }
    for it in [&ours, &theirs] {
        assert_eq!(it.side.env.cluster.objects().await, [""; 0]);
    }
    let created = |which: usize| {
        [&rates[0], &rates[1]].map(|all| stats(all.iter().map(|it| it[which])).median)
    };
    let deletions = deletions.map(|all| stats(all).median);
    const TIME: (&str, &[f64]) = ("at most 0.9", &[0.9]);
    const RATE: (&str, &[f64]) = ("at least 1.5", &[1.5]);
    vec![
        Row::of_times(
            "original service: `POST /sessions` to the response",
            TIME,
            &answered,
        ),
        Row::of_times(
            "original service: `POST /sessions` to all objects",
            TIME,
            &made,
        ),
        Row::of_rates(
            "original service: 16 callers, sessions with a response",
            RATE,
            created(0),
        ),
        Row::of_rates(
            "original service: 16 callers, sessions with all objects",
            RATE,
            created(1),
        ),
        Row::of_times(
            "original service: `DELETE /sessions/{id}`",
            ("at most 1", &[1.0]),
            &deleted,
        ),
        Row::of_rates(
            "original service: 16 callers, sessions deleted",
            ("at least 1", &[1.0]),
            deletions,
        ),
    ]
}
