//! Time from `/duck start` to the announcement on a real node, compared with the moment at which
//! DuckDB answers in the Pod of the same session.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use k8s_openapi::api::core::v1::Pod;
use kube::{api::LogParams, runtime::wait::await_condition};
use test_support::{TestEnv, bypass_proxy};

use super::{
    setup::WAIT_TIMEOUT,
    stats::{stats, time_stats},
    table::{Aim, Row},
};

const ROUNDS: u32 = 7;
/// Pause between two questions to the door.
const PAUSE: Duration = Duration::from_millis(10);

/// Times since the command.
struct Start {
    /// DuckDB's UI listens, according to the log of its container.
    listens: Duration,
    /// The cluster has reported the Pod's address, and DuckDB answers there.
    answers: Duration,
    announced: Duration,
}

/// Waits until DuckDB answers in the Pod with this name. The Pod's address comes from the API server.
pub async fn wait_for_answer(env: &TestEnv, name: &str) -> Instant {
    let address = |pod: Option<&Pod>| pod?.status.as_ref()?.pod_ip.clone();
    let has_address = |pod: Option<&Pod>| address(pod).is_some();
    let pod = await_condition(env.cluster.pods(), name, has_address).await;
    let address = address(pod.unwrap().as_ref()).unwrap();
    let url = format!("http://{address}:8081/ready");
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    loop {
        let answer = client.get(&url).send().await;
        if answer.is_ok_and(|it| it.status() == 200) {
            return Instant::now();
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Returns when DuckDB's UI began to listen, according to the log of its container.
async fn listening_since(env: &TestEnv, session: &str) -> DateTime<Utc> {
    let params = LogParams {
        container: Some("duckdb".into()),
        timestamps: true,
        ..LogParams::default()
    };
    let (pods, name) = (env.cluster.pods(), format!("duckui-{session}"));
    let log = pods.logs(&name, &params).await.unwrap();
    let mut lines = log.lines();
    let line = lines.find(|line| line.contains("Starting DuckDB's UI: done"));
    let at = line.unwrap().split(' ').next().unwrap();
    at.parse().unwrap()
}

/// Starts a session and stops it.
async fn time_one(env: &TestEnv) -> Start {
    let (begin, began_at) = (Instant::now(), Utc::now());
    let (_, id) = env.start_session(&env.ana, "").await;
    let announced = async {
        env.ana.read("#data").await;
        Instant::now()
    };
    let name = format!("duckui-{id}");
    let both = async { tokio::join!(wait_for_answer(env, &name), announced) };
    let (answers, announced) = tokio::time::timeout(WAIT_TIMEOUT, both).await.unwrap();
    let listens = listening_since(env, &id).await - began_at;
    env.clean_up().await;
    Start {
        listens: listens.to_std().unwrap(),
        answers: answers - begin,
        announced: announced - begin,
    }
}

pub async fn rows() -> Vec<Row> {
    let settings = [
        ("DUCKBOT_LOG__FILTER", "info"),
        ("DUCKBOT_CREDENTIALS__PREFLIGHT", "false"),
    ];
    let Some(mut env) = TestEnv::start_on_node(&settings).await else {
        return Vec::new();
    };
    env.skip_end_check();
    env.kill_bot().await;
    bypass_proxy(&env).await;
    env.start_bot().await;
    env.cluster.store_credentials(env.ana.id()).await;
    time_one(&env).await; // pulls the images
    let mut starts = Vec::new();
    for round in 0..ROUNDS {
        // The kubelet reports once a second. Without these pauses, each round would begin right
        // after a report.
        tokio::time::sleep(Duration::from_secs(1) * round / ROUNDS).await;
        starts.push(time_one(&env).await);
    }
    let all = |time: fn(&Start) -> Duration| starts.iter().map(time).collect::<Vec<_>>();
    let (answers, announced) = (all(|it| it.answers), all(|it| it.announced));
    let ratios = starts
        .iter()
        .map(|it| it.announced.as_secs_f64() / it.answers.as_secs_f64());
    vec![
        Row {
            what: "node: from `/duck start` to the announcement, the slowest of seven",
            aim: "under 1.1",
            floor: range(&answers),
            ours: range(&announced),
            p95: format!("{:.0} ms", time_stats(&announced).p95),
            figure: stats(ratios).p99,
            is_ratio: true,
            limits: Aim::Under(&[1.1]),
        },
        Row {
            what: "node: from `/duck start` until DuckDB listens, which the cluster reports later",
            aim: "measured only",
            floor: String::new(),
            ours: range(&all(|it| it.listens)),
            p95: String::new(),
            figure: 0.0,
            is_ratio: false,
            limits: Aim::None,
        },
    ]
}

/// Formats the median, with the fastest and the slowest.
fn range(times: &[Duration]) -> String {
    let ms = |time: &Duration| time.as_secs_f64() * 1000.0;
    let (least, most) = (times.iter().min().unwrap(), times.iter().max().unwrap());
    let median = time_stats(times).median;
    format!("{median:.0} ms ({:.0} to {:.0})", ms(least), ms(most))
}
