//! Queries and the log of a session that took new credentials.

use discord_loopback::Person;
use test_support::{assert_says, lake};

use super::{DUCKS, RuntimeEnv, answer, everywhere, run_command, start_session, stop_session};
use crate::local::replace_credentials;

everywhere!(a_renewed_session_answers_with_the_new_credentials_and_shows_its_log);

/// Enters a person's first credentials through `/duck setup`.
async fn enter_credentials(person: &Person, id: &str, secret: &str) {
    run_command(person, "/duck setup").await.reply().await;
    let invitation = person.read_dm().await;
    let pressed = person
        .press(&invitation, "Enter credentials")
        .await
        .unwrap();
    let form = pressed.modal().await;
    let typed = [("Access key ID", id), ("Secret access key", secret)];
    let sent = person.submit(&form, &typed).await.unwrap();
    assert_says(&sent.reply().await, "saved");
}

async fn a_renewed_session_answers_with_the_new_credentials_and_shows_its_log(
    env: impl RuntimeEnv,
) {
    let ana = env.discord().person("ana");
    // The test also runs with the other runtime, at the same lake.
    let [old, new] = ["AKIAOLD", "AKIANEW"].map(|id| format!("{id}{}", ana.id()));
    let secrets = ["the-secret-before-a-renewal", "the-secret-after-a-renewal"];
    lake().s3.add_key(&old, secrets[0]);
    lake().s3.add_key(&new, secrets[1]);
    enter_credentials(&ana, &old, secrets[0]).await;
    let id = start_session(&ana).await;
    // The DuckDB that answers has the old credentials, and waits for the next query.
    assert_says(&answer(&ana, DUCKS).await, "mallard");
    let told = replace_credentials(&ana, &new, secrets[1]).await;
    assert_says(&told, &format!("Session `{id}` now uses them."));
    lake().s3.forget(&old);
    assert_says(&answer(&ana, DUCKS).await, "mallard");

    let status = run_command(&ana, "/duck status").await.reply().await;
    let pressed = ana.press(&status, "Show log").await.unwrap();
    let shown = pressed.reply().await;
    assert_says(&shown, "without credentials");
    let log = shown.files[0].text();
    assert!(
        log.contains("the bot's command to renew credentials: done"),
        "{log}"
    );
    for hidden in [&old, &new, secrets[0], secrets[1]] {
        assert!(!log.contains(hidden), "{hidden} is in the log");
    }
    stop_session(&ana).await;
    env.assert_clean().await;
}
