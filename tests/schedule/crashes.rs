//! A bot that dies while it posts the result of a schedule: nobody gets it twice.

use std::{
    fs,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
};

use chrono::{DateTime, TimeDelta, Utc};
use discord_loopback::{BoxFuture, Interception, Interceptor, MessageView, RestCall};
use serde_json::{Value, json};
use test_support::{LocalEnv, TestEnv, assert_says, wait_until};
use tokio::sync::Notify;

use super::{QUERY, WEEKDAYS, act, action, schedule};
use crate::node::tables::LakeEnv;

const ID: &str = "5c4ed1";

/// Holds a call right before its server gets it, or right after.
struct Holding {
    is_meant: fn(&RestCall) -> bool,
    is_after: bool,
    /// Number of earlier calls of the kind that pass.
    passing: AtomicUsize,
    held: Notify,
    is_dead: Notify,
}

fn is_post(call: &RestCall) -> bool {
    (&*call.method, &*call.route) == ("POST", "/channels/{channel}/messages")
}

fn is_write_of_book(call: &RestCall) -> bool {
    call.method != "GET"
        && call.path.ends_with("/duckbot-schedules")
        && call.path.contains("/configmaps/")
}

impl Holding {
    fn new(is_meant: fn(&RestCall) -> bool, passing: usize, is_after: bool) -> Arc<Self> {
        Arc::new(Self {
            is_meant,
            is_after,
            passing: AtomicUsize::new(passing),
            held: Notify::new(),
            is_dead: Notify::new(),
        })
    }

    async fn hold(&self, call: &RestCall) -> Interception {
        let count = |left: usize| left.checked_sub(1);
        if !(self.is_meant)(call) || self.passing.fetch_update(Relaxed, Relaxed, count).is_ok() {
            return Interception::Continue;
        }
        self.held.notify_one();
        self.is_dead.notified().await;
        Interception::Drop
    }
}

impl Interceptor for Holding {
    fn before<'a>(&'a self, call: &'a RestCall) -> BoxFuture<'a, Interception> {
        Box::pin(async move {
            if self.is_after {
                return Interception::Continue;
            }
            self.hold(call).await
        })
    }

    fn after<'a>(&'a self, call: &'a RestCall) -> BoxFuture<'a, Interception> {
        Box::pin(async move {
            if !self.is_after {
                return Interception::Continue;
            }
            self.hold(call).await
        })
    }
}

fn write(path: &Path, text: &Value) {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(path).unwrap();
    std::io::Write::write_all(&mut file, text.to_string().as_bytes()).unwrap();
}

fn stored(home: &LocalEnv) -> Value {
    let text = fs::read_to_string(home.folder().join("schedules")).unwrap();
    let book: Value = serde_json::from_str(&text).unwrap();
    book["schedules"][ID].clone()
}

/// Stores a schedule of Ana's that is due now. Call it while no bot runs.
fn store_due_schedule(home: &LocalEnv) {
    let owner = home.ana.id().to_string();
    let credentials = home.folder().join("credentials").join(&owner);
    let credentials: Value = serde_json::from_slice(&fs::read(credentials).unwrap()).unwrap();
    let text = home
        .folder()
        .join("schedule-texts")
        .join(format!("{owner}-{ID}"));
    write(
        &text,
        &json!({ "sql": "SELECT 42 AS answer", "salt": "salt" }),
    );
    let now = Utc::now();
    let schedule = json!({
        "owner": owner, "display_name": "ana", "channel": home.discord.channel("data").to_string(),
        "catalog": "lake", "when": "every month on the 1st at 9:00", "cron": "0 9 1 * *", "zone": "UTC",
        "format": "table", "condition": "always", "created": now,
        "credentials_stored": credentials["stored"], "next": now - TimeDelta::seconds(1), "is_asked": false,
        "run": null, "last": null, "failures": 0, "paused": null, "seen": {},
    });
    let book = json!({ "version": 1, "paused": null, "schedules": { ID: schedule } });
    write(&home.folder().join("schedules"), &book);
}

/// Kills the bot at its post. Returns the number of posts after the next bot has settled the run.
async fn posts_after_a_crash(is_after: bool) -> usize {
    let mut home = LocalEnv::start().await;
    home.enter_credentials(&home.ana).await;
    home.bot.kill().await;
    home.discord.wait_disconnected().await;
    store_due_schedule(&home);
    let holding = Holding::new(is_post, 0, is_after);
    home.discord.set_interceptor(holding.clone());
    home.restart_bot().await;
    holding.held.notified().await;
    home.bot.kill().await;
    holding.is_dead.notify_one();
    home.discord.clear_interceptor();
    home.restart_bot().await;
    let settled = wait_until(async || stored(&home), |it| it["run"].is_null()).await;
    assert_eq!(settled["last"]["outcome"], "unknown", "{settled}");
    let next: DateTime<Utc> = settled["next"].as_str().unwrap().parse().unwrap();
    assert!(next > Utc::now(), "{settled}");
    let told = home.ana.read_dm().await;
    assert_says(
        &told,
        "**I don't know whether the result of your scheduled query was posted.**",
    );
    let posts = home.discord.history("#data");
    assert!(
        posts.iter().all(|it| it.content.contains("42")),
        "{posts:?}"
    );
    home.assert_clean().await;
    posts.len()
}

