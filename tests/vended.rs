//! A catalog that hands out credentials for the storage (`vended_credentials`): a person enters a
//! catalog token and no S3 keys.

use std::time::Duration;

use discord_loopback::{MessageView, Person};
use serde_json::json;
use test_support::{
    ApiEnv, LocalEnv, PERMANENT_CREDENTIALS, TestEnv, TokenCatalog, VENDED_CREDENTIALS,
    assert_says, lake, session_id_in, wait_until,
};

const TOKEN: &str = "canary.catalog.token";
const TOKEN_FIELD: &str = "Catalog token";
const DUCKS: &str = "/duck sql query:FROM pond.zoo.ducks ORDER BY name";

/// Makes the catalog `lake` of a bot on Kubernetes hand out credentials.
const VENDS: (&str, &str) = ("DUCKBOT_CATALOGS__LAKE__VENDED_CREDENTIALS", "true");

/// Starts a bot with two catalogs: `lake`, which requires S3 keys, and `pond`, which hands out
/// credentials that are valid for this time.
async fn start(lifetime: Duration) -> (LocalEnv, TokenCatalog) {
    let mut env = LocalEnv::start().await;
    let catalog = TokenCatalog::start(Duration::from_secs(3600)).await;
    catalog.accept_only(TOKEN);
    catalog.vend_credentials(lifetime);
    let pond = [
        ("ENDPOINT", catalog.url()),
        ("S3_ENDPOINT", lake().s3.url()),
        ("S3_PATH_STYLE", "true".into()),
        ("VENDED_CREDENTIALS", "true".into()),
    ];
    let pond = pond.map(|(key, value)| (format!("DUCKBOT_CATALOGS__POND__{key}"), value));
    env.variables.extend(pond);
    env.restart_bot().await;
    (env, catalog)
}

async fn answer(person: &Person, line: &str) -> MessageView {
    let asked = person.run_command("#data", line).await.unwrap();
    asked
        .until(|it| !it.thinking && it.button("Cancel").is_none())
        .await
}

/// Presses a button that opens a form, enters values, and returns the reply.
async fn enter(person: &Person, at: &MessageView, values: &[(&str, &str)]) -> MessageView {
    let pressed = person.press(at, "Enter credentials").await.unwrap();
    let form = pressed.modal().await;
    person.submit(&form, values).await.unwrap().reply().await
}

async fn invitation(person: &Person, line: &str) -> MessageView {
    answer(person, line).await;
    person.read_dm().await
}

async fn ready_session(person: &Person, line: &str) {
    let asked = person.run_command("#data", line).await.unwrap();
    let id = session_id_in(&asked.reply().await.content);
    asked.until(|it| it.content.contains("is ready")).await;
    assert_says(&person.read("#data").await, &id);
}

