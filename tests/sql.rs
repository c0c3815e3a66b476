//! Tests of `/duck sql`. Each runs with the local runtime and on a node, with the team's Iceberg
//! tables on S3.

mod again;
mod arriving;
mod describing;
mod renewal;
mod runners;
mod sharing;

use discord_loopback::{Discord, Interaction, MessageView, Person};
use test_support::{
    Cluster, LocalEnv, assert_says, lake, own_lake, query_processes, session_id_in, wait_until,
};

use crate::{
    calls,
    node::tables::LakeEnv,
    runtimes::{owned, stop_session},
};

pub(crate) const DUCKS: &str = "/duck sql query:FROM lake.zoo.ducks ORDER BY name";
/// Query that never ends in practice.
const ENDLESS: &str = "SELECT count(*) AS canaries FROM range(10_000_000_000_000)";

/// Environment with one kind of runtime and the lake.
trait RuntimeEnv: Sized {
    fn discord(&self) -> &Discord;

    /// Stores credentials of the lake for `person`.
    async fn store_credentials(&self, person: &Person, id: &str, secret: &str);

    /// Restarts the bot with these settings added.
    async fn restart_bot_with(&mut self, settings: &[(&str, &str)]);

    fn log(&self) -> String;

    /// Names of all records, of sessions and query runners.
    async fn records(&self) -> Vec<String>;

    /// Asserts the conditions that must hold at the end of every test.
    async fn assert_clean(self);
}

/// Environment with the local runtime and the lake.
struct LocalLakeEnv(LocalEnv);

impl LocalLakeEnv {
    async fn start() -> Self {
        let mut home = LocalEnv::start().await;
        let (catalog, s3) = (lake().catalog.clone(), lake().s3.url());
        home.variables.extend(owned(&[
            ("DUCKBOT_CATALOGS__LAKE__ENDPOINT", &catalog),
            ("DUCKBOT_CATALOGS__LAKE__S3_ENDPOINT", &s3),
        ]));
        home.restart_bot().await;
        Self(home)
    }
}

impl RuntimeEnv for LocalLakeEnv {
    fn discord(&self) -> &Discord {
        &self.0.discord
    }

    async fn store_credentials(&self, person: &Person, id: &str, secret: &str) {
        self.0.enter_key_pair(person, id, secret).await;
    }

    async fn restart_bot_with(&mut self, settings: &[(&str, &str)]) {
        self.0.variables.extend(owned(settings));
        self.0.restart_bot().await;
    }

    fn log(&self) -> String {
        self.0.log()
    }

    async fn records(&self) -> Vec<String> {
        let left = self.0.leftovers().into_iter();
        left.filter(|it| it.starts_with("records/")).collect()
    }

    async fn assert_clean(self) {
        self.0.assert_clean().await;
    }
}

impl RuntimeEnv for LakeEnv {
    fn discord(&self) -> &Discord {
        &self.env.discord
    }

    async fn store_credentials(&self, person: &Person, id: &str, secret: &str) {
        self.env
            .cluster
            .store_key_pair(person.id(), id, secret)
            .await;
    }

    async fn restart_bot_with(&mut self, settings: &[(&str, &str)]) {
        self.env.variables.extend(owned(settings));
        self.env.kill_bot().await;
        self.env.start_bot().await;
    }

    fn log(&self) -> String {
        self.env.log()
    }

    async fn records(&self) -> Vec<String> {
        let all = self.env.cluster.objects().await.into_iter();
        all.filter(|it| it.starts_with("configmaps/")).collect()
    }

    async fn assert_clean(self) {
        self.env.assert_clean().await;
    }
}

macro_rules! everywhere {
    ($($story:ident),* $(,)?) => {
        mod on_this_machine {
            $(#[tokio::test]
            async fn $story() {
                super::$story($crate::sql::LocalLakeEnv::start().await).await;
            })*
        }
        mod on_a_node {
            $(#[tokio::test]
            async fn $story() {
                if let Some(env) = $crate::node::tables::LakeEnv::start().await {
                    super::$story(env).await;
                }
            })*
        }
    };
}

pub(crate) use everywhere;

