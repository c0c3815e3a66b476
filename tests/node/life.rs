//! A session from its start to its end.

use super::{IMAGE, events, pod, wait_for_status};
use crate::support::{Node, TestEnv, assert_says};

#[tokio::test]
async fn ana_gets_a_duckdb_that_answers_and_it_goes_when_she_stops_it() {
    let Some(team) = TestEnv::start_on_node(&[]).await else {
        return;
    };
    let id = team.ready_session(&team.ana).await;

    let pod = pod(&team, &id).await;
    let address = pod.status.unwrap().pod_ip.unwrap();
    let ready = format!("http://{address}:8081/ready");
    let answer = reqwest::Client::builder().no_proxy().build().unwrap();
    assert_eq!(answer.get(&ready).send().await.unwrap().status(), 200);
    let shut = answer
        .get(format!("http://{address}:8080/"))
        .send()
        .await
        .unwrap();
    assert_eq!(shut.status(), 421, "its name is another one");

    let listed = team.reply_to(&team.ana, "/duck list").await;
    assert_says(&listed, ": running, ");
    let question = team.reply_to(&team.ana, "/duck stop").await;
    team.confirm_stop(&team.ana, &question).await;
    team.assert_nothing_left().await;
}

#[tokio::test]
async fn progress_follows_what_the_cluster_does() {
    let image = (IMAGE, "duckbot.test/held-progress/duckui:held");
    let Some(team) = TestEnv::start_on_node(&[image]).await else {
        return;
    };
    team.cluster.store_credentials(team.ana.id()).await;
    let (asked, id) = team.start_session(&team.ana, "").await;
    let sees = async |text: &str, phase: &str, kubectl: &str| {
        let reply = asked.until(|reply| reply.content.contains(text)).await;
        assert!(reply.ephemeral && reply.content.contains("Asked for <t:"));
        wait_for_status(&team, &id, phase, kubectl).await;
    };

    sees("▰▰▰▱▱ Session", ": starting, ", "Pending").await;
    assert!(events(&team, &id).await.contains(&"Pulling".to_owned()));
    Node::registry().release("held-progress");
    sees("▰▰▰▰▱ Session", ": starting, ", "Running").await;
    super::exec(&team, &id, &["touch", "/tmp/go"]).await;
    asked
        .until(|reply| reply.content.contains("is ready"))
        .await;
    team.ana.read("#data").await;

    // The next one is told how long it takes.
    team.cluster.store_credentials(team.ben.id()).await;
    let (asked, id) = team.start_session(&team.ben, "").await;
    asked
        .until(|reply| reply.content.contains("; that usually takes about "))
        .await;
    asked.until(|reply| reply.content.contains("▰▰▰▰▱")).await;
    super::exec(&team, &id, &["touch", "/tmp/go"]).await;
    asked
        .until(|reply| reply.content.contains("is ready"))
        .await;
    team.ben.read("#data").await;
}

#[tokio::test]
async fn a_start_goes_on_when_the_bot_is_restarted_in_the_middle_of_it() {
    let image = (IMAGE, "duckbot.test/held-restart/duckui:works");
    let Some(mut team) = TestEnv::start_on_node(&[image]).await else {
        return;
    };
    team.cluster.store_credentials(team.ana.id()).await;
    let (asked, id) = team.start_session(&team.ana, "").await;
    asked.until(|reply| reply.content.contains("▰▰▰▱▱")).await;
    team.kill_bot().await;
    Node::registry().release("held-restart");
    team.start_bot().await;
    let announced = team.ana.read("#data").await;
    assert!(announced.content.contains(&id) && announced.content.contains("is ready"));
    let reply = asked
        .until(|reply| reply.content.contains("is ready"))
        .await;
    assert!(reply.ephemeral, "the private reply goes on, too");
}
