//! Sessions that nobody takes down: warned, extended, stopped, reported.

use chrono::{DateTime, TimeDelta, Utc};
use kube::api::DeleteParams;
use serde_json::{Value, json};

use crate::support::{TestEnv, assert_says, session_id_in, wait_until};

const SWEEP_INTERVAL: (&str, &str) = ("DUCKBOT_REAPER__EVERY", "1s");

/// A team whose reaper looks often, and tells admins in `#ops`.
async fn env(settings: &[(&str, &str)]) -> TestEnv {
    let mut env = env_without_bot(settings).await;
    env.start_bot().await;
    env
}

async fn env_without_bot(settings: &[(&str, &str)]) -> TestEnv {
    let mut env = TestEnv::without_bot(&[&[SWEEP_INTERVAL], settings].concat()).await;
    let ops = env.discord.channel("ops").to_string();
    for name in ["DUCKBOT_DISCORD__ADMIN_CHANNEL", "DUCKBOT_REPORT__CHANNEL"] {
        env.variables.insert(name.into(), ops.clone());
    }
    env
}

fn ago(time: TimeDelta) -> String {
    (Utc::now() - time).to_rfc3339()
}

/// Makes Ana's session that old.
async fn age_session(env: &TestEnv, age: TimeDelta) {
    let record = env.record_name(&env.ana, 0);
    let age = |document: &mut Value| document["created"] = json!(ago(age));
    env.cluster.edit_record(&record, age).await;
}

/// Ten minutes before its lifetime of twelve hours is over.
const NEAR_LIFETIME: TimeDelta = TimeDelta::minutes(12 * 60 - 10);

/// Waits for that many sweeps that begin after this moment.
async fn wait_for_sweeps(env: &mut TestEnv, count: usize) {
    let done = env.bot().log().matches(SWEPT_LOG).count();
    env.bot()
        .wait_for_log_times(SWEPT_LOG, done + count + 1)
        .await;
}

const SWEPT_LOG: &str = " swept";

async fn wait_for_list(env: &TestEnv, words: &str) {
    let list = async || env.reply_to(&env.ana, "/duck list").await.content;
    wait_until(list, |list| list.contains(words)).await;
}

#[tokio::test]
async fn a_session_that_is_too_old_goes_with_all_that_it_owns_and_can_be_had_again() {
    let env = env(&[]).await;
    let quick = env.kubelet.ready_all_pods();
    let old = env.ready_session(&env.ana).await;
    age_session(&env, TimeDelta::days(4)).await;
    let told = env.ana.read("#data").await;
    assert_says(&told, "has ended: it was as old as one may get");
    assert_says(&told, "What was only in it is lost");
    assert_eq!(told.mentions, [env.ana.id()]);
    env.wait_until_nothing_left(&env.ana).await;
    let again = env.ana.press(&told, "Start again").await.unwrap();
    again.until(|it| it.content.contains("is ready")).await;
    let new = session_id_in(&env.ana.read("#data").await.content);
    assert_ne!(old, new);
    quick.abort();
}

#[tokio::test]
async fn whoever_is_told_in_time_extends_it_as_far_as_that_goes() {
    let env = env(&[]).await;
    let id = env.ready_session(&env.ana).await;
    age_session(&env, NEAR_LIFETIME).await;
    let warning = env.ana.read_dm().await;
    assert_says(
        &warning,
        &format!("The lifetime of session `{id}` is nearly over"),
    );
    let pressed = env.ana.press(&warning, "Extend").await.unwrap();
    let reply = pressed.reply().await;
    assert!(reply.ephemeral);
    assert_says(&reply, &format!("Session `{id}` may go on for 4h longer."));
    assert_says(&reply, "(its lifetime is over then)");
    // The list says the same time.
    let time = reply.content.split("<t:").nth(1).unwrap();
    wait_for_list(
        &env,
        &format!("will be stopped <t:{}", time.split('>').next().unwrap()),
    )
    .await;

    let reply = env.reply_to(&env.ana, "/duck extend duration:1h 30m").await;
    assert_says(&reply, "may go on for 1h 30m longer");
    let reply = env
        .reply_to(&env.ana, "/duck extend duration:2 ducks")
        .await;
    assert_says(&reply, "`2 ducks` is no length of time.");
    let line = format!("/duck extend session:{id}");
    assert_says(
        &env.reply_to(&env.ben, &line).await,
        "Only they or an admin can extend it.",
    );
    assert_says(
        &env.reply_to(&env.ben, "/duck extend").await,
        "You have no session to extend.",
    );
    // Two days in all, and it has had 5 h 30 min of them.
    let reply = env.reply_to(&env.ana, "/duck extend duration:30d").await;
    assert_says(&reply, "may go on for 1day 18h 30m longer");
    let reply = env.reply_to(&env.ana, "/duck extend").await;
    assert_says(&reply, "can't be extended any more; it will be stopped <t:");
}