everywhere!(
    an_analyst_asks_the_lake_and_shares_the_answer,
    what_is_wrong_is_marked_and_something_better_is_offered,
    a_question_that_takes_long_shows_it_and_is_cancelled,
    what_is_too_much_for_a_message_comes_as_a_file,
    a_question_is_use_of_the_session,
);

async fn run_command(person: &Person, line: &str) -> Interaction {
    person.run_command("#data", line).await.unwrap()
}

pub(crate) async fn answer(person: &Person, line: &str) -> MessageView {
    let asked = run_command(person, line).await;
    asked.until(is_last).await
}

fn is_last(reply: &MessageView) -> bool {
    !reply.thinking && reply.button("Cancel").is_none()
}

/// Stores credentials of the lake and starts a session. Returns its ID once it is ready.
async fn ready_session(env: &impl RuntimeEnv, person: &Person, id: &str, secret: &str) -> String {
    lake().s3.add_key(id, secret);
    env.store_credentials(person, id, secret).await;
    start_session(person).await
}

/// Starts a session. Returns its ID once it is ready.
async fn start_session(person: &Person) -> String {
    let asked = run_command(person, "/duck start").await;
    let session = session_id_in(&asked.reply().await.content);
    asked.until(|it| it.content.contains("is ready")).await;
    assert_says(&person.read("#data").await, &session);
    session
}

async fn an_analyst_asks_the_lake_and_shares_the_answer(env: impl RuntimeEnv) {
    let (ana, ben) = (env.discord().person("ana"), env.discord().person("ben"));
    let id = ready_session(&env, &ana, "AKIAASKSTHELAKE", "a-secret-of-one-who-asks").await;

    let told = answer(&ana, DUCKS).await;
    let table = "name    │  grams\nVARCHAR │ BIGINT\n────────┼───────\n\
                 mallard │   1100\nteal    │    330\n";
    assert_says(&told, table);
    assert_says(&told, "2 rows in ");
    assert_says(&told, &format!("from session `{id}`"));
    assert!(told.ephemeral && told.files.is_empty());
    assert!(
        env.discord().unread().is_empty(),
        "the result must be private"
    );
    // Ben can't query Ana's session, because it would use her credentials.
    let refused = answer(&ben, &format!("{DUCKS} session:{id}")).await;
    assert_says(
        &refused,
        "belongs to someone else, and a query would use their credentials",
    );

    // The shared result is public, and mentions nobody.
    let pressed = ana.press(&told, "Share").await.unwrap();
    assert_says(&pressed.reply().await, "Shared in this channel.");
    let shared = ben.read("#data").await;
    assert_says(&shared, &format!("{} shared a query:", ana.mention()));
    assert_says(&shared, table);
    assert!(shared.mentions.is_empty() && !shared.ephemeral);

    // A longer query in a form, shared at once.
    let opened = run_command(&ana, "/duck sql share:True").await;
    let form = opened.modal().await;
    let typed = "SELECT count(*) AS ducks,\n  sum(grams) AS grams\nFROM lake.zoo.ducks;";
    let sent = ana
        .submit(&form, &[("One statement that reads", typed)])
        .await
        .unwrap();
    sent.until(|it| it.content.contains("Shared in this channel."))
        .await;
    assert_says(
        &ben.read("#data").await,
        "ducks │ BIGINT  │ 2\ngrams │ HUGEINT │ 1430",
    );

    // The available tables and columns.
    assert_says(
        &answer(&ana, "/duck tables pattern:zoo.*").await,
        "zoo.ducks\n",
    );
    assert_says(
        &answer(&ana, "/duck describe table:ducks").await,
        "column │ type    │ null\n───────┼─────────┼─────\nname   │ VARCHAR │ YES",
    );
    let choices = ana.complete("#data", "/duck describe table:du").await;
    assert_eq!(choices.unwrap()[0].1, "zoo.ducks");

    // The log says that Ana ran a query, but not which one.
    let log = env.log();
    assert!(
        log.contains(&format!("asked {id}: answered, 2 rows")),
        "{log}"
    );
    for secret in ["a-secret-of-one-who-asks", "ORDER BY name", "mallard"] {
        assert!(!log.contains(secret), "{secret} is in the log");
        assert!(!Cluster::shared().audit_log().contains(secret));
    }
    stop_session(&ana).await;
    env.assert_clean().await;
}

