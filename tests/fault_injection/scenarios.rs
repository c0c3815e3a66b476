//! Scenarios, one per use case: preparation, action, and the checks at the end.

use chrono::{DateTime, TimeDelta, Utc};
use discord_loopback::{Interaction, MessageView, Person, RestCall};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{EvictParams, ListParams, PostParams};
use serde_json::{Value, json};
use test_support::{ApiEnv, CREDENTIALS, TestEnv, WAIT_TIMEOUT, session_request, wait_until};

use super::faults::Case;

/// Edit of a private reply.
const EDIT: (&str, &str) = (
    "PATCH",
    "/webhooks/{application}/{token}/messages/@original",
);
/// New message in a channel, and edit of one.
const POST: (&str, &str) = ("POST", "/channels/{channel}/messages");
const CHANGE: (&str, &str) = ("PATCH", "/channels/{channel}/messages/{message}");

/// Name of the book of schedules, and the ID of its only one.
const BOOK: &str = "duckbot-schedules";
const SCHEDULE: &str = "5c4ed1";

/// Session that gets the last place in [`Scenario::TakeBack`].
const RIVAL: &str = "fade01";

#[derive(Debug, Clone, Copy)]
pub enum Scenario {
    Setup,
    Start,
    Stop,
    Extend,
    Forget,
    Reschedule,
    Restart,
    Reap,
    Report,
    Create,
    Delete,
    Query,
    Save,
    Restore,
    TakeBack,
    Pause,
    Scheduled,
}

/// Last reply to the person or the program, if any.
pub type LastReply = Option<String>;

impl Scenario {
    /// Scenarios besides [`Self::Start`] in which a second bot can stand by. The others restart the bot, or have a
    /// rival.
    pub const WITH_STANDBY: [Self; 12] = [
        Self::Setup,
        Self::Stop,
        Self::Extend,
        Self::Forget,
        Self::Reschedule,
        Self::Restart,
        Self::Reap,
        Self::Create,
        Self::Delete,
        Self::Query,
        Self::Save,
        Self::Restore,
    ];

    /// Returns true if the scenario makes this call only if the bot reacts early enough.
    pub fn may_skip(self, call: &str) -> bool {
        // Without a node, an evicted Pod is gone at once, mostly before the bot would delete it.
        matches!(self, Self::Reschedule) && call == "DELETE pods/{name}"
    }

    /// Returns a record that somebody else creates right before the session's own.
    pub fn rival(self, env: &TestEnv) -> Option<ConfigMap> {
        let (channel, owner) = (env.discord.channel("data"), env.ana.id());
        let channel = channel.to_string();
        let record = || env.record_in(Some(&channel), RIVAL, owner, 0, &Utc::now().to_rfc3339());
        matches!(self, Self::TakeBack).then(record)
    }

    /// Returns true if a call belongs to the scenario. Watches and the gateway's calls don't. Nor do Events: they are
    /// sent in the background, at no certain time, and nothing follows from their outcome (`tests/events.rs`).
    pub fn includes(self, call: &RestCall) -> bool {
        if (&*call.method, &*call.route) == ("POST", "events") {
            return false;
        }
        match self {
            // How often the scheduler looks at the book depends on the time that everything takes.
            Self::Scheduled if call.path.ends_with(BOOK) && call.method == "GET" => false,
            // The start itself is another scenario.
            Self::TakeBack => call.path.ends_with("-sales") && !is_watch(call),
            // The scenario starts with a start of the bot, which makes other calls.
            Self::Report => {
                let is_the_ledgers = call.route == "configmaps/{name}";
                let makes_it = (&*call.method, &*call.route) == ("POST", "configmaps");
                is_the_ledgers || makes_it || call.route == POST.1
            }
            _ => !is_watch(call) && !call.route.starts_with("/gateway"),
        }
    }

