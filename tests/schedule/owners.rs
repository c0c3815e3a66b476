//! Schedules whose owners lost what they ran with, and the limits and pauses of all.

use chrono::{TimeDelta, Utc};
use discord_loopback::{MessageView, SEND_MESSAGES};
use kube::api::DeleteParams;
use test_support::{TestEnv, assert_says};

use super::{QUERY, WEEKDAYS, action, press, schedule};

/// Lets an admin run the schedule of `made` at once.
async fn run_now(env: &TestEnv, made: &MessageView) {
    let pressed = env.ada.press_custom_id(made.id, &action(made, "run"));
    let told = pressed.await.unwrap().reply().await;
    assert_says(&told, "**It runs now.**");
}

#[tokio::test]
async fn a_schedule_whose_owner_lost_something_is_paused_and_its_owner_knows_why() {
    let env = TestEnv::start().await;
    let ana = &env.ana;
    env.enter_credentials(ana).await;
    let made = schedule(ana, &[(QUERY, "SELECT 1"), WEEKDAYS]).await;
    let paused = async |why: &str| {
        run_now(&env, &made).await;
        let told = ana.read_dm().await;
        assert_says(&told, "is **paused**, and did not run.");
        assert_says(&told, why);
        told
    };
    let resume = async |notice: &MessageView| {
        assert_says(&press(ana, notice, "Resume").await, "**It runs again.**");
    };

    env.discord.revoke("ana", "analyst");
    let notice = paused("You may no longer use this bot in its channel.").await;
    assert_says(&press(ana, &notice, "Resume").await, "role");
    env.discord.grant("ana", "analyst");
    resume(&notice).await;

    env.discord.deny_in("data", SEND_MESSAGES);
    let notice = paused("You may no longer post in its channel").await;
    let refused = press(ana, &notice, "Resume").await;
    assert_says(&refused, "You lack: **Send Messages**.");
    env.discord.deny_in("data", 0);
    resume(&notice).await;

    let past = Utc::now() - TimeDelta::hours(1);
    env.annotate_credentials(ana, "expires-at", past).await;
    let notice = paused("The credentials that it ran with expired").await;
    env.renew_credentials(ana).await;
    resume(&notice).await;

    // Somebody replaced them without the bot.
    env.annotate_credentials(ana, "stored-at", past).await;
    let notice = paused("You have replaced the credentials that it ran with.").await;
    resume(&notice).await;

    // Without direct messages, the channel is told.
    let name = format!("duckbot-s3-{}", ana.id());
    let secrets = env.cluster.secrets();
    secrets
        .delete(&name, &DeleteParams::default())
        .await
        .unwrap();
    ana.close_dms();
    run_now(&env, &made).await;
    let told = ana.read("#data").await;
    assert_says(
        &told,
        "You have no saved credentials for its catalog any more.",
    );
    assert_eq!(told.mentions, [ana.id()]);
    ana.open_dms();
    env.enter_credentials(ana).await;
    resume(&told).await;

    env.discord.leave_guild("ana");
    paused("You are not a member of the server any more.").await;
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
    let refused = ana.press_custom_id(made.id, &action(&made, "run"));
    assert_says(
        &refused.await.unwrap().reply().await,
        "Press **Resume** first.",
    );
    assert_says(&press(ana, &paused, "Resume").await, "**It runs again.**");

    let listed = env.reply_to(ada, "/duck schedules").await;
    let held = press(ada, &listed, "Pause all").await;
    assert_says(&held, "has paused all schedules**");
    assert_says(&held, ", waiting");
    let refused = ana.press_custom_id(made.id, &action(&made, "run"));
    assert_says(
        &refused.await.unwrap().reply().await,
        "Nothing runs right now",
    );
    let resumed = press(ada, &held, "Resume all").await;
    assert_says(&resumed, "next run <t:");

    env.reply_to(ada, "/duck pause until:2h reason:We upgrade.")
        .await;
    let refused = ana.press_custom_id(made.id, &action(&made, "run"));
    let told = refused.await.unwrap().reply().await;
    assert_says(&told, "**Nobody can start a session right now**");
    env.mark_all_read().await;
    env.assert_clean().await;
}
