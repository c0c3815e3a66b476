//! Access rules: who may use the bot, and where.

use test_support::{TestEnv, WAIT_TIMEOUT};

#[tokio::test]
async fn another_channel_or_a_missing_role_is_answered_with_what_would_be_right() {
    let env = TestEnv::start().await;
    let data = env.discord.channel("data");
    let analyst = env.discord.role("analyst");
    for line in [
        "/duck start",
        "/duck stop",
        "/duck list all:true",
        "/duck setup",
        "/duck help",
    ] {
        let elsewhere = env
            .ana
            .run_command("#random", line)
            .await
            .unwrap()
            .reply()
            .await;
        assert_eq!(
            elsewhere.content,
            format!("You can't use this bot in this channel. Use it in <#{data}>.")
        );
        let nobody = env.reply_to(&env.gil, line).await;
        assert!(nobody.ephemeral && nobody.content.contains(&format!("<@&{analyst}>")));
    }
    env.assert_nothing_left().await;
    env.assert_clean().await;
}

#[tokio::test]
async fn nothing_is_suggested_to_a_person_without_access() {
    let env = TestEnv::start().await;
    let line = "/duck start size:";
    let choices = env.ana.complete("#data", line).await.unwrap();
    assert_eq!(choices.len(), 2, "{choices:?}");
    let elsewhere = env.ana.complete("#random", line).await.unwrap();
    assert_eq!(elsewhere, []);
    let nobody = env.gil.complete("#data", line).await.unwrap();
    assert_eq!(nobody, []);
    env.assert_clean().await;
}

#[tokio::test]
async fn an_admin_is_offered_the_sessions_of_others_only_where_an_admin_may_act() {
    let env = TestEnv::start().await;
    let id = env.ready_session(&env.ana).await;
    for (person, commands, is_offered) in [
        (&env.ada, &["status", "extend", "stop"][..], true),
        (&env.ada, &["open", "sql", "tables", "describe"], false),
        (&env.ben, &["status", "open"], false),
        (&env.ana, &["status", "open"], true),
    ] {
        for command in commands {
            let line = format!("/duck {command} session:");
            let choices = person.complete("#data", &line).await.unwrap();
            let is_it = choices.iter().any(|(_, value)| *value == id);
            assert_eq!(is_it, is_offered, "{command}: {choices:?}");
        }
    }
    env.assert_clean().await;
}

#[tokio::test]
async fn another_guild_that_has_the_bot_is_not_served() {
    let env = TestEnv::start().await;
    env.discord.move_to_another_guild();
    for line in ["/duck start", "/duck list all:true"] {
        let reply = env.reply_to(&env.ana, line).await;
        assert_eq!(
            reply.content,
            "This bot belongs to another server, so it can't be used here."
        );
    }
    env.assert_nothing_left().await;
    env.assert_clean().await;
}

#[tokio::test]
async fn a_guild_that_the_bot_is_not_in_is_said_at_the_start() {
    let mut env = TestEnv::without_bot(&[("DUCKBOT_DISCORD__GUILD", "1029384756102938475")]).await;
    env.spawn_bot();
    let status = env.bot().wait(WAIT_TIMEOUT).await.unwrap();
    assert_eq!(status.code(), Some(1));
    let log = env.log();
    assert!(
        log.contains("Discord does not let the bot register commands in guild 1029384756102938475"),
        "{log}"
    );
    env.assert_clean().await;
}

#[tokio::test]
async fn a_button_of_another_version_is_answered() {
    let env = TestEnv::start().await;
    let help = env.reply_to(&env.ana, "/duck help").await;
    for custom_id in ["duckbot:dance", "duckbot:stop:../../etc", "x"] {
        let pressed = env.ana.press_custom_id(help.id, custom_id).await.unwrap();
        let reply = pressed.reply().await;
        assert!(
            reply.ephemeral
                && reply
                    .content
                    .contains("is from an older version of the bot")
        );
    }
    env.assert_clean().await;
}
