//! Tests of the reaper: warnings, extensions, stops and reports.

use chrono::{DateTime, TimeDelta, Utc};
use discord_loopback::{Person, RestFault};
use kube::api::DeleteParams;
use serde_json::{Value, json};
use test_support::{TestEnv, assert_says, session_id_in, wait_until};

const SWEEP_INTERVAL: (&str, &str) = ("DUCKBOT_REAPER__EVERY", "1s");

/// Starts an environment with frequent sweeps and messages to admins in `#ops`.
async fn env(settings: &[(&str, &str)]) -> TestEnv {
    let mut env = env_without_bot(settings).await;
    env.start_bot().await;
    env
}

/// Same as [`env`], with a clock for the bot.
async fn env_with_clock(settings: &[(&str, &str)]) -> TestEnv {
    let mut env = env_without_bot(settings).await;
    env.fake_clock();
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

/// Sets the age of Ana's session.
async fn age_session(env: &TestEnv, age: TimeDelta) {
    let record = env.record_name(&env.ana, 0);
    let age = |document: &mut Value| document["created"] = json!(ago(age));
    env.cluster.edit_record(&record, age).await;
}

/// Age ten minutes before the end of the lifetime, which is twelve hours.
const NEAR_LIFETIME: TimeDelta = TimeDelta::minutes(12 * 60 - 10);

/// Waits for `count` sweeps that start after this moment.
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
    assert_says(&told, "was stopped at the maximum session age");
    assert_says(
        &told,
        "Tables and notebooks that were not saved elsewhere are lost",
    );
    assert_eq!(told.mentions, [env.ana.id()]);
    env.wait_until_nothing_left(&env.ana).await;
    let again = env.ana.press(&told, "Start again").await.unwrap();
    again.until(|it| it.content.contains("is ready")).await;
    let new = session_id_in(&env.ana.read("#data").await.content);
    assert_ne!(old, new);
    quick.abort();
    env.assert_clean().await;
}

#[tokio::test]
async fn whoever_is_told_in_time_extends_it_as_far_as_that_goes() {
    let env = env(&[]).await;
    let id = env.ready_session(&env.ana).await;
    age_session(&env, NEAR_LIFETIME).await;
    let warning = env.ana.read_dm().await;
    assert_says(
        &warning,
        &format!("Session `{id}` is near the end of its lifetime."),
    );
    let pressed = env.ana.press(&warning, "Extend").await.unwrap();
    let reply = pressed.reply().await;
    assert!(reply.ephemeral);
    assert_says(
        &reply,
        &format!("Session `{id}` was extended by 4 hours.\nIt can now run until <t:"),
    );
    assert_says(&reply, "You can extend it by 1 day 20 hours more.");
    let times = reply.content.split("<t:").skip(1);
    let times = times.map(|it| it.split(':').next().unwrap().parse::<i64>().unwrap());
    let [after, same, before] = times.take(3).collect::<Vec<_>>()[..] else {
        panic!("{}", reply.content)
    };
    assert_eq!((after, same - before), (same, 4 * 60 * 60));
    // The list shows the same time.
    wait_for_list(&env, &format!("stops <t:{after}:R>")).await;

    let reply = env.reply_to(&env.ana, "/duck extend duration:1h 30m").await;
    assert_says(&reply, "was extended by 1 hour 30 minutes.");
    let reply = env
        .reply_to(&env.ana, "/duck extend duration:2 ducks")
        .await;
    assert_says(&reply, "`2 ducks` is not a duration.");
    let line = format!("/duck extend session:{id}");
    assert_says(
        &env.reply_to(&env.ben, &line).await,
        "Only its owner or an admin can extend it.",
    );
    assert_says(
        &env.reply_to(&env.ben, "/duck extend").await,
        "You have no session to extend.",
    );
    // The maximum is two days in total, of which 5 h 30 min are used.
    let reply = env.reply_to(&env.ana, "/duck extend duration:400d").await;
    let limit = "the limit for all extensions of a session is 2 days.";
    for said in [
        "was extended by 1 day 18 hours 30 minutes. That is less than you asked for: ",
        "It can't be extended any further: ",
        limit,
    ] {
        assert_says(&reply, said);
    }
    let reply = env.reply_to(&env.ana, "/duck extend").await;
    assert_says(
        &reply,
        &format!("can't be extended any further: {limit} It stops <t:"),
    );
    env.assert_clean().await;
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
    env.assert_clean().await;
}

