//! The right one is told what to do: the person, an admin, or nobody but the clock. The answers
//! are those of real providers.

mod samples;

use std::time::Duration;

use discord_loopback::{MessageView, Person};
use kube::api::PostParams;
use test_support::{
    ApiEnv, CREDENTIALS, LocalEnv, PERMANENT_CREDENTIALS, Server, SignedCatalog, TestEnv,
    TokenCatalog, assert_says, lake, parse_response, session_id_in, session_request, wait_until,
};

use samples::{CATALOG, STORAGE, Sample};

#[tokio::test]
async fn the_chat_tells_the_right_one_what_an_answer_means() {
    let env = TestEnv::start().await;
    let invitation = env.request_invitation(&env.ana).await;
    let (storage, catalog): (&Server, &Server) = (&env.s3, &env.catalog);
    for (server, samples) in [(storage, &STORAGE[..]), (catalog, &CATALOG[..])] {
        for (status, body, words, _) in samples {
            server.answer_recorded(*status, &[], body);
            let reply = env.fill_form(&env.ana, &invitation, &CREDENTIALS).await;
            let said = reply.content;
            assert!(said.contains(words), "{status} {body}: {said}");
        }
        server.recover();
    }
    let reply = env.fill_form(&env.ana, &invitation, &CREDENTIALS).await;
    assert_says(&reply, "were checked and saved");
    env.assert_clean().await;
}

async fn assert_problems(api: &ApiEnv, server: &Server, samples: &[Sample]) {
    for (status, body, _, problem) in samples {
        server.answer_recorded(*status, &[], body);
        let asked = api.request(reqwest::Method::POST, "/sessions", &api.ana);
        let answer = asked.json(&session_request()).send().await.unwrap();
        let again = answer.headers().contains_key("retry-after");
        let (_, problem_document) = parse_response(answer).await;
        let kind = format!("urn:duckbot:problem:{problem}");
        assert_eq!(
            problem_document["type"], kind,
            "{status} {body}: {problem_document}"
        );
        assert_eq!(again, *problem == "unavailable", "{status} {body}");
    }
    server.recover();
}

#[tokio::test]
async fn the_api_says_whether_to_try_again_send_others_or_tell_an_admin() {
    let api = ApiEnv::start(&[]).await;
    assert_problems(&api, &api.env.s3, &STORAGE).await;
    assert_problems(&api, &api.env.catalog, &CATALOG).await;
    api.env.assert_nothing_left().await;
    api.assert_clean().await;
}

/// Runs a command, and returns its final reply.
async fn answer(person: &Person, line: &str) -> MessageView {
    let asked = person.run_command("#data", line).await.unwrap();
    asked
        .until(|it| !it.thinking && it.button("Cancel").is_none())
        .await
}

/// Enters credentials in the form. Returns the reply.
async fn enter(person: &Person, values: &[(&str, &str)]) -> MessageView {
    let asked = person.run_command("#data", "/duck setup").await.unwrap();
    asked.reply().await;
    let invitation = person.read_dm().await;
    let pressed = person.press(&invitation, "Enter credentials").await;
    let form = pressed.unwrap().modal().await;
    person.submit(&form, values).await.unwrap().reply().await
}

/// Starts a session and waits until it is ready.
async fn start_session(person: &Person) {
    let asked = person.run_command("#data", "/duck start").await.unwrap();
    let id = session_id_in(&asked.reply().await.content);
    asked.until(|it| it.content.contains("is ready")).await;
    assert_says(&person.read("#data").await, &id);
}

/// Restarts the bot with the lake's storage and another catalog.
async fn use_lake(env: &mut LocalEnv, catalog: &str, settings: &[(&str, &str)]) {
    let storage = lake().s3.url();
    let lake = [
        ("DUCKBOT_CATALOGS__LAKE__ENDPOINT", catalog),
        ("DUCKBOT_CATALOGS__LAKE__S3_ENDPOINT", &storage),
    ];
    let all = lake.iter().chain(settings);
    let all = all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    env.variables.extend(all);
    env.restart_bot().await;
}

