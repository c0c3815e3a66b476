//! Takeover by the other one of two bots: time from the signal to the leader until the other bot has answered a
//! command.

use std::time::{Duration, Instant};

use test_support::TestEnv;

use super::{
    setup::env,
    stats::time_stats,
    table::{Aim, Row},
};

const ROUNDS: usize = 9;

/// Ends the leader with SIGKILL or SIGTERM. Returns the time until the other bot has answered.
async fn time_takeover(env: &mut TestEnv, is_crash: bool) -> Duration {
    env.start_standby().await;
    let begin = Instant::now();
    if is_crash {
        env.kill_bot().await;
    } else {
        env.terminate_bot().await;
    }
    env.swap_bots().await;
    env.reply_to(&env.ana, "/duck list").await;
    begin.elapsed()
}

fn row(what: &'static str, aim: &'static str, limit: &'static [f64], times: &[Duration]) -> Row {
    let stats = time_stats(times);
    Row {
        what,
        aim,
        floor: String::new(),
        ours: format!("{:.1} s", stats.median / 1000.0),
        p95: format!("{:.1} s", stats.p95 / 1000.0),
        figure: stats.median / 1000.0,
        is_ratio: false,
        limits: Aim::Under(limit),
    }
}

pub async fn rows() -> Vec<Row> {
    let mut env = env(0, None, &[]).await;
    env.use_lease();
    env.start_bot().await;
    let (mut crashes, mut ends) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        crashes.push(time_takeover(&mut env, true).await);
        ends.push(time_takeover(&mut env, false).await);
    }
    vec![
        row(
            "failover: from SIGKILL of the leader to an answer",
            "under 15 s",
            &[15.0],
            &crashes,
        ),
        row(
            "failover: from SIGTERM of the leader to an answer",
            "under 3 s",
            &[3.0],
            &ends,
        ),
    ]
}