#[tokio::test]
async fn whoever_takes_no_direct_messages_is_told_in_the_channel() {
    let env = env(&[]).await;
    env.ready_session(&env.ana).await;
    env.ana.close_dms();
    age_session(&env, NEAR_LIFETIME).await;
    let warning = env.ana.read("#data").await;
    assert_says(&warning, "is near the end of its lifetime.");
    assert_eq!(warning.mentions, [env.ana.id()]);
    // The message is public, but only Ana may use its button.
    let refused = env
        .ben
        .press(&warning, "Extend")
        .await
        .unwrap()
        .reply()
        .await;
    assert!(refused.ephemeral);
    assert_says(&refused, "belongs to someone else");
    let extended = env
        .ana
        .press(&warning, "Extend")
        .await
        .unwrap()
        .reply()
        .await;
    assert_says(&extended, "was extended by 4 hours.");
    env.assert_clean().await;
}

#[tokio::test]
async fn it_is_told_once_also_when_the_bot_was_away() {
    let mut env = env(&[]).await;
    let id = env.ready_session(&env.ana).await;
    age_session(&env, NEAR_LIFETIME).await;
    env.ana.read_dm().await;
    env.bot()
        .wait_for_log(&format!(
            "session {id}: the warning to its owner is recorded"
        ))
        .await;
    env.kill_bot().await;
    env.start_bot().await;
    wait_for_sweeps(&mut env, 2).await;
    // A second warning would be unread, and fail the test.
    env.assert_clean().await;
}

#[tokio::test]
async fn it_is_told_once_also_when_that_can_not_be_noted() {
    let mut env = env(&[]).await;
    let id = env.ready_session(&env.ana).await;
    env.api.set_faults(|call| {
        let answer = || test_support::ApiFault::Answer(500, "not now".into());
        (call.method == "PUT").then(answer)
    });
    age_session(&env, NEAR_LIFETIME).await;
    env.ana.read_dm().await;
    env.discord.forget_nonces();
    wait_for_sweeps(&mut env, 3).await;
    env.api.clear_faults();
    env.bot()
        .wait_for_log(&format!(
            "session {id}: the warning to its owner is recorded"
        ))
        .await;
    assert_eq!(
        env.cluster.documents().await[0]["warned"]["rule"],
        "lifetime"
    );
    env.assert_clean().await;
}

#[tokio::test]
async fn whoever_leaves_the_guild_leaves_nothing_behind() {
    let env = env_with_clock(&[
        ("DUCKBOT_REAPER__LEFT_GUILD", "2h"),
        ("DUCKBOT_REAPER__UNREACHABLE", "1d"),
    ])
    .await;
    let id = env.ready_session(&env.ben).await;
    assert!(env.stored_credentials(&env.ben).await.is_some());
    env.discord.leave_guild("ben");
    // Memberships are checked once an hour.
    env.set_clock(TimeDelta::minutes(61));
    wait_until_noted_as_gone(&env, &env.ben).await;
    env.set_clock(TimeDelta::hours(4));
    let told = env.ana.read("#data").await;
    assert_says(
        &told,
        &format!("Session `{id}` was stopped because its owner left this server."),
    );
    assert_eq!(told.components.len(), 0);
    let record = env.record_name(&env.ben, 0);
    env.cluster.wait_until_gone(&record).await;
    let store_key_pair = async || env.stored_credentials(&env.ben).await.is_some();
    wait_until(store_key_pair, |store_key_pair| !store_key_pair).await;
    env.assert_nothing_left().await;
    env.assert_clean().await;
}

/// Waits until the ledger says that `person` left the guild.
async fn wait_until_noted_as_gone(env: &TestEnv, person: &Person) {
    let id = person.id().to_string();
    let left = async || env.cluster.ledger().await["known"][&id].clone();
    wait_until(left, |left| !left.is_null()).await;
}