#[tokio::test]
async fn a_query_that_fails_blames_nothing_but_its_cause() {
    const TOKEN: &str = "canary.catalog.token";
    const LOAD: &str = "/v1/namespaces/zoo/tables/ducks";
    let mut env = LocalEnv::start().await;
    let catalog = TokenCatalog::start(Duration::from_secs(3600)).await;
    catalog.accept_only(TOKEN);
    // The first part of the catalog's path looks like a bucket.
    let url = format!("{}/forbid", catalog.url());
    // A DuckDB that waits for the next query has files of the last one in its memory.
    let role = env.discord.role("analyst").to_string();
    let settings = [
        ("DUCKBOT_SQL__LINGER", "0s"),
        ("DUCKBOT_SQL__WRITE_ROLES", &role),
        // COPY allocates 77 MiB at once.
        ("DUCKBOT_SIZES__SMALL__MEMORY", "2Gi"),
    ];
    use_lake(&mut env, &url, &settings).await;
    let [(key_field, key), (secret_field, secret)] = [
        (PERMANENT_CREDENTIALS[0].0, "AKIABLAMED"),
        (PERMANENT_CREDENTIALS[1].0, "a-blamed-secret"),
    ];
    lake().s3.add_key(key, secret);
    let values = [
        (key_field, key),
        (secret_field, secret),
        (CREDENTIALS[3].0, TOKEN),
    ];
    let ana = env.ana.clone();
    assert_says(&enter(&ana, &values).await, "were checked and saved");
    start_session(&ana).await;
    let told = async |line: &str| answer(&ana, line).await.content;
    let read = "/duck sql query:SELECT count(*) FROM lake.zoo.ducks";
    let describe = "/duck describe table:zoo.ducks";
    let contains = |text: &str, words: &str| assert!(text.contains(words), "{words}: {text}");

    // A number in the data.
    let said = told("/duck sql query:SELECT '401-B'::INT AS room").await;
    contains(&said, "Conversion Error");
    assert!(!said.contains("/duck setup"), "{said}");

    // A table that may not be read.
    catalog.deny(LOAD, 403);
    for line in [read, describe] {
        let said = told(line).await;
        contains(&said, "The catalog `lake` denies you access.");
        assert!(!said.contains("Did you mean"), "{said}");
    }
    // A catalog may say instead that it does not exist.
    catalog.deny(LOAD, 404);
    contains(
        &told(read).await,
        "The catalog lists `lake.zoo.ducks`, but does not find it",
    );
    contains(
        &told(describe).await,
        "The catalog lists `zoo.ducks`, but does not find it",
    );
    catalog.deny(LOAD, 503);
    contains(
        &told(read).await,
        "The catalog `lake` is overloaded or has a problem right now.",
    );
    catalog.allow_all();

    // A write that the catalog refuses.
    let create = "/duck sql query:CREATE TABLE lake.zoo.blamed (n INTEGER)";
    for (status, words) in [
        (403, "The catalog `lake` denies you access."),
        (409, "The catalog `lake` reports a conflict"),
    ] {
        catalog.deny("/v1/namespaces/zoo/tables", status);
        contains(&told(create).await, words);
    }
    catalog.allow_all();
    catalog.deny("/v1/namespaces", 403);
    let said = told("/duck sql query:CREATE SCHEMA lake.blamed").await;
    contains(&said, "TransactionContext Error: Failed to commit");
    contains(&said, "The catalog `lake` denies you access.");
    catalog.allow_all();

    // Without the list, tables can be read and described.
    env.restart_bot().await;
    let ready = async || answer(&ana, "/duck list").await.content;
    wait_until(ready, |list| list.contains(": running, ")).await;
    for status in [500, 403] {
        catalog.deny("/v1/namespaces/zoo/tables", status);
        contains(&told(read).await, "1 row");
        contains(&told(describe).await, "name   │ VARCHAR");
    }
    catalog.allow_all();

    // The token has expired.
    catalog.accept_only("another.token");
    let said = told(read).await;
    contains(
        &said,
        "The catalog `lake` doesn't accept your catalog token.",
    );
    assert!(!said.contains("bucket"), "{said}");
    catalog.accept_only(TOKEN);

    // The storage doesn't know the key any more.
    lake().s3.forget(key);
    contains(
        &told(read).await,
        "The storage doesn't accept your S3 credentials.",
    );
    let copy = "/duck sql query:COPY (SELECT 1 AS n) TO 's3://lake/o''brien.csv'";
    contains(
        &told(copy).await,
        "The storage doesn't accept your S3 credentials.",
    );
    env.assert_clean().await;
}

