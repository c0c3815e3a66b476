//! Past queries: the buttons under an answer, `/duck history`, and the Secret that keeps the texts. No
//! session runs, so each query is answered with that.

use discord_loopback::{MessageView, Person};
use futures_util::future::join_all;
use k8s_openapi::ByteString;
use serde_json::{Value, json};
use test_support::{ApiFault, Cluster, TestEnv, assert_says, wait_until};

/// Query that a message does not show whole.
fn long(name: &str) -> String {
    format!(
        "SELECT '{name}' AS canary, {}1 AS n",
        "1 AS n, ".repeat(300)
    )
}

/// Asks a query, and waits until it is in the person's history.
async fn ask(env: &TestEnv, person: &Person, sql: &str) -> MessageView {
    let told = ask_only(env, person, sql).await;
    let kept = async || kept_queries(env, person).await;
    wait_until(kept, |kept| kept.iter().any(|kept| kept == sql)).await;
    told
}

/// Makes queries need a session, so that none runs here.
const NO_RUNNERS: (&str, &str) = ("DUCKBOT_SQL__RUNNERS", "0");

/// Starts the bot for two people with credentials.
async fn start() -> TestEnv {
    let env = TestEnv::start_with(&[NO_RUNNERS]).await;
    for person in [&env.ana, &env.ben] {
        env.enter_credentials(person).await;
    }
    env
}

async fn ask_only(env: &TestEnv, person: &Person, sql: &str) -> MessageView {
    let told = env
        .reply_to(person, &format!("/duck sql query:{sql}"))
        .await;
    assert_says(&told, "You have no running session");
    told
}

/// Texts in the Secret with a person's history.
async fn kept_queries(env: &TestEnv, person: &Person) -> Vec<String> {
    let found = env.cluster.secrets().get_opt(&secret_name(person)).await;
    let data = found.unwrap().and_then(|secret| secret.data);
    let read = |ByteString(value): ByteString| {
        let query: Value = serde_json::from_slice(&value).unwrap();
        query["sql"].as_str().unwrap().to_owned()
    };
    data.unwrap_or_default().into_values().map(read).collect()
}

/// Labels of the menu of past queries.
async fn past_queries(env: &TestEnv, person: &Person) -> Vec<String> {
    let told = env.reply_to(person, "/duck history").await;
    let options = told.menus.iter().flat_map(|menu| &menu.options);
    options.map(|option| option.label.clone()).collect()
}

/// Name of the Secret with a person's history.
fn secret_name(person: &Person) -> String {
    format!("duckbot-history-{}", person.id())
}

#[tokio::test]
async fn the_whole_query_is_edited_and_run_again_after_a_restart() {
    let mut env = start().await;
    let ana = env.ana.clone();
    let (short, whole) = ("SELECT 42 AS canary", long("long"));
    let told = [ask(&env, &ana, short).await, ask(&env, &ana, &whole).await];
    env.kill_bot().await;
    env.start_bot().await;
    for (told, sql) in told.iter().zip([short, &whole]) {
        let form = ana.press(told, "Edit").await.unwrap().modal().await;
        assert_eq!(form.inputs[0].value, sql);
        let again = ana.press(told, "Run again").await.unwrap().reply().await;
        assert_says(&again, "You have no running session");
        assert_ne!(again.id, told.id, "the first answer stays");
        assert!(again.ephemeral && again.button("Start a session").is_some());
    }
    // Another person can't press a button that only Ana sees, but a request can be forged.
    for label in ["Run again", "Edit"] {
        let id = told[1].button(label).unwrap().custom_id.clone().unwrap();
        let pressed = env.ben.press_custom_id(told[1].id, &id).await.unwrap();
        let refused = pressed.reply().await;
        assert_says(&refused, &format!("Only {} can run or edit", ana.mention()));
        assert!(refused.ephemeral && !refused.content.contains("canary"));
    }
    for log in [env.log(), Cluster::shared().audit_log()] {
        assert!(!log.contains("AS canary"), "a log has a query");
    }
    env.assert_clean().await;
}

