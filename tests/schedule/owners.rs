//! Schedules whose owners lost what they ran with, and the limits and pauses of all.

use chrono::{TimeDelta, Utc};
use discord_loopback::{MessageView, SEND_MESSAGES};
use kube::api::DeleteParams;
use test_support::{TestEnv, assert_says};

use super::{QUERY, WEEKDAYS, act, press, schedule};

/// Lets an admin run the schedule of `made` at once.
async fn run_now(env: &TestEnv, made: &MessageView) {
    assert_says(&act(&env.ada, made, "run").await, "**It runs now.**");
}

#[tokio::test]
async fn a_schedule_whose_owner_lost_something_is_paused_and_its_owner_knows_why() {
    let env = TestEnv::start().await;
    // The permissions of Ana, who owns the server, can't be taken.
    let ben = &env.ben;
    env.enter_credentials(ben).await;
    let made = schedule(ben, &[(QUERY, "SELECT 1"), WEEKDAYS]).await;
    let paused = async |why: &str| {
        run_now(&env, &made).await;
        let told = ben.read_dm().await;
        assert_says(&told, "is **paused**, and did not run.");
        assert_says(&told, why);
        told
    };
    let resume = async |notice: &MessageView| {
        assert_says(&press(ben, notice, "Resume").await, "**It runs again.**");
    };

    env.discord.revoke("ben", "analyst");
    let notice = paused("You may no longer use this bot in its channel.").await;
    assert_says(&press(ben, &notice, "Resume").await, "role");
    env.discord.grant("ben", "analyst");
    resume(&notice).await;

    env.discord.deny_in("data", SEND_MESSAGES);
    let notice = paused("You may no longer post in its channel").await;
    let refused = press(ben, &notice, "Resume").await;
    assert_says(&refused, "You lack: **Send Messages**.");
    env.discord.deny_in("data", 0);
    resume(&notice).await;

    let past = Utc::now() - TimeDelta::hours(1);
    env.annotate_credentials(ben, "expires-at", past).await;
    let notice = paused("The credentials that it ran with expired").await;
    let later = past + TimeDelta::days(30);
    env.annotate_credentials(ben, "expires-at", later).await;
    resume(&notice).await;

    // Somebody replaced them without the bot.
    env.annotate_credentials(ben, "stored-at", past).await;
    let notice = paused("You have replaced the credentials that it ran with.").await;
    resume(&notice).await;

    // Without direct messages, the channel is told.
    let name = format!("duckbot-s3-{}", ben.id());
    let secrets = env.cluster.secrets();
    secrets
        .delete(&name, &DeleteParams::default())
        .await
        .unwrap();
    ben.close_dms();
    run_now(&env, &made).await;
    let told = ben.read("#data").await;
    assert_says(
        &told,
        "You have no saved credentials for its catalog any more.",
    );
    assert_eq!(told.mentions, [ben.id()]);
    ben.open_dms();
    env.cluster.store_credentials(ben.id()).await;
    resume(&told).await;

    env.discord.leave_guild("ben");
    run_now(&env, &made).await;
    let told = ben.read("#data").await;
    assert_says(&told, "You are not a member of the server any more.");
    env.mark_all_read().await;
    env.assert_clean().await;
}

#[tokio::test]
async fn schedules_have_limits_and_can_be_paused_one_by_one_or_all() {
    let env = TestEnv::start_with(&[("DUCKBOT_SCHEDULES__PER_USER", "1")]).await;
    let (ana, ada) = (&env.ana, &env.ada);
    env.enter_credentials(ana).await;
    let often = schedule(ana, &[(QUERY, "SELECT 1"), ("When", "* * * * *")]).await;
    assert_says(&often, "That is too often");
    let made = schedule(ana, &[(QUERY, "SELECT 1"), WEEKDAYS]).await;
    let second = schedule(ana, &[(QUERY, "SELECT 2"), WEEKDAYS]).await;
    assert_says(&second, "the limit is 1.");
    // The one that a change replaces does not count.
    let form = ana.press(&made, "Change…").await.unwrap().modal().await;
    let changed = ana.submit(&form, &[(QUERY, "SELECT 3")]).await.unwrap();
    let made = changed.reply().await;
    assert_says(&made, "**Your schedule is changed.**");

    let paused = press(ana, &made, "Pause").await;
    assert_says(&paused, "**It is paused.**");
    assert_says(&act(ana, &made, "run").await, "Press **Resume** first.");
    assert_says(&press(ana, &paused, "Resume").await, "**It runs again.**");

    let listed = env.reply_to(ada, "/duck schedules").await;
    let held = press(ada, &listed, "Pause all").await;
    assert_says(&held, "has paused all schedules**");
    assert_says(&held, ", waiting");
    assert_says(&act(ana, &made, "run").await, "Nothing runs right now");
    let resumed = press(ada, &held, "Resume all").await;
    assert_says(&resumed, "next run <t:");

    env.reply_to(ada, "/duck pause until:2h reason:We upgrade.")
        .await;
    assert_says(
        &act(ana, &made, "run").await,
        "**Nobody can start a session right now**",
    );
    env.mark_all_read().await;
    env.assert_clean().await;
}