#[tokio::test]
async fn whoever_has_come_back_loses_nothing() {
    let mut env = env(&[("DUCKBOT_REAPER__LEFT_GUILD", "1d")]).await;
    env.ready_session(&env.ben).await;
    env.kill_bot().await;
    // The bot was down when the person came back.
    env.cluster
        .edit_ledger(|ledger| {
            ledger["known"] = json!({ env.ben.id().to_string(): ago(TimeDelta::days(9)) });
        })
        .await;
    env.start_bot().await;
    wait_for_sweeps(&mut env, 3).await;
    assert!(env.stored_credentials(&env.ben).await.is_some());
    assert_eq!(env.cluster.documents().await[0]["stage"], "running");
    env.assert_clean().await;
}

#[tokio::test]
async fn what_has_lost_its_record_is_removed() {
    let env = env_with_clock(&[]).await;
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
    env.set_clock(TimeDelta::minutes(10));
    wait_until(async || env.cluster.objects().await, Vec::is_empty).await;
    assert!(env.log().contains(&format!("session {id} has no record")));
    env.assert_clean().await;
}

/// Writes a record of Ana. The reconciler creates the rest.
async fn create_record(env: &TestEnv, number: u8, created: String) {
    let id = format!("{:06x}", 0xabc000 + u32::from(number));
    env.create_record(&id, env.ana.id(), number, &created).await;
}

#[tokio::test]
async fn a_sweep_that_would_stop_most_of_all_stops_none_until_an_admin_says_so() {
    // The old sessions are still starting, so `reaper.late` must not end them first.
    let mut env = env_without_bot(&[("DUCKBOT_REAPER__LATE", "false")]).await;
    env.cluster.store_credentials(env.ana.id()).await;
    let quick = env.kubelet.ready_all_pods();
    for number in 0..12 {
        let age = if number < 8 {
            TimeDelta::days(9)
        } else {
            TimeDelta::zero()
        };
        create_record(&env, number, ago(age)).await;
    }
    env.start_bot().await;
    let alarm = env.ada.read("#ops").await;
    assert_says(
        &alarm,
        "**Reaping is paused**: 8 of 12 sessions are due at once",
    );
    wait_for_sweeps(&mut env, 2).await;
    assert_eq!(env.cluster.documents().await.len(), 12);

    let refused = env.reply_to(&env.ana, "/duck reap").await;
    assert_says(&refused, "Only admins can do that.");
    let question = env.reply_to(&env.ada, "/duck reap").await;
    assert_says(
        &question,
        "Reaping is paused, because 8 of 12 sessions are due, over the safety limit",
    );
    assert_eq!(
        question
            .content
            .matches("at the maximum session age")
            .count(),
        8
    );
    let pressed = env.ada.press(&question, "Stop and remove").await.unwrap();
    pressed
        .until(|it| it.content.starts_with("Stopped or removed:"))
        .await;
    let left = async || env.cluster.documents().await.len();
    wait_until(left, |left| *left == 4).await;
    quick.abort();
    env.mark_all_read().await;
    env.assert_clean().await;
}

#[tokio::test]
async fn a_dry_run_only_says_what_would_go() {
    let mut env = env(&[("DUCKBOT_REAPER__DRY_RUN", "true")]).await;
    let id = env.ready_session(&env.ana).await;
    age_session(&env, TimeDelta::days(4)).await;
    env.bot()
        .wait_for_log(&format!(
            "dry run: the reaper would stop or remove {id} (MaxAge)"
        ))
        .await;
    let question = env.reply_to(&env.ada, "/duck reap").await;
    assert_says(
        &question,
        "`reaper.dry_run` is on, so the reaper does not do this on its own.",
    );
    let pressed = env.ada.press(&question, "Cancel").await.unwrap();
    pressed
        .until(|it| {
            it.content
                .starts_with("Nothing was stopped or removed. The reaper")
        })
        .await;
    wait_for_sweeps(&mut env, 1).await;
    assert_eq!(env.cluster.documents().await[0]["stage"], "running");
    let pressed = env
        .ada
        .press_custom_id(question.id, "duckbot:reap:of-yesterday")
        .await
        .unwrap();
    let anew = pressed
        .until(|it| {
            it.content.starts_with(
                "The list changed after you opened it, so nothing was stopped or removed.",
            )
        })
        .await;
    assert_eq!(env.cluster.documents().await[0]["stage"], "running");
    let pressed = env.ada.press(&anew, "Stop and remove").await.unwrap();
    pressed
        .until(|it| it.content.starts_with("Stopped or removed:"))
        .await;
    env.wait_until_nothing_left(&env.ana).await;
    env.mark_all_read().await;
    env.assert_clean().await;
}

