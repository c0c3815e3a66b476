//! The bot with S3 servers and catalogs that nobody here wrote (docs/compatibility.md has the
//! results). They take minutes to build, so these tests run only in `./check full`, or with
//! `cargo test --test tests servers:: -- --ignored`.

use discord_loopback::MessageView;
use duckbot::duckdb::names::display_identifier;
use test_support::{
    LocalEnv, PERMANENT_CREDENTIALS, STRANGER_CREDENTIALS, ThirdPartyLake, assert_says,
    session_id_in, tools, versitygw_with_one_account,
};

use crate::runtimes::{owned, stop_session};

/// Tests of one lake.
macro_rules! with {
    ($lake:ident: $($story:ident),* $(,)?) => {
        mod $lake {
            $(#[tokio::test]
            #[ignore = "the servers take minutes to build"]
            async fn $story() {
                super::$story(test_support::$lake()).await;
            })*
        }
    };
}

with!(
    versitygw_and_iceberg:
    good_keys_are_saved_and_wrong_ones_are_named,
    all_tables_are_listed_described_and_read,
    tables_are_created_and_changed,
);
with!(
    seaweedfs_and_iceberg:
    good_keys_are_saved_and_wrong_ones_are_named,
    temporary_credentials_are_saved_and_used,
    all_tables_are_listed_described_and_read,
    tables_are_created_and_changed,
);
with!(
    seaweedfs_alone:
    good_keys_are_saved_and_wrong_ones_are_named,
    wrong_tokens_are_named,
    all_tables_are_listed_described_and_read,
    tables_are_created_and_changed,
    a_token_is_enough_where_the_catalog_vends_credentials,
);
with!(
    versitygw_and_nessie:
    good_keys_are_saved_and_wrong_ones_are_named,
    wrong_tokens_are_named,
    all_tables_are_listed_described_and_read,
    tables_are_created_and_changed,
);

/// Bot with the local runtime and a lake.
struct Env {
    local: LocalEnv,
    lake: &'static ThirdPartyLake,
}

impl Env {
    async fn start(lake: &'static ThirdPartyLake) -> Self {
        Self::start_with(lake, &[]).await
    }

    async fn start_with(lake: &'static ThirdPartyLake, more: &[(&str, &str)]) -> Self {
        let mut local = LocalEnv::start().await;
        let role = local.discord.role("analyst").to_string();
        local.variables.extend(owned(&[
            ("DUCKBOT_CATALOGS__LAKE__ENDPOINT", &lake.catalog.url),
            ("DUCKBOT_CATALOGS__LAKE__WAREHOUSE", lake.catalog.warehouse),
            ("DUCKBOT_CATALOGS__LAKE__S3_ENDPOINT", &lake.storage.url),
            ("DUCKBOT_CATALOGS__LAKE__S3_BUCKET", lake.catalog.bucket),
            ("DUCKBOT_SQL__WRITE_ROLES", &role),
            // MERGE INTO needs 256 MiB per query.
            ("DUCKBOT_SIZES__SMALL__MEMORY", "2Gi"),
        ]));
        local.variables.extend(owned(more));
        local.restart_bot().await;
        Self { local, lake }
    }

    async fn reply_to(&self, line: &str) -> MessageView {
        let asked = self.local.ana.run_command("#data", line).await.unwrap();
        let is_last = |it: &MessageView| !it.thinking && it.button("Cancel").is_none();
        asked.until(is_last).await
    }

    /// Enters the lake's credentials, some of them changed. A value of `""` is left out. Returns the
    /// reply.
    async fn enter(&self, changed: &[(&str, &str)]) -> MessageView {
        let mut values = self.lake.credentials();
        values.push(("Session token", String::new()));
        for (label, value) in &mut values {
            if let Some((_, it)) = changed.iter().find(|(name, _)| name == label) {
                *value = (*it).to_owned();
            }
        }
        enter(&self.local, &values).await
    }

    /// Enters the lake's credentials, and starts a session.
    async fn start_with_session(lake: &'static ThirdPartyLake) -> Self {
        let env = Self::start(lake).await;
        assert_says(&env.enter(&[]).await, "were checked and saved");
        env.start_session().await;
        env
    }

    /// Starts a session, and waits until it is ready.
    async fn start_session(&self) {
        let ana = &self.local.ana;
        let asked = ana.run_command("#data", "/duck start").await.unwrap();
        let id = session_id_in(&asked.reply().await.content);
        asked.until(|it| it.content.contains("is ready")).await;
        assert_says(&ana.read("#data").await, &id);
    }

    async fn end(self) {
        stop_session(&self.local.ana).await;
        self.local.assert_clean().await;
    }
}

/// Enters credentials through `/duck setup`. Returns the reply.
async fn enter(local: &LocalEnv, values: &[(&str, String)]) -> MessageView {
    let ana = &local.ana;
    let asked = ana.run_command("#data", "/duck setup").await.unwrap();
    asked.reply().await;
    let invitation = ana.read_dm().await;
    let pressed = ana.press(&invitation, "Enter credentials").await;
    let form = pressed.unwrap().modal().await;
    let typed: Vec<_> = values
        .iter()
        .map(|(label, value)| (*label, value.as_str()))
        .filter(|(_, value)| !value.is_empty())
        .collect();
    ana.submit(&form, &typed).await.unwrap().reply().await
}