async fn what_is_wrong_is_marked_and_something_better_is_offered(env: impl RuntimeEnv) {
    let ana = env.discord().person("ana");
    // The test also runs with the other runtime, at the same lake.
    let key = format!("AKIAWRONG{}", ana.id());
    ready_session(&env, &ana, &key, "a-secret-of-one-who-errs").await;
    let told = async |sql: &str| {
        answer(&ana, &format!("/duck sql query:{sql}"))
            .await
            .content
    };
    let contains = |text: String, words: &str| assert!(text.contains(words), "{text}");

    contains(
        told("SELECT name, gram FROM lake.zoo.ducks").await,
        "LINE 1: SELECT name, gram FROM lake.zoo.ducks\n                     ^\n",
    );
    contains(
        told("SELECT FORM lake x y").await,
        "Parser Error: syntax error at or near",
    );
    contains(
        told("FROM lake.zoo.duks").await,
        "Did you mean `lake.zoo.ducks`?",
    );
    contains(
        told("DROP TABLE lake.zoo.ducks").await,
        "The statement did not run, because it may change something",
    );
    contains(
        told("SELECT 1; SELECT 2").await,
        "The query did not run, because it has 2 statements.",
    );
    contains(told(" ; ").await, "The query is empty.");
    // Local files, environment variables and credentials are out of reach.
    contains(
        told("FROM read_text('/etc/passwd')").await,
        "file system operations are disabled by configuration",
    );
    contains(told("SELECT getenv('HOME')").await, "getenv is disabled");
    contains(
        told("SELECT 'a-secret-of-one-who-errs' AS k").await,
        "<S3_SECRET_ACCESS_KEY>",
    );
    let hidden = "SELECT bool_and(secret_string LIKE '%secret=redacted%') AS hidden \
                  FROM duckdb_secrets()";
    contains(told(hidden).await, "true");
    contains(
        told("SELECT list(range) FROM range(300_000_000)").await,
        "The query needs more memory and disk than `/duck sql` has.",
    );
    // Values can't break out of the code block.
    let quiet = told("SELECT '```@everyone' AS \"<@1>\", 1/0 AS n").await;
    contains(quiet.clone(), "<@1> │ VARCHAR │ ˋˋˋ@everyone\n");
    assert_eq!(quiet.matches("```").count(), 4, "{quiet}");

    // Credentials that are no longer valid.
    lake().s3.forget(&key);
    contains(
        told("FROM lake.zoo.ducks").await,
        "The storage doesn't accept your S3 credentials.",
    );
    stop_session(&ana).await;
    env.assert_clean().await;
}

async fn a_question_that_takes_long_shows_it_and_is_cancelled(mut env: impl RuntimeEnv) {
    let ana = env.discord().person("ana");
    ready_session(&env, &ana, "AKIAASKSLONG", "a-secret-of-one-who-waits").await;
    let endless = format!("/duck sql query:{ENDLESS}");
    let both = [
        run_command(&ana, &endless).await,
        run_command(&ana, &endless).await,
    ];
    let mut shown = Vec::new();
    for asked in &both {
        shown.push(asked.until(|it| it.button("Cancel").is_some()).await);
        assert_says(&shown[0], "Running, started <t:");
    }
    assert_says(
        &answer(&ana, "/duck sql query:SELECT 1").await,
        "You already have 2 queries running, and the limit is 2.",
    );
    // They block neither the tables nor their columns.
    assert_says(&answer(&ana, "/duck tables").await, "zoo.ducks\n");
    assert_says(&answer(&ana, "/duck describe table:ducks").await, "grams");

    assert_says(&answer(&ana, "/duck list").await, ", running a query");
    let status = answer(&ana, "/duck status").await;
    assert_says(&status, ", running a query");
    assert_says(&status, "Activity: 2 running queries, ");

    // Neither the query nor the credentials are visible in the process list.
    for (_, seen) in query_processes() {
        for hidden in ["canaries", "AKIAASKSLONG", "a-secret-of"] {
            assert!(!seen.contains(hidden), "{seen}");
        }
    }
    for (asked, shown) in both.iter().zip(&shown) {
        ana.press(shown, "Cancel").await.unwrap();
        asked.until(|it| it.content.contains("Cancelled.")).await;
    }
    wait_until(async || busy_queries(), Vec::is_empty).await;
    assert_says(
        &answer(&ana, "/duck sql query:SELECT 41 + 1 AS n").await,
        "42",
    );

    // A query without a cancel ends at the time limit.
    env.restart_bot_with(&[("DUCKBOT_SQL__TIMEOUT", "3s")])
        .await;
    let list = async || answer(&ana, "/duck list").await.content;
    wait_until(list, |list| list.contains(": running, ")).await;
    assert_says(
        &answer(&ana, &endless).await,
        "it reached the time limit of `/duck sql`",
    );
    stop_session(&ana).await;
    env.assert_clean().await;
}

