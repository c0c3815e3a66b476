//! KubeSpawner, which starts and stops the servers of JupyterHub. The bot is asked over its API.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use kube::api::{Patch, PatchParams};
use serde::Deserialize;
use serde_json::json;
use test_support::TestEnv;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout},
};

use super::{
    super::{
        setup::{env, resident, resident_of},
        side::{BURST_SIZE, CALLERS, Server, Side, at_once, owner, rate},
        stats::stats,
        table::{Aim, Row},
    },
    program,
};

/// Rounds that are not counted, which open connections and start watches.
const WARM_UP: usize = 5;
const ROUNDS: usize = 60;
const BURSTS: usize = 5;

/// `benches/rivals/spawner.py`, and its environment.
struct KubeSpawner {
    _env: TestEnv,
    process: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

/// Seconds of each server and of all of them.
#[derive(Deserialize)]
struct Took {
    times: Vec<f64>,
    took: f64,
}

impl KubeSpawner {
    async fn start() -> Self {
        let env = env(0, None, &[]).await;
        // It looks whether a Service is gone.
        let rule = json!({ "apiGroups": [""], "resources": ["services"], "verbs": ["get"] });
        let patch = json!([{ "op": "add", "path": "/rules/-", "value": rule }]);
        let patch: Patch<()> = Patch::Json(serde_json::from_value(patch).unwrap());
        let (roles, name) = (env.cluster.roles(), "duckbot-sessions");
        roles
            .patch(name, &PatchParams::default(), &patch)
            .await
            .unwrap();
        env.kubelet.ready_all_pods();
        let mut command = program("spawner.py", &env);
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(process.stdout.take().unwrap()).lines();
        Self {
            input: process.stdin.take().unwrap(),
            process,
            output,
            _env: env,
        }
    }

    async fn run(&mut self, line: String) -> Took {
        self.input
            .write_all(format!("{line}\n").as_bytes())
            .await
            .unwrap();
        let answer = self.output.next_line().await.unwrap();
        serde_json::from_str(&answer.expect("the program runs")).unwrap()
    }

    /// Starts and stops one server. Returns the two times.
    async fn time_one(&mut self) -> [Duration; 2] {
        let start = self.run("start 1 1".into()).await;
        let stop = self.run("stop 1".into()).await;
        [start, stop].map(|it| Duration::from_secs_f64(it.times[0]))
    }

    /// Starts and stops many servers. Returns both rates, and its memory in MB while they run.
    async fn time_burst(&mut self) -> [f64; 3] {
        let start = self.run(format!("start {CALLERS} {BURST_SIZE}")).await;
        let memory = resident_of(self.process.id().unwrap(), false);
        let stop = self.run(format!("stop {CALLERS}")).await;
        let [start, stop] = [start, stop].map(|it| rate(Duration::from_secs_f64(it.took)));
        [start, stop, memory]
    }
}

/// Starts and stops one session. Returns the two times, and the session's ID.
async fn time_one(side: &Side, number: usize, is_stored: bool) -> ([Duration; 2], String) {
    let (start, id) = side.start_session(number, is_stored).await;
    ([start, side.delete(number, &id).await], id)
}

/// Prints what the bot logged about a session, as the timeline in notes.md is made from it.
fn print_timeline(side: &mut Side, id: &str, times: [Duration; 2]) {
    let log = side.env.bot().log();
    let about_it: Vec<_> = log.lines().filter(|line| line.contains(id)).collect();
    eprintln!("start and stop took {times:?}:\n{}", about_it.join("\n"));
}

/// Starts and stops many sessions. Returns both rates, and the bot's memory in MB while they run.
async fn time_burst(side: &mut Side, first: usize) -> [f64; 3] {
    let begin = Instant::now();
    let start = async |number| side.start_session(number, false).await.1;
    let sessions = at_once(first, start).await;
    let started = rate(begin.elapsed());
    let memory = resident(side.env.bot(), false);
    let begin = Instant::now();
    at_once(first, async |number| {
        side.delete(number, &sessions[number - first]).await
    })
    .await;
    [started, rate(begin.elapsed()), memory]
}

pub async fn rows() -> Vec<Row> {
    let mut ours = Side::start(Server::Shipped, WARM_UP + ROUNDS + BURST_SIZE).await;
    ours.env.kubelet.ready_all_pods();
    let mut theirs = KubeSpawner::start().await;
    let mut times = [const { [const { Vec::new() }; 2] }; 2];
    let mut stored = [const { Vec::new() }; 2];
    for number in 0..WARM_UP + ROUNDS {
        ours.env.cluster.store_credentials(owner(number)).await;
        let (own, id) = time_one(&ours, number, false).await;
        let (with_stored, _) = time_one(&ours, number, true).await;
        if number + 1 == WARM_UP + ROUNDS {
            print_timeline(&mut ours, &id, own);
        }
        let rival = theirs.time_one().await;
        if number < WARM_UP {
            continue;
        }
        for (which, times) in times.iter_mut().enumerate() {
            times[0].push(own[which]);
            times[1].push(rival[which]);
        }
        stored[0].push(with_stored[0]);
        stored[1].push(rival[0]);
    }
    let (mut many, mut many_rival) = (Vec::new(), Vec::new());
    for _ in 0..BURSTS {
        many.push(time_burst(&mut ours, WARM_UP + ROUNDS).await);
        many_rival.push(theirs.time_burst().await);
    }
    let medians =
        |which: usize| [&many, &many_rival].map(|all| stats(all.iter().map(|it| it[which])).median);
    let [memory, their_memory] = medians(2);
    const TIME: (&str, &[f64]) = ("at most 1.2", &[1.2]);
    const RATE: (&str, &[f64]) = ("at least 0.9", &[0.9]);
    vec![
        Row::of_times("KubeSpawner: from start to ready", TIME, &times[0]),
        Row {
            limits: Aim::None,
            ..Row::of_times(
                "KubeSpawner: from start to ready, with stored credentials",
                ("measured only", &[]),
                &stored,
            )
        },
        Row::of_rates("KubeSpawner: 16 callers, sessions ready", RATE, medians(0)),
        Row::of_times("KubeSpawner: from stop to gone", TIME, &times[1]),
        Row::of_rates("KubeSpawner: 16 callers, sessions gone", RATE, medians(1)),
        Row {
            what: "KubeSpawner: resident memory with 128 sessions",
            aim: "at most a third",
            floor: format!("{their_memory:.0} MB"),
            ours: format!("{memory:.0} MB"),
            p95: String::new(),
            figure: memory / their_memory,
            is_ratio: true,
            limits: Aim::Under(&[1.0 / 3.0]),
        },
    ]
}