#[tokio::test]
async fn or_stops_it_right_there() {
    let env = env(&[]).await;
    env.ready_session(&env.ana).await;
    age_session(&env, NEAR_LIFETIME).await;
    let warning = env.ana.read_dm().await;
    let pressed = env.ana.press(&warning, "Stop now").await.unwrap();
    pressed.until(|it| it.content.contains("is stopped")).await;
    env.assert_nothing_left().await;
    env.mark_all_read().await;
}

#[tokio::test]
async fn whoever_takes_no_direct_messages_is_told_in_the_channel() {
    let env = env(&[]).await;
    env.ready_session(&env.ana).await;
    env.ana.close_dms();
    age_session(&env, NEAR_LIFETIME).await;
    let warning = env.ana.read("#data").await;
    assert_says(&warning, "The lifetime of session");
    assert_eq!(warning.mentions, [env.ana.id()]);
    // It stands there for everybody, and is hers.
    let refused = env
        .ben
        .press(&warning, "Extend")
        .await
        .unwrap()
        .reply()
        .await;
    assert!(refused.ephemeral);
    assert_says(&refused, "belongs to somebody else");
    let extended = env
        .ana
        .press(&warning, "Extend")
        .await
        .unwrap()
        .reply()
        .await;
    assert_says(&extended, "may go on for 4h longer");
}

#[tokio::test]
async fn it_is_told_once_also_when_the_bot_was_away() {
    let mut env = env(&[]).await;
    let id = env.ready_session(&env.ana).await;
    age_session(&env, NEAR_LIFETIME).await;
    env.ana.read_dm().await;
    env.bot()
        .wait_for_log(&format!("session {id}: that its owner was told is noted"))
        .await;
    env.kill_bot().await;
    env.start_bot().await;
    wait_for_sweeps(&mut env, 2).await;
    // An unread message would be one too many.
}

#[tokio::test]
async fn it_is_told_once_also_when_that_can_not_be_noted() {
    let mut env = env(&[]).await;
    let id = env.ready_session(&env.ana).await;
    env.api.set_faults(|call| {
        let answer = || crate::support::ApiFault::Answer(500, "not now".into());
        (call.method == "PUT").then(answer)
    });
    age_session(&env, NEAR_LIFETIME).await;
    env.ana.read_dm().await;
    env.discord.forget_nonces();
    wait_for_sweeps(&mut env, 3).await;
    env.api.clear_faults();
    env.bot()
        .wait_for_log(&format!("session {id}: that its owner was told is noted"))
        .await;
    assert_eq!(
        env.cluster.documents().await[0]["warned"]["rule"],
        "lifetime"
    );
}

#[tokio::test]
async fn whoever_leaves_the_guild_leaves_nothing_behind() {
    let mut env = env(&[("DUCKBOT_REAPER__LEFT_GUILD", "1s")]).await;
    let id = env.ready_session(&env.ben).await;
    assert!(env.stored_credentials(&env.ben).await.is_some());
    env.discord.leave_guild("ben");
    // It is looked for once an hour, and first of all.
    env.kill_bot().await;
    env.start_bot().await;
    let told = env.ana.read("#data").await;
    assert_says(
        &told,
        &format!("Session `{id}` has ended: its owner is no longer a member"),
    );
    assert_eq!(told.components.len(), 0);
    let record = env.record_name(&env.ben, 0);
    env.cluster.wait_until_gone(&record).await;
    let store_key_pair = async || env.stored_credentials(&env.ben).await.is_some();
    wait_until(store_key_pair, |store_key_pair| !store_key_pair).await;
    env.assert_nothing_left().await;
}

