//! Soak test: sessions start and stop for a long time, in the chat and through the API, while some
//! calls to Discord fail and the gateway disconnects. The bot must not grow, and nothing may be
//! left.
//!
//! By default it runs for half a minute. The full test also writes its results for
//! docs/reliability.md: `DUCKBOT_TEST_SOAK=30m cargo test --test scale soak::`

use std::{
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use discord_loopback::{MessageView, Person, RestFault};
use futures_util::{StreamExt, future::join_all, stream};
use serde::Serialize;
use serde_json::json;
use test_support::{ApiEnv, Kwok, TestEnv, bypass_proxy, session_request, wait_until};
use tokio::time::{Instant, interval};

use crate::lock_machine;

const PEOPLE: usize = 16;
/// Interval between two sessions of a person, or longer if a session takes longer: 2,000 sessions
/// in half an hour.
const SESSION_INTERVAL: Duration = Duration::from_millis(30 * 60 * 1000 * PEOPLE as u64 / 2000);
const QUICK_INTERVAL: Duration = Duration::from_secs(1);

/// Resource usage of the bot.
#[derive(Debug, Clone, Copy, Serialize)]
struct Sample {
    resident_kib: u64,
    descriptors: usize,
    sockets: usize,
    threads: u64,
    tasks: u64,
}

impl Sample {
    async fn measure(process: &Path, metrics: &str) -> Self {
        let status = std::fs::read_to_string(process.join("status")).unwrap();
        let number = |name: &str| {
            let line = status
                .lines()
                .find_map(|line| line.strip_prefix(name))
                .unwrap();
            line.split_whitespace().next().unwrap().parse().unwrap()
        };
        let open: Vec<_> = std::fs::read_dir(process.join("fd")).unwrap().collect();
        let is_socket = |entry: &std::io::Result<std::fs::DirEntry>| {
            let target = entry
                .as_ref()
                .ok()
                .and_then(|it| std::fs::read_link(it.path()).ok());
            target.is_some_and(|it| it.to_string_lossy().starts_with("socket:"))
        };
        let text = reqwest::get(metrics).await.unwrap().text().await.unwrap();
        let tasks = text
            .lines()
            .find_map(|line| line.strip_prefix("duckbot_tasks "));
        Self {
            resident_kib: number("VmRSS:"),
            threads: number("Threads:"),
            descriptors: open.len(),
            sockets: open.iter().filter(|it| is_socket(it)).count(),
            tasks: tasks.unwrap().parse().unwrap(),
        }
    }
}

/// Median of one value.
fn median(samples: &[Sample], of: impl Fn(&Sample) -> u64) -> u64 {
    let mut values: Vec<_> = samples.iter().map(of).collect();
    values.sort_unstable();
    values[values.len() / 2]
}

/// Starts a session, uses it and stops it.
async fn run_session(env: &TestEnv, person: &Person, number: usize) {
    let last = |words: &'static [&'static str]| {
        move |it: &MessageView| words.iter().any(|words| it.content.contains(words))
    };
    let asked = person.run_command("#data", "/duck start").await.unwrap();
    let ready = last(&[
        "is ready",
        "has ended",
        "was stopped",
        "Reference: ",
        "already have a session",
    ]);
    asked.until(ready).await;
    match number % 5 {
        0 => drop(env.reply_to(person, "/duck list all:true").await),
        1 => drop(env.reply_to(person, "/duck open").await),
        2 => drop(env.reply_to(person, "/duck extend duration:1h").await),
        3 => drop(env.reply_to(person, "/duck setup").await),
        _ => {
            let help = env.reply_to(person, "/duck help").await;
            let odd = format!("duckbot:dance:{number}");
            person
                .press_custom_id(help.id, &odd)
                .await
                .unwrap()
                .reply()
                .await;
        }
    }
    // A call may fail meanwhile; repeat the stop then.
    loop {
        let question = env.reply_to(person, "/duck stop").await;
        if question.button("Stop it").is_none() {
            return;
        }
        let pressed = person.press(&question, "Stop it").await.unwrap();
        let ended = last(&["is stopped", "Reference: ", "There is no session"]);
        if !pressed.until(ended).await.content.contains("Reference: ") {
            return;
        }
    }
}

/// Starts and deletes a session through the API.
async fn run_session_by_api(api_env: &ApiEnv) {
    let (status, made) = api_env
        .post("/sessions", &api_env.ana, session_request())
        .await;
    if status != 201 {
        return;
    }
    let path = format!("/sessions/{}", made["session_id"].as_str().unwrap());
    api_env.get(&path, &api_env.ana).await;
    while api_env.delete(&path, &api_env.ana).await.0 >= 500 {}
}