    /// Starts an environment with the API, and with a bot that stands by if it `has_standby`.
    pub async fn start_env(self, has_standby: bool) -> ApiEnv {
        let settings = [
            ("DUCKBOT_REAPER__EVERY", "1s"),
            ("DUCKBOT_SQL__LINGER", "1s"),
        ];
        let mut env = TestEnv::without_bot(&settings).await;
        let ops = env.discord.channel("ops").to_string();
        for name in ["DUCKBOT_DISCORD__ADMIN_CHANNEL", "DUCKBOT_REPORT__CHANNEL"] {
            env.variables.insert(name.into(), ops.clone());
        }
        if !matches!(self, Self::Scheduled) {
            // The scheduler looks at the book now and then, which belongs to no scenario.
            let off = ("DUCKBOT_SCHEDULES__PER_USER".into(), "0".into());
            env.variables.extend([off]);
        }
        if matches!(self, Self::TakeBack) {
            let limit = ("DUCKBOT_SESSIONS__PER_USER".into(), "1".into());
            env.variables.extend([limit]);
        }
        if matches!(self, Self::Stop | Self::Save | Self::Restore) {
            // The session is told to save its work first. Without a node, it does not answer, and its
            // Pod gets this time to end. After it, the bot deletes a Pod again that stayed.
            for (name, value) in [
                ("DUCKBOT_CATALOGS__LAKE__WORK", "s3://lake/work"),
                ("DUCKBOT_WORK__DEADLINE", "5s"),
            ] {
                env.variables.insert(name.into(), value.into());
            }
        }
        if has_standby {
            env.use_lease();
        }
        let mut api_env = ApiEnv::start_with_env(env).await;
        if has_standby {
            api_env.env.start_standby().await;
        }
        wait_until_started(&mut api_env).await;
        api_env
    }

    /// Creates the state that the scenario requires.
    pub async fn prepare(self, api_env: &mut ApiEnv) {
        let env = &api_env.env;
        match self {
            Self::Setup | Self::Create | Self::Report => {}
            Self::Restore => {
                env.s3.add_key("AKIAHARNESS", "harness");
                env.cluster.store_credentials(env.ana.id()).await
            }
            Self::Scheduled => {
                env.cluster.store_credentials(env.ana.id()).await;
                // A bot looks at a book without schedules only at its start.
                api_env.env.kill_bot().await;
                store_schedule(&api_env.env).await;
                api_env.start_bot().await;
                wait_until_started(api_env).await;
            }
            Self::Start | Self::Forget | Self::Query | Self::TakeBack | Self::Pause => {
                env.cluster.store_credentials(env.ana.id()).await
            }
            Self::Stop | Self::Reschedule | Self::Extend | Self::Reap | Self::Save => {
                env.ready_session(&env.ana).await;
            }
            Self::Restart => {
                env.ready_session(&env.ana).await;
                env.renew_credentials(&env.ana).await;
            }
            Self::Delete => {
                api_env.ready_session().await;
            }
        }
        if !matches!(self, Self::Report | Self::Setup) {
            // Wait until the preparation is complete.
            self.settle(api_env).await;
        }
    }

