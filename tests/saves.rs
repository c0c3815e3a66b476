//! Tests of `/duck save` and `/duck restore`, with sessions on this machine and a lake on S3.

use discord_loopback::Person;
use serde_json::json;
use test_support::{LocalEnv, assert_says, lake, session_id_in};

use crate::local::{open_ui, reply_to, start_with_work};

/// Starts an environment in which Ana's work is saved.
async fn start_env(key: &str) -> LocalEnv {
    let secret = "a-secret-for-saves-on-this-machine";
    lake().s3.add_key(key, secret);
    let home = start_with_work(&[]).await;
    home.enter_key_pair(&home.ana, key, secret).await;
    home
}

/// Saves the work of a person's only session. Returns the last reply.
async fn save(person: &Person) -> String {
    let asked = person.run_command("#data", "/duck save").await.unwrap();
    let saved = asked.until(|it| !it.content.starts_with("Saving")).await;
    saved.content
}

#[tokio::test]
async fn an_earlier_save_of_a_workspace_is_restored() {
    let home = start_env("AKIASAVESONTHISMACHINE").await;
    let ana = &home.ana;
    let none = reply_to(ana, "/duck save").await;
    assert_says(&none, "You have no session to save.");
    let none = reply_to(ana, "/duck restore save:9").await;
    assert_says(
        &none,
        "There is no save 9. Your workspace **main** has no saved work.",
    );

    let line = "/duck start workspace:sales";
    let asked = ana.run_command("#data", line).await.unwrap();
    let ready = asked.until(|it| it.content.contains("is ready")).await;
    let id = session_id_in(&ready.content);
    ana.read("#data").await;
    let ui = open_ui(ana).await;
    ui.run_sql("CREATE TABLE birds AS SELECT 'teal' AS name")
        .await
        .unwrap();
    let saved = format!("Session `{id}` in **sales**: Your work is saved (1 table, ");
    assert!(save(ana).await.starts_with(&saved));
    ui.run_sql("INSERT INTO birds VALUES ('smew')")
        .await
        .unwrap();
    assert!(save(ana).await.starts_with(&saved));
    let ben = home.discord.person("ben");
    let refused = reply_to(&ben, &format!("/duck save session:{id}")).await;
    assert_says(&refused, "Only its owner can save it.");

    let list = reply_to(ana, "/duck restore workspace:sales").await;
    assert!(list.button("Restore 1").is_some() && list.button("Restore 2").is_some());
    let suggested = ana.complete("#data", "/duck restore workspace:sales save:");
    let suggested = suggested.await.unwrap();
    let numbers: Vec<_> = suggested.iter().map(|(_, value)| value.as_str()).collect();
    assert_eq!(numbers, ["2", "1"]);

    // A running session keeps its work.
    let refused = reply_to(ana, "/duck restore workspace:sales save:1").await;
    assert_says(&refused, "To restore a save, first stop that session.");
    let question = ana.press(&refused, "Stop").await.unwrap().reply().await;
    let pressed = ana.press(&question, "Stop it").await.unwrap();
    pressed.until(|it| it.content.contains("is stopped")).await;
    let suggested = ana.complete("#data", "/duck start workspace:");
    let workspaces = [("sales (saved)".to_owned(), "sales".to_owned())];
    assert_eq!(suggested.await.unwrap(), workspaces);
    let again = ana.press(&refused, "Try again").await.unwrap();
    again.until(|it| it.content.contains("is ready")).await;
    assert_says(&ana.read("#data").await, " is here: 1 table.");
    let rows = open_ui(ana).await.rows("SELECT name FROM birds").await;
    assert_eq!(rows, Ok(json!([{ "name": "teal" }])));

    let question = reply_to(ana, "/duck stop").await;
    let pressed = ana.press(&question, "Stop it").await.unwrap();
    pressed.until(|it| it.content.contains("is stopped")).await;
    home.assert_clean().await;
}
