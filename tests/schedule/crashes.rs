//! A bot that dies while it posts the result of a schedule: nobody gets it twice.

use std::{fs, os::unix::fs::OpenOptionsExt, path::Path, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};
use discord_loopback::{BoxFuture, Interception, Interceptor, RestCall};
use serde_json::{Value, json};
use test_support::{LocalEnv, wait_until};
use tokio::sync::Notify;

const ID: &str = "5c4ed1";

/// Holds the first post in a channel right before Discord gets it, or right after.
#[derive(Default)]
struct Holding {
    is_after: bool,
    held: Notify,
    is_dead: Notify,
}

impl Holding {
    async fn hold(&self, call: &RestCall) -> Interception {
        let is_post = (&*call.method, &*call.route) == ("POST", "/channels/{channel}/messages");
        if !is_post {
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

fn schedule(home: &LocalEnv) -> Value {
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
    let holding = Arc::new(Holding {
        is_after,
        ..Holding::default()
    });
    home.discord.set_interceptor(holding.clone());
    home.restart_bot().await;
    holding.held.notified().await;
    home.bot.kill().await;
    holding.is_dead.notify_one();
    home.discord.clear_interceptor();
    home.restart_bot().await;
    let settled = wait_until(async || schedule(&home), |it| it["run"].is_null()).await;
    assert_eq!(settled["last"]["outcome"], "unknown", "{settled}");
    let next: DateTime<Utc> = settled["next"].as_str().unwrap().parse().unwrap();
    assert!(next > Utc::now(), "{settled}");
    let posts = home.discord.history("#data");
    assert!(
        posts.iter().all(|it| it.content.contains("42")),
        "{posts:?}"
    );
    home.assert_clean().await;
    posts.len()
}

#[tokio::test]
async fn a_bot_that_dies_while_it_posts_a_result_leaves_one_post_or_none() {
    let (before, after) = tokio::join!(posts_after_a_crash(false), posts_after_a_crash(true));
    assert_eq!((before, after), (0, 1));
}
