//! Many sessions on one cluster, in three sizes.

use std::time::{Duration, Instant};

use discord_loopback::Person;
use test_support::{Bot, Kwok, TestEnv};

use super::{
    crowd::{end, idle_memory, kwok_env, serve_doors, write_sessions},
    growth::Series,
    setup::cpu_time,
    stats::{Stats, time_stats},
    table::{Aim, Row},
};

/// Numbers of sessions that the bot finds at its start.
const SIZES: [usize; 3] = [1_250, 5_000, 20_000];
/// Number of starts with each size.
const ROUNDS: usize = 21;
/// Rounds of what takes milliseconds.
const FAST_ROUNDS: usize = 101;
/// Rounds of what asks all doors.
const SLOW_ROUNDS: usize = 5;
/// Time for which the CPU time at rest is measured: each door is asked once in it.
const REST: Duration = Duration::from_secs(20);

/// Figures with one number of sessions. The bot has just been started.
#[derive(Debug)]
struct AtSize {
    sessions: usize,
    /// From the start of the process until it is connected.
    restart: Took,
    /// From then until the first sweep is done, which asks all doors.
    first_sweep: Took,
    /// Resident memory in MB.
    memory: f64,
    /// CPU time in ms for each second without commands.
    rest: f64,
    start: Stats,
    /// CPU time of one start in ms.
    start_cpu: f64,
    list: Took,
    list_all: Took,
    sweep: Took,
}

/// CPU time of the bot and time, both in ms.
#[derive(Debug)]
struct Took {
    cpu: f64,
    time: f64,
}

impl Took {
    /// CPU time of each of these rounds above that at rest, in ms for each second. At least a little: the chart is
    /// logarithmic.
    fn cpu_above(&self, rest: f64, rounds: usize) -> f64 {
        ((self.cpu - rest * self.time / 1000.0) / rounds as f64).max(0.01)
    }
}

/// Measures CPU time and time.
struct Watch {
    cpu: Duration,
    begin: Instant,
}

impl Watch {
    fn start(bot: &Bot) -> Self {
        Self {
            cpu: cpu_time(bot),
            begin: Instant::now(),
        }
    }

    fn took(&self, bot: &Bot) -> Took {
        let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
        Took {
            // A thread may have ended, whose time is no longer known.
            cpu: milliseconds(cpu_time(bot).saturating_sub(self.cpu)),
            time: milliseconds(self.begin.elapsed()),
        }
    }
}

/// Measures a command to its reply: the median time, and the CPU time above that at rest, in ms for each second.
async fn time_replies(
    env: &mut TestEnv,
    person: &Person,
    line: &str,
    (rounds, rest): (usize, f64),
) -> Took {
    let mut times = Vec::new();
    let all = Watch::start(env.bot());
    for _ in 0..rounds {
        let begin = Instant::now();
        env.reply_to(person, line).await;
        times.push(begin.elapsed());
    }
    let all = all.took(env.bot());
    Took {
        cpu: all.cpu_above(rest, rounds),
        time: time_stats(&times).median,
    }
}

/// Times from `/duck start` to ready, and the CPU time of one, in ms above that at rest.
async fn time_starts(env: &mut TestEnv, people: &[Person], rest: f64) -> (Stats, f64) {
    let mut times = Vec::new();
    let all = Watch::start(env.bot());
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
    let all = all.took(env.bot());
    (time_stats(&times), all.cpu_above(rest, people.len()))
}

/// Starts the bot, and measures everything with this number of sessions.
async fn measure(env: &mut TestEnv, sessions: usize, people: &[Person]) -> AtSize {
    let begin = Instant::now();
    env.start_bot().await;
    env.discord.wait_connected().await;
    let restart = Took {
        cpu: cpu_time(env.bot()).as_secs_f64() * 1000.0,
        time: begin.elapsed().as_secs_f64() * 1000.0,
    };
    let sweep = Watch::start(env.bot());
    env.bot().wait_for_log("swept").await;
    let first_sweep = sweep.took(env.bot());
    let memory = idle_memory(env.bot()).await;
    let quiet = Watch::start(env.bot());
    tokio::time::sleep(REST).await;
    let rest = quiet.took(env.bot()).cpu / REST.as_secs_f64();
    let (start, start_cpu) = time_starts(env, people, rest).await;
    env.mark_all_read().await;
    let (one, ada) = (&people[0], &env.ada.clone());
    let (fast, slow) = ((FAST_ROUNDS, rest), (SLOW_ROUNDS, rest));
    let sized = AtSize {
        sessions,
        restart,
        first_sweep,
        memory,
        rest,
        start,
        start_cpu,
        list: time_replies(env, one, "/duck list", fast).await,
        list_all: time_replies(env, ada, "/duck list all:true", slow).await,
        sweep: time_replies(env, ada, "/duck reap", fast).await,
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
    /// Time that the row shows beside CPU time, in ms.
    time: Option<fn(&AtSize) -> f64>,
}

const COSTS: [Cost; 9] = [
    Cost {
        row: "20,000 sessions: memory above that of a bot without any",
        panel: "Memory above an empty bot's",
        unit: "MB",
        of: |it, idle| it.memory - idle,
        time: None,
    },
    Cost {
        row: "20,000 sessions: CPU time for each second at rest",
        panel: "CPU time for a second at rest",
        unit: "ms",
        of: |it, _| it.rest,
        time: None,
    },
    Cost {
        row: "20,000 sessions: CPU time of a restart, until connected",
        panel: "CPU time of a restart",
        unit: "ms",
        of: |it, _| it.restart.cpu,
        time: Some(|it| it.restart.time),
    },
    Cost {
        row: "20,000 sessions: CPU time of the first sweep, which asks each door",
        panel: "CPU time of the first sweep",
        unit: "ms",
        of: |it, _| it.first_sweep.cpu,
        time: Some(|it| it.first_sweep.time),
    },
    Cost {
        row: "20,000 sessions: CPU time of a later sweep, with its plan as a reply",
        panel: "CPU time of a later sweep",
        unit: "ms",
        of: |it, _| it.sweep.cpu,
        time: Some(|it| it.sweep.time),
    },
    Cost {
        row: "20,000 sessions: CPU time of `/duck list`",
        panel: "CPU time of `/duck list`",
        unit: "ms",
        of: |it, _| it.list.cpu,
        time: Some(|it| it.list.time),
    },
    Cost {
        row: "20,000 sessions: CPU time of `/duck list all:true`",
        panel: "CPU time of `/duck list all:true`",
        unit: "ms",
        of: |it, _| it.list_all.cpu,
        time: Some(|it| it.list_all.time),
    },
    Cost {
        row: "20,000 sessions: from start to ready, against 5,000",
        panel: "`/duck start` to ready",
        unit: "ms",
        of: |it, _| it.start.median,
        time: None,
    },
    Cost {
        row: "20,000 sessions: CPU time of a start",
        panel: "CPU time of `/duck start`",
        unit: "ms",
        of: |it, _| it.start_cpu,
        time: None,
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
        let mut row = Row::of_growth(cost.row, cost.unit, [points[1], points[2]]);
        if let Some(time) = cost.time {
            for (text, it) in [(&mut row.floor, &sized[1]), (&mut row.ours, &sized[2])] {
                *text += &format!(", takes {:.0} ms", time(it));
            }
        }
        row
    }));
    rows
}
