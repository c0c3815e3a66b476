//! Sessions with the images of `deploy/images`, built by buildah: with the tests' program, and as they are
//! released.

use serde_json::json;
use test_support::{assert_says, lake};

use super::{
    restart_count,
    tables::{DUCKS, LakeEnv},
};

#[tokio::test]
async fn what_is_shipped_reads_the_teams_tables_and_spills_what_is_too_much() {
    if let Some(lake_env) = LakeEnv::start_with_shipped_images().await {
        read_and_spill(lake_env).await;
    }
}

#[tokio::test]
#[ignore = "compiles the program for two architectures; `./check full` runs it"]
async fn what_is_released_reads_the_teams_tables_and_spills_what_is_too_much() {
    if let Some(lake_env) = LakeEnv::start_with_whole_images().await {
        read_and_spill(lake_env).await;
    }
}

async fn read_and_spill(lake_env: LakeEnv) {
    let env = &lake_env.env;
    lake().s3.add_key("AKIAANASHIPPED", "anas-shipped-secret");
    env.cluster
        .store_key_pair(env.ana.id(), "AKIAANASHIPPED", "anas-shipped-secret")
        .await;
    let id = env.ready_session(&env.ana).await;
    let ui = lake_env.ui(&env.ana, &id).await;
    let ducks = json!([{"name": "mallard", "grams": 1100}, {"name": "teal", "grams": 330}]);
    assert_eq!(ui.rows(DUCKS).await, Ok(ducks));

    // The console has its editor, and the door shares a folder with DuckDB.
    let info = ui.call_console("info", "{}").await;
    assert_eq!(
        (&info["editor"], &info["files"]),
        (&json!(true), &json!(true)),
        "{info}"
    );
    let table = ui.call_console("upload?name=ponds.csv", "id\n1\n2\n").await;
    assert_eq!(table["rows"], 2, "{table}");

    // Read the same rows in the chat.
    let line = format!("/duck sql query:{DUCKS}");
    let asked = env.ana.run_command("#data", &line).await.unwrap();
    asked.until(|it| it.content.contains("2 rows in ")).await;

    // The Pod has 512 MiB. Sorting 480 MB spills to disk, and the Pod keeps running.
    ui.run_sql("CREATE TABLE sorted AS SELECT hash(range) AS a, range AS b, range * 3 AS c FROM range(20_000_000) ORDER BY a")
        .await
        .unwrap();
    let count = ui.rows("SELECT count(*) AS n FROM sorted").await;
    assert_eq!(count, Ok(json!([{ "n": 20_000_000 }])));
    let hungry = "SELECT len(list(repeat('x', 1000) || range)) AS n FROM range(3_000_000)";
    let error = ui.rows(hungry).await.unwrap_err();
    assert!(error.contains("Out of Memory"), "{error}");
    assert_eq!(restart_count(env, &id).await, 0);

    // Without DuckDB's own limit, the kernel's limit kills DuckDB. The session comes back.
    let greedy = format!("SET memory_limit = '100GB'; {hungry}");
    let _ = ui.try_sql(&greedy).await;
    let told = env.ana.read("#data").await;
    assert_says(&told, "ran out of memory (size `small`)");
    // The browser's cookie still works.
    ui.wait_until_back().await;
    assert_eq!(restart_count(env, &id).await, 1);
    lake_env.env.assert_clean().await;
}
