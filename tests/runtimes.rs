//! Behaviour that is the same in all runtimes: each test runs with the local runtime and on a node.

use std::collections::HashMap;

use discord_loopback::{Discord, MessageView, Person};
use test_support::{
    LocalEnv, TestEnv, UiClient, assert_says, duckdb_pids, link_of, session_id_in, signal,
    wait_until,
};

/// Environment with one kind of runtime.
trait RuntimeEnv: Sized {
    fn discord(&self) -> &Discord;

    /// Stores credentials for `person`.
    async fn store_credentials(&self, person: &Person);

    /// Kills the bot, as in a crash, and starts it again.
    async fn restart_bot(&mut self);

    /// Restarts the bot with these settings added.
    async fn restart_bot_with(&mut self, settings: &[(&str, &str)]);

    /// Opens a session as a browser would. Returns a client of DuckDB's UI.
    async fn open_ui(&self, person: &Person, session: &str) -> UiClient;

    /// Waits until nothing is left of any session.
    async fn wait_until_empty(&self);

    /// Asserts the conditions that must hold at the end of every test.
    async fn assert_clean(self);
}

impl RuntimeEnv for LocalEnv {
    fn discord(&self) -> &Discord {
        &self.discord
    }

    async fn store_credentials(&self, person: &Person) {
        self.enter_credentials(person).await;
    }

    async fn restart_bot(&mut self) {
        self.restart_bot().await;
    }

    async fn restart_bot_with(&mut self, settings: &[(&str, &str)]) {
        self.variables.extend(owned(settings));
        self.restart_bot().await;
    }

    async fn open_ui(&self, person: &Person, session: &str) -> UiClient {
        let reply = reply_to(person, &format!("/duck open session:{session}")).await;
        let link = link_of(&reply, "Open DuckDB");
        let port = link.split(':').nth(2).unwrap().split('/').next().unwrap();
        UiClient::enter(&link, &format!("http://127.0.0.1:{port}")).await
    }

    async fn wait_until_empty(&self) {
        self.wait_until_empty().await;
    }

    async fn assert_clean(self) {
        self.assert_clean().await;
    }
}

pub fn owned(settings: &[(&str, &str)]) -> HashMap<String, String> {
    let settings = settings.iter();
    settings
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect()
}

impl RuntimeEnv for TestEnv {
    fn discord(&self) -> &Discord {
        &self.discord
    }

    async fn store_credentials(&self, person: &Person) {
        self.cluster.store_credentials(person.id()).await;
    }

    async fn restart_bot(&mut self) {
        self.kill_bot().await;
        self.start_bot().await;
    }

    async fn restart_bot_with(&mut self, settings: &[(&str, &str)]) {
        self.variables.extend(owned(settings));
        self.restart_bot().await;
    }

    async fn open_ui(&self, person: &Person, session: &str) -> UiClient {
        self.open_ui(person, session).await
    }

    async fn wait_until_empty(&self) {
        wait_until(async || self.cluster.objects().await, Vec::is_empty).await;
    }

    async fn assert_clean(self) {
        self.assert_clean().await;
    }
}

/// Runs each test with the local runtime, and on a node where possible.
macro_rules! everywhere {
    ($($story:ident),* $(,)?) => {
        mod on_this_machine {
            $(#[tokio::test]
            async fn $story() {
                super::$story(test_support::LocalEnv::start().await).await;
            })*
        }
        mod on_a_node {
            $(#[tokio::test]
            async fn $story() {
                if let Some(env) = test_support::TestEnv::start_on_node(&[]).await {
                    super::$story(env).await;
                }
            })*
        }
    };
}

everywhere!(
    a_session_comes_and_nothing_is_left_when_it_goes,
    only_its_owner_opens_and_stops_it,
    a_second_one_is_started_on_purpose_only,
    a_duckdb_that_ends_is_started_again_and_its_owner_is_told,
    a_session_outlives_the_bot,
    a_start_goes_on_when_the_bot_is_killed_in_the_middle_of_it,
    an_idle_session_is_stopped_and_one_with_a_query_that_runs_is_not,
    a_session_lives_as_long_as_it_may_and_longer_if_its_owner_says_so,
);

async fn reply_to(person: &Person, line: &str) -> MessageView {
    person
        .run_command("#data", line)
        .await
        .unwrap()
        .reply()
        .await
}

