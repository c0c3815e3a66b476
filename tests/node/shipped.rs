//! The images of `deploy/images`, built by buildah, in a session.

use serde_json::json;

use super::{
    pod,
    tables::{DUCKS, LakeEnv},
};
use crate::support::{TestEnv, assert_says, lake};

/// How often anything in a session's Pod was started again.
async fn restart_count(env: &TestEnv, session: &str) -> i32 {
    let status = pod(env, session).await.status.unwrap();
    let containers = status.container_statuses.into_iter().flatten();
    containers.map(|it| it.restart_count).sum()
}

#[tokio::test]
async fn what_is_shipped_reads_the_teams_tables_and_spills_what_is_too_much() {
    let Some(lake_env) = LakeEnv::start_with_shipped_images().await else {
        return;
    };
    let env = &lake_env.env;
    lake().s3.add_key("AKIAANASHIPPED", "anas-shipped-secret");
    env.cluster
        .store_key_pair(env.ana.id(), "AKIAANASHIPPED", "anas-shipped-secret")
        .await;
    let id = env.ready_session(&env.ana).await;
    let ui = lake_env.ui(&env.ana, &id).await;
    let ducks = json!([{"name": "mallard", "grams": 1100}, {"name": "teal", "grams": 330}]);
    assert_eq!(ui.rows(DUCKS).await, Ok(ducks));

    // The same from the chat.
    let line = format!("/duck sql query:{DUCKS}");
    let asked = env.ana.run_command("#data", &line).await.unwrap();
    asked.until(|it| it.content.contains("2 rows in ")).await;

    // 512 MiB in all: a sort of 480 MB goes by way of the disk, and the Pod stays.
    ui.run_sql("CREATE TABLE sorted AS SELECT hash(range) AS a, range AS b, range * 3 AS c FROM range(20_000_000) ORDER BY a")
        .await
        .unwrap();
    let count = ui.rows("SELECT count(*) AS n FROM sorted").await;
    assert_eq!(count, Ok(json!([{ "n": 20_000_000 }])));
    let hungry = "SELECT len(list(repeat('x', 1000) || range)) AS n FROM range(3_000_000)";
    let error = ui.rows(hungry).await.unwrap_err();
    assert!(error.contains("Out of Memory Error"), "{error}");
    assert_eq!(restart_count(env, &id).await, 0);

    // Who takes DuckDB's own limit away meets the kernel's; the session comes back.
    let greedy = format!("SET memory_limit = '100GB'; {hungry}");
    let _ = ui.try_sql(&greedy).await;
    let told = env.ana.read("#data").await;
    assert_says(&told, "needed more memory than size `small` has");
    // The browser is still in.
    ui.wait_until_back().await;
    assert_eq!(restart_count(env, &id).await, 1);
}