    /// Runs the scenario, and returns the last reply. Never returns if the bot is killed meanwhile.
    pub async fn run(self, api_env: &mut ApiEnv, case: Option<&Case>) -> LastReply {
        if matches!(self, Self::Report) {
            make_report_due(api_env).await;
        }
        let env = &api_env.env;
        let who = match self {
            Self::Pause => &env.ada,
            _ => &env.ana,
        };
        let chat = Chat { env, who, case };
        match self {
            Self::Setup => chat.setup().await,
            Self::Start => {
                let runs = wait_for_running(env, |_| true);
                let line = "/duck start workspace:sales";
                chat.command(line, "is ready", runs).await
            }
            Self::Query => {
                let never = std::future::pending();
                // No node runs the Pod, so the query fails.
                let line = "/duck sql query:SELECT 42";
                let last_reply = chat.command(line, "did not run", never).await;
                wait_until_gone(env).await;
                last_reply
            }
            Self::Stop => {
                let question = chat.question("/duck stop").await?;
                let gone = wait_until_gone(env);
                chat.press(&question, "Stop it", "is stopped", gone).await
            }
            Self::Save => {
                let never = std::future::pending();
                // No node runs the Pod, so its session does not answer.
                chat.command("/duck save", "did not answer", never).await
            }
            Self::Restore => {
                let never = std::future::pending();
                let line = "/duck restore save:9";
                chat.command(line, "There is no save 9", never).await
            }
            Self::TakeBack => {
                let never = std::future::pending();
                let line = "/duck start workspace:sales";
                let last_reply = chat.command(line, "the limit is 1", never).await;
                wait_for_running(env, |document| id(document) == RIVAL).await;
                let is_rejected = last_reply
                    .as_ref()
                    .is_some_and(|it| it.contains("the limit is 1"));
                let is_over = |documents: &Vec<Value>| {
                    if is_rejected {
                        documents.len() == 1
                    } else {
                        documents.iter().all(is_running)
                    }
                };
                wait_until(async || env.cluster.documents().await, is_over).await;
                last_reply
            }
            Self::Scheduled => {
                let due = json!(Utc::now() - TimeDelta::minutes(1));
                env.cluster
                    .edit_book(|book| book["schedules"][SCHEDULE]["next"] = due)
                    .await;
                wait_for_end_of_run(env).await;
                None
            }
            Self::Pause => {
                let never = std::future::pending();
                let line = "/duck pause until:2h reason:maintenance";
                chat.command(line, "Nobody can start a session", never)
                    .await
            }
            Self::Extend => {
                let never = std::future::pending();
                chat.command("/duck extend", "was extended by", never).await
            }
            Self::Forget => {
                let question = chat.question("/duck forget").await?;
                let never = std::future::pending();
                chat.press(&question, "Delete", "were deleted", never).await
            }
            Self::Restart => {
                let list = chat.question("/duck list").await?;
                let pressed = env.ana.press_custom_id(list.id, "duckbot:restart");
                let pressed = pressed.await.unwrap();
                let old = id(&env.cluster.documents().await[0]);
                let new = wait_for_running(env, |document| id(document) != old);
                let last_reply = chat.last_word(&pressed, "Stopped", new).await;
                // The session starts again in any case, once the old one has stopped.
                if last_reply
                    .as_ref()
                    .is_some_and(|it| it.starts_with("Stopped"))
                {
                    wait_until_settled(env).await;
                }
                last_reply
            }
            Self::Reschedule => {
                let name = format!("duckui-{}", id(&env.cluster.documents().await[0]));
                let evict = EvictParams::default();
                env.cluster.pods().evict(&name, &evict).await.unwrap();
                wait_until_back(env).await;
                None
            }
            Self::Reap => {
                let record = env.record_name(&env.ana, 0);
                let age = |document: &mut Value| {
                    document["created"] = json!(Utc::now() - TimeDelta::days(4));
                };
                env.cluster.edit_record(&record, age).await;
                wait_until_gone(env).await;
                None
            }
            Self::Report => {
                tokio::select! {
                    () = wait_for_report(env) => {}
                    () = env.wait_for_log("the report was not posted") => {}
                    () = env.wait_for_log("Discord does not let me post in channel") => {}
                }
                None
            }
            Self::Create => {
                let (status, body) = create_session(api_env).await;
                // The response is sent when the record exists, before the objects do.
                if status == 201 {
                    wait_until_settled(env).await;
                }
                Some(format!("{status} {body}"))
            }
            Self::Delete => {
                let id = id(&env.cluster.documents().await[0]);
                let (status, body) = api_env
                    .delete(&format!("/sessions/{id}"), &api_env.ana)
                    .await;
                Some(format!("{status} {body}"))
            }
        }
    }