/// Stores credentials and starts a session. Returns its ID once it is ready.
async fn ready_session(env: &impl RuntimeEnv, person: &Person) -> String {
    env.store_credentials(person).await;
    let asked = person.run_command("#data", "/duck start").await.unwrap();
    let id = session_id_in(&asked.reply().await.content);
    asked.until(|it| it.content.contains("is ready")).await;
    assert_says(&person.read("#data").await, &id);
    id
}

pub async fn stop_session(person: &Person) {
    stop_session_by(person, "/duck stop").await;
}

async fn stop_session_by(person: &Person, line: &str) {
    let question = reply_to(person, line).await;
    let pressed = person.press(&question, "Stop it").await.unwrap();
    pressed.until(|it| it.content.contains("is stopped")).await;
}

/// Waits until `/duck list` contains `words`.
async fn wait_for_list(person: &Person, words: &str) {
    let list = async || reply_to(person, "/duck list").await.content;
    wait_until(list, |list| list.contains(words)).await;
}

async fn a_session_comes_and_nothing_is_left_when_it_goes(env: impl RuntimeEnv) {
    let ana = env.discord().person("ana");
    let id = ready_session(&env, &ana).await;
    assert_eq!(duckdb_pids(&id).len(), 1);
    assert_says(&reply_to(&ana, "/duck list").await, ": running, ");
    stop_session(&ana).await;
    env.wait_until_empty().await;
    wait_until(async || duckdb_pids(&id), Vec::is_empty).await;
    env.assert_clean().await;
}

async fn only_its_owner_opens_and_stops_it(env: impl RuntimeEnv) {
    let (ana, ben) = (env.discord().person("ana"), env.discord().person("ben"));
    let id = ready_session(&env, &ana).await;
    let link = link_of(&reply_to(&ana, "/duck open").await, "Open DuckDB");
    assert!(link.contains(&format!("://duckui-{id}.")), "{link}");
    let refused = reply_to(&ben, &format!("/duck open session:{id}")).await;
    assert_says(&refused, "can open session `");
    let refused = reply_to(&ben, &format!("/duck stop session:{id}")).await;
    assert!(refused.button("Stop it").is_none(), "{}", refused.content);
    stop_session(&ana).await;
    env.assert_clean().await;
}

async fn a_second_one_is_started_on_purpose_only(env: impl RuntimeEnv) {
    let ana = env.discord().person("ana");
    let first = ready_session(&env, &ana).await;
    let asked = ana.run_command("#data", "/duck start").await.unwrap();
    let offered = asked.reply().await;
    assert_says(&offered, &first);
    let pressed = ana.press(&offered, "Start another").await.unwrap();
    let ready = pressed.until(|it| it.content.contains("is ready")).await;
    assert_ne!(ready.id, offered.id, "the first reply stays");
    let second = session_id_in(&ana.read("#data").await.content);
    let full = reply_to(&ana, "/duck start").await;
    assert!(full.button("Start another").is_none(), "{}", full.content);
    // The node has room for few sessions only.
    for id in [first, second] {
        stop_session_by(&ana, &format!("/duck stop session:{id}")).await;
    }
    env.assert_clean().await;
}

async fn a_duckdb_that_ends_is_started_again_and_its_owner_is_told(env: impl RuntimeEnv) {
    let ana = env.discord().person("ana");
    let id = ready_session(&env, &ana).await;
    signal("KILL", duckdb_pids(&id)[0]).await;
    assert_says(&ana.read("#data").await, "was restarted");
    wait_for_list(&ana, ": running, ").await;
    stop_session(&ana).await;
    env.wait_until_empty().await;
    env.assert_clean().await;
}

async fn a_session_outlives_the_bot(mut env: impl RuntimeEnv) {
    let ana = env.discord().person("ana");
    let id = ready_session(&env, &ana).await;
    for _ in 0..2 {
        env.restart_bot().await;
        wait_for_list(&ana, &format!("`{id}` of {}: running, ", ana.mention())).await;
        wait_until(async || duckdb_pids(&id).len(), |count| *count == 1).await;
    }
    // With the local runtime the session was restarted, and its owner was told.
    let told = env.discord().unread();
    stop_session(&ana).await;
    for message in told {
        assert_says(&message, &id);
        assert_says(&message, "The bot was restarted, and your DuckDB with it.");
        env.discord().wait_edited(message.id, |_| true).await;
    }
    for message in env.discord().unread() {
        env.discord().wait_edited(message.id, |_| true).await;
    }
    env.wait_until_empty().await;
    env.assert_clean().await;
}

