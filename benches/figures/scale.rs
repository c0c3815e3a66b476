//! Many sessions on one cluster, in three sizes.

use std::time::{Duration, Instant};

use discord_loopback::Person;
use test_support::{Kwok, TestEnv};

use super::{
    crowd::{end, idle_memory, kwok_env, serve_doors, write_sessions},
    growth::Series,
    setup::cpu_time,
    stats::{Stats, time_stats},
    table::{Aim, Row},
};

/// Numbers of sessions that the bot finds at its start.
const SIZES: [usize; 3] = [1_250, 5_000, 20_000];
/// Rounds of everything that takes milliseconds, and number of starts with each size.
const ROUNDS: usize = 21;
/// Rounds of what asks all doors.
const SLOW_ROUNDS: usize = 5;
/// Time for which the CPU time at rest is measured: each door is asked once in it.
const REST: Duration = Duration::from_secs(20);

/// Figures with one number of sessions. The bot has just been started.
#[derive(Debug)]
struct AtSize {
    sessions: usize,
    /// Seconds from the start of the process until it is connected.
    restart: f64,
    /// Seconds of the first sweep, which asks all doors.
    first_sweep: f64,
    /// Resident memory in MB.
    memory: f64,
    /// CPU time in ms for each second without commands.
    rest: f64,
    start: Stats,
    list: Stats,
    list_all: Stats,
    sweep: Stats,
}

/// Times from a command to its reply.
async fn time_replies(env: &TestEnv, person: &Person, line: &str, rounds: usize) -> Stats {
    let mut times = Vec::new();
    for _ in 0..rounds {
        let begin = Instant::now();
        env.reply_to(person, line).await;
        times.push(begin.elapsed());
    }
    time_stats(&times)
}

/// Times from `/duck start` to ready, for people with these numbers.
async fn time_starts(env: &TestEnv, people: &[Person]) -> Stats {
    let mut times = Vec::new();
    for person in people {
        // Discord allows five messages in five seconds.
        tokio::time::sleep(Duration::from_secs(1)).await;
        env.cluster.store_credentials(person.id()).await;
        let begin = Instant::now();
        let asked = person.run_command("#data", "/duck start").await.unwrap();
        asked
            .until(|reply| reply.content.contains("is ready"))
            .await;
        times.push(begin.elapsed());
    }
    time_stats(&times)
}

/// Starts the bot, and measures everything with this number of sessions.
async fn measure(env: &mut TestEnv, sessions: usize, people: &[Person]) -> AtSize {
    let begin = Instant::now();
    env.start_bot().await;
    env.discord.wait_connected().await;
    let restart = begin.elapsed().as_secs_f64();
    env.bot().wait_for_log("swept").await;
    let first_sweep = begin.elapsed().as_secs_f64() - restart;
    let memory = idle_memory(env.bot()).await;
    let before = cpu_time(env.bot());
    tokio::time::sleep(REST).await;
    let rest = (cpu_time(env.bot()) - before).as_secs_f64() * 1000.0 / REST.as_secs_f64();
    let start = time_starts(env, people).await;
    env.mark_all_read().await;
    let ada = env.ada.clone();
    let sized = AtSize {
        sessions,
        restart,
        first_sweep,
        memory,
        rest,
        start,
        list: time_replies(env, &people[0], "/duck list", ROUNDS).await,
        list_all: time_replies(env, &ada, "/duck list all:true", SLOW_ROUNDS).await,
        sweep: time_replies(env, &ada, "/duck reap", ROUNDS).await,
    };
    env.mark_all_read().await;
    sized
}

pub async fn rows(series: &mut Vec<Series>) -> Vec<Row> {
    let _kwok = Kwok::start().await;
    let _doors = serve_doors();
    let mut env = kwok_env(ROUNDS * SIZES.len()).await;
    env.start_bot().await;
    let idle = idle_memory(env.bot()).await;
    let people: Vec<_> = (0..ROUNDS * SIZES.len())
        .map(|number| env.discord.person(&format!("p{number}")))
        .collect();

    let mut sized = Vec::new();
    let mut present = 0;
    for (size, people) in SIZES.into_iter().zip(people.chunks(ROUNDS)) {
        env.kill_bot().await;
        let begin = Instant::now();
        write_sessions(&env, present, size).await;
        eprintln!("{size} sessions after {:.0?}", begin.elapsed());
        present = size;
        let measured = measure(&mut env, size, people).await;
        eprintln!("measured after {:.0?}: {measured:?}", begin.elapsed());
        sized.push(measured);
    }
    end(env).await;
    series.extend(series_of(&sized, idle));
    rows_of(&sized, idle)
}

