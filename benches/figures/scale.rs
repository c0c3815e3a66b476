//! Many sessions on one cluster. Their Pods are simulated by kwok, ready as soon as scheduled.

use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use test_support::{Bot, Kwok, TestEnv};

use super::{
    binary,
    setup::{env, resident},
    stats::time_stats,
    table::{Aim, Row},
};

const SESSIONS: usize = 5000;
const ROUNDS: usize = 21;

/// Creates an environment on kwok's node, with the program of the production image.
pub async fn kwok_env(people: usize) -> TestEnv {
    // These Pods have no doors, so the reaper must not ask them.
    let settings = [
        ("DUCKBOT_REAPER__IDLE", "off"),
        ("DUCKBOT_REAPER__EVERY", "1h"),
    ];
    let mut env = env(people, Some(Kwok::NODE), &settings).await;
    env.program = binary::program();
    env
}

/// Creates sessions with the numbers `first..last`, each with another owner, and waits until all
/// run.
pub async fn create_sessions(env: &mut TestEnv, first: usize, last: usize) {
    let created = chrono::Utc::now().to_rfc3339();
    stream::iter(first..last)
        .for_each_concurrent(16, async |number| {
            let (id, owner) = (
                format!("{:06x}", 0xa0_0000 + number),
                1_000_000 + number as u64,
            );
            // Without a channel: Discord allows only five messages in five seconds.
            env.create_record_in(None, &id, owner, 0, &created).await;
        })
        .await;
    let begin = Instant::now();
    while env.bot().log().matches(": announcing its URL").count() < last {
        assert!(
            begin.elapsed() < Duration::from_secs(1800),
            "not all sessions run after 30 minutes"
        );
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Resident memory of the bot in MB, after 5 s without work.
pub async fn idle_memory(bot: &Bot) -> f64 {
    tokio::time::sleep(Duration::from_secs(5)).await;
    resident(bot, false)
}

pub async fn rows() -> Vec<Row> {
    let _kwok = Kwok::start().await;
    let mut env = kwok_env(ROUNDS).await;
    env.start_bot().await;
    let begin = Instant::now();
    create_sessions(&mut env, 0, SESSIONS).await;
    eprintln!("{SESSIONS} sessions run after {:.0?}", begin.elapsed());
    let full = idle_memory(env.bot()).await;
    let mut times = Vec::new();
    for number in 0..ROUNDS {
        // Discord allows five messages in five seconds.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let person = env.discord.person(&format!("p{number}"));
        env.cluster.store_credentials(person.id()).await;
        let begin = Instant::now();
        let asked = person.run_command("#data", "/duck start").await.unwrap();
        asked
            .until(|reply| reply.content.contains("is ready"))
            .await;
        times.push(begin.elapsed());
    }
    env.mark_all_read().await;
    let took = time_stats(&times);
    vec![
        Row {
            what: "from start to ready, with 5,000 session Pods",
            aim: "under 2 s",
            floor: String::new(),
            ours: format!("{:.0} ms", took.median),
            p95: format!("{:.0} ms", took.p95),
            figure: took.p95 / 1000.0,
            is_ratio: false,
            limits: Aim::Under(&[2.0]),
        },
        Row {
            what: "resident memory with 5,000 live sessions",
            aim: "",
            floor: String::new(),
            ours: format!("{full:.1} MB"),
            p95: String::new(),
            figure: full,
            is_ratio: false,
            limits: Aim::None,
        },
    ]
}