#[tokio::test]
async fn a_query_that_no_form_can_hold_comes_back_as_a_file() {
    let env = start().await;
    let sql = format!("SELECT {}1", "1, ".repeat(2000));
    let file = env.ana.upload("q.sql", sql.as_bytes());
    let told = env
        .reply_to(&env.ana, &format!("/duck sql file:{file}"))
        .await;
    let kept = async || kept_queries(&env, &env.ana).await;
    wait_until(kept, |kept| !kept.is_empty()).await;
    let edited = env.ana.press(&told, "Edit").await.unwrap().reply().await;
    assert_says(&edited, "too long for a form");
    assert_eq!(edited.files[0].text(), sql);
    env.assert_clean().await;
}

#[tokio::test]
async fn queries_at_once_are_all_kept_up_to_a_limit() {
    let env = start().await;
    let ask_all = async |from: usize, to: usize| {
        let asked = (from..to).map(|number| {
            let (env, sql) = (&env, format!("SELECT {number} AS n"));
            async move { ask(env, &env.ana, &sql).await }
        });
        join_all(asked).await;
    };
    ask_all(0, 20).await;
    let mut kept = past_queries(&env, &env.ana).await;
    kept.sort();
    let mut asked: Vec<_> = (0..20).map(|n| format!("SELECT {n} AS n")).collect();
    asked.sort();
    assert_eq!(kept, asked);
    // The same text again is the same query.
    ask(&env, &env.ana, "SELECT 7 AS n").await;
    let newest_first = async || past_queries(&env, &env.ana).await;
    let kept = wait_until(newest_first, |kept| kept[0] == "SELECT 7 AS n").await;
    assert_eq!(kept.len(), 20);
    ask_all(20, 30).await;
    let kept = wait_until(newest_first, |kept| kept.len() == 25).await;
    for newest in 20..30 {
        assert!(kept.contains(&format!("SELECT {newest} AS n")), "{kept:?}");
    }
    assert!(past_queries(&env, &env.ben).await.is_empty());
    env.assert_clean().await;
}

#[tokio::test]
async fn a_past_query_is_chosen_and_all_are_deleted() {
    let env = start().await;
    let ana = &env.ana;
    let told = env.reply_to(ana, "/duck history").await;
    assert_says(&told, "You have no past queries.");
    let whole = long("chosen");
    ask(&env, ana, "SELECT 42").await;
    let answered = ask(&env, ana, &whole).await;
    let told = env.reply_to(ana, "/duck history").await;
    assert_says(&told, "Choose one of your past queries");
    let labels: Vec<_> = told.menus[0].options.iter().collect();
    assert!(
        labels[0]
            .label
            .starts_with("SELECT 'chosen' AS canary, 1 AS n")
    );
    assert!(labels[0].description.starts_with("Did not run, 20"));

    let chosen = ana.choose(&told, &labels[0].label).await.unwrap();
    let chosen = chosen.reply().await;
    assert_says(&chosen, "Did not run, <t:");
    let form = ana.press(&chosen, "Edit").await.unwrap().modal().await;
    assert_eq!(form.inputs[0].value, whole);
    let other = ana.choose(&chosen, "SELECT 42").await.unwrap();
    assert_says(&other.reply().await, "```sql\nSELECT 42\n```");

    let pressed = ana.press(&chosen, "Delete all").await.unwrap();
    assert_says(&pressed.reply().await, "Your past queries are deleted.");
    let secrets = env.cluster.secrets();
    assert!(secrets.get_opt(&secret_name(ana)).await.unwrap().is_none());
    let gone = ana.press(&answered, "Run again").await.unwrap();
    assert_says(&gone.reply().await, "This query is not saved any more.");
    env.assert_clean().await;
}

