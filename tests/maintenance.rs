//! Tests of the maximum number of all sessions (`sessions.total`), and of the pause of starts.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use discord_loopback::{Discord, MessageView, Presence};
use futures_util::future::join_all;
use kube::api::EvictParams;
use reqwest::Method;
use serde_json::{Value, json};
use test_support::{
    ApiEnv, Bot, TestEnv, assert_says, parse_response, session_id_in, session_request, wait_until,
};

/// End of a pause, as a message shows it.
fn end_in(message: &MessageView) -> DateTime<Utc> {
    let after = message.content.split("<t:").nth(1).expect("a timestamp");
    let seconds = after.split(':').next().unwrap().parse().unwrap();
    DateTime::from_timestamp(seconds, 0).unwrap()
}

/// Waits until the bot's presence has this text, or none.
async fn shows(discord: &Discord, text: Option<&str>) {
    let wanted = if text.is_some() { "idle" } else { "online" };
    let is_it = |it: &Presence| it.activity.as_deref() == text && it.status == wanted;
    discord.wait_presence(is_it).await;
}

fn status(until: DateTime<Utc>) -> String {
    let is_today = until.date_naive() == Utc::now().date_naive();
    let format = if is_today { "%H:%M" } else { "%b %-d, %H:%M" };
    format!("Starts are paused until {} UTC", until.format(format))
}

#[tokio::test]
async fn of_starts_at_two_bots_at_once_exactly_as_many_as_fit_get_a_session() {
    let api_env = ApiEnv::start(&[
        ("DUCKBOT_SESSIONS__TOTAL", "3"),
        ("DUCKBOT_SESSIONS__PER_USER", "2"),
        ("DUCKBOT_CREDENTIALS__PREFLIGHT", "false"),
    ])
    .await;
    let env = &api_env.env;
    let mut second = Bot::start(&env.variables);
    second.wait_for_log("the API is at ").await;
    let log = second.log();
    let other = log.split("the API is at ").nth(1).unwrap();
    let urls = [&*api_env.url, other.split_whitespace().next().unwrap()];

    for round in 0..3 {
        let asked = (0..24).map(|number| {
            let url = format!("{}/sessions", urls[number % 2]);
            let token = [&api_env.ana, &api_env.ben, &api_env.ada][number % 3];
            let mut body = session_request();
            if number % 4 > 0 {
                body["workspace"] = json!(format!("w{number}"));
            }
            let asked = api_env.client.post(url).bearer_auth(token).json(&body);
            async move { parse_response(asked.send().await.unwrap()).await }
        });
        let answers = join_all(asked).await;
        let (made, rejected): (Vec<_>, Vec<_>) =
            answers.iter().partition(|(status, _)| *status == 201);
        for (status, body) in rejected {
            let kind = body["type"].as_str().unwrap().rsplit(':').next().unwrap();
            let known = [(503, "total-reached"), (409, "quota-reached")];
            assert!(known.contains(&(*status, kind)), "{body}");
        }
        let id = |body: &Value, key: &str| body[key].as_str().unwrap().to_owned();
        let made: HashSet<_> = made.iter().map(|(_, it)| id(it, "session_id")).collect();
        assert_eq!(made.len(), 3, "round {round}: {answers:?}");
        // What was taken back is removed, and nothing else.
        let kept = async || {
            let documents = env.cluster.documents().await;
            let ids = documents.iter().map(|it| id(it, "id"));
            ids.collect::<HashSet<_>>()
        };
        wait_until(kept, |kept| *kept == made).await;
        for id in &made {
            let path = format!("/sessions/{id}");
            assert_eq!(api_env.delete(&path, &api_env.ada).await.0, 204);
        }
        env.assert_nothing_left().await;
    }
    api_env.assert_clean().await;
}

