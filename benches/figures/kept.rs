//! Stopping and starting a session with saved work on a real node. The floor is the same Pod, created and
//! deleted through the API server, with DuckDB's own copy and transfer of a database of the same size.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Pod;
use kube::{
    api::{DeleteParams, ObjectMeta, PostParams},
    runtime::wait::await_condition,
};
use test_support::{Cluster, Node, ReservedPort, TestEnv, assert_says, lake};

use super::{
    node::wait_for_answer,
    table::Row,
    work::{AIM, Floor, KEY, fill},
};

/// Sizes of the work in MB, with the number of rounds.
const SIZES: [(u64, usize); 3] = [(0, 5), (10, 5), (1000, 3)];
const NAMES: [[&str; 2]; SIZES.len()] = [
    [
        "node: stop to gone, without tables",
        "node: start to ready, without tables",
    ],
    [
        "node: stop to gone, with 10 MB of work",
        "node: start to ready, with 10 MB of work",
    ],
    [
        "node: stop to gone, with 1 GB of work",
        "node: start to ready, with 1 GB of work",
    ],
];
/// Name of the Pod of the floor.
const FLOOR: &str = "floor";

pub async fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for ((megabytes, rounds), names) in SIZES.into_iter().zip(NAMES) {
        rows.extend(
            measure(megabytes, rounds, names)
                .await
                .into_iter()
                .flatten(),
        );
    }
    rows
}

/// Returns `None` if this machine can't run nodes.
async fn measure(megabytes: u64, rounds: usize, names: [&'static str; 2]) -> Option<[Row; 2]> {
    Node::shared()?;
    let floor = Floor::start(megabytes).await;
    let host = Cluster::shared().host();
    let (mut catalog, mut s3) = (
        ReservedPort::reserve_on(host),
        ReservedPort::reserve_on(host),
    );
    catalog.forward_to(&lake().catalog);
    s3.forward_to(&floor.s3.url());
    let (catalog_url, s3_url) = (catalog.url(), s3.url());
    let settings = [
        ("DUCKBOT_LOG__FILTER", "info"),
        ("DUCKBOT_CREDENTIALS__PREFLIGHT", "false"),
        ("DUCKBOT_CATALOGS__LAKE__ENDPOINT", &*catalog_url),
        ("DUCKBOT_CATALOGS__LAKE__S3_ENDPOINT", &*s3_url),
        ("DUCKBOT_CATALOGS__LAKE__WORK", "s3://lake/work"),
        ("DUCKBOT_WORK__EVERY", "1d"),
        ("DUCKBOT_WORK__DEADLINE", "10m"),
        ("DUCKBOT_SIZES__SMALL__MEMORY", "2Gi"),
        ("DUCKBOT_SIZES__SMALL__DISK", "8Gi"),
    ];
    let mut env = TestEnv::start_on_node(&settings).await?;
    env.skip_end_check();
    env.cluster
        .store_key_pair(env.ana.id(), KEY[0], KEY[1])
        .await;
    let (mut stops, mut starts) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    // The first session pulls the images and has nothing to restore.
    for round in 0..=rounds {
        let begin = Instant::now();
        let (asked, id) = env.start_session(&env.ana, "").await;
        let announced = env.ana.read("#data").await;
        if round > 0 {
            starts[0].push(begin.elapsed());
            assert_says(&announced, "Your work of ");
        }
        asked.until(|it| it.content.contains("is ready")).await;
        env.wait_until_prepared(&id).await;
        let ui = env.open_ui(&env.ana, &id).await;
        ui.run_sql(&fill(megabytes)).await.unwrap();
        let name = format!("duckui-{id}");
        let pod = env.cluster.pods().get(&name).await.unwrap();

        let question = env.reply_to(&env.ana, "/duck stop").await;
        let begin = Instant::now();
        let record = env.record_name(&env.ana, 0);
        let gone = env.cluster.wait_until_gone(&record);
        tokio::join!(env.confirm_stop(&env.ana, &question), gone);
        let stopped = begin.elapsed();
        let (start, stop) = time_floor(&env, pod).await;
        let save = floor.save().await;
        let restore = floor.restore().await;
        if round > 0 {
            stops[0].push(stopped);
            stops[1].push(stop + save);
            starts[1].push(start + restore);
        }
        env.mark_all_read().await;
    }
    let [stop, start] = names;
    Some([
        Row::of_times(stop, AIM, &stops),
        Row::of_times(start, AIM, &starts),
    ])
}

/// Starts and stops the Pod of a session, without saved work. Returns the times until DuckDB answers, and until
/// the Pod is gone.
async fn time_floor(env: &TestEnv, session: Pod) -> (Duration, Duration) {
    let mut spec = session.spec.unwrap();
    spec.node_name = None;
    for container in &mut spec.containers {
        let variables = container.env.iter_mut().flatten();
        // Without the place, the other variables mean nothing.
        for variable in variables.filter(|it| it.name == "WORK_LOCATION") {
            variable.value = Some(String::new());
        }
    }
    let pod = Pod {
        metadata: ObjectMeta {
            name: Some(FLOOR.into()),
            ..ObjectMeta::default()
        },
        spec: Some(spec),
        status: None,
    };
    let pods = env.cluster.pods();
    let begin = Instant::now();
    pods.create(&PostParams::default(), &pod).await.unwrap();
    let start = wait_for_answer(env, FLOOR).await - begin;
    let begin = Instant::now();
    pods.delete(FLOOR, &DeleteParams::default()).await.unwrap();
    let is_gone = |pod: Option<&Pod>| pod.is_none();
    await_condition(pods, FLOOR, is_gone).await.unwrap();
    (start, begin.elapsed())
}
