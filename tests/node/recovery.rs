//! What the cluster takes away, and how a session comes back.

use kube::api::EvictParams;
use serde_json::Value;

use super::{IMAGE, agree, pod, runs};
use crate::support::{Node, Team, says};

#[tokio::test]
async fn duckdb_that_runs_out_of_memory_is_started_again_and_its_owner_told_what_is_lost() {
    let image = (IMAGE, "duckbot.test/duckui:grows");
    let Some(team) = Team::on_a_node(&[image]).await else {
        return;
    };
    let id = team.serves(&team.ana).await;
    runs(&team, &id, &["touch", "/tmp/eat"]).await;
    let told = team.ana.reads("#data").await;
    assert_eq!(told.mentions, [team.ana.id()]);
    says(&told, "needed more memory than size `small` has");
    says(&told, "The link is the same.");

    // And again: told again.
    team.is_ready(&id).await;
    runs(&team, &id, &["touch", "/tmp/eat"]).await;
    team.ana.reads("#data").await;
    team.is_ready(&id).await;
    agree(&team, &id, ": running, ", "Running").await;
    assert_eq!(team.cluster.objects().await, team.whole(&team.ana, 0, &id));
}

#[tokio::test]
async fn a_session_that_is_drained_from_its_node_starts_again_under_its_record() {
    let Some(team) = Team::on_a_node(&[]).await else {
        return;
    };
    let id = team.serves(&team.ana).await;
    let before = pod(&team, &id).await.metadata.uid;
    let name = format!("duckui-{id}");
    team.cluster
        .pods()
        .evict(&name, &EvictParams::default())
        .await
        .unwrap();

    let back = team.ana.reads("#data").await;
    assert_eq!(back.mentions, [team.ana.id()]);
    says(&back, "Your DuckDB is ready again.");
    assert!(back.content.contains("What was only in it is lost"));
    assert!(
        back.content.contains(&format!("https://duckui-{id}.")),
        "the link is the same"
    );
    assert_ne!(pod(&team, &id).await.metadata.uid, before);
    agree(&team, &id, ": running, ", "Running").await;
    let [document] = &team.cluster.documents().await[..] else {
        panic!("one record")
    };
    assert_eq!(document["moved"]["failure"], "evicted");
    let first = &team.discord.history("#data")[0];
    says(first, "starts again");

    // Once is enough.
    team.cluster
        .pods()
        .evict(&name, &EvictParams::default())
        .await
        .unwrap();
    let told = team.ana.reads("#data").await;
    says(&told, "it was started again once already");
    team.leaves_nothing(&team.ana).await;
}

#[tokio::test]
async fn a_session_that_fills_the_disk_of_its_node_is_evicted() {
    let image = (IMAGE, "duckbot.test/duckui:writes");
    let settings = [image, ("DUCKBOT_SIZES__SMALL__DISK", "64Mi")];
    let Some(team) = Team::on_a_node(&settings).await else {
        return;
    };
    let id = team.serves(&team.ana).await;
    runs(&team, &id, &["touch", "/tmp/go"]).await;
    let back = team.ana.reads("#data").await;
    says(
        &back,
        "is ready again. It filled the disk that size `small` has.",
    );
    runs(&team, &id, &["touch", "/tmp/go"]).await;
    let told = team.ana.reads("#data").await;
    says(&told, "exceeds the limit");
    assert!(told.button("Try again, one size up").is_some());
    team.leaves_nothing(&team.ana).await;
}

#[tokio::test]
async fn a_session_whose_node_dies_starts_again_on_another_one() {
    let (Some(_), Some(mut first)) = (Node::shared(), Node::of_its_own()) else {
        return;
    };
    let team = Team::on(&first, &[]).await;
    let id = team.serves(&team.ana).await;
    team.cluster.moves_to("shared").await;
    first.freezes();
    let back = team.ana.reads("#data").await;
    says(&back, "The machine that it was on has failed.");
    let pod = pod(&team, &id).await;
    assert_eq!(pod.spec.unwrap().node_name.as_deref(), Some("shared"));
}

#[tokio::test]
async fn what_somebody_deletes_on_the_cluster_has_ended() {
    let Some(team) = Team::on_a_node(&[]).await else {
        return;
    };
    let id = team.serves(&team.ana).await;
    team.deletes_the_pod(&id).await;
    team.is_told_of_the_deletion().await;
    team.leaves_nothing(&team.ana).await;
}

#[tokio::test]
async fn a_session_of_an_older_bot_goes_on_after_the_upgrade() {
    let Some(mut team) = Team::on_a_node(&[]).await else {
        return;
    };
    let id = team.serves(&team.ana).await;
    team.kills_the_bot().await;
    team.cluster
        .writes_down(&team.record(&team.ana, 0), as_version_1)
        .await;
    team.starts_the_bot().await;
    let listed = team.reply_to(&team.ana, "/duck list").await;
    assert!(
        listed.content.contains(&format!("`{id}` of ")) && listed.content.contains(": running, ")
    );

    // What it did not write down is known all the same.
    let name = format!("duckui-{id}");
    let evict = EvictParams::default();
    team.cluster.pods().evict(&name, &evict).await.unwrap();
    let back = team.ana.reads("#data").await;
    says(&back, "Your DuckDB is ready again.");
    says(&back, "What was only in it is lost");

    let question = team.reply_to(&team.ana, "/duck stop").await;
    team.confirms_stop(&team.ana, &question).await;
    let [_, announced] = &team.discord.history("#data")[..] else {
        panic!("two messages")
    };
    says(announced, "its owner stopped it");
    team.nothing_is_left().await;
}

/// What the first release did not know yet.
fn as_version_1(record: &mut Value) {
    record["version"] = 1.into();
    let fields = record.as_object_mut().unwrap();
    for newer in ["ready", "moved", "restarts_told"] {
        fields.remove(newer).unwrap();
    }
}