#[tokio::test]
async fn a_person_enters_a_token_and_reads_tables() {
    let (env, catalog) = start(Duration::from_secs(900)).await;
    let ana = env.ana.clone();
    let invited = invitation(&ana, "/duck setup catalog:pond").await;
    assert_says(&invited, "You need no S3 credentials");
    let pressed = ana.press(&invited, "Enter credentials").await.unwrap();
    let form = pressed.modal().await;
    let labels: Vec<_> = form.inputs.iter().map(|it| it.label.as_str()).collect();
    assert_eq!(labels, ["Catalog token", "Catalog token expires"]);

    let wrong = ana.submit(&form, &[(TOKEN_FIELD, "other.token")]).await;
    let refused = wrong.unwrap().reply().await;
    assert_says(&refused, "The check of your catalog token failed");
    let stored = enter(&ana, &refused, &[(TOKEN_FIELD, TOKEN)]).await;
    assert_says(&stored, "Your catalog token was checked and saved.");

    ready_session(&ana, "/duck start catalog:pond").await;
    assert_says(&answer(&ana, DUCKS).await, "mallard │   1100");
    assert!(catalog.vended_count() > 0);
    let shown = answer(&ana, "/duck setup catalog:pond").await;
    assert_says(&shown, "Your catalog token was saved");
    let log = env.bot.log();
    for secret in VENDED_CREDENTIALS.iter().chain([&TOKEN]) {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
    env.assert_clean().await;
}

#[tokio::test]
async fn a_new_token_reaches_a_session_whose_token_has_expired() {
    let (env, catalog) = start(Duration::from_secs(2)).await;
    let ana = env.ana.clone();
    let invited = invitation(&ana, "/duck setup catalog:pond").await;
    let values = [(TOKEN_FIELD, TOKEN), ("Catalog token expires", "12h")];
    assert_says(&enter(&ana, &invited, &values).await, "checked and saved");
    ready_session(&ana, "/duck start catalog:pond").await;
    wait_until(async || catalog.are_vended_expired(), |is| *is).await;
    assert_says(&answer(&ana, DUCKS).await, "mallard │   1100");

    catalog.accept_only("canary.second.token");
    let refused = answer(&ana, DUCKS).await;
    assert_says(&refused, "doesn't accept your catalog token");
    let shown = answer(&ana, "/duck setup catalog:pond").await;
    assert_says(&shown, "Catalog token expires <t:");
    let pressed = ana.press(&shown, "Replace").await.unwrap();
    let form = pressed.modal().await;
    let sent = ana.submit(&form, &[(TOKEN_FIELD, "canary.second.token")]);
    let replaced = sent.await.unwrap();
    let replaced = replaced.until(|it| it.content.contains("saved")).await;
    assert_says(&replaced, "now uses them");
    assert_says(&answer(&ana, DUCKS).await, "mallard │   1100");
    env.assert_clean().await;
}

#[tokio::test]
async fn each_catalog_asks_for_what_it_requires_and_a_token_replaces_no_keys() {
    let (env, _catalog) = start(Duration::from_secs(900)).await;
    let ana = env.ana.clone();
    let asked = ana.run_command("#data", "/duck start catalog:pond").await;
    assert_eq!(asked.unwrap().modal().await.title, "Your catalog token");
    env.enter_credentials(&ana).await;
    let asked = ana.run_command("#data", "/duck start catalog:pond").await;
    let form = asked.unwrap().modal().await;
    let sent = ana.submit(&form, &[(TOKEN_FIELD, TOKEN)]).await.unwrap();
    let started = sent.until(|it| it.content.contains("is ready")).await;
    assert_says(&started, "Your catalog token was checked and saved.");
    ana.read("#data").await;
    let shown = answer(&ana, "/duck setup").await;
    assert_says(&shown, "and your catalog token were saved");
    env.assert_clean().await;
}

#[tokio::test]
async fn a_token_alone_does_not_start_a_session_that_requires_keys() {
    let (env, _catalog) = start(Duration::from_secs(900)).await;
    let ana = env.ana.clone();
    let invited = invitation(&ana, "/duck setup catalog:pond").await;
    enter(&ana, &invited, &[(TOKEN_FIELD, TOKEN)]).await;
    let asked = ana.run_command("#data", "/duck start").await.unwrap();
    let form = asked.modal().await;
    assert_eq!(form.title, "Your S3 credentials");
    let [(id_field, id), (secret_field, secret)] = PERMANENT_CREDENTIALS;
    let values = [(id_field, id), (secret_field, secret), (TOKEN_FIELD, TOKEN)];
    let sent = ana.submit(&form, &values).await.unwrap();
    let started = sent.until(|it| it.content.contains("is ready")).await;
    assert_says(&started, "were checked and saved");
    ana.read("#data").await;
    env.assert_clean().await;
}

#[tokio::test]
async fn a_secret_without_keys_is_enough_for_a_pod() {
    let env = TestEnv::start_with(&[VENDS]).await;
    let invited = env.request_invitation(&env.ana).await;
    let stored = env
        .fill_form(&env.ana, &invited, &[(TOKEN_FIELD, TOKEN)])
        .await;
    assert_says(&stored, "Your catalog token was checked and saved.");
    let secret = env.stored_credentials(&env.ana).await.unwrap();
    let names: Vec<_> = secret.data.unwrap().into_keys().collect();
    assert_eq!(names, ["catalog-token"]);

    let asked = env.reply_to(&env.ana, "/duck start").await;
    let id = session_id_in(&asked.content);
    env.kubelet.wait_for_pod(&id).await;
    let pod = env
        .cluster
        .pods()
        .get(&format!("duckui-{id}"))
        .await
        .unwrap();
    let containers = pod.spec.unwrap().containers;
    let all = containers.iter().flat_map(|it| it.env.iter().flatten());
    let needed = all.filter_map(|variable| {
        let secret = variable.value_from.as_ref()?.secret_key_ref.as_ref()?;
        (secret.optional == Some(false)).then_some(&*variable.name)
    });
    assert_eq!(needed.collect::<Vec<_>>(), ["CATALOG_TOKEN"]);
    env.assert_clean().await;
}

#[tokio::test]
async fn a_program_sends_a_token_alone() {
    let api_env = ApiEnv::start(&[VENDS]).await;
    let start = async |body| api_env.post("/sessions", &api_env.ana, body).await;
    let (status, refused) = start(json!({ "s3_key": "AKIAALONE", "s3_secret": "s" })).await;
    assert_eq!(status, 409, "{refused}");
    let detail = refused["detail"].as_str().unwrap();
    assert!(
        detail.contains("requires a catalog token (catalog_token)"),
        "{detail}"
    );
    let (status, made) = start(json!({ "catalog_token": TOKEN })).await;
    assert_eq!(status, 201, "{made}");
    api_env.env.assert_clean().await;
}