    /// Waits until all effects of the scenario are visible.
    pub async fn settle(self, api_env: &ApiEnv) {
        wait_until_settled(&api_env.env).await;
        api_env.env.mark_all_read().await;
    }

    /// Changes the state while the bot is down.
    pub async fn while_down(self, api_env: &ApiEnv) {
        if matches!(self, Self::Report) {
            // Make the claim of the first bot old enough to be taken over.
            let long_ago = json!(Utc::now() - TimeDelta::minutes(6));
            let age = |ledger: &mut Value| {
                if ledger["pending"].is_object() {
                    ledger["pending"]["claimed"] = long_ago;
                }
            };
            api_env.env.cluster.edit_ledger(age).await;
        }
    }

    /// Checks the result after the restart.
    pub async fn check(self, api_env: &ApiEnv, case: Option<&Case>, last_reply: LastReply) {
        let env = &api_env.env;
        let heard = |words: &str| last_reply.as_ref().is_some_and(|it| it.contains(words));
        let refused = |(method, route)| case.is_some_and(|it| it.is_rejected(method, route));
        let lacks_a_part = case.is_some_and(Case::rejects_object);
        match self {
            Self::Setup => match env.stored_credentials(&env.ana).await {
                None => assert!(!heard("were checked and saved"), "{last_reply:?}"),
                Some(secret) => {
                    let data = secret.data.unwrap();
                    let kept = |name: &str| String::from_utf8(data[name].0.clone()).unwrap();
                    assert_eq!(kept("s3-access-key-id"), CREDENTIALS[0].1);
                    assert_eq!(kept("s3-secret-access-key"), CREDENTIALS[1].1);
                    assert_eq!(kept("s3-session-token"), CREDENTIALS[2].1);
                }
            },
            Self::Forget => {
                let kept = env.stored_credentials(&env.ana).await;
                assert!(kept.is_none() || !heard("were deleted"), "{last_reply:?}");
            }
            Self::Start => match wait_until_settled(env).await {
                // Killed before the claim, or rejected: nothing must exist.
                None => {
                    env.assert_nothing_left().await;
                    assert!(!heard("is ready"), "{last_reply:?}");
                }
                Some(document) => {
                    wait_until_complete(env, &document).await;
                    let messages = env.discord.history("#data");
                    if refused(POST) {
                        wait_for_url(env, &document).await
                    } else {
                        let [message] = &messages[..] else {
                            panic!("expected one message, found {}", messages.len())
                        };
                        assert_offers(message, &document);
                    }
                }
            },
            Self::Query => {
                // Unused, it ends by itself.
                wait_until_gone(env).await;
                env.assert_nothing_left().await;
                assert_eq!(
                    env.discord.history("#data").len(),
                    0,
                    "nothing may be posted"
                );
            }
            Self::Stop => match wait_until_settled(env).await {
                None => {
                    env.assert_nothing_left().await;
                    if !refused(CHANGE) {
                        let messages = env.discord.history("#data");
                        let [message] = &messages[..] else {
                            panic!("expected one message, found {}", messages.len())
                        };
                        assert!(message.content.contains("was stopped by its owner"));
                    }
                }
                // The session was not marked for stopping.
                Some(document) => {
                    assert!(!heard("is stopped"), "{last_reply:?}");
                    wait_until_complete(env, &document).await;
                }
            },
            Self::Save => {
                let document = wait_until_settled(env).await;
                let document = document.expect("the session is still running");
                assert!(!heard("Your work is saved"), "{last_reply:?}");
                wait_until_complete(env, &document).await;
            }
            Self::Restore => {
                assert_eq!(env.cluster.documents().await, [Value::Null; 0]);
                env.assert_nothing_left().await;
            }
            Self::TakeBack => {
                let is_settled = |all: &Vec<Value>| all.iter().all(is_running);
                let settled = wait_until(async || env.cluster.documents().await, is_settled).await;
                let other = settled.iter().map(id).find(|id| id != RIVAL);
                let mut whole = env.session_objects(&env.ana, 0, RIVAL);
                if let Some(other) = &other {
                    // The bot died before it took the start back, or was refused that.
                    assert!(
                        case.is_some_and(|case| case.site.method == "PUT"),
                        "{case:?}"
                    );
                    whole.extend(env.workspace_objects(&env.ana, "sales", other));
                    whole.sort();
                }
                wait_until(async || env.cluster.objects().await, |it| *it == whole).await;
                assert!(!heard("is ready"), "{last_reply:?}");
                if let Some(other) = &other {
                    let stop = format!("/duck stop session:{other}");
                    let question = env.reply_to(&env.ana, &stop).await;
                    env.confirm_stop(&env.ana, &question).await;
                }
            }
            Self::Scheduled => {
                let schedule = wait_for_end_of_run(env).await;
                // No node runs the query runner.
                assert!(
                    !schedule["last"]["outcome"]["failed"].is_null(),
                    "{schedule}"
                );
                assert_eq!(schedule["failures"], 1, "{schedule}");
                let next: DateTime<Utc> = schedule["next"].as_str().unwrap().parse().unwrap();
                assert!(next > Utc::now(), "{schedule}");
                let told = env.ana.visible_dms();
                assert!(refused(POST) || told.len() == 1, "{told:?}");
                assert_eq!(env.discord.history("#data").len(), 0);
                wait_until_gone(env).await;
                env.assert_nothing_left().await;
            }
            Self::Pause => {
                let stored = env.cluster.pause().await;
                assert!(
                    !heard("Nobody can start a session") || !stored.is_null(),
                    "{last_reply:?}"
                );
                if !stored.is_null() {
                    // The next bot knows of the pause, and can end it.
                    let refused = env.reply_to(&env.ana, "/duck start").await;
                    assert!(refused.content.contains("The reason: `maintenance`"));
                    env.reply_to(&env.ada, "/duck resume").await;
                    assert!(env.cluster.pause().await.is_null());
                }
                env.assert_nothing_left().await;
            }
            Self::Extend => {
                let document = wait_until_settled(env)
                    .await
                    .expect("the session is still running");
                let extended = document["extended_seconds"].as_u64().unwrap_or(0);
                let by = 4 * 60 * 60;
                assert!([0, by].contains(&extended), "extended by {extended} s");
                assert!(
                    !heard("was extended by") || extended == by,
                    "{last_reply:?}"
                );
                wait_until_complete(env, &document).await;
            }
            Self::Reschedule => {
                let Some(document) = wait_until_back(env).await else {
                    assert!(lacks_a_part, "the session is gone");
                    return env.assert_nothing_left().await;
                };
                wait_until_complete(env, &document).await;
                let messages = env.discord.history("#data");
                if !refused(POST) && !refused(CHANGE) {
                    let [first, second] = &messages[..] else {
                        panic!("expected two messages, found {}", messages.len())
                    };
                    assert!(second.content.contains("Your DuckDB is ready again."));
                    assert!(first.content.contains("is restarting") && first.components.is_empty());
                }
            }
            Self::Restart => {
                let Some(document) = wait_until_settled(env).await else {
                    assert!(
                        lacks_a_part,
                        "the record is gone, and with it the request to start again"
                    );
                    return env.assert_nothing_left().await;
                };
                wait_until_complete(env, &document).await;
                let messages = env.discord.history("#data");
                if !refused(POST) && !refused(CHANGE) && messages.len() > 1 {
                    let [old, new] = &messages[..] else {
                        panic!("expected two messages, found {}", messages.len())
                    };
                    assert!(
                        old.content
                            .contains("was stopped to restart it with new credentials")
                    );
                    assert_offers(new, &document);
                }
            }
            Self::Reap => {
                wait_until_gone(env).await;
                env.assert_nothing_left().await;
                let messages = env.discord.history("#data");
                let ended = |it: &&MessageView| it.content.contains("at the maximum session age");
                let endings = messages.iter().filter(ended).count();
                assert_eq!(endings, 1, "exactly one message must say so");
                let offers = messages.iter().filter(|it| it.button("Open").is_some());
                assert!(
                    refused(CHANGE) || offers.count() == 0,
                    "the URL is still there"
                );
            }
            Self::Report => {
                wait_for_report(env).await;
                assert_eq!(env.discord.history("#ops").len(), 1);
            }
            Self::Create => {
                let (status, body) = create_session(api_env).await;
                assert_eq!(status, 201, "repeated request: {body}");
                let document = wait_until_settled(env)
                    .await
                    .expect("the session was created");
                assert_eq!(body["session_id"], document["id"]);
                let first = last_reply.as_ref().and_then(|it| it.strip_prefix("201 "));
                if let Some(first) = first {
                    let first: Value = serde_json::from_str(first).unwrap();
                    let is_the_first = first["session_id"] == document["id"];
                    // A session that the cluster refused for good has ended, so the repeated
                    // request creates another one.
                    assert_eq!(is_the_first, !lacks_a_part, "{first}, then {document}");
                }
                wait_until_complete(env, &document).await;
                let secret = format!("duckbot-s3-session-{}", id(&document));
                let kept = env.cluster.secrets().get(&secret).await.unwrap();
                let data = kept.data.unwrap();
                assert_eq!(data["s3-secret-access-key"].0, CREDENTIALS[1].1.as_bytes());
            }
            Self::Delete => {
                if let Some(document) = wait_until_settled(env).await {
                    let is_done = last_reply.as_ref().is_some_and(|it| it.starts_with("204 "));
                    assert!(!is_done, "{last_reply:?}");
                    wait_until_complete(env, &document).await;
                    let path = format!("/sessions/{}", id(&document));
                    assert_eq!(api_env.delete(&path, &api_env.ana).await.0, 204);
                }
                env.assert_nothing_left().await;
                let secrets = env.cluster.secrets().list(&ListParams::default()).await;
                let names = secrets.unwrap().items.into_iter();
                let names = names.filter_map(|it| it.metadata.name);
                let left: Vec<_> = names.filter(|it| it.starts_with("duckbot-s3-")).collect();
                assert_eq!(left, [""; 0], "credentials without a session");
            }
        }
    }
}

