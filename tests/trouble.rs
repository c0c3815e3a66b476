//! Failures of Discord: broken sockets, expired tokens, and messages, channels and roles that are
//! gone.

use test_support::{TestEnv, assert_says};

const EDIT: &str = "/webhooks/{application}/{token}/messages/@original";

#[tokio::test]
async fn a_socket_that_breaks_in_the_middle_of_a_command_loses_nothing() {
    let env = TestEnv::start().await;
    env.cluster.store_credentials(env.ana.id()).await;
    let (asked, id) = env.start_session(&env.ana, "").await;
    env.discord.drop_gateway();
    // The bot is disconnected; Discord delivers the command when the bot resumes.
    let list = env.ana.run_command("#data", "/duck list").await.unwrap();
    env.kubelet.mark_ready(&id).await;
    asked.until(|it| it.content.contains("is ready")).await;
    env.ana.read("#data").await;
    assert_says(&list.reply().await, &id);
    env.assert_clean().await;
}

#[tokio::test]
async fn after_a_resume_that_is_refused_the_bot_is_there_again() {
    let env = TestEnv::start().await;
    env.cluster.store_credentials(env.ana.id()).await;
    let (asked, id) = env.start_session(&env.ana, "").await;
    env.discord.refuse_next_resume();
    env.discord.drop_gateway();
    env.discord.wait_disconnected().await;
    env.kubelet.mark_ready(&id).await;
    asked.until(|it| it.content.contains("is ready")).await;
    env.ana.read("#data").await;
    env.discord.wait_connected().await;
    assert_says(&env.reply_to(&env.ana, "/duck list").await, &id);
    env.assert_clean().await;
}

#[tokio::test]
async fn when_a_reply_can_no_longer_be_edited_the_channel_message_still_comes() {
    let env = TestEnv::start().await;
    env.cluster.store_credentials(env.ana.id()).await;
    let (asked, id) = env.start_session(&env.ana, "").await;
    asked.expire_token();
    env.kubelet.mark_ready(&id).await;
    let told = env.ana.read("#data").await;
    assert_says(&told, "Your DuckDB is ready");
    let question = env.reply_to(&env.ana, "/duck stop").await;
    env.confirm_stop(&env.ana, &question).await;
    env.assert_nothing_left().await;
    // Discord blocks bots that keep sending requests to missing objects.
    let exchanges = env.discord.exchanges().into_iter();
    let refused = exchanges.filter(|it| it.route == EDIT && it.status.is_some_and(|it| it >= 400));
    assert!(refused.count() <= 2, "the bot repeats a refused edit");
    env.assert_clean().await;
}

#[tokio::test]
async fn a_message_that_somebody_deleted_is_not_missed() {
    let env = TestEnv::start().await;
    env.ready_session(&env.ana).await;
    let [message] = &env.discord.history("#data")[..] else {
        panic!("expected exactly one message")
    };
    env.discord.delete_message(message.id);
    let question = env.reply_to(&env.ana, "/duck stop").await;
    env.confirm_stop(&env.ana, &question).await;
    env.assert_nothing_left().await;
    env.assert_clean().await;
}

#[tokio::test]
async fn in_a_channel_that_is_gone_a_session_is_had_and_stopped_all_the_same() {
    let env = TestEnv::start().await;
    env.cluster.store_credentials(env.ana.id()).await;
    let (asked, id) = env.start_session(&env.ana, "").await;
    let data = env.discord.channel("data");
    env.discord.delete_channel("data");
    env.kubelet.mark_ready(&id).await;
    let reply = asked.until(|it| it.content.contains("is ready")).await;
    assert_says(&reply, &format!("https://duckui-{id}."));
    env.cluster
        .wait_for_stage(&env.record_name(&env.ana, 0), "running")
        .await;
    let log = env.log();
    assert!(log.contains(&format!(
        "session {id}: Discord does not let me post in its channel"
    )));
    assert!(
        log.contains(&data.to_string()),
        "the log must name the channel"
    );
    let posts = env.discord.calls().into_iter();
    let posts =
        posts.filter(|it| it.method == "POST" && it.route == "/channels/{channel}/messages");
    assert_eq!(posts.count(), 1, "the bot must try to post once");
    env.assert_clean().await;
}

#[tokio::test]
async fn somebody_who_loses_the_role_before_pressing_stops_nothing_and_reads_why() {
    let env = TestEnv::start().await;
    let id = env.ready_session(&env.ana).await;
    let question = env.reply_to(&env.ana, "/duck stop").await;
    env.discord.revoke("ana", "analyst");
    let pressed = env.ana.press(&question, "Stop it").await.unwrap();
    assert_says(
        &pressed.reply().await,
        "To use this bot, you need the role <@&",
    );
    assert_eq!(
        env.cluster.objects().await,
        env.session_objects(&env.ana, 0, &id)
    );
    env.assert_clean().await;
}