/// Checks that a reply says that nothing was saved and why, and that it blames the credentials.
fn assert_blames(reply: &MessageView, why: &str) {
    assert_says(
        reply,
        "The check of your S3 credentials failed, so they were not saved:",
    );
    assert_says(reply, why);
    assert!(!reply.content.contains("admin"), "{}", reply.content);
}

async fn good_keys_are_saved_and_wrong_ones_are_named(lake: &'static ThirdPartyLake) {
    let env = Env::start(lake).await;
    let unknown = [("Access key ID", "AKIAUNKNOWN000000000")];
    let wrong_secret = [("Secret access key", "canary/SomebodyElsesSecret")];
    let token = [("Session token", "canaryExcessToken==")];
    assert_blames(
        &env.enter(&unknown).await,
        "doesn't know this **access key ID**",
    );
    assert_blames(
        &env.enter(&wrong_secret).await,
        "**secret access key** doesn't belong",
    );
    assert_blames(
        &env.enter(&STRANGER_CREDENTIALS).await,
        &format!("not allowed to list bucket `{}`", lake.catalog.bucket),
    );
    if lake.storage.refuses_excess_tokens {
        let reply = env.enter(&token).await;
        assert_blames(&reply, "**session token** isn't valid");
        assert_says(&env.enter(&[]).await, "were checked and saved");
    } else {
        assert_says(&env.enter(&token).await, "were checked and saved");
    }
    env.local.assert_clean().await;
}

async fn temporary_credentials_are_saved_and_used(lake: &'static ThirdPartyLake) {
    let env = Env::start(lake).await;
    let [id, secret, token] = lake.storage.temporary_credentials();
    let wrong = |label: &'static str| (label, "canary/rubbish".to_owned());
    let reply = enter(&env.local, &[id.clone(), secret.clone()]).await;
    assert_says(&reply, "work only with their **Session token**");
    let reply = enter(&env.local, &[id.clone(), secret.clone(), wrong(token.0)]).await;
    assert_blames(&reply, "works only together with its session token");
    let reply = enter(&env.local, &[id.clone(), wrong(secret.0), token.clone()]).await;
    assert_blames(&reply, "**secret access key** doesn't belong");

    let reply = enter(&env.local, &[id, secret, token]).await;
    assert_says(&reply, "were checked and saved");
    env.start_session().await;
    let ducks = env.reply_to("/duck sql query:FROM lake.zoo.ducks").await;
    assert_says(&ducks, "mallard");
    env.end().await;
}

async fn wrong_tokens_are_named(lake: &'static ThirdPartyLake) {
    let env = Env::start(lake).await;
    assert_blames(
        &env.enter(&[("Catalog token", "")]).await,
        "The catalog `lake` requires a **catalog token**",
    );
    let rubbish = "canary.catalog.rubbish".to_owned();
    for token in lake.catalog.expired_token().into_iter().chain([rubbish]) {
        assert_blames(
            &env.enter(&[("Catalog token", &token)]).await,
            "doesn't accept this **catalog token**",
        );
    }
    env.local.assert_clean().await;
}

/// A versitygw without `--iam-dir` reports unknown keys with another error.
#[tokio::test]
#[ignore = "the servers take minutes to build"]
async fn versitygw_with_one_account_names_an_unknown_key() {
    let mut local = LocalEnv::start().await;
    let storage = &versitygw_with_one_account().url;
    let s3 = ("DUCKBOT_CATALOGS__LAKE__S3_ENDPOINT", storage.as_str());
    local.variables.extend(owned(&[s3]));
    local.restart_bot().await;
    let [id, secret] = PERMANENT_CREDENTIALS.map(|(label, value)| (label, value.to_owned()));
    let unknown = (id.0, "AKIAUNKNOWN000000000".to_owned());
    assert_blames(
        &enter(&local, &[unknown, secret.clone()]).await,
        "doesn't know this **access key ID**",
    );
    assert_says(
        &enter(&local, &[id, secret]).await,
        "were checked and saved",
    );
    local.assert_clean().await;
}

async fn all_tables_are_listed_described_and_read(lake: &'static ThirdPartyLake) {
    let env = Env::start_with_session(lake).await;
    let listed = env.reply_to("/duck tables").await;
    for levels in &lake.tables {
        let (table, schema) = levels.split_last().unwrap();
        let name = levels.join(".");
        let shown = [&schema.join("."), *table].map(display_identifier);
        assert_says(&listed, &format!("\n{}", shown.join(".")));
        let described = env.reply_to(&format!("/duck describe table:{name}")).await;
        assert_says(&described, "grams");
        let [schema, table] =
            [&schema.join("."), *table].map(|it| format!("\"{}\"", it.replace('"', "\"\"")));
        let read = env
            .reply_to(&format!("/duck sql query:FROM lake.{schema}.{table}"))
            .await;
        assert_says(&read, "mallard");
    }
    env.end().await;
}