/// A figure that grows with the sessions.
struct Cost {
    /// Text of the row, and of the panel in the chart.
    row: &'static str,
    panel: &'static str,
    unit: &'static str,
    /// Its value. The second argument is the memory of a bot without sessions.
    of: fn(&AtSize, f64) -> f64,
}

const COSTS: [Cost; 8] = [
    Cost {
        row: "20,000 sessions: memory above that of a bot without any",
        panel: "Memory above an empty bot's",
        unit: "MB",
        of: |it, idle| it.memory - idle,
    },
    Cost {
        row: "20,000 sessions: CPU time for each second at rest",
        panel: "CPU time per second at rest",
        unit: "ms",
        of: |it, _| it.rest,
    },
    Cost {
        row: "20,000 sessions: restart, until connected",
        panel: "Restart until connected",
        unit: "s",
        of: |it, _| it.restart,
    },
    Cost {
        row: "20,000 sessions: first sweep, which asks each door",
        panel: "First sweep: asks each door",
        unit: "s",
        of: |it, _| it.first_sweep,
    },
    Cost {
        row: "20,000 sessions: a later sweep, with its plan as a reply",
        panel: "Later sweep, with a reply",
        unit: "ms",
        of: |it, _| it.sweep.median,
    },
    Cost {
        row: "20,000 sessions: `/duck list` to its reply",
        panel: "`/duck list` to its reply",
        unit: "ms",
        of: |it, _| it.list.median,
    },
    Cost {
        row: "20,000 sessions: `/duck list all:true` to its reply",
        panel: "`/duck list all:true` to its reply",
        unit: "ms",
        of: |it, _| it.list_all.median,
    },
    Cost {
        row: "20,000 sessions: from start to ready, against 5,000",
        panel: "`/duck start` to ready",
        unit: "ms",
        of: |it, _| it.start.median,
    },
];

fn series_of(sized: &[AtSize], idle: f64) -> impl Iterator<Item = Series> {
    COSTS.iter().map(move |cost| Series {
        title: cost.panel,
        work: "sessions",
        unit: cost.unit,
        points: points_of(sized, idle, cost),
    })
}

fn points_of(sized: &[AtSize], idle: f64, cost: &Cost) -> Vec<(f64, f64)> {
    let point = |it: &AtSize| (it.sessions as f64, (cost.of)(it, idle));
    sized.iter().map(point).collect()
}

fn rows_of(sized: &[AtSize], idle: f64) -> Vec<Row> {
    let starts = [
        "from start to ready, with 1,250 session Pods",
        "from start to ready, with 5,000 session Pods",
        "from start to ready, with 20,000 session Pods",
    ];
    let mut rows: Vec<_> = starts
        .into_iter()
        .zip(sized)
        .map(|(what, it)| Row {
            what,
            aim: "under 2 s",
            floor: String::new(),
            ours: format!("{:.0} ms", it.start.median),
            p95: format!("{:.0} ms", it.start.p95),
            figure: it.start.p95 / 1000.0,
            is_ratio: false,
            limits: Aim::Under(&[2.0]),
        })
        .collect();
    let full = sized[1].memory;
    rows.push(Row {
        what: "resident memory with 5,000 live sessions",
        aim: "",
        floor: String::new(),
        ours: format!("{full:.1} MB"),
        p95: String::new(),
        figure: full,
        is_ratio: false,
        limits: Aim::None,
    });
    rows.extend(COSTS.iter().map(|cost| {
        let points = points_of(sized, idle, cost);
        Row::of_growth(cost.row, cost.unit, [points[1], points[2]])
    }));
    rows
}