#[tokio::test]
async fn whoever_has_come_back_loses_nothing() {
    let mut env = env(&[("DUCKBOT_REAPER__LEFT_GUILD", "1s")]).await;
    env.ready_session(&env.ben).await;
    env.kill_bot().await;
    // The bot was away when they came back.
    env.cluster
        .edit_ledger(|ledger| {
            ledger["known"] = json!({ env.ben.id().to_string(): ago(TimeDelta::days(9)) });
        })
        .await;
    env.start_bot().await;
    wait_for_sweeps(&mut env, 3).await;
    assert!(env.stored_credentials(&env.ben).await.is_some());
    assert_eq!(env.cluster.documents().await[0]["stage"], "running");
}

#[tokio::test]
async fn what_has_lost_its_record_is_removed() {
    let env = env(&[("DUCKBOT_REAPER__ORPHANS", "1s")]).await;
    let id = env.ready_session(&env.ana).await;
    let orphan = DeleteParams {
        propagation_policy: Some(kube::api::PropagationPolicy::Orphan),
        ..DeleteParams::default()
    };
    let record = env.record_name(&env.ana, 0);
    env.cluster
        .records()
        .delete(&record, &orphan)
        .await
        .unwrap();
    env.cluster.wait_until_gone(&record).await;
    wait_until(async || env.cluster.objects().await, Vec::is_empty).await;
    assert!(env.log().contains(&format!("session {id} has no record")));
}

/// A record of Ana's; the reconciler makes the rest.
async fn create_record(env: &TestEnv, slot: u8, created: String) {
    let id = format!("{:06x}", 0xabc000 + u32::from(slot));
    env.create_record(&id, env.ana.id(), slot, &created).await;
}

#[tokio::test]
async fn a_sweep_that_would_stop_most_of_all_stops_none_until_an_admin_says_so() {
    // They are old and only about to start.
    let mut env = env_without_bot(&[("DUCKBOT_REAPER__LATE", "false")]).await;
    env.cluster.store_credentials(env.ana.id()).await;
    let quick = env.kubelet.ready_all_pods();
    for slot in 0..12 {
        let age = if slot < 8 {
            TimeDelta::days(9)
        } else {
            TimeDelta::zero()
        };
        create_record(&env, slot, ago(age)).await;
    }
    env.start_bot().await;
    let alarm = env.ada.read("#ops").await;
    assert_says(&alarm, "I would stop 8 of 12 sessions at once");
    wait_for_sweeps(&mut env, 2).await;
    assert_eq!(env.cluster.documents().await.len(), 12);

    let refused = env.reply_to(&env.ana, "/duck reap").await;
    assert_says(&refused, "Only admins can do that.");
    let question = env.reply_to(&env.ada, "/duck reap").await;
    assert_says(
        &question,
        "That is 8 of 12 sessions, which is more than I may stop by myself.",
    );
    assert_eq!(question.content.matches("as old as one may get").count(), 8);
    let pressed = env.ada.press(&question, "Do it").await.unwrap();
    pressed.until(|it| it.content.starts_with("Done:")).await;
    let left = async || env.cluster.documents().await.len();
    wait_until(left, |left| *left == 4).await;
    quick.abort();
    env.mark_all_read().await;
}

#[tokio::test]
async fn a_dry_run_only_says_what_would_go() {
    let mut env = env(&[("DUCKBOT_REAPER__DRY_RUN", "true")]).await;
    let id = env.ready_session(&env.ana).await;
    age_session(&env, TimeDelta::days(4)).await;
    env.bot()
        .wait_for_log(&format!(
            "if this were no dry run, the reaper would take down {id} (MaxAge)"
        ))
        .await;
    let question = env.reply_to(&env.ada, "/duck reap").await;
    assert_says(
        &question,
        "The setting `reaper.dry_run` keeps me from doing it by myself.",
    );
    let pressed = env.ada.press(&question, "Leave them").await.unwrap();
    pressed
        .until(|it| it.content.starts_with("I leave them alone"))
        .await;
    wait_for_sweeps(&mut env, 1).await;
    assert_eq!(env.cluster.documents().await[0]["stage"], "running");
    let pressed = env
        .ada
        .press_custom_id(question.id, "duckbot:reap:of-yesterday")
        .await
        .unwrap();
    let anew = pressed
        .until(|it| it.content.starts_with("That has changed since you looked"))
        .await;
    assert_eq!(env.cluster.documents().await[0]["stage"], "running");
    let pressed = env.ada.press(&anew, "Do it").await.unwrap();
    pressed.until(|it| it.content.starts_with("Done:")).await;
    env.wait_until_nothing_left(&env.ana).await;
    env.mark_all_read().await;
}