/// Loses the response to the first post in a channel.
#[derive(Default)]
struct Losing {
    is_lost: AtomicBool,
}

impl Interceptor for Losing {
    fn before<'a>(&'a self, _: &'a RestCall) -> BoxFuture<'a, Interception> {
        Box::pin(async { Interception::Continue })
    }

    fn after<'a>(&'a self, call: &'a RestCall) -> BoxFuture<'a, Interception> {
        let is_first = is_post(call) && !self.is_lost.swap(true, Relaxed);
        Box::pin(async move {
            if is_first {
                Interception::Drop
            } else {
                Interception::Continue
            }
        })
    }
}

#[tokio::test]
async fn a_post_whose_response_is_lost_is_sent_again_and_is_one_message() {
    let mut home = LocalEnv::start().await;
    home.enter_credentials(&home.ana).await;
    home.bot.kill().await;
    home.discord.wait_disconnected().await;
    store_due_schedule(&home);
    let losing = Arc::new(Losing::default());
    home.discord.set_interceptor(losing.clone());
    home.restart_bot().await;
    let settled = wait_until(async || stored(&home), |it| !it["last"].is_null()).await;
    assert!(losing.is_lost.load(Relaxed));
    assert!(
        settled["last"]["outcome"]["posted"].is_string(),
        "{settled}"
    );
    assert_says(&home.ana.read("#data").await, "42");
    assert_eq!(home.discord.history("#data").len(), 1);
    home.assert_clean().await;
}

#[tokio::test]
async fn a_bot_that_dies_while_it_posts_a_result_leaves_one_post_or_none() {
    let (before, after) = tokio::join!(posts_after_a_crash(false), posts_after_a_crash(true));
    assert_eq!((before, after), (0, 1));
}

/// Kills the bot at a write of the book, of a run that is asked for. `passing` is the number of earlier ones.
/// Returns the outcome of the run.
async fn outcome_after_a_crash(
    env: &mut TestEnv,
    made: &MessageView,
    passing: usize,
    is_after: bool,
) -> Value {
    let id = action(made, "run").rsplit_once(':').unwrap().1.to_owned();
    let holding = Holding::new(is_write_of_book, passing, is_after);
    env.api.set_interceptor(Some(holding.clone()));
    assert_says(&act(&env.ana, made, "run").await, "**It runs now.**");
    let before = env.cluster.book().await["schedules"][&id]["last"].clone();
    holding.held.notified().await;
    env.kill_bot().await;
    holding.is_dead.notify_one();
    env.api.set_interceptor(None);
    env.start_bot().await;
    let stored = async || env.cluster.book().await["schedules"][&id].clone();
    let has_ended = |it: &Value| it["run"].is_null() && it["last"] != before;
    wait_until(stored, has_ended).await["last"]["outcome"].clone()
}

#[tokio::test]
async fn a_bot_that_dies_at_a_write_of_a_run_leaves_one_post_or_none_and_says_so() {
    let Some(mut lake_env) = LakeEnv::start().await else {
        return;
    };
    let env = &mut lake_env.env;
    env.cluster.store_credentials(env.ana.id()).await;
    let made = schedule(&env.ana, &[(QUERY, "SELECT 42 AS answer"), WEEKDAYS]).await;
    // The first write is that of the button. Then come the claim, the mark before the post, and the outcome.
    for (passing, is_after, posts, is_known) in [
        (1, false, 1, true),
        (1, true, 1, true),
        (2, false, 1, true),
        (2, true, 0, false),
        (3, false, 1, false),
        (3, true, 1, true),
    ] {
        let before = env.discord.history("#data").len();
        let outcome = outcome_after_a_crash(env, &made, passing, is_after).await;
        let case = format!("write {passing}, after it: {is_after}: {outcome}");
        assert_eq!(outcome["posted"].is_string(), is_known, "{case}");
        assert_eq!(env.discord.history("#data").len(), before + posts, "{case}");
        if !is_known {
            assert_eq!(outcome, "unknown", "{case}");
            assert_says(
                &env.ana.read_dm().await,
                "**I don't know whether the result",
            );
        }
    }
    lake_env.env.mark_all_read().await;
    lake_env.env.assert_clean().await;
}