#[tokio::test]
async fn forgetting_deletes_past_queries_too() {
    let env = TestEnv::start_with(&[NO_RUNNERS]).await;
    let secrets = env.cluster.secrets();
    let is_kept = async || {
        let found = secrets.get_opt(&secret_name(&env.ana)).await;
        found.unwrap().is_some()
    };
    // Her query is kept while the form for her credentials is open.
    let command = "/duck sql query:SELECT 42";
    let asked = env.ana.run_command("#data", command).await.unwrap();
    asked.modal().await;
    wait_until(is_kept, |is_kept| *is_kept).await;
    let question = env.reply_to(&env.ana, "/duck forget").await;
    assert_says(
        &question,
        "You have no saved credentials. Delete your past queries?",
    );
    let pressed = env.ana.press(&question, "Delete all").await.unwrap();
    pressed.reply().await;
    assert!(!is_kept().await);

    env.enter_credentials(&env.ana).await;
    ask(&env, &env.ana, "SELECT 42").await;
    assert!(is_kept().await);
    let question = env.reply_to(&env.ana, "/duck forget").await;
    assert_says(&question, "and your past queries?");
    let pressed = env.ana.press(&question, "Delete").await.unwrap();
    pressed.reply().await;
    assert!(!is_kept().await);
    env.assert_clean().await;
}

#[tokio::test]
async fn a_history_that_cannot_be_written_fails_no_query() {
    let env = start().await;
    env.api.set_faults(|call| {
        let is_history = call.route == "secrets" && matches!(&*call.method, "PATCH" | "POST");
        is_history.then(|| ApiFault::Answer(403, "denied by a webhook".into()))
    });
    let told = ask_only(&env, &env.ana, &long("lost")).await;
    env.wait_for_log("a query was not added to the history of")
        .await;
    let pressed = env.ana.press(&told, "Edit").await.unwrap();
    assert_says(&pressed.reply().await, "This query is not saved any more.");
    // A text that its message shows whole needs no history.
    let told = ask_only(&env, &env.ana, "SELECT 42").await;
    let form = env.ana.press(&told, "Edit").await.unwrap().modal().await;
    assert_eq!(form.inputs[0].value, "SELECT 42");
    assert!(!env.log().contains("'lost'"), "the log has a query");
    env.api.clear_faults();
    env.assert_clean().await;
}

#[tokio::test]
async fn without_histories_nothing_is_stored() {
    let env = TestEnv::start_with(&[NO_RUNNERS, ("DUCKBOT_SQL__HISTORY", "false")]).await;
    let told = ask_only(&env, &env.ana, &long("unkept")).await;
    assert!(told.button("Run again").is_none() && told.button("Edit").is_none());
    let told = ask_only(&env, &env.ana, "SELECT 42").await;
    let form = env.ana.press(&told, "Edit").await.unwrap().modal().await;
    assert_eq!(form.inputs[0].value, "SELECT 42");
    assert_says(
        &env.reply_to(&env.ana, "/duck history").await,
        "New queries are not saved, because an admin turned that off.",
    );
    let secrets = env.cluster.secrets();
    let found = secrets.get_opt(&secret_name(&env.ana)).await.unwrap();
    assert!(found.is_none());
    env.assert_clean().await;
}

#[tokio::test]
async fn a_person_without_a_role_deletes_past_queries() {
    let env = start().await;
    let gil = env.discord.person("gil");
    let past = json!({
        "metadata": { "name": secret_name(&gil) },
        "stringData": { "entry": r#"{"sql":"SELECT 1","at":"2026-11-23T13:00:00Z","outcome":"done"}"# },
    });
    let secrets = env.cluster.secrets();
    let past = serde_json::from_value(past).unwrap();
    secrets.create(&Default::default(), &past).await.unwrap();
    gil.write_dm("hello");
    let told = gil.read_dm().await;
    assert_says(&told, "Your past queries are still saved.");
    let pressed = gil.press(&told, "Delete them").await.unwrap();
    assert_says(&pressed.reply().await, "Your past queries are deleted.");
    assert!(secrets.get_opt(&secret_name(&gil)).await.unwrap().is_none());
    env.assert_clean().await;
}