#[tokio::test]
async fn while_all_sessions_are_in_use_people_read_what_helps() {
    let env = TestEnv::start_with(&[("DUCKBOT_SESSIONS__TOTAL", "1")]).await;
    let first = env.ready_session(&env.ana).await;
    env.cluster.store_credentials(env.ben.id()).await;

    let full = env.reply_to(&env.ben, "/duck start").await;
    let words = "No session is free: the only session that your team can have at a time is in use. The \
                 next session stops <t:";
    assert_says(&full, words);
    assert_says(&full, "Press **Try again** later.");
    let offer = env.reply_to(&env.ana, "/duck start").await;
    let another = env.ana.press(&offer, "Start another").await.unwrap();
    let mine = another.reply().await;
    assert_says(&mine, &format!("stop one of yours (`{first}`)"));
    let list = env.reply_to(&env.ada, "/duck list all:true").await;
    assert_says(&list, "1 of 1 sessions, oldest first:");
    let list = env.reply_to(&env.ben, "/duck list all:true").await;
    assert_says(&list, "1 session:");

    // A restart is no new session.
    env.renew_credentials(&env.ana).await;
    let list = env.reply_to(&env.ana, "/duck list").await;
    let restart = env.ana.press_custom_id(list.id, "duckbot:restart");
    let restarted = restart.await.unwrap();
    let is_new = |all: &Vec<Value>| all.iter().any(|it| it["id"] != json!(first));
    let documents = wait_until(async || env.cluster.documents().await, is_new).await;
    let second = documents[0]["id"].as_str().unwrap().to_owned();
    env.kubelet.mark_ready(&second).await;
    restarted
        .until(|reply| reply.content.contains("Stopped"))
        .await;
    env.wait_until_ready(&second).await;
    env.mark_all_read().await;

    // The place is free when Ana's session is gone.
    env.stop_session(&env.ana).await;
    let pressed = env.ben.press(&full, "Try again").await.unwrap();
    let starting = |it: &MessageView| it.content.contains("Starting session");
    let third = session_id_in(&pressed.until(starting).await.content);
    env.kubelet.mark_ready(&third).await;
    pressed.until(|it| it.content.contains("is ready")).await;
    env.mark_all_read().await;
    env.assert_clean().await;
}

