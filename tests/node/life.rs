//! A session from start to stop.

use test_support::{CREDENTIALS, Node, TestEnv, assert_says, wait_until};

use super::{IMAGE, events, pod, wait_for_status};

#[tokio::test]
async fn ana_gets_a_duckdb_that_answers_and_it_goes_when_she_stops_it() {
    let Some(env) = TestEnv::start_on_node(&[]).await else {
        return;
    };
    let id = env.ready_session(&env.ana).await;

    let pod = pod(&env, &id).await;
    let address = pod.status.unwrap().pod_ip.unwrap();
    let ready = format!("http://{address}:8081/ready");
    let answer = reqwest::Client::builder().no_proxy().build().unwrap();
    assert_eq!(answer.get(&ready).send().await.unwrap().status(), 200);
    let shut = answer
        .get(format!("http://{address}:8080/"))
        .send()
        .await
        .unwrap();
    assert_eq!(
        shut.status(),
        421,
        "the door accepts only the host of its session"
    );

    let listed = env.reply_to(&env.ana, "/duck list").await;
    assert_says(&listed, ": running, ");
    let question = env.reply_to(&env.ana, "/duck stop").await;
    env.confirm_stop(&env.ana, &question).await;
    env.assert_nothing_left().await;
    env.assert_clean().await;
}

#[tokio::test]
async fn progress_follows_what_the_cluster_does() {
    let image = (IMAGE, "duckbot.test/held-progress/duckui:held");
    let Some(env) = TestEnv::start_on_node(&[image]).await else {
        return;
    };
    env.cluster.store_credentials(env.ana.id()).await;
    let (asked, id) = env.start_session(&env.ana, "").await;
    let sees = async |text: &str, phase: &str, kubectl: &str| {
        let reply = asked.until(|reply| reply.content.contains(text)).await;
        assert!(reply.ephemeral && reply.content.contains("Requested <t:"));
        wait_for_status(&env, &id, phase, kubectl).await;
    };

    sees("▰▰▰▱▱ Starting session", ": starting, ", "Pending").await;
    assert!(events(&env, &id).await.contains(&"Pulling".to_owned()));
    Node::registry().release("held-progress");
    sees("▰▰▰▰▱ Starting session", ": starting, ", "Running").await;
    // Its door runs, so the kubelet reports the Pod as ready. DuckDB does not answer yet.
    env.wait_until_ready(&id).await;
    wait_for_status(&env, &id, ": starting, ", "Running").await;
    super::exec(&env, &id, &["touch", "/tmp/go"]).await;
    asked
        .until(|reply| reply.content.contains("is ready"))
        .await;
    env.ana.read("#data").await;

    // The next owner sees the usual start time.
    env.cluster.store_credentials(env.ben.id()).await;
    let (asked, id) = env.start_session(&env.ben, "").await;
    asked
        .until(|reply| reply.content.contains(", usually ready within about "))
        .await;
    asked.until(|reply| reply.content.contains("▰▰▰▰▱")).await;
    super::exec(&env, &id, &["touch", "/tmp/go"]).await;
    asked
        .until(|reply| reply.content.contains("is ready"))
        .await;
    env.ben.read("#data").await;
    env.assert_clean().await;
}

#[tokio::test]
async fn a_duckdb_that_hangs_is_noticed_and_may_come_back() {
    let Some(env) = TestEnv::start_on_node(&[]).await else {
        return;
    };
    let id = env.ready_session(&env.ana).await;
    let signal = async |name: &str| {
        let command = format!("kill -{name} $(/bin/pidof duckdb)");
        super::exec(&env, &id, &["/bin/sh", "-c", &command]).await;
    };
    signal("STOP").await;
    let listed = async || env.reply_to(&env.ana, "/duck list").await.content;
    wait_until(listed, |it| it.contains(": not answering, ")).await;
    signal("CONT").await;
    wait_for_status(&env, &id, ": running, ", "Running").await;
    env.assert_clean().await;
}

#[tokio::test]
async fn a_start_goes_on_when_the_bot_is_restarted_in_the_middle_of_it() {
    let image = (IMAGE, "duckbot.test/held-restart/duckui:works");
    let Some(mut env) = TestEnv::start_on_node(&[image]).await else {
        return;
    };
    env.cluster.store_credentials(env.ana.id()).await;
    let (asked, id) = env.start_session(&env.ana, "").await;
    asked.until(|reply| reply.content.contains("▰▰▰▱▱")).await;
    env.kill_bot().await;
    Node::registry().release("held-restart");
    env.start_bot().await;
    let announced = env.ana.read("#data").await;
    assert!(announced.content.contains(&id) && announced.content.contains("is ready"));
    let reply = asked
        .until(|reply| reply.content.contains("is ready"))
        .await;
    assert!(reply.ephemeral, "the new bot continues the private reply");
    env.assert_clean().await;
}

#[tokio::test]
async fn a_running_session_takes_new_credentials() {
    let Some(env) = TestEnv::start_on_node(&[]).await else {
        return;
    };
    env.enter_credentials(&env.ana).await;
    let id = env.ready_session(&env.ana).await;
    let shown = env.reply_to(&env.ana, "/duck setup").await;
    let stored = env.fill_form(&env.ana, &shown, &CREDENTIALS).await;
    assert_says(&stored, &format!("Session `{id}` now uses them."));
    env.assert_clean().await;
}