#[tokio::test]
async fn a_door_that_does_not_answer_is_told_to_admins_and_its_session_is_left_alone() {
    let mut env = env(&[
        ("DUCKBOT_REAPER__UNREACHABLE", "1s"),
        ("DUCKBOT_REAPER__IDLE", "3s"),
        ("DUCKBOT_REAPER__WARN_BEFORE", "1s"),
    ])
    .await;
    // Where a test stands in for the node, nobody listens at the Pod's address.
    let id = env.ready_session(&env.ana).await;
    let told = env.ada.read("#ops").await;
    assert_says(&told, &format!("\n- session `{id}` of `"));
    wait_for_sweeps(&mut env, 4).await;
    assert_eq!(env.discord.history("#ops").len(), 1, "it is told once");
    assert_eq!(env.cluster.documents().await[0]["stage"], "running");
    wait_for_list(&env, "its door does not answer").await;
}

#[tokio::test]
async fn sweeps_ask_nothing_of_the_api_server() {
    // With every rule that is on by default.
    let mut env = env(&[("DUCKBOT_REAPER__LEFT_GUILD", "1d")]).await;
    env.ready_session(&env.ana).await;
    wait_for_sweeps(&mut env, 1).await;
    let asked = |env: &TestEnv| {
        let calls = env.api.calls().into_iter();
        calls.filter(|call| call.method != "WATCH").count()
    };
    let before = asked(&env);
    wait_for_sweeps(&mut env, 4).await;
    assert_eq!(asked(&env), before, "{:?}", env.api.calls().last());
}

fn is_recent(since: &DateTime<Utc>) -> bool {
    Utc::now() - since < TimeDelta::minutes(5)
}