async fn a_token_is_enough_where_the_catalog_vends_credentials(lake: &'static ThirdPartyLake) {
    let vends = ("DUCKBOT_CATALOGS__LAKE__VENDED_CREDENTIALS", "true");
    let env = Env::start_with(lake, &[vends]).await;
    let token = lake.catalog.token().unwrap();
    let reply = enter(&env.local, &[("Catalog token", token)]).await;
    assert_says(&reply, "Your catalog token was checked and saved.");
    env.start_session().await;
    let ducks = env.reply_to("/duck sql query:FROM lake.zoo.ducks").await;
    assert_says(&ducks, "mallard");
    // Another test of the same server makes the other one.
    create_and_change_tables(&env, "lagoon").await;
    env.end().await;
}

async fn tables_are_created_and_changed(lake: &'static ThirdPartyLake) {
    let env = Env::start_with_session(lake).await;
    create_and_change_tables(&env, "pond").await;
    env.end().await;
}

async fn create_and_change_tables(env: &Env, schema: &str) {
    for statement in [
        "CREATE SCHEMA lake.pond",
        "CREATE TABLE lake.pond.frogs (name VARCHAR, grams BIGINT)",
        "INSERT INTO lake.pond.frogs VALUES ('marsh', 60), ('tree', 9)",
        "MERGE INTO lake.pond.frogs f USING (VALUES ('tree', 10), ('pool', 40)) s(name, grams) \
         ON f.name = s.name WHEN MATCHED THEN UPDATE SET grams = s.grams \
         WHEN NOT MATCHED THEN INSERT VALUES (s.name, s.grams)",
        "ALTER TABLE lake.pond.frogs ADD COLUMN legs BIGINT",
        "UPDATE lake.pond.frogs SET legs = 4",
        "DELETE FROM lake.pond.frogs WHERE name = 'marsh'",
        "CREATE TABLE lake.pond.v3 (id INTEGER) WITH ('format-version' = '3')",
        "INSERT INTO lake.pond.v3 VALUES (1), (2)",
        "DELETE FROM lake.pond.v3 WHERE id = 1",
    ] {
        let statement = statement.replace("lake.pond", &format!("lake.{schema}"));
        let done = env.reply_to(&format!("/duck sql query:{statement}")).await;
        assert!(
            !done.content.contains("Error"),
            "{statement}: {}",
            done.content
        );
    }
    let frogs = env
        .reply_to(&format!(
            "/duck sql query:FROM lake.{schema}.frogs ORDER BY name"
        ))
        .await;
    assert_says(
        &frogs,
        "pool    │     40 │      4\ntree    │     10 │      4",
    );
    let sum = format!("/duck sql query:SELECT sum(id) + 40 AS n FROM lake.{schema}.v3");
    assert_says(&env.reply_to(&sum).await, "42");
    for what in [
        format!("TABLE lake.{schema}.frogs"),
        format!("TABLE lake.{schema}.v3"),
        format!("SCHEMA lake.{schema}"),
    ] {
        env.reply_to(&format!("/duck sql query:DROP {what}")).await;
    }
}

#[test]
fn the_docs_name_the_versions_that_the_tests_get() {
    let page = read("docs/compatibility.md");
    for (file, before) in [
        ("servers/versitygw/go.mod", "github.com/versity/versitygw "),
        (
            "servers/seaweedfs/go.mod",
            "github.com/seaweedfs/seaweedfs ",
        ),
        ("servers/nessie/get", "version="),
        ("iceberg/get", "version="),
        ("../../deploy/duckdb/get", "version="),
    ] {
        let text = read(&format!("crates/test-support/{file}"));
        let mut lines = text.lines().map(str::trim_start);
        let version = lines.find_map(|line| line.strip_prefix(before)).unwrap();
        let version = version.split(' ').next().unwrap();
        assert!(page.contains(&format!("{version} |")), "{file}: {version}");
    }
}

#[test]
fn the_docs_name_the_versions_of_kubernetes_that_the_tests_run() {
    let page = read("docs/compatibility.md");
    let script = read("crates/test-support/cluster/versions");
    let other = script.lines().find_map(|line| {
        let list = line.strip_prefix("versions=(")?;
        list.strip_suffix(')')
    });
    let modules = read("crates/test-support/tools/go.mod");
    let mut lines = modules.lines().map(str::trim_start);
    let default = lines.find_map(|line| line.strip_prefix("k8s.io/kubernetes v"));
    let default = default.unwrap().split(' ').next().unwrap();
    let others = other
        .unwrap()
        .split(' ')
        .map(|it| it.trim_start_matches('v'));
    for version in others.chain([default]) {
        assert!(page.contains(&format!("| {version}, ")), "{version}");
    }
    // The chart accepts the oldest one.
    let chart = read("deploy/chart/Chart.yaml");
    let oldest = chart
        .split(">=")
        .nth(1)
        .unwrap()
        .split(".0-0")
        .next()
        .unwrap();
    assert!(page.contains(&format!("| {oldest}.")), "{oldest}");
}

fn read(path: &str) -> String {
    std::fs::read_to_string(tools::root().join(path)).unwrap()
}