#[tokio::test]
async fn a_silent_door_is_reported_to_admins_and_its_session_is_left_alone() {
    let mut env = env_with_clock(&[]).await;
    // Without a node, no door listens at the Pod's address.
    let id = env.ready_session(&env.ana).await;
    wait_for_list(&env, "the session does not respond").await;
    env.set_clock(TimeDelta::minutes(20));
    let told = env.ada.read("#ops").await;
    assert_says(&told, &format!("\n- session `{id}` of `"));
    // Much longer than a session may be idle.
    env.set_clock(TimeDelta::hours(10));
    wait_for_sweeps(&mut env, 4).await;
    assert_eq!(
        env.discord.history("#ops").len(),
        1,
        "admins must be told once"
    );
    assert_eq!(env.cluster.documents().await[0]["stage"], "running");
    wait_for_list(&env, "the session does not respond").await;
    env.assert_clean().await;
}

fn is_recent(since: &DateTime<Utc>) -> bool {
    Utc::now() - since < TimeDelta::minutes(5)
}

/// Start of the ledger's current period.
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
    assert_says(&so_far, "1 session: 0 active now, 1 ended.");
    assert_says(&so_far, "- 1 × stopped by its owner");
    assert_says(
        &so_far,
        &format!("- <@{}>: 0 h 00 min in 1 session", env.ana.id()),
    );

    // Weeks pass while the bot is down. Ana's session was in use for two hours.
    env.kill_bot().await;
    let ana = env.ana.id().to_string();
    let hour = Utc::now().timestamp() / 3600;
    let use_for_hours = |ledger: &mut Value| {
        ledger["since"] = json!(ago(TimeDelta::weeks(3)));
        ledger["users"][&ana]["seconds"] = json!(7200);
        let load = &mut ledger["detail"]["load"];
        load["width"] = json!(3600);
        load["sizes"]["small"]["parts"] = json!([[hour - 9, 3600], [hour - 8, 3600]]);
    };
    env.cluster.edit_ledger(use_for_hours).await;
    env.start_bot().await;
    let posted = env.ada.read("#ops").await;
    assert_says(&posted, "1 session: 0 active now, 1 ended.");
    assert_says(&posted, "Total use: 2 h 00 min.");
    assert_says(&posted, "- `small`: 2 h 00 min in 1 session");
    assert_eq!(posted.mentions, [0; 0]);
    let [picture] = &posted.files[..] else {
        panic!("{:?}", posted.files)
    };
    assert!(picture.content.starts_with(b"\x89PNG"), "{picture:?}");
    let description = picture.description.as_deref().unwrap();
    for part in [
        "1 session, 2 h 00 min in use, 0 h 00 min saved by the reaper, at most.",
        "Line of sessions in use by time (UTC), per size, ",
        "Bars of hours by person: ana 2.0.",
    ] {
        assert!(description.contains(part), "{part} in {description}");
    }
    wait_until(async || ledger_since(&env).await, is_recent).await;
    env.kill_bot().await;
    env.start_bot().await;
    wait_for_sweeps(&mut env, 2).await;
    assert_eq!(env.discord.history("#ops").len(), 1);
    let next = env.reply_to(&env.ada, "/duck report").await;
    assert_says(&next, "There were no sessions.");
    env.assert_clean().await;
}