/// Processes that run long queries. Other tests may run short ones at the same time.
fn busy_queries() -> Vec<u32> {
    let busy = |id: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        let ticks = stat
            .split(' ')
            .nth(13)
            .and_then(|ticks| ticks.parse::<u64>().ok());
        ticks.is_some_and(|ticks| ticks > 300)
    };
    let all = query_processes().into_iter().map(|(id, _)| id);
    all.filter(busy).collect()
}

async fn what_is_too_much_for_a_message_comes_as_a_file(mut env: impl RuntimeEnv) {
    env.restart_bot_with(&[("DUCKBOT_SQL__ROWS", "1000")]).await;
    let ana = env.discord().person("ana");
    ready_session(&env, &ana, "AKIAASKSMUCH", "a-secret-of-one-who-asks-much").await;
    let told = answer(
        &ana,
        "/duck sql query:SELECT range AS n, 'a, b' AS t FROM range(5000)",
    )
    .await;
    assert_says(&told, "The first 1,000 rows in ");
    assert_says(
        &told,
        " of 1,000 rows. The file has these rows in full; the result has more.",
    );
    let file = &told.files[0];
    assert_eq!(
        file.name,
        "select-range-as-n-a-b-as-t-from-range-5000-first-1000-rows.csv"
    );
    let text = file.text();
    assert!(text.starts_with("n,t\r\n0,\"a, b\"\r\n"), "{text:.40}");
    assert_eq!(text.lines().count(), 1001);
    assert!(told.content.chars().count() <= 2000);

    // The result can be shared after a restart, with its file.
    env.restart_bot_with(&[]).await;
    let pressed = ana.press(&told, "Share").await.unwrap();
    assert_says(&pressed.reply().await, "Shared in this channel.");
    let mut shared = ana.read("#data").await;
    // With the local runtime the session was restarted, which is also announced.
    while shared.files.is_empty() {
        shared = ana.read("#data").await;
    }
    assert_eq!(shared.files[0].content, file.content);

    // So can its Parquet file, for which the query runs again.
    let list = async || answer(&ana, "/duck list").await.content;
    wait_until(list, |list| list.contains(": running, ")).await;
    let pressed = ana.press(&told, "Download Parquet").await.unwrap();
    let again = pressed.until(|it| !it.files.is_empty()).await;
    assert_says(&again, "The query ran again for this file.");
    assert_says(&again, "of 1,000 rows. The file has these rows in full");
    let parquet = &again.files[0];
    assert_eq!(parquet.name, file.name.replace(".csv", ".parquet"));
    assert_parquet(&parquet.content);
    let pressed = ana.press(&again, "Share").await.unwrap();
    assert_says(&pressed.reply().await, "Shared in this channel.");
    let mut shared = ana.read("#data").await;
    while shared.files.is_empty() {
        shared = ana.read("#data").await;
    }
    assert_eq!(shared.files[0].content, parquet.content);

    // And a chart, with the file that the message needs anyway.
    let pressed = ana.press(&told, "Chart").await.unwrap();
    let drawn = pressed.until(|it| !it.files.is_empty()).await;
    let names: Vec<_> = drawn.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, [file.name.as_str(), "chart.png"]);
    stop_session(&ana).await;
    env.assert_clean().await;
}

