//! Discord can't be reached, refuses the bot for a while, or limits it.

use std::time::Duration;

use reqwest::Method;
use serde_json::Value;
use test_support::{ApiEnv, TestEnv, assert_says, wait_until};

const LIMITED: &str = "Discord allows this bot only 5 more sessions until ";
const UNREACHABLE: &str = "Discord can't be reached: ";

/// Kills the bot, and starts it again without waiting for Discord.
async fn restart_bot(api_env: &mut ApiEnv) {
    api_env.env.kill_bot().await;
    api_env.env.spawn_bot();
    api_env.find_url().await;
}

#[tokio::test]
async fn without_discord_sessions_of_programs_start_and_end_and_are_told_later() {
    let mut env = TestEnv::without_bot(&[]).await;
    let data = env.discord.channel("data").to_string();
    env.variables.insert("DUCKBOT_API__CHANNEL".into(), data);
    let mut api_env = ApiEnv::start_with_env(env).await;

    // The bot starts while Discord is away.
    api_env.env.kill_bot().await;
    api_env.env.discord.set_offline(true);
    api_env.env.spawn_bot();
    api_env.find_url().await;
    let id = api_env.ready_session().await;
    let document = &api_env.env.cluster.documents().await[0];
    assert_eq!(document["announcement_due"], true);

    // It restarts meanwhile.
    restart_bot(&mut api_env).await;
    api_env.wait_until_running(&id).await;
    api_env.env.wait_for_log(UNREACHABLE).await;
    api_env.env.discord.set_offline(false);
    let told = api_env.env.ana.read("#data").await;
    assert_says(&told, "Your DuckDB is ready");
    let is_told = async || api_env.env.cluster.documents().await[0]["announcement_due"].clone();
    wait_until(is_told, Value::is_null).await;

    // Discord goes away again, and the session is stopped.
    api_env.env.discord.set_offline(true);
    let path = format!("/sessions/{id}");
    let stop = api_env.request(Method::DELETE, &path, &api_env.ana).send();
    let stop = tokio::spawn(stop);
    let only_record = |objects: &Vec<String>| objects.len() == 1;
    wait_until(async || api_env.env.cluster.objects().await, only_record).await;
    api_env.env.discord.set_offline(false);
    assert_eq!(stop.await.unwrap().unwrap().status(), 204);
    let [message] = &api_env.env.discord.history("#data")[..] else {
        panic!("expected exactly one message")
    };
    assert!(message.content.contains("was stopped by its owner"));
    api_env.env.assert_nothing_left().await;
    api_env.env.mark_all_read().await;
    let said = api_env.env.log().matches(UNREACHABLE).count();
    assert!(said <= 3, "an outage is told once, and not {said} times");
    api_env.assert_clean().await;
}

#[tokio::test]
async fn a_bot_waits_before_it_exceeds_discords_limit_of_sessions() {
    let mut env = TestEnv::without_bot(&[]).await;
    env.discord.set_session_limit(5, Duration::from_secs(2));
    env.start_bot().await;
    assert!(env.log().contains(LIMITED), "{}", env.log());
    env.assert_clean().await;
}

#[tokio::test]
async fn a_token_that_was_reset_is_replaced_without_a_restart() {
    let mut env = TestEnv::start().await;
    let token = "loopback.another-token";
    env.file("token", token);
    env.discord.replace_token(token);
    env.wait_for_log("the bot's token was replaced").await;
    env.discord.wait_connected().await;
    env.reply_to(&env.ana, "/duck list").await;
    assert_eq!(env.bot().wait(Duration::ZERO).await, None);
    assert!(!env.log().contains(token));
    env.assert_clean().await;
}