/// A person in the chat, with the injected fault.
struct Chat<'a> {
    env: &'a TestEnv,
    who: &'a Person,
    case: Option<&'a Case>,
}

impl Chat<'_> {
    /// Runs a command, and waits for the last reply or for `shows`.
    async fn command(&self, line: &str, done: &str, shows: impl Future<Output = ()>) -> LastReply {
        let asked = self.who.run_command("#data", line).await.unwrap();
        self.last_word(&asked, done, shows).await
    }

    /// Runs a command whose reply has buttons. Returns `None` if the command failed.
    async fn question(&self, line: &str) -> Option<MessageView> {
        let asked = self.who.run_command("#data", line).await.unwrap();
        let reply = self.reply(&asked).await?;
        (!reply.content.contains("Reference: ")).then_some(reply)
    }

    async fn press(
        &self,
        message: &MessageView,
        label: &str,
        done: &str,
        shows: impl Future<Output = ()>,
    ) -> LastReply {
        let pressed = self.who.press(message, label).await.unwrap();
        self.last_word(&pressed, done, shows).await
    }

    async fn last_word(
        &self,
        asked: &Interaction,
        done: &str,
        shows: impl Future<Output = ()>,
    ) -> LastReply {
        asked.try_acknowledgement().await?;
        let is_last = |it: &MessageView| {
            [
                done,
                "Reference: ",
                "has ended",
                "may have ended",
                "was stopped",
                "I can't read its record",
            ]
            .iter()
            .any(|words| it.content.contains(words))
        };
        tokio::select! {
            reply = asked.until(is_last) => Some(reply.content),
            () = shows => None,
            () = self.wait_for_edit_failure() => None,
        }
    }

    /// Waits for the first reply. Returns `None` if the fault prevents it.
    async fn reply(&self, asked: &Interaction) -> Option<MessageView> {
        asked.try_acknowledgement().await?;
        tokio::select! {
            reply = asked.reply() => Some(reply),
            () = self.wait_for_edit_failure() => None,
        }
    }

    /// Completes when the bot logs that it can't edit its reply. Never completes without such a
    /// fault.
    async fn wait_for_edit_failure(&self) {
        match self.case {
            Some(case) if case.is_rejected(EDIT.0, EDIT.1) => {
                self.env.wait_for_log("a reply could not be edited").await;
            }
            _ => std::future::pending().await,
        }
    }

    /// Enters [`CREDENTIALS`] through the form, which opens in the channel or in a direct message.
    async fn setup(&self) -> LastReply {
        let asked = self.who.run_command("#data", "/duck setup").await.unwrap();
        let mut place = self.reply(&asked).await?;
        if place.content.contains("sent you a direct message") {
            place = self.who.read_dm().await;
        }
        place.button("Enter credentials")?;
        let pressed = self.who.press(&place, "Enter credentials").await.unwrap();
        pressed.try_acknowledgement().await?;
        let form = pressed.modal().await;
        let handed_in = self.who.submit(&form, &CREDENTIALS).await.unwrap();
        let never = std::future::pending();
        self.last_word(&handed_in, "saved", never).await
    }
}