fn assert_parquet(content: &[u8]) {
    let shown = String::from_utf8_lossy(content);
    assert!(
        content.starts_with(b"PAR1") && content.ends_with(b"PAR1"),
        "{shown}"
    );
}

async fn a_question_is_use_of_the_session(env: impl RuntimeEnv) {
    let ana = env.discord().person("ana");
    ready_session(&env, &ana, "AKIAASKSANDGOES", "a-secret-of-one-who-goes").await;
    let idle_since = async || {
        let list = answer(&ana, "/duck list").await.content;
        let (_, since) = list.split_once("last active <t:")?;
        since.split(':').next()?.parse::<i64>().ok()
    };
    wait_until(idle_since, Option::is_some).await;
    let before = Some(chrono::Utc::now().timestamp());
    let now = async || Some(chrono::Utc::now().timestamp());
    wait_until(now, |now| *now > before).await;
    assert_says(&answer(&ana, "/duck sql query:SELECT 42 AS n").await, "42");
    wait_until(idle_since, |since| *since > before).await;
    stop_session(&ana).await;
    env.assert_clean().await;
}

#[tokio::test]
async fn a_second_question_is_answered_by_the_same_duckdb() {
    let mut env = LocalLakeEnv::start().await;
    env.restart_bot_with(&[("DUCKBOT_SQL__LINGER", "4s")]).await;
    let ana = env.0.ana.clone();
    let id = ready_session(
        &env,
        &ana,
        "AKIAASKSTWICE",
        "a-secret-of-one-who-asks-twice",
    )
    .await;
    let bot = std::path::Path::new(&env.0.variables["DUCKBOT_LOCAL__FOLDER"]);
    let folder = bot.join(format!("sessions/{id}/.duckdb"));
    let duckdbs = async || {
        let names = std::fs::read_dir(&folder).unwrap();
        let names = names.map(|it| it.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.filter(|it| it.starts_with("query-")).collect();
        names.sort();
        names
    };
    let sql = "/duck sql query:SELECT sum(grams) AS grams FROM ducks";
    assert_says(&answer(&ana, sql).await, "1430");
    let started = duckdbs().await;
    assert_eq!(started.len(), 1, "it waits for the next query");
    assert_says(&answer(&ana, sql).await, "1430");
    assert_says(&answer(&ana, "/duck describe table:ducks").await, "grams");
    assert_eq!(duckdbs().await, started);
    // Later it ends.
    wait_until(duckdbs, Vec::is_empty).await;
    stop_session(&ana).await;
    env.assert_clean().await;
}

#[tokio::test]
async fn the_api_servers_log_has_that_somebody_asked_and_not_what() {
    let Some(env) = LakeEnv::start().await else {
        return;
    };
    let ana = env.discord().person("ana");
    let id = ready_session(&env, &ana, "AKIAASKSINAPOD", "a-secret-in-a-pod").await;
    let api = &env.env.api;
    // The last calls of the start.
    api.wait_for_call("POST", "events", 3).await;
    let mut before = calls::count(api);
    for command in ["the first /duck sql", "the next /duck sql"] {
        let said = answer(&ana, "/duck sql query:SELECT 'a canary' AS c").await;
        assert_says(&said, "a canary");
        calls::compare(api, command, &mut before).await;
    }
    let noted = async || Cluster::shared().audit_log();
    let asked = format!("/duckui-{id}/exec?");
    wait_until(noted, |log| log.contains(&asked)).await;
    let log = Cluster::shared().audit_log();
    for hidden in ["a canary", "AKIAASKSINAPOD", "a-secret-in-a-pod"] {
        assert!(!log.contains(hidden), "{hidden} is in the log");
    }
    stop_session(&ana).await;
    env.assert_clean().await;
}

#[tokio::test]
async fn whoever_has_the_role_runs_other_statements_too() {
    let mut env = LocalLakeEnv::start().await;
    let role = env.discord().role("analyst").to_string();
    let settings = [
        ("DUCKBOT_SQL__WRITE_ROLES", &*role),
        ("DUCKBOT_SQL__LOG_QUERIES", "true"),
    ];
    env.restart_bot_with(&settings).await;
    let ana = env.discord().person("ana");
    let id = ready_session(&env, &ana, "AKIAASKSWRITE", "a-secret-of-one-who-writes").await;
    let told = answer(&ana, "/duck sql query:CREATE TEMP TABLE t AS SELECT 1 AS n").await;
    assert_says(&told, "Done in ");
    let told = answer(
        &ana,
        "/duck sql query:BEGIN; CREATE TEMP TABLE t AS SELECT 1 AS n",
    )
    .await;
    assert_says(&told, "The query did not run, because it has 2 statements.");
    let told = answer(&ana, "/duck sql query:BEGIN").await;
    assert_says(&told, "Nothing was saved, because the query only began");
    let told = answer(&ana, "/duck sql query:SET threads = 4").await;
    assert_says(&told, "the configuration has been locked");
    let disguised = "/duck sql query:/* /* */\n.quit\n*/ CREATE TEMP TABLE t AS SELECT 1";
    let told = answer(&ana, disguised).await;
    assert_says(&told, "Done in ");
    let log = env.log();
    assert!(
        log.contains("CREATE TEMP TABLE t AS SELECT 1"),
        "with `sql.log_queries` the log must contain the statement"
    );
    assert_eq!(
        log.matches(&format!("asked {id}: refused")).count(),
        1,
        "{log}"
    );
    env.assert_clean().await;
}

#[tokio::test]
async fn whoever_has_the_role_changes_the_teams_tables() {
    let mut env = LocalLakeEnv::start().await;
    let (role, lake) = (env.discord().role("analyst").to_string(), own_lake());
    lake.s3.add_key("AKIAMERGES", "a-secret-of-one-who-merges");
    let settings = [
        ("DUCKBOT_SQL__WRITE_ROLES", &*role),
        ("DUCKBOT_CATALOGS__LAKE__ENDPOINT", &lake.catalog),
        ("DUCKBOT_CATALOGS__LAKE__S3_ENDPOINT", &lake.s3.url()),
        // MERGE INTO allocates 77 MiB at once, so each query needs 256 MiB.
        ("DUCKBOT_SIZES__SMALL__MEMORY", "2Gi"),
    ];
    env.restart_bot_with(&settings).await;
    let ana = env.discord().person("ana");
    ready_session(&env, &ana, "AKIAMERGES", "a-secret-of-one-who-merges").await;
    for statement in [
        "ALTER TABLE lake.zoo.ducks ADD COLUMN wings BIGINT",
        "MERGE INTO lake.zoo.ducks t USING (SELECT 'teal' AS name) s ON t.name = s.name \
         WHEN MATCHED THEN UPDATE SET wings = 2",
        "CREATE TABLE lake.zoo.v3 (id INTEGER DEFAULT 7) WITH ('format-version' = '3')",
    ] {
        let told = answer(&ana, &format!("/duck sql query:{statement}")).await;
        assert_says(&told, "Done in ");
    }
    // A statement with effects does not run again for a file.
    let copy =
        "/duck sql query:COPY (SELECT 8 AS n) TO 's3://lake/n.csv' (RETURN_FILES) format:csv";
    let told = answer(&ana, copy).await;
    let text = told.files[0].text();
    assert!(text.starts_with("Count,Files\r\n1,"), "{text}");
    assert!(told.button("Run again").is_some() && told.button("Download Parquet").is_none());
    let sum = "/duck sql query:SELECT sum(wings) + 40 AS all_wings FROM lake.zoo.ducks";
    assert_says(&answer(&ana, sum).await, "42");
    stop_session(&ana).await;
    env.assert_clean().await;
}

#[tokio::test]
async fn where_it_is_turned_off_nobody_asks() {
    let mut env = LocalLakeEnv::start().await;
    env.restart_bot_with(&[("DUCKBOT_SQL__ENABLED", "false")])
        .await;
    let ana = env.discord().person("ana");
    assert_says(
        &answer(&ana, DUCKS).await,
        "Queries from the chat are turned off.",
    );
    env.assert_clean().await;
}