#[tokio::test]
async fn a_report_waits_until_there_is_a_place_for_it() {
    let mut env = env_without_bot(&[]).await;
    env.cluster
        .edit_ledger(|ledger| {
            ledger["since"] = json!(ago(TimeDelta::weeks(3)));
            ledger["outcomes"] = json!([[{ "how": "stopped" }, 3]]);
            let used = json!({ "seconds": 3600, "sessions": 3 });
            ledger["users"] = json!({ "1": used });
            let hour = Utc::now().timestamp() / 3600 - 9;
            let small = json!({ "sessions": 3, "parts": [[hour, 3600]] });
            let load = json!({ "width": 3600, "sizes": { "small": small } });
            let savings = json!({ "seconds": 0, "stops": [] });
            ledger["detail"] = json!({ "load": load, "names": {}, "savings": savings });
        })
        .await;
    let somewhere = env.variables["DUCKBOT_REPORT__CHANNEL"].clone();
    env.variables
        .insert("DUCKBOT_REPORT__CHANNEL".into(), "77".into());
    env.start_bot().await;
    env.bot()
        .wait_for_log("Discord does not let me post in channel 77")
        .await;
    env.kill_bot().await;
    // Make the claim of the first bot old enough to be taken over.
    env.cluster
        .edit_ledger(|ledger| {
            ledger["pending"]["claimed"] = json!(ago(TimeDelta::minutes(6)));
        })
        .await;
    env.variables
        .insert("DUCKBOT_REPORT__CHANNEL".into(), somewhere);
    // Without the permission for files, the text is enough.
    env.discord.inject_fault(RestFault::respond(
        "POST",
        "/channels/{channel}/messages",
        403,
        50013,
        "Missing Permissions",
    ));
    env.start_bot().await;
    let posted = env.ada.read("#ops").await;
    assert_says(&posted, "- 3 × stopped by its owner");
    assert_eq!(posted.files.len(), 0);
    env.bot()
        .wait_for_log("Discord does not let me attach a picture in channel")
        .await;
    env.assert_clean().await;
}

#[tokio::test]
async fn whoever_was_warned_before_the_bot_was_away_has_time_to_answer() {
    let mut env = env(&[("DUCKBOT_REAPER__WARN_BEFORE", "20m")]).await;
    let id = env.ready_session(&env.ana).await;
    age_session(&env, NEAR_LIFETIME).await;
    env.ana.read_dm().await;
    env.bot()
        .wait_for_log(&format!(
            "session {id}: the warning to its owner is recorded"
        ))
        .await;
    env.kill_bot().await;
    // The announced time passes meanwhile.
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
    assert_says(&extended, "was extended by 4 hours.");
    env.mark_all_read().await;
    env.assert_clean().await;
}

#[tokio::test]
async fn credentials_of_a_departed_owner_are_deleted_after_their_sessions() {
    // All ten sessions are due at once, so the reaper pauses and does not stop them yet.
    let settings = [
        ("DUCKBOT_REAPER__LEFT_GUILD", "2h"),
        ("DUCKBOT_REAPER__LATE", "false"),
        ("DUCKBOT_REAPER__UNREACHABLE", "1d"),
    ];
    let mut env = env_without_bot(&settings).await;
    env.fake_clock();
    env.cluster.store_credentials(env.ben.id()).await;
    let secrets = env.cluster.secrets();
    let history = format!("duckbot-history-{}", env.ben.id());
    let past = json!({ "metadata": { "name": history }, "type": "duckbot.dev/history" });
    let past = serde_json::from_value(past).unwrap();
    secrets.create(&Default::default(), &past).await.unwrap();
    let quick = env.kubelet.ready_all_pods();
    for number in 0..10 {
        let id = format!("{:06x}", 0xbe0000 + u32::from(number));
        let now = ago(TimeDelta::zero());
        env.create_record(&id, env.ben.id(), number, &now).await;
    }
    env.discord.leave_guild("ben");
    env.start_bot().await;
    wait_until_noted_as_gone(&env, &env.ben).await;
    env.set_clock(TimeDelta::hours(3));
    assert_says(
        &env.ada.read("#ops").await,
        "**Reaping is paused**: 10 of 10 sessions are due at once",
    );
    wait_for_sweeps(&mut env, 2).await;
    assert!(env.stored_credentials(&env.ben).await.is_some());

    let question = env.reply_to(&env.ada, "/duck reap").await;
    assert_eq!(
        question
            .content
            .matches("its owner left this server")
            .count(),
        10
    );
    let pressed = env.ada.press(&question, "Stop and remove").await.unwrap();
    pressed
        .until(|it| it.content.starts_with("Stopped or removed:"))
        .await;
    let store_key_pair = async || env.stored_credentials(&env.ben).await.is_some();
    wait_until(store_key_pair, |store_key_pair| !store_key_pair).await;
    let has_history = async || secrets.get_opt(&history).await.unwrap().is_some();
    wait_until(has_history, |has_history| !has_history).await;
    quick.abort();
    env.mark_all_read().await;
    env.assert_clean().await;
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
    assert_says(&env.ada.read("#ops").await, "There were no sessions.");
    env.assert_clean().await;
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
    env.assert_clean().await;
}