/// Waits for the bot's first sweep, which creates the ledger, and its first look at the pause of starts. They belong
/// to no scenario.
async fn wait_until_started(api_env: &mut ApiEnv) {
    for text in [" swept", "the presence is shown"] {
        api_env.env.bot().wait_for_log(text).await;
    }
}

/// Stores a schedule of Ana's, whose next run is far away.
async fn store_schedule(env: &TestEnv) {
    let owner = env.ana.id();
    let text = json!({ "sql": "SELECT 42", "salt": "salt" }).to_string();
    let secret = json!({
        "metadata": { "name": format!("{BOOK}-{owner}") }, "stringData": { SCHEDULE: text },
    });
    let (params, secret) = (
        PostParams::default(),
        serde_json::from_value(secret).unwrap(),
    );
    env.cluster
        .secrets()
        .create(&params, &secret)
        .await
        .unwrap();
    let channel = env.discord.channel("data").to_string();
    let schedule = json!({
        "owner": owner.to_string(), "display_name": "ana", "channel": channel, "catalog": "lake",
        "when": "every month on the 1st at 9:00", "cron": "0 9 1 * *", "zone": "UTC", "format": "table",
        "condition": "always", "created": Utc::now(), "credentials_stored": null,
        "next": Utc::now() + TimeDelta::days(9), "is_asked": false, "run": null, "last": null,
        "failures": 0, "paused": null, "seen": {},
    });
    env.cluster
        .edit_book(|book| book["schedules"][SCHEDULE] = schedule)
        .await;
}