#[tokio::test]
async fn without_credentials_a_query_asks_for_them() {
    let mut env = LocalEnv::start().await;
    use_lake(&mut env, &lake().catalog, &[]).await;
    let ana = env.ana.clone();
    lake().s3.add_key("AKIAFORGOTTEN", "a-forgotten-secret");
    env.enter_key_pair(&ana, "AKIAFORGOTTEN", "a-forgotten-secret")
        .await;
    start_session(&ana).await;
    let asked = answer(&ana, "/duck forget").await;
    let pressed = ana.press(&asked, "Delete only").await.unwrap();
    pressed
        .until(|it| it.content.contains("were deleted"))
        .await;
    for line in ["sql query:SELECT 1", "tables", "describe table:zoo.ducks"] {
        let said = answer(&ana, &format!("/duck {line}")).await;
        assert_says(
            &said,
            "Your saved credentials were deleted, and queries need them.",
        );
        assert!(said.button("Enter credentials").is_some());
    }
    env.assert_clean().await;
}

#[tokio::test]
async fn a_query_without_the_permission_to_run_commands_names_it() {
    let env = TestEnv::start().await;
    env.enter_credentials(&env.ana).await;
    env.ready_session(&env.ana).await;
    let told = async || {
        let reply = env.reply_to(&env.ana, "/duck sql query:SELECT 1").await;
        reply.content
    };
    let roles = env.cluster.roles();
    let mut role = roles.get("duckbot-sessions").await.unwrap();
    let rules = role.rules.as_mut().unwrap();
    rules.retain(|rule| rule.resources != Some(vec!["pods/exec".to_owned()]));
    let params = PostParams::default();
    let replaced = roles.replace("duckbot-sessions", &params, &role).await;
    replaced.unwrap();
    let denied = "an admin has to grant it: get pods/exec in the namespace ";
    wait_until(told, |said| said.contains(denied)).await;
    env.assert_clean().await;
}

#[tokio::test]
async fn a_catalog_of_aws_is_asked_with_signed_requests() {
    let mut env = LocalEnv::start().await;
    let catalog = SignedCatalog::start("us-east-1", "glue").await;
    use_lake(&mut env, &catalog.url(), &[]).await;
    let ana = env.ana.clone();
    let (key, secret) = ("AKIASIGNS", "a-secret-that-signs");
    lake().s3.add_key(key, secret);
    catalog.add_key(key, secret);
    let values = [
        (PERMANENT_CREDENTIALS[0].0, key),
        (PERMANENT_CREDENTIALS[1].0, secret),
    ];
    let refused = enter(&ana, &values).await;
    assert_says(
        &refused,
        "An admin has to set `sigv4_service` for this catalog",
    );

    let signed = [
        ("DUCKBOT_CATALOGS__LAKE__SIGV4_SERVICE", "glue"),
        (
            "DUCKBOT_CATALOGS__LAKE__WAREHOUSE",
            "123456789012:the lake+1",
        ),
    ];
    use_lake(&mut env, &catalog.url(), &signed).await;
    lake().s3.add_key("AKIAUNKNOWN", secret);
    let unknown = [(values[0].0, "AKIAUNKNOWN"), values[1]];
    assert_says(
        &enter(&ana, &unknown).await,
        "doesn't know this **access key ID**",
    );
    let nobody = enter(&ana, &[(values[0].0, "AKIANOBODY"), values[1]]).await;
    let told = nobody
        .content
        .matches("doesn't know this **access key ID**");
    assert_eq!(told.count(), 1, "{}", nobody.content);
    assert_says(&enter(&ana, &values).await, "were checked and saved");
    start_session(&ana).await;
    let told = answer(&ana, "/duck sql query:FROM lake.zoo.ducks ORDER BY name").await;
    assert_says(&told, "mallard │   1100");
    env.assert_clean().await;
}
