//! DuckDB clients of a session: DuckDB's command line and Python on a person's own machine, with the statements that
//! `/duck connect` shows.

use discord_loopback::MessageView;
use serde_json::json;
use test_support::{Browser, LocalEnv, OwnMachine, Ran, UiClient, assert_says, link_of};

use crate::local::{ready_session, reply_to, stop_session};

/// Blocks of code in a reply to `/duck connect`: for the command line and for Python.
pub fn snippets(reply: &MessageView) -> (String, String) {
    let block = |language: &str| {
        let begin = format!("```{language}\n");
        let (_, rest) = reply.content.split_once(&begin).unwrap();
        rest.split_once("```").unwrap().0.to_owned()
    };
    (block("sql"), block("python"))
}

/// Asserts that a command succeeded and said each of these.
pub fn assert_ran(ran: &Ran, expected: &[&str]) {
    assert!(ran.is_ok, "{}", ran.said);
    for text in expected {
        assert!(ran.said.contains(text), "{text:?} in\n{}", ran.said);
    }
}

/// Asserts that a command failed with this reason.
pub fn assert_failed(ran: &Ran, reason: &str) {
    assert!(
        !ran.is_ok && ran.said.contains(reason),
        "{reason:?} in\n{}",
        ran.said
    );
}

/// Key in the statements.
pub fn key_in(statements: &str) -> &str {
    let (_, rest) = statements.split_once("Bearer ").unwrap();
    rest.split_once('\'').unwrap().0
}

async fn start() -> LocalEnv {
    let mut home = LocalEnv::start().await;
    home.enter_credentials(&home.ana).await;
    let off = reply_to(&home.ana, "/duck connect").await;
    assert_says(
        &off,
        "Connecting DuckDB clients to sessions is turned off here.",
    );
    for (name, value) in [
        ("DUCKBOT_SESSIONS__CONNECT", "true"),
        ("DUCKBOT_DUCKDB__UI", "console"),
    ] {
        home.variables.insert(name.into(), value.into());
    }
    home.restart_bot().await;
    home
}

/// Returns the status of a request that a page sends to `/quack` with a key, or why it could not.
async fn post_from_page(browser: &Browser, url: &str, key: &str) -> String {
    let script = format!(
        "try {{ return String((await fetch('{url}quack', {{ method: 'POST', body: 'x', \
         headers: {{ authorization: 'Bearer {key}' }} }})).status) }} catch (error) {{ return String(error) }}"
    );
    let said = browser.run_script(&script).await;
    said.as_str().unwrap().to_owned()
}

#[tokio::test]
async fn ana_uses_her_session_from_her_own_machine_until_she_revokes_the_key() {
    let home = start().await;
    let none = reply_to(&home.ana, "/duck connect").await;
    assert_says(&none, "You have no session to connect clients to.");
    let session = ready_session(&home.ana).await;
    let (ben, line) = (
        home.discord.person("ben"),
        format!("/duck connect session:{session}"),
    );
    let others = reply_to(&ben, &line).await;
    assert_says(&others, "Only its owner can connect clients to it.");

    // DuckDB's command line and Python run what the reply shows.
    let shown = reply_to(&home.ana, "/duck connect").await;
    assert!(shown.ephemeral);
    let (sql, python) = snippets(&shown);
    let key = key_in(&sql).to_owned();
    let machine = OwnMachine::new();
    let made = format!("{sql}\nCREATE TABLE duck.notes AS SELECT 'swan' AS name; FROM duck.notes;");
    assert_ran(&machine.run_sql(&made).await, &["swan"]);
    assert_ran(&machine.run_python(&python).await, &["work", "notes"]);
    let inserted = format!("{sql}\nINSERT INTO duck.notes VALUES ('goose');");
    assert_ran(&machine.run_sql(&inserted).await, &[]);

    // The session has the rows, beside the browser.
    let link = link_of(&reply_to(&home.ana, "/duck open").await, "Open DuckDB");
    let (host, _) = link.split_once("/.duckbot").unwrap();
    let (_, port) = host.rsplit_once(':').unwrap();
    let ui = UiClient::enter(&link, &format!("http://127.0.0.1:{port}")).await;
    let rows = ui.rows("SELECT name FROM notes ORDER BY name").await;
    assert_eq!(
        rows.unwrap(),
        json!([{ "name": "goose" }, { "name": "swan" }])
    );

    // A page can't use the key: neither the session's own, nor another one.
    let browser = Browser::start_local().await;
    let link = link_of(&reply_to(&home.ana, "/duck open").await, "Open DuckDB");
    let url = link.split_once(".duckbot").unwrap().0.to_owned();
    browser.open(&link).await;
    browser.wait_for_text("Run all").await;
    assert_eq!(post_from_page(&browser, &url, &key).await, "403");
    browser.open("data:text/html,elsewhere").await;
    let said = post_from_page(&browser, &url, &key).await;
    assert!(said.contains("Failed to fetch"), "{said}");

    // A wrong key, and no key, are refused in words.
    let wrong = sql.replace(&key, "another");
    let refused = machine.run_sql(&wrong).await;
    assert_failed(
        &refused,
        "This key is not valid for this session, or not any more.",
    );
    let without = sql.replace("Authorization", "Other");
    assert_failed(&machine.run_sql(&without).await, "This request has no key.");

    // Two keys are valid at a time, and both end.
    let second = reply_to(&home.ana, "/duck connect").await;
    let (second_sql, _) = snippets(&second);
    assert_ran(&machine.run_sql(&second_sql).await, &["notes"]);
    let mut shell = machine.start_shell().await;
    shell.send(&sql).await;
    shell.send("FROM duck.query('SELECT ''in'''); ").await;
    while shell.next_line().await != "in" {}
    let pressed = home.ana.press(&second, "Revoke").await.unwrap();
    let told = pressed
        .until(|reply| reply.content.contains("are revoked"))
        .await;
    assert_says(&told, "and its clients are disconnected");
    shell.send("FROM duck.query('SELECT 1');").await;
    let said = shell.end().await;
    assert!(
        said.contains("or not any more. Type /duck connect"),
        "{said}"
    );
    assert_failed(&machine.run_sql(&second_sql).await, "or not any more");

    // A new key works, until the session ends.
    let (sql, _) = snippets(&reply_to(&home.ana, "/duck connect").await);
    assert_ran(&machine.run_sql(&sql).await, &["notes"]);
    stop_session(&home.ana).await;
    home.wait_until_empty().await;
    assert_failed(
        &machine.run_sql(&sql).await,
        "There is no session at this address.",
    );
    let log = home.log();
    for key in [&*key, key_in(&second_sql), key_in(&sql)] {
        assert!(!log.contains(key));
    }
    home.assert_clean().await;
}