/// Waits until the run of the schedule has ended. Returns the schedule.
async fn wait_for_end_of_run(env: &TestEnv) -> Value {
    let schedule = async || env.cluster.book().await["schedules"][SCHEDULE].clone();
    wait_until(schedule, |it| !it["last"].is_null() && it["run"].is_null()).await
}

/// Makes a report due at the next start of the bot, and restarts it.
async fn make_report_due(api_env: &mut ApiEnv) {
    api_env.env.kill_bot().await;
    let weeks_ago = json!(Utc::now() - TimeDelta::weeks(3));
    let age = |ledger: &mut Value| ledger["since"] = weeks_ago;
    api_env.env.cluster.edit_ledger(age).await;
    api_env.start_bot().await;
}

/// Waits until the report was posted and the ledger notes that.
async fn wait_for_report(env: &TestEnv) {
    let is_noted = |ledger: &Value| {
        let since = ledger["since"].as_str().and_then(|it| it.parse().ok());
        let is_recent = |since: DateTime<Utc>| Utc::now() - since < TimeDelta::days(1);
        since.is_some_and(is_recent) && ledger["pending"].is_null()
    };
    wait_until(async || env.cluster.ledger().await, is_noted).await;
}

async fn create_session(api_env: &ApiEnv) -> (u16, Value) {
    let asked = api_env.request(reqwest::Method::POST, "/sessions", &api_env.ana);
    let mut body = session_request();
    body["workspace"] = json!("sales");
    let asked = asked.header("idempotency-key", "walk").json(&body);
    test_support::parse_response(asked.send().await.unwrap()).await
}

