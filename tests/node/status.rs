//! What `/duck status` tells of a session on a real node.

use duckbot::sandbox::discord::MessageView;

use crate::support::{CREDENTIALS, Node, TestEnv, assert_says, wait_until};

#[tokio::test]
async fn machine_queries_events_and_log() {
    let Some(env) = TestEnv::start_on_node(&[]).await else {
        return;
    };
    // Through the front door, so that the values are known that must not show.
    env.enter_credentials(&env.ana).await;
    let id = env.ready_session(&env.ana).await;
    let ui = env.open_ui(&env.ana, &id).await;
    ui.run_sql("SELECT 42").await.unwrap();
    env.wait_until_prepared(&id).await;

    // The node tells what it did a moment after it did it.
    let status = async || env.reply_to(&env.ana, "/duck status").await;
    let is_told = |it: &MessageView| {
        let started = it.content.contains(":R> a part of it was started");
        started && it.content.contains("(the last one ended <t:")
    };
    let status = wait_until(status, is_told).await;
    let node = &Node::shared().expect("there is one").name;
    assert_says(&status, &format!("\n- It is on the machine `{node}`."));
    assert_says(&status, "\n- Now no query runs (the last one ended <t:");
    assert_says(&status, "What the cluster said last:");
    assert_says(&status, ":R> a part of it was started");

    let pressed = env.ana.press(&status, "Show its log").await.unwrap();
    let log = pressed.reply().await;
    assert!(log.ephemeral);
    assert_eq!(log.files[0].name, format!("duckui-{id}.log"));
    assert!(log.files[0].content.contains("the session is prepared"));
    assert!(
        CREDENTIALS
            .iter()
            .all(|(_, value)| !log.files[0].content.contains(value))
    );

    let question = env.reply_to(&env.ana, "/duck stop").await;
    env.confirm_stop(&env.ana, &question).await;
}
