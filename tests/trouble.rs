//! Discord's own trouble: sockets that break, tokens that expire, messages, channels and roles
//! that go.

use crate::support::{TestEnv, assert_says};

const EDIT: &str = "/webhooks/{application}/{token}/messages/@original";

#[tokio::test]
async fn a_socket_that_breaks_in_the_middle_of_a_command_loses_nothing() {
    let team = TestEnv::start().await;
    team.cluster.store_credentials(team.ana.id()).await;
    let (asked, id) = team.start_session(&team.ana, "").await;
    team.discord.drop_gateway();
    // Typed while nobody listens: Discord tells it when the bot resumes.
    let list = team.ana.run_command("#data", "/duck list").await.unwrap();
    team.kubelet.mark_ready(&id).await;
    asked.until(|it| it.content.contains("is ready")).await;
    team.ana.read("#data").await;
    assert_says(&list.reply().await, &id);
}

#[tokio::test]
async fn after_a_resume_that_is_refused_the_bot_is_there_again() {
    let team = TestEnv::start().await;
    team.cluster.store_credentials(team.ana.id()).await;
    let (asked, id) = team.start_session(&team.ana, "").await;
    team.discord.refuse_next_resume();
    team.discord.drop_gateway();
    team.discord.wait_disconnected().await;
    team.kubelet.mark_ready(&id).await;
    asked.until(|it| it.content.contains("is ready")).await;
    team.ana.read("#data").await;
    team.discord.wait_connected().await;
    assert_says(&team.reply_to(&team.ana, "/duck list").await, &id);
}

#[tokio::test]
async fn when_a_reply_can_be_edited_no_more_the_channel_is_told_all_the_same() {
    let team = TestEnv::start().await;
    team.cluster.store_credentials(team.ana.id()).await;
    let (asked, id) = team.start_session(&team.ana, "").await;
    asked.expire_token();
    team.kubelet.mark_ready(&id).await;
    let told = team.ana.read("#data").await;
    assert_says(&told, "Your DuckDB is ready");
    let question = team.reply_to(&team.ana, "/duck stop").await;
    team.confirm_stop(&team.ana, &question).await;
    team.assert_nothing_left().await;
    // Discord blocks bots that go on asking for what is gone.
    let exchanges = team.discord.exchanges().into_iter();
    let refused = exchanges.filter(|it| it.route == EDIT && it.status.is_some_and(|it| it >= 400));
    assert!(refused.count() <= 2, "asked again and again");
}

#[tokio::test]
async fn a_message_that_somebody_deleted_is_not_missed() {
    let team = TestEnv::start().await;
    team.ready_session(&team.ana).await;
    let [message] = &team.discord.history("#data")[..] else {
        panic!("one message")
    };
    team.discord.delete_message(message.id);
    let question = team.reply_to(&team.ana, "/duck stop").await;
    team.confirm_stop(&team.ana, &question).await;
    team.assert_nothing_left().await;
}

#[tokio::test]
async fn in_a_channel_that_is_gone_a_session_is_had_and_stopped_all_the_same() {
    let team = TestEnv::start().await;
    team.cluster.store_credentials(team.ana.id()).await;
    let (asked, id) = team.start_session(&team.ana, "").await;
    let data = team.discord.channel("data");
    team.discord.delete_channel("data");
    team.kubelet.mark_ready(&id).await;
    let reply = asked.until(|it| it.content.contains("is ready")).await;
    assert_says(&reply, &format!("https://duckui-{id}."));
    team.cluster
        .wait_for_stage(&team.record_name(&team.ana, 0), "running")
        .await;
    let log = team.log();
    assert!(log.contains(&format!("session {id}: I may not write in its channel")));
    assert!(
        log.contains(&data.to_string()),
        "which channel, says the log"
    );
    let posts = team.discord.calls().into_iter();
    let posts =
        posts.filter(|it| it.method == "POST" && it.route == "/channels/{channel}/messages");
    assert_eq!(posts.count(), 1, "asked again and again");
}

#[tokio::test]
async fn whoever_loses_the_role_before_pressing_stops_nothing_and_reads_why() {
    let team = TestEnv::start().await;
    let id = team.ready_session(&team.ana).await;
    let question = team.reply_to(&team.ana, "/duck stop").await;
    team.discord.revoke("ana", "analyst");
    let pressed = team.ana.press(&question, "Stop it").await.unwrap();
    assert_says(&pressed.reply().await, "You need one of these roles");
    assert_eq!(
        team.cluster.objects().await,
        team.session_objects(&team.ana, 0, &id)
    );
}