fn id(document: &Value) -> String {
    document["id"].as_str().unwrap().to_owned()
}

/// Returns true if a session is running, and was announced.
fn is_running(document: &Value) -> bool {
    document["stage"] == "running" && document["announcement_due"].is_null()
}

/// Waits until a session that satisfies `is_it` is running.
async fn wait_for_running(env: &TestEnv, is_it: impl Fn(&Value) -> bool) {
    let is_there = |documents: &Vec<Value>| documents.iter().any(|it| is_running(it) && is_it(it));
    wait_until(async || env.cluster.documents().await, is_there).await;
}

/// Waits until no session exists.
async fn wait_until_gone(env: &TestEnv) {
    wait_until(async || env.cluster.documents().await, Vec::is_empty).await;
}

/// Waits until the session is running or gone. Returns its record.
async fn wait_until_settled(env: &TestEnv) -> Option<Value> {
    let rests = |documents: &Vec<Value>| documents.iter().all(is_running);
    let mut found = wait_until(async || env.cluster.documents().await, rests).await;
    assert!(found.len() <= 1, "two records: {found:?}");
    found.pop()
}

/// Waits until the evicted session is running again, or gone. Returns its record.
async fn wait_until_back(env: &TestEnv) -> Option<Value> {
    let is_moved = |it: &Value| is_running(it) && !it["rescheduled"].is_null();
    let is_over = |documents: &Vec<Value>| documents.iter().all(is_moved);
    let mut found = wait_until(async || env.cluster.documents().await, is_over).await;
    found.pop()
}

/// Waits until exactly the objects of this session exist. The bot replaces a lost Pod after a
/// moment.
async fn wait_until_complete(env: &TestEnv, document: &Value) {
    let workspace = document["workspace"].as_str().unwrap();
    let whole = env.workspace_objects(&env.ana, workspace, &id(document));
    wait_until(async || env.cluster.objects().await, |it| *it == whole).await;
}

/// Waits until a private reply shows Ana the session's URL.
async fn wait_for_url(env: &TestEnv, document: &Value) {
    let url = format!("https://duckui-{}.", id(document));
    let mut changes = env.discord.changes();
    let is_offered = || {
        env.ana
            .visible_messages("#data")
            .iter()
            .any(|it| it.content.contains(&url))
    };
    let seen = async { while !is_offered() && changes.changed().await.is_ok() {} };
    tokio::time::timeout(WAIT_TIMEOUT, seen)
        .await
        .expect("Ana saw the URL in time");
}

/// Checks that a message contains the session's URL.
fn assert_offers(message: &MessageView, document: &Value) {
    let url = format!("https://duckui-{}.", id(document));
    assert!(message.content.contains(&url), "{}", message.content);
}

fn is_watch(call: &RestCall) -> bool {
    ["LIST", "WATCH"].contains(&&*call.method)
}