#[tokio::test]
async fn during_a_pause_sessions_go_on_and_everybody_knows_why_none_starts() {
    let env = TestEnv::without_bot(&[]).await;
    let mut api_env = ApiEnv::start_with_env(env).await;
    let env = &api_env.env;
    shows(&env.discord, None).await;
    let running = env.ready_session(&env.ana).await;
    for person in [&env.ben, &env.gil] {
        env.cluster.store_credentials(person.id()).await;
    }
    let denied = env.reply_to(&env.ana, "/duck pause until:2h").await;
    assert_says(&denied, "Only admins can do that.");
    let invalid = env.reply_to(&env.ada, "/duck pause until:soon").await;
    assert_says(&invalid, "`soon` is not a time. Enter one like `18:00`");
    let none = env.reply_to(&env.ada, "/duck resume").await;
    assert_says(&none, "Starts are not paused.");
    let suggested = env.ada.complete("#data", "/duck pause until:18").await;
    assert_eq!(suggested.unwrap()[0].1, "18:00");

    let line = "/duck pause until:2h reason:We upgrade the <@&1> @everyone cluster.";
    let paused = env.reply_to(&env.ada, line).await;
    assert_says(&paused, "**Nobody can start a session** until <t:");
    let until = end_in(&paused);
    assert!((until - Utc::now() - TimeDelta::hours(2)).abs() < TimeDelta::minutes(2));
    shows(&env.discord, Some(&status(until))).await;
    let log = format!(
        "act=\"paused starts\" what=\"until {}",
        until.format("%Y-%m-%dT%H:%M:%S")
    );
    env.wait_for_log(&log).await;

    // No new session starts, and no query runner.
    let reason = format!(
        "This ends <t:{0}:R> (<t:{0}:f>). <@{1}> has paused starts. The reason: `We upgrade the <@&1> \
         @everyone cluster.`",
        until.timestamp(),
        env.ada.id()
    );
    let refused = env.reply_to(&env.ben, "/duck start").await;
    assert_says(&refused, &reason);
    let query = env.reply_to(&env.ben, "/duck sql query:SELECT 42").await;
    assert_says(&query, &reason);
    let restore = env.reply_to(&env.ben, "/duck list").await;
    let started = env.ben.press(&restore, "Start a session").await.unwrap();
    assert_says(&started.reply().await, &reason);
    let asked = api_env.request(Method::POST, "/sessions", &api_env.ana);
    let asked = asked.json(&session_request()).send().await.unwrap();
    let after: i64 = asked.headers()["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((7_000..=7_201).contains(&after), "{after}");
    let (code, problem) = parse_response(asked).await;
    assert_eq!(
        (code, &problem["type"]),
        (503, &json!("urn:duckbot:problem:starts-paused"))
    );
    assert!(
        problem["detail"].as_str().unwrap().contains("We upgrade"),
        "{problem}"
    );
    assert_eq!(env.cluster.documents().await.len(), 1);
    for line in ["/duck list", "/duck help"] {
        let shown = env.reply_to(&env.ana, line).await;
        assert_says(&shown, "\n**Nobody can start a session** until <t:");
    }

    // Ana's session goes on: it is extended, starts again if its node is drained, and with new credentials.
    let extended = env.reply_to(&env.ana, "/duck extend duration:1h").await;
    assert_says(&extended, "was extended by 1 hour");
    let open = env.reply_to(&env.ana, "/duck start").await;
    assert_says(
        &open,
        &format!("You already have a session:\n- `{running}`"),
    );
    let quick = env.kubelet.ready_all_pods();
    let drained = format!("duckui-{running}");
    let pods = env.cluster.pods();
    pods.evict(&drained, &EvictParams::default()).await.unwrap();
    let back = env.ana.read("#data").await;
    assert_says(&back, "is ready again");
    env.renew_credentials(&env.ana).await;
    let list = env.reply_to(&env.ana, "/duck list").await;
    let restarted = env.ana.press_custom_id(list.id, "duckbot:restart").await;
    let is_stopped = |it: &MessageView| it.content.starts_with("Stopped");
    restarted.unwrap().until(is_stopped).await;
    assert_says(&env.ana.read("#data").await, "is ready");
    quick.abort();

    // The next bot knows of the pause.
    api_env.env.kill_bot().await;
    api_env.start_bot().await;
    let env = &api_env.env;
    shows(&env.discord, Some(&status(until))).await;
    let refused = env.reply_to(&env.ben, "/duck start").await;
    assert_says(&refused, &reason);

    let resumed = env.reply_to(&env.ada, "/duck resume").await;
    assert_says(&resumed, "Everybody can start sessions again.");
    shows(&env.discord, None).await;
    assert_eq!(env.cluster.pause().await, Value::Null);
    let pressed = env.ben.press(&refused, "Try again").await.unwrap();
    let starting = |it: &MessageView| it.content.contains("Starting session");
    pressed.until(starting).await;
    env.stop_session(&env.ben).await;
    pressed.until(|it| it.content.contains("was stopped")).await;
    env.mark_all_read().await;
    api_env.assert_clean().await;
}

#[tokio::test]
async fn a_pause_replaces_the_one_before_and_ends_by_itself() {
    let mut env = TestEnv::without_bot(&[("DUCKBOT_REPORT__TIME_ZONE", "Europe/Berlin")]).await;
    let admins = ["admin", "analyst"].map(|role| env.discord.role(role).to_string());
    let setting = "DUCKBOT_DISCORD__ADMIN_ROLES".to_owned();
    env.variables.insert(setting, admins.join(","));
    env.fake_clock();
    env.start_bot().await;

    // Two admins at once: one pause remains, and both know.
    let [one, other] = ["1h", "2h"].map(|it| format!("/duck pause until:{it}"));
    let asked = tokio::join!(
        env.ada.run_command("#data", &one),
        env.ana.run_command("#data", &other)
    );
    let replies = [&asked.0, &asked.1].map(|it| it.as_ref().unwrap().reply());
    let replies = join_all(replies).await;
    let replaces = |reply: &&MessageView| reply.content.contains("This replaces the pause of <@");
    let last: Vec<_> = replies.iter().filter(replaces).collect();
    let [last] = &last[..] else {
        panic!("{replies:?}")
    };
    let (first, by) = if last.id == replies[0].id {
        (&env.ana, &env.ada)
    } else {
        (&env.ada, &env.ana)
    };
    assert_says(last, &format!("the pause of <@{}> until", first.id()));
    assert_says(last, "They were told.");
    let notice = first.read_dm().await;
    let words = format!(
        "<@{}> has replaced your pause of starts. Now it ends <t:",
        by.id()
    );
    assert_says(&notice, &words);
    let stored = env.cluster.pause().await;
    assert_eq!(stored["by"], json!(by.id().to_string()));
    let until: DateTime<Utc> = stored["until"].as_str().unwrap().parse().unwrap();
    assert_eq!(until.timestamp(), end_in(last).timestamp());

    // A pause is stored under the bot's hands, and one that can't be read pauses nothing.
    let mut map = env.cluster.records().get("duckbot-pause").await.unwrap();
    let broken = json!({ "version": 9, "pause": { "until": "whenever" } });
    map.data
        .as_mut()
        .unwrap()
        .insert("pause.json".into(), broken.to_string());
    let maps = env.cluster.records();
    maps.replace("duckbot-pause", &Default::default(), &map)
        .await
        .unwrap();
    env.cluster.store_credentials(env.ben.id()).await;
    let started = env.ben.run_command("#data", "/duck start").await.unwrap();
    let starting = |it: &MessageView| it.content.contains("Starting session");
    started.until(starting).await;
    env.wait_for_log("the pause of starts can't be read, and is ignored")
        .await;
    env.stop_session(&env.ben).await;
    started.until(|it| it.content.contains("was stopped")).await;

    // It ends at its time, while the bot runs…
    let short = env.reply_to(&env.ada, "/duck pause until:in 3 s").await;
    assert_says(&short, "**Nobody can start a session** until <t:");
    let is_paused = |it: &Presence| it.activity.is_some();
    let shown = env.discord.wait_presence(is_paused).await;
    let shown = shown.activity.unwrap();
    assert!(shown.contains(" CET") || shown.contains(" CEST"), "{shown}");
    shows(&env.discord, None).await;
    let started = env.ben.run_command("#data", "/duck start").await.unwrap();
    started.until(starting).await;
    env.stop_session(&env.ben).await;
    started.until(|it| it.content.contains("was stopped")).await;

    // …and while it is down.
    let long = env
        .reply_to(&env.ada, "/duck pause until:tomorrow 8:00")
        .await;
    let until = end_in(&long);
    let berlin = until.with_timezone(&chrono::FixedOffset::east_opt(3600).unwrap());
    let summer = until.with_timezone(&chrono::FixedOffset::east_opt(7200).unwrap());
    assert!(
        [berlin, summer]
            .iter()
            .any(|it| it.format("%H:%M").to_string() == "08:00")
    );
    env.kill_bot().await;
    env.set_clock(until - Utc::now() + TimeDelta::seconds(1));
    env.start_bot().await;
    let started = env.ben.run_command("#data", "/duck start").await.unwrap();
    started.until(starting).await;
    shows(&env.discord, None).await;
    env.stop_session(&env.ben).await;
    started.until(|it| it.content.contains("was stopped")).await;
    env.mark_all_read().await;
    env.assert_clean().await;
}
