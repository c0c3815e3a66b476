//! Odd, slow and large catalogs in the chat: `/duck tables`, `/duck describe`, `/duck sql` and the
//! suggestions of table names.

use std::time::Duration;

use discord_loopback::MessageView;
use duckbot::duckdb::names::TableName;
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use serde_json::json;
use test_support::{LocalEnv, TreeCatalog, TreeTable, assert_says, lake, wait_until};

use crate::runtimes::{owned, stop_session};

const KEY_ID: &str = "AKIAODDNAMES";
const SECRET: &str = "a-secret-beside-odd-names";

/// Environment with a running session of Ana.
struct Env(LocalEnv);

impl Env {
    async fn start(catalog: &TreeCatalog) -> Self {
        let mut env = LocalEnv::start().await;
        lake().s3.add_key(KEY_ID, SECRET);
        env.variables.extend(owned(&[
            ("DUCKBOT_CATALOGS__LAKE__ENDPOINT", &catalog.url()),
            ("DUCKBOT_CATALOGS__LAKE__S3_ENDPOINT", &lake().s3.url()),
        ]));
        env.restart_bot().await;
        env.enter_key_pair(&env.ana, KEY_ID, SECRET).await;
        let asked = env.ana.run_command("#data", "/duck start").await.unwrap();
        asked.until(|it| it.content.contains("is ready")).await;
        Self(env)
    }

    async fn answer(&self, line: &str) -> MessageView {
        let asked = self.0.ana.run_command("#data", line).await.unwrap();
        let is_last = |it: &MessageView| !it.thinking && it.button("Cancel").is_none();
        asked.until(is_last).await
    }

    async fn end(self) {
        stop_session(&self.0.ana).await;
        self.0.assert_clean().await;
    }
}

fn tables<'a>(names: &[(&'a [&'a str], &'a str)]) -> Vec<(Vec<&'a str>, &'a str, TreeTable)> {
    let table =
        |(levels, name): &(&'a [&'a str], &'a str)| (levels.to_vec(), *name, TreeTable::Ducks);
    names.iter().map(table).collect()
}

#[tokio::test]
async fn a_table_of_any_name_goes_from_the_list_to_an_answer() {
    let catalog = TreeCatalog::start(tables(&[
        (&["pond"], "species"),
        (&["a", "b"], "places"),
        (&["a.dotted"], "species"),
        (&["deep", "er", "st ill"], "x.y"),
        (&["select"], "from"),
        (&["main"], "t"),
        (&["ü"], "it's"),
        (&["c++"], "a+b"),
    ]))
    .await;
    let env = Env::start(&catalog).await;
    let list = env.answer("/duck tables").await;
    assert_says(&list, "8 tables in `lake`");
    assert_says(&list, "\"a.b\".places\n");
    assert_says(&list, "pond.species\n");
    for name in ["a.b.places", "a.dotted.species", "deep.er.st ill.x.y"] {
        let columns = env.answer(&format!("/duck describe table:{name}")).await;
        assert_says(&columns, "grams");
    }
    for name in [
        "lake.pond.species",
        "lake.\"a.b\".places",
        "lake.\"a.dotted\".species",
        "lake.\"deep.er.st ill\".\"x.y\"",
        "lake.\"select\".\"from\"",
        "lake.main.t",
        "lake.\"ü\".\"it's\"",
        "lake.\"c++\".\"a+b\"",
    ] {
        let columns = env.answer(&format!("/duck describe table:{name}")).await;
        assert_says(&columns, &format!("`{name}`, 2 columns"));
        let query = format!("/duck sql query:SELECT count(*) AS ducks FROM {name}");
        assert_says(&env.answer(&query).await, "1 row in");
    }
    let wrong = env
        .answer("/duck sql query:FROM lake.\"a.b\".plaices")
        .await;
    assert_says(&wrong, "Did you mean `lake.\"a.b\".places`?");
    let listed = "/duck sql query:SELECT count(*) AS n FROM duckdb_tables() \
                  WHERE schema_name = 'deep.er.st ill'";
    assert_says(&env.answer(listed).await, "     1\n");
    let choices = env
        .0
        .ana
        .complete("#data", "/duck describe table:places")
        .await;
    let choice = ("a.b.places".to_owned(), "\"a.b\".places".to_owned());
    assert_eq!(choices.unwrap(), [choice]);
    env.end().await;
}

