//! `/duck status` for a session on a real node.

use discord_loopback::MessageView;
use test_support::{CREDENTIALS, Node, TestEnv, assert_says, wait_until};

#[tokio::test]
async fn machine_queries_events_and_log() {
    let Some(env) = TestEnv::start_on_node(&[]).await else {
        return;
    };
    // Enter the credentials in the chat, so that the bot knows which values to remove.
    env.enter_credentials(&env.ana).await;
    let id = env.ready_session(&env.ana).await;
    let ui = env.open_ui(&env.ana, &id).await;
    ui.run_sql("SELECT 42").await.unwrap();
    env.wait_until_prepared(&id).await;

    // The node reports its actions with a delay.
    let status = async || env.reply_to(&env.ana, "/duck status").await;
    let is_told = |it: &MessageView| {
        let started = it.content.contains(":R> container started");
        started && it.content.contains("(last query ended <t:")
    };
    let status = wait_until(status, is_told).await;
    let node = &Node::shared().expect("the shared node is running").name;
    assert_says(&status, &format!("\n- Cluster node: `{node}`."));
    assert_says(
        &status,
        "\n- Activity: no running query (last query ended <t:",
    );
    assert_says(&status, "Latest cluster events:");
    assert_says(&status, ":R> container started");

    let pressed = env.ana.press(&status, "Show log").await.unwrap();
    let log = pressed.reply().await;
    assert!(log.ephemeral);
    assert_eq!(log.files[0].name, format!("duckui-{id}.log"));
    assert!(log.files[0].text().contains("the session is prepared"));
    assert!(
        CREDENTIALS
            .iter()
            .all(|(_, value)| !log.files[0].text().contains(value))
    );

    let question = env.reply_to(&env.ana, "/duck stop").await;
    env.confirm_stop(&env.ana, &question).await;
    env.assert_clean().await;
}
