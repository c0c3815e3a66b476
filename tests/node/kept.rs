//! Work on the node that stays although nobody tells its session to end.

use std::{fs, path::Path};

use kube::api::DeleteParams;
use serde_json::json;
use test_support::{assert_says, lake, wait_until};

use super::{pod, tables::LakeEnv};

/// Takes more memory than the container has. DuckDB's own limit does not cover it (seen with 1.5.5).
const EAT: &str = "SELECT length(repeat('x', 1_000_000_000))";

#[tokio::test]
async fn work_outlives_a_duckdb_without_memory_and_a_pod_that_is_killed() {
    let settings = [
        ("DUCKBOT_CATALOGS__LAKE__WORK", "s3://lake/killed/"),
        ("DUCKBOT_WORK__EVERY", "1s"),
    ];
    let Some(lake_env) = LakeEnv::start_with(&settings).await else {
        return;
    };
    let env = &lake_env.env;
    let (key, secret) = ("AKIAANAISKILLED", "anas-secret-in-a-killed-pod");
    lake().s3.add_key(key, secret);
    let ana = env.ana.id();
    env.cluster.store_key_pair(ana, key, secret).await;
    let id = env.ready_session(&env.ana).await;
    let ui = lake_env.ui(&env.ana, &id).await;
    ui.run_sql("CREATE TABLE geese AS SELECT 3 AS n")
        .await
        .unwrap();
    let saves = lake().bucket.join(format!("killed/{ana}/main"));
    let first = saves.join("1/manifest.json");
    wait_until(async || first.exists(), |is_saved| *is_saved).await;

    // From here on, nothing is saved.
    lake().s3.forget(key);
    ui.run_sql("INSERT INTO geese VALUES (4)").await.unwrap();
    ui.try_sql(EAT).await.unwrap();
    let told = env.ana.read("#data").await;
    assert_says(&told, "ran out of memory (size `small`)");
    assert_says(&told, "notebooks and other tables are still there");
    ui.wait_until_back().await;
    let geese = "FROM geese ORDER BY n";
    assert_eq!(ui.rows(geese).await, Ok(json!([{"n": 3}, {"n": 4}])));

    // Nothing in this Pod gets time to end.
    let uid = pod(env, &id).await.metadata.uid.unwrap();
    let at_once = DeleteParams::default().grace_period(0);
    let name = format!("duckui-{id}");
    env.cluster.pods().delete(&name, &at_once).await.unwrap();
    wait_until(async || kill_processes_of(&uid), |left| *left == 0).await;
    assert!(!saves.join("2").exists());
    lake().s3.add_key(key, secret);
    let told = env.ana.read("#data").await;
    // If the bot has seen the deletion before the Pod was gone, somebody wanted that end.
    let (id, back) = if told.content.contains("has ended") {
        assert_says(&told, "What changed since its last save may be lost.");
        env.wait_until_nothing_left(&env.ana).await;
        let (_, id) = env.start_session(&env.ana, "").await;
        (id, env.ana.read("#data").await)
    } else {
        assert_says(&told, "Your DuckDB is ready again. It disappeared");
        (id, told)
    };
    assert_says(&back, " is here: 1 table.");
    let record = env.record_name(&env.ana, 0);
    env.cluster.wait_for_stage(&record, "running").await;
    assert!(back.content.contains("Your work of <t:"), "{back:?}");
    let ui = lake_env.ui(&env.ana, &id).await;
    assert_eq!(ui.rows(geese).await, Ok(json!([{"n": 3}])));
    lake_env.env.assert_clean().await;
}

/// Kills all processes of a Pod. Returns their number.
fn kill_processes_of(pod_uid: &str) -> usize {
    let is_its = |folder: &Path| {
        let cgroups = fs::read_to_string(folder.join("cgroup"));
        cgroups.is_ok_and(|cgroups| cgroups.contains(pod_uid))
    };
    let all = fs::read_dir("/proc").unwrap().map(|it| it.unwrap().path());
    let theirs: Vec<_> = all.filter(|folder| is_its(folder)).collect();
    for process in &theirs {
        let id = process.file_name().unwrap();
        // It may have ended.
        let _ = std::process::Command::new("kill")
            .arg("-KILL")
            .arg(id)
            .status();
    }
    theirs.len()
}