#[tokio::test]
async fn a_generated_name_goes_from_the_list_to_an_answer() {
    // No white space and no backtick: the line of a command and a message's code block change them.
    let name = || {
        "[a-zA-Z0-9.\"'%#&=+@$;?\\\\/ü🦆-]{1,8}".prop_filter("no path", |it| !it.starts_with('.'))
    };
    let any = (prop::collection::vec(name(), 1..4), name());
    let mut runner = TestRunner::default();
    let generated: Vec<_> = (0..8)
        .map(|_| any.new_tree(&mut runner).unwrap().current())
        .collect();
    let tree = generated.iter().map(|(levels, name)| {
        let levels = levels.iter().map(String::as_str).collect();
        (levels, name.as_str(), TreeTable::Ducks)
    });
    let catalog = TreeCatalog::start(tree).await;
    let env = Env::start(&catalog).await;
    let list = env.answer("/duck tables").await;
    for (levels, name) in &generated {
        let table = TableName::new(levels.join("."), name.clone());
        let printed = table.in_catalog("lake");
        assert_says(&list, &table.sql());
        let typed = format!("/duck describe table:{table}");
        let choices = env.0.ana.complete("#data", &typed).await.unwrap();
        let (_, value) = choices
            .iter()
            .find(|(_, value)| *value == table.sql())
            .unwrap();
        let columns = env.answer(&format!("/duck describe table:{value}")).await;
        assert_says(&columns, &format!("`{printed}`, 2 columns"));
        let query = format!("/duck sql query:SELECT count(*) AS ducks FROM {printed}");
        assert_says(&env.answer(&query).await, "1 row in");
    }
    env.end().await;
}

#[tokio::test]
async fn a_slow_catalog_is_listed_in_time_and_in_part() {
    let names: Vec<_> = (0..400).map(|number| format!("n{number:03}")).collect();
    let tables = names
        .iter()
        .map(|name| (vec![name.as_str()], "ducks", TreeTable::Ducks));
    let catalog = TreeCatalog::start(tables).await;
    let env = Env::start(&catalog).await;
    catalog.delay(Duration::from_millis(1500));
    let choices = env.0.ana.complete("#data", "/duck describe table:n0").await;
    assert!(choices.unwrap().is_empty(), "the list is not there yet");
    // At a time, 16 of the 800 requests are under way.
    let list = env.answer("/duck tables").await;
    assert_says(&list, "This list is not complete");
    assert_says(&list, "n000.ducks\n");
    let choices = env
        .0
        .ana
        .complete("#data", "/duck describe table:n00")
        .await;
    assert!(!choices.unwrap().is_empty());
    catalog.delay(Duration::ZERO);
    assert_says(
        &env.answer("/duck describe table:n399.ducks").await,
        "grams",
    );
    env.end().await;
}

#[tokio::test]
async fn a_large_catalog_is_listed_whole() {
    let names: Vec<_> = (0..12_000).map(|number| format!("t{number:05}")).collect();
    let tables = names
        .iter()
        .map(|name| (vec!["big"], name.as_str(), TreeTable::Ducks));
    let catalog = TreeCatalog::start(tables).await;
    catalog.set_page(1000);
    let env = Env::start(&catalog).await;
    let list = env.answer("/duck tables").await;
    assert_says(&list, "12,000 tables in `lake`");
    assert!(!list.content.contains("not complete"), "{}", list.content);
    let found = async || {
        let typed = "/duck describe table:t11999";
        env.0.ana.complete("#data", typed).await.unwrap()
    };
    let choice = ("big.t11999".to_owned(), "big.t11999".to_owned());
    wait_until(found, |choices| *choices == [choice.clone()]).await;
    env.end().await;
}

#[tokio::test]
async fn a_catalog_that_moved_is_named_before_anything_is_stored() {
    let catalog = TreeCatalog::start(tables(&[(&["pond"], "species")])).await;
    let elsewhere = TreeCatalog::start(tables(&[(&["pond"], "species")])).await;
    let mut env = LocalEnv::start().await;
    env.variables.extend(owned(&[(
        "DUCKBOT_CATALOGS__LAKE__ENDPOINT",
        &catalog.url(),
    )]));
    env.restart_bot().await;
    // It also works at its old address.
    catalog.set_config(json!({ "defaults": {}, "overrides": { "uri": elsewhere.url() } }));
    env.enter_credentials(&env.ana).await;
    let moved = json!({ "defaults": {}, "overrides": { "uri": elsewhere.url(), "prefix": "new" } });
    catalog.set_config(moved);
    let asked = env.ana.run_command("#data", "/duck setup").await.unwrap();
    let kept = asked.reply().await;
    let pressed = env.ana.press(&kept, "Check again").await.unwrap();
    let answer = pressed.reply().await;
    assert_says(
        &answer,
        &format!("The catalog `lake` wants requests at `{}`", elsewhere.url()),
    );
    assert_says(
        &answer,
        "An admin has to correct the setting `catalogs.lake.endpoint`",
    );
    assert_eq!(
        elsewhere.requests(),
        [""; 0],
        "no credentials go to another address"
    );
    env.assert_clean().await;
}