#[tokio::test]
async fn sessions_come_and_go_and_the_bot_does_not_grow() {
    let _alone = lock_machine().await;
    let long = std::env::var("DUCKBOT_TEST_SOAK").ok();
    let time = long.as_deref().map_or("30s", |it| it);
    let time = humantime::parse_duration(time).unwrap();
    let _kwok = Kwok::start().await;
    let settings = [
        ("DUCKBOT_REAPER__EVERY", "1s"),
        ("DUCKBOT_ADMIN__LISTEN", "127.0.0.1:0"),
        ("DUCKBOT_LOG__FILTER", "info"),
        ("DUCKBOT_SESSIONS__PER_USER", "4"),
    ];
    let env = TestEnv::without_bot_on(Kwok::NODE, &settings).await;
    bypass_proxy(&env).await;
    let people: Vec<_> = (0..PEOPLE)
        .map(|number| env.discord.add_person(&format!("p{number}"), &["analyst"]))
        .collect();
    for person in &people {
        env.cluster.store_credentials(person.id()).await;
    }
    let mut api_env = ApiEnv::start_with_env(env).await;
    let process = Path::new("/proc").join(api_env.env.bot().pid().to_string());
    const SAYS: &str = "health and metrics are at ";
    let log = api_env.env.log();
    let address = log
        .split(SAYS)
        .nth(1)
        .unwrap()
        .split_whitespace()
        .next()
        .unwrap();
    let metrics = format!("{address}/metrics");
    let at_rest = Sample::measure(&process, &metrics).await;

    let begin = Instant::now();
    let made = AtomicUsize::new(0);
    let pace = if long.is_some() {
        SESSION_INTERVAL
    } else {
        QUICK_INTERVAL
    };
    let traffic = people.iter().map(async |person| {
        let mut turns = interval(pace);
        while begin.elapsed() < time {
            turns.tick().await;
            let number = made.fetch_add(1, Ordering::Relaxed);
            match number % 10 {
                9 => run_session_by_api(&api_env).await,
                _ => run_session(&api_env.env, person, number).await,
            }
            if number % 100 == 50 {
                api_env.env.discord.drop_gateway();
            }
            if number % 20 == 10 {
                api_env
                    .env
                    .discord
                    .inject_fault(RestFault::cut_before("*", "*"));
            }
        }
    });
    let mut samples = Vec::new();
    let watching = async {
        let mut seconds = interval(Duration::from_secs(1));
        loop {
            seconds.tick().await;
            samples.push(Sample::measure(&process, &metrics).await);
        }
    };
    tokio::select! {
        _ = join_all(traffic) => {}
        () = watching => unreachable!("sampling never ends by itself"),
    }
    api_env.env.discord.clear_faults();
    stream::iter(&people)
        .for_each_concurrent(4, async |person| api_env.env.stop_session(person).await)
        .await;

    // Nothing is left: no object, no credentials of sessions, no task, no connection.
    wait_until(async || api_env.env.cluster.objects().await, Vec::is_empty).await;
    let secrets = api_env
        .env
        .cluster
        .secrets()
        .list(&Default::default())
        .await
        .unwrap();
    let names = secrets.items.into_iter().filter_map(|it| it.metadata.name);
    let left: Vec<_> = names
        .filter(|it| it.starts_with("duckbot-s3-session-"))
        .collect();
    assert_eq!(left, [""; 0]);
    let now = async || Sample::measure(&process, &metrics).await;
    // Idle connections to Discord stay open for 90 s.
    let few = if long.is_some() { PEOPLE } else { 4 * PEOPLE };
    let rests = |now: &Sample| {
        now.tasks <= at_rest.tasks + few as u64 && now.descriptors <= at_rest.descriptors + few
    };
    wait_until(now, rests).await;
    api_env.env.mark_all_read().await;

    let made = made.load(Ordering::Relaxed);
    let after_warm_up = &samples[samples.len() / 4..];
    let (early, late) = after_warm_up.split_at(after_warm_up.len() / 3);
    let late = &late[late.len() / 2..];
    let grows = |of: fn(&Sample) -> u64| [median(early, of), median(late, of)];
    let [memory, tasks, descriptors, sockets] = [
        grows(|it| it.resident_kib),
        grows(|it| it.tasks),
        grows(|it| it.descriptors as u64),
        grows(|it| it.sockets as u64),
    ];
    eprintln!(
        "{made} sessions in {:.0?}: KiB {memory:?}, tasks {tasks:?}, descriptors {descriptors:?}, \
         sockets {sockets:?}; at rest {at_rest:?}, then {:?}",
        begin.elapsed(),
        Sample::measure(&process, &metrics).await,
    );
    api_env.assert_clean().await;
    if long.is_none() {
        return;
    }
    for [early, late] in [memory, tasks, descriptors, sockets] {
        assert!(
            late as f64 <= early as f64 * 1.1 + 4.0,
            "{early} became {late}"
        );
    }
    let seen = json!({
        "date": chrono::Utc::now().date_naive(), "minutes": begin.elapsed().as_secs() / 60,
        "sessions": made, "samples": samples.len(), "resident_kib": memory, "tasks": tasks,
        "descriptors": descriptors, "sockets": sockets,
    });
    let text = serde_json::to_string_pretty(&seen).unwrap();
    std::fs::write(
        concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scale/soak.json"),
        text + "\n",
    )
    .unwrap();
}