/// Since when the ledger's period is.
async fn ledger_since(env: &TestEnv) -> DateTime<Utc> {
    env.cluster.ledger().await["since"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap()
}

#[tokio::test]
async fn a_report_is_posted_once_when_it_is_due_and_says_what_was() {
    let mut env = env(&[]).await;
    let asked = env.reply_to(&env.ben, "/duck report").await;
    assert_says(&asked, "Only admins can do that.");
    env.ready_session(&env.ana).await;
    let question = env.reply_to(&env.ana, "/duck stop").await;
    env.confirm_stop(&env.ana, &question).await;
    let so_far = env.reply_to(&env.ada, "/duck report").await;
    assert!(so_far.ephemeral);
    assert_says(
        &so_far,
        "1 session, of which none is there now and 1 has ended.",
    );
    assert_says(&so_far, "- 1 × stopped by its owner");
    assert_says(
        &so_far,
        &format!("- <@{}>: 0 h 00 min in 1 session", env.ana.id()),
    );

    // Weeks pass, and the bot is not there.
    env.kill_bot().await;
    env.cluster
        .edit_ledger(|ledger| ledger["since"] = json!(ago(TimeDelta::weeks(3))))
        .await;
    env.start_bot().await;
    let posted = env.ada.read("#ops").await;
    assert_says(
        &posted,
        "1 session, of which none is there now and 1 has ended.",
    );
    assert_eq!(posted.mentions, [0; 0]);
    wait_until(async || ledger_since(&env).await, is_recent).await;
    env.kill_bot().await;
    env.start_bot().await;
    wait_for_sweeps(&mut env, 2).await;
    assert_eq!(env.discord.history("#ops").len(), 1);
    let next = env.reply_to(&env.ada, "/duck report").await;
    assert_says(&next, "There was none.");
}

#[tokio::test]
async fn a_report_waits_until_there_is_a_place_for_it() {
    let mut env = env_without_bot(&[]).await;
    env.cluster
        .edit_ledger(|ledger| {
            ledger["since"] = json!(ago(TimeDelta::weeks(3)));
            ledger["outcomes"] = json!([[{ "how": "stopped" }, 3]]);
        })
        .await;
    let somewhere = env.variables["DUCKBOT_REPORT__CHANNEL"].clone();
    env.variables
        .insert("DUCKBOT_REPORT__CHANNEL".into(), "77".into());
    env.start_bot().await;
    env.bot()
        .wait_for_log("I may not write in channel 77")
        .await;
    env.kill_bot().await;
    // Long after: whoever tried first has given up.
    env.cluster
        .edit_ledger(|ledger| {
            ledger["pending"]["claimed"] = json!(ago(TimeDelta::minutes(6)));
        })
        .await;
    env.variables
        .insert("DUCKBOT_REPORT__CHANNEL".into(), somewhere);
    env.start_bot().await;
    let posted = env.ada.read("#ops").await;
    assert_says(&posted, "- 3 × stopped by its owner");
}

#[tokio::test]
async fn whoever_was_warned_before_the_bot_was_away_has_time_to_answer() {
    let mut env = env(&[("DUCKBOT_REAPER__WARN_BEFORE", "20m")]).await;
    let id = env.ready_session(&env.ana).await;
    age_session(&env, NEAR_LIFETIME).await;
    env.ana.read_dm().await;
    env.bot()
        .wait_for_log(&format!("session {id}: that its owner was told is noted"))
        .await;
    env.kill_bot().await;
    // The time that was told passes meanwhile.
    let record = env.record_name(&env.ana, 0);
    let passed = |document: &mut Value| {
        document["created"] = json!(ago(TimeDelta::hours(13)));
        document["warned"]["at"] = json!(ago(TimeDelta::minutes(5)));
    };
    env.cluster.edit_record(&record, passed).await;
    env.start_bot().await;
    wait_for_sweeps(&mut env, 2).await;
    assert_eq!(env.cluster.documents().await[0]["stage"], "running");
    let extended = env.reply_to(&env.ana, "/duck extend").await;
    assert_says(&extended, "may go on for 4h longer");
    env.mark_all_read().await;
}

#[tokio::test]
async fn of_somebody_who_left_the_keys_go_after_their_sessions() {
    // Their session may not be stopped yet, because it would be too much at once.
    let settings = [
        ("DUCKBOT_REAPER__LEFT_GUILD", "1s"),
        ("DUCKBOT_REAPER__LATE", "false"),
    ];
    let mut env = env_without_bot(&settings).await;
    env.cluster.store_credentials(env.ben.id()).await;
    let quick = env.kubelet.ready_all_pods();
    for slot in 0..10 {
        let id = format!("{:06x}", 0xbe0000 + u32::from(slot));
        let now = ago(TimeDelta::zero());
        env.create_record(&id, env.ben.id(), slot, &now).await;
    }
    env.discord.leave_guild("ben");
    env.start_bot().await;
    assert_says(
        &env.ada.read("#ops").await,
        "I would stop 10 of 10 sessions at once",
    );
    wait_for_sweeps(&mut env, 2).await;
    assert!(env.stored_credentials(&env.ben).await.is_some());

    let question = env.reply_to(&env.ada, "/duck reap").await;
    assert_eq!(question.content.matches("no longer a member").count(), 10);
    let pressed = env.ada.press(&question, "Do it").await.unwrap();
    pressed.until(|it| it.content.starts_with("Done:")).await;
    let store_key_pair = async || env.stored_credentials(&env.ben).await.is_some();
    wait_until(store_key_pair, |store_key_pair| !store_key_pair).await;
    quick.abort();
    env.mark_all_read().await;
}

#[tokio::test]
async fn a_report_that_another_bot_is_posting_is_left_to_it_unless_that_bot_died() {
    let mut env = env_without_bot(&[]).await;
    let due = |claimed: TimeDelta| {
        move |ledger: &mut Value| {
            ledger["pending"] = json!({
                "since": ago(TimeDelta::weeks(3)), "until": ago(TimeDelta::minutes(9)),
                "there": 0, "outcomes": [], "users": {}, "starts_ms": [],
                "others": { "seconds": 0, "sessions": 0 }, "claimed": ago(claimed),
            });
        }
    };
    env.cluster.edit_ledger(due(TimeDelta::seconds(1))).await;
    env.start_bot().await;
    wait_for_sweeps(&mut env, 3).await;
    assert_eq!(env.discord.history("#ops").len(), 0);
    env.kill_bot().await;
    env.cluster.edit_ledger(due(TimeDelta::minutes(6))).await;
    env.start_bot().await;
    assert_says(&env.ada.read("#ops").await, "There was none.");
}

#[tokio::test]
async fn where_nothing_happened_a_setting_keeps_the_report_back() {
    let mut env = env_without_bot(&[("DUCKBOT_REPORT__WHEN_QUIET", "silence")]).await;
    env.cluster
        .edit_ledger(|ledger| ledger["since"] = json!(ago(TimeDelta::weeks(3))))
        .await;
    env.start_bot().await;
    wait_until(async || ledger_since(&env).await, is_recent).await;
    wait_for_sweeps(&mut env, 1).await;
    assert_eq!(env.discord.history("#ops").len(), 0);
}
