//! Recovery of sessions whose Pod the cluster takes or whose container ends.

use kube::api::EvictParams;
use test_support::{Node, TestEnv, assert_says};

use super::{IMAGE, exec, pod, wait_for_status};

#[tokio::test]
async fn duckdb_that_runs_out_of_memory_is_restarted_and_its_owner_reads_what_is_lost() {
    let image = (IMAGE, "duckbot.test/duckui:grows");
    let Some(env) = TestEnv::start_on_node(&[image]).await else {
        return;
    };
    let id = env.ready_session(&env.ana).await;
    exec(&env, &id, &["touch", "/tmp/eat"]).await;
    let told = env.ana.read("#data").await;
    assert_eq!(told.mentions, [env.ana.id()]);
    assert_says(&told, "ran out of memory (size `small`)");
    assert_says(&told, "The link is the same.");

    // A second time, the owner is told again.
    env.wait_until_ready(&id).await;
    exec(&env, &id, &["touch", "/tmp/eat"]).await;
    env.ana.read("#data").await;
    env.wait_until_ready(&id).await;
    wait_for_status(&env, &id, ": running, ", "Running").await;
    assert_eq!(
        env.cluster.objects().await,
        env.session_objects(&env.ana, 0, &id)
    );
    env.assert_clean().await;
}

#[tokio::test]
async fn a_session_that_is_drained_from_its_node_starts_again_under_its_record() {
    let Some(env) = TestEnv::start_on_node(&[]).await else {
        return;
    };
    let id = env.ready_session(&env.ana).await;
    let name = format!("duckui-{id}");
    // A rolling upgrade of nodes drains one after the other.
    for _ in 0..2 {
        let before = pod(&env, &id).await.metadata.uid;
        env.cluster
            .pods()
            .evict(&name, &EvictParams::default())
            .await
            .unwrap();
        let back = env.ana.read("#data").await;
        assert_eq!(back.mentions, [env.ana.id()]);
        assert_says(&back, "Your DuckDB is ready again.");
        assert!(
            back.content
                .contains("Tables and notebooks that were not saved elsewhere are lost")
        );
        assert!(
            back.content.contains(&format!("https://duckui-{id}.")),
            "the link must stay the same"
        );
        assert_ne!(pod(&env, &id).await.metadata.uid, before);
        wait_for_status(&env, &id, ": running, ", "Running").await;
    }
    let [document] = &env.cluster.documents().await[..] else {
        panic!("there must be exactly one record")
    };
    assert_eq!(document["rescheduled"]["failure"], "evicted");
    let messages = env.discord.history("#data");
    let [first, second, _] = &messages[..] else {
        panic!("each move must have one message: {messages:?}")
    };
    assert_says(first, "is restarting");
    assert_says(second, "is restarting");
    env.assert_clean().await;
}

#[tokio::test]
async fn a_session_that_fills_the_disk_of_its_node_is_evicted() {
    // It writes 40 MiB to each of its two volumes.
    let image = (IMAGE, "duckbot.test/duckui:writes");
    let settings = [
        image,
        ("DUCKBOT_SIZES__SMALL__DISK", "64Mi"),
        ("DUCKBOT_SIZES__SMALL__REQUESTS__DISK", "64Mi"),
    ];
    let Some(env) = TestEnv::start_on_node(&settings).await else {
        return;
    };
    let id = env.ready_session(&env.ana).await;
    exec(&env, &id, &["touch", "/tmp/go"]).await;
    let back = env.ana.read("#data").await;
    assert_says(&back, "is ready again. It filled the disk of size `small`.");
    exec(&env, &id, &["touch", "/tmp/go"]).await;
    let told = env.ana.read("#data").await;
    assert_says(&told, "exceeds the total limit of containers 64Mi");
    assert!(told.button("Try again with a larger size").is_some());
    env.wait_until_nothing_left(&env.ana).await;
    env.assert_clean().await;
}

#[tokio::test]
async fn a_session_whose_node_dies_starts_again_on_another_one() {
    let (Some(_), Some(mut first)) = (Node::shared(), Node::dedicated()) else {
        return;
    };
    let env = TestEnv::start_on(&first, &[]).await;
    let id = env.ready_session(&env.ana).await;
    env.cluster.use_node("shared").await;
    first.freeze();
    let back = env.ana.read("#data").await;
    assert_says(&back, "Its cluster node failed.");
    let pod = pod(&env, &id).await;
    assert_eq!(pod.spec.unwrap().node_name.as_deref(), Some("shared"));
    env.assert_clean().await;
}

#[tokio::test]
async fn what_somebody_deletes_on_the_cluster_has_ended() {
    let Some(env) = TestEnv::start_on_node(&[]).await else {
        return;
    };
    let id = env.ready_session(&env.ana).await;
    env.delete_pod(&id).await;
    env.expect_deletion_notice().await;
    env.wait_until_nothing_left(&env.ana).await;
    env.assert_clean().await;
}