async fn a_start_goes_on_when_the_bot_is_killed_in_the_middle_of_it(mut env: impl RuntimeEnv) {
    let ana = env.discord().person("ana");
    env.store_credentials(&ana).await;
    let asked = ana.run_command("#data", "/duck start").await.unwrap();
    let id = session_id_in(&asked.reply().await.content);
    env.restart_bot().await;
    assert_says(&ana.read("#data").await, &id);
    wait_for_list(&ana, ": running, ").await;
    stop_session(&ana).await;
    env.wait_until_empty().await;
    env.assert_clean().await;
}

async fn an_idle_session_is_stopped_and_one_with_a_query_that_runs_is_not(
    mut env: impl RuntimeEnv,
) {
    // Leave enough time to start a query first.
    let settings = [
        ("DUCKBOT_REAPER__EVERY", "1s"),
        ("DUCKBOT_REAPER__IDLE", "25s"),
        ("DUCKBOT_REAPER__WARN_BEFORE", "12s"),
    ];
    env.restart_bot_with(&settings).await;
    let (ana, ben) = (env.discord().person("ana"), env.discord().person("ben"));
    let busy = ready_session(&env, &ana).await;
    let ui = env.open_ui(&ana, &busy).await;
    let endless = "SELECT count(*) FROM range(10_000_000_000_000)";
    let query = tokio::spawn(async move { ui.try_sql(endless).await });
    wait_for_list(&ana, ", running a query, stops ").await;

    // Ben's session starts later, and is stopped while Ana's keeps running.
    let idle = ready_session(&env, &ben).await;
    let warning = ben.read_dm().await;
    assert_says(
        &warning,
        &format!("Session `{idle}` is idle (last active <t:"),
    );
    assert!(warning.button("Extend").is_some());
    let told = ben.read("#data").await;
    assert_says(
        &told,
        &format!("Session `{idle}` was stopped for being idle (last active "),
    );
    let pressed = ana.press(&told, "Start again").await.unwrap();
    assert_says(&pressed.reply().await, "That button is for <@");
    // The door may be late once.
    wait_for_list(&ana, ", running a query, ").await;
    assert_eq!(duckdb_pids(&busy).len(), 1);

    // Ana's query ends, and no other one follows.
    query.abort();
    let interrupts = env.open_ui(&ana, &busy).await;
    assert_eq!(interrupts.interrupt().await, 200);
    assert_says(&ana.read_dm().await, &format!("Session `{busy}` is idle"));
    assert_says(
        &ana.read("#data").await,
        &format!("Session `{busy}` was stopped for being idle"),
    );
    env.wait_until_empty().await;
    env.assert_clean().await;
}

async fn a_session_lives_as_long_as_it_may_and_longer_if_its_owner_says_so(
    mut env: impl RuntimeEnv,
) {
    let settings = [
        ("DUCKBOT_REAPER__EVERY", "1s"),
        // The lifetime includes the start, which may be slow on a busy node.
        ("DUCKBOT_REAPER__LIFETIME", "45s"),
        ("DUCKBOT_REAPER__WARN_BEFORE", "20s"),
        ("DUCKBOT_REAPER__EXTEND_BY", "10s"),
    ];
    env.restart_bot_with(&settings).await;
    let ana = env.discord().person("ana");
    let id = ready_session(&env, &ana).await;
    let warning = ana.read_dm().await;
    assert_says(
        &warning,
        &format!("Session `{id}` is near the end of its lifetime."),
    );
    let pressed = ana.press(&warning, "Extend").await.unwrap();
    assert_says(
        &pressed.reply().await,
        &format!("Session `{id}` was extended by 10 seconds."),
    );
    // The owner is warned again before the new end.
    assert_says(&ana.read_dm().await, "is near the end of its lifetime.");
    let told = ana.read("#data").await;
    assert_says(
        &told,
        &format!("Session `{id}` was stopped at the end of its lifetime"),
    );
    env.wait_until_empty().await;
    wait_until(async || duckdb_pids(&id), Vec::is_empty).await;
    assert_says(&reply_to(&ana, "/duck list").await, "You have no sessions.");
    env.assert_clean().await;
}
