//! Preflight of credentials before they are stored, against an S3 server that checks signatures and
//! a catalog with injected faults.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use test_support::{CREDENTIALS, Catalog, PERMANENT_CREDENTIALS, S3, TestEnv, assert_says};

/// Enters credentials. Checks that the reply contains `answer` and that nothing is stored.
async fn assert_refused(env: &TestEnv, values: &[(&str, &str)], answer: &str) {
    let invitation = env.request_invitation(&env.ana).await;
    let reply = env.fill_form(&env.ana, &invitation, values).await;
    assert!(
        reply
            .content
            .starts_with("The check of your S3 credentials failed, so they were not saved:"),
        "{}",
        reply.content
    );
    assert_says(&reply, answer);
    assert!(reply.button("Enter credentials").is_some());
    assert!(env.stored_credentials(&env.ana).await.is_none());
}

#[tokio::test]
async fn one_signed_listing_and_two_looks_at_the_catalog() {
    let env = TestEnv::start().await;
    env.enter_credentials(&env.ana).await;
    assert_eq!(
        env.s3.requests(),
        ["GET /lake?list-type=2&max-keys=1&prefix="]
    );
    assert_eq!(
        env.catalog.requests(),
        ["GET /v1/config", "GET /v1/namespaces"]
    );
    let requests = env.catalog.received_requests();
    assert!(
        requests.iter().all(|request| request.authorized),
        "the requests must have the person's token"
    );
    env.assert_clean().await;
}

#[tokio::test]
async fn each_way_in_which_credentials_are_wrong_is_named() {
    let env = TestEnv::start().await;
    let [id, secret] = PERMANENT_CREDENTIALS;
    let other = ("Access key ID", "AKIAUNKNOWN000000000");
    assert_refused(
        &env,
        &[other, secret],
        "doesn't know this **access key ID**",
    )
    .await;
    let other = ("Secret access key", "canary/SomebodyElsesSecret");
    assert_refused(&env, &[id, other], "**secret access key** doesn't belong").await;
    let other = ("Session token", "canaryWrongToken==");
    assert_refused(
        &env,
        &[CREDENTIALS[0], CREDENTIALS[1], other],
        "**session token** isn't valid for this access key ID",
    )
    .await;
    let past = Utc::now() - TimeDelta::minutes(1);
    env.s3
        .add_temporary_key(CREDENTIALS[0].1, CREDENTIALS[1].1, CREDENTIALS[2].1, past);
    assert_refused(&env, &CREDENTIALS, "**session token** has expired").await;
    env.s3.deny(id.1, "s3:ListBucket", "lake");
    let lacking = "list bucket `lake` (permission `s3:ListBucket`)";
    assert_refused(&env, &PERMANENT_CREDENTIALS, lacking).await;
    env.assert_clean().await;
}

#[tokio::test]
async fn a_wrong_clock_is_named_and_the_credentials_are_not_blamed() {
    let env = TestEnv::start().await;
    env.s3.set_clock_offset(TimeDelta::minutes(16));
    assert_refused(
        &env,
        &PERMANENT_CREDENTIALS,
        "My clock and the storage's differ",
    )
    .await;
    env.s3.set_clock_offset(TimeDelta::minutes(14));
    let invitation = env.request_invitation(&env.ana).await;
    let reply = env
        .fill_form(&env.ana, &invitation, &PERMANENT_CREDENTIALS)
        .await;
    assert_says(&reply, "were checked and saved");
    env.assert_clean().await;
}

#[tokio::test]
async fn wrong_settings_are_named_as_such() {
    let bucket = ("DUCKBOT_CATALOGS__LAKE__S3_BUCKET", "pond");
    let env = TestEnv::start_with(&[bucket]).await;
    assert_refused(
        &env,
        &PERMANENT_CREDENTIALS,
        "The storage has no bucket `pond`",
    )
    .await;
    env.s3.set_region("eu-central-1");
    assert_refused(
        &env,
        &PERMANENT_CREDENTIALS,
        "in another region than my settings say",
    )
    .await;
    env.assert_clean().await;
}

#[tokio::test]
async fn without_a_bucket_the_credentials_are_not_blamed() {
    let env = TestEnv::start_with(&[("DUCKBOT_CATALOGS__LAKE__S3_BUCKET", "")]).await;
    env.s3
        .deny(PERMANENT_CREDENTIALS[0].1, "s3:ListAllMyBuckets", "*");
    let invitation = env.request_invitation(&env.ana).await;
    // This denial does not prove for every storage that the credentials are valid.
    let reply = env
        .fill_form(&env.ana, &invitation, &PERMANENT_CREDENTIALS)
        .await;
    assert!(reply.content.starts_with(
        "Your S3 credentials (access key ID ending in `WXYZ`) were saved without a check."
    ));
    let reply = env.fill_form(&env.ana, &invitation, &CREDENTIALS).await;
    assert_says(&reply, "were checked and saved");
    assert_eq!(env.s3.requests(), ["GET /", "GET /"]);
    env.assert_clean().await;
}

#[tokio::test]
async fn a_storage_or_a_catalog_that_misbehaves_is_said_to_and_no_redirect_is_followed() {
    let env = TestEnv::start().await;
    let elsewhere = S3::start().await;
    env.s3.redirect_to(307, &elsewhere.url());
    assert_refused(
        &env,
        &PERMANENT_CREDENTIALS,
        "The storage is overloaded or has a problem right now (HTTP 307)",
    )
    .await;
    env.catalog.redirect_to(302, &elsewhere.url());
    assert_refused(
        &env,
        &PERMANENT_CREDENTIALS,
        "The server at the address of the catalog `lake` is not an Iceberg REST catalog",
    )
    .await;
    assert_eq!(elsewhere.requests(), [""; 0]);
    env.catalog.recover();

    env.s3.answer_endlessly(403);
    assert_refused(
        &env,
        &PERMANENT_CREDENTIALS,
        "is not an S3 service (HTTP 403)",
    )
    .await;
    env.s3.answer_garbage(200);
    assert_refused(
        &env,
        &PERMANENT_CREDENTIALS,
        "The server at the address of the storage is not an S3 service (HTTP 200)",
    )
    .await;
    env.s3.recover();
    env.catalog.answer_garbage(200);
    assert_refused(
        &env,
        &PERMANENT_CREDENTIALS,
        "The server at the address of the catalog `lake` is not an Iceberg REST catalog",
    )
    .await;
    env.catalog.recover();
    env.catalog.answer_with(500);
    assert_refused(
        &env,
        &PERMANENT_CREDENTIALS,
        "overloaded or has a problem right now (HTTP 500)",
    )
    .await;
    env.assert_clean().await;
}

#[tokio::test]
async fn what_does_not_answer_is_waited_for_a_few_seconds_only() {
    let env = TestEnv::start().await;
    env.s3.hang();
    env.catalog.stall(200);
    let limit = Duration::from_secs(60);
    let answered = assert_refused(&env, &PERMANENT_CREDENTIALS, "I can't reach the storage");
    tokio::time::timeout(limit, answered)
        .await
        .expect("the check ended in time");
    env.assert_clean().await;
}

#[tokio::test]
async fn a_catalog_that_wants_a_token_or_another_one_says_so() {
    let catalog = Catalog::start().await;
    let env = TestEnv::start_with(&[("DUCKBOT_CATALOGS__LAKE__ENDPOINT", &catalog.url())]).await;
    assert_refused(
        &env,
        &PERMANENT_CREDENTIALS,
        "The catalog `lake` requires a **catalog token**",
    )
    .await;
    assert_refused(&env, &CREDENTIALS, "doesn't accept this **catalog token**").await;
    catalog.accept(CREDENTIALS[3].1);
    let reply = env.enter_credentials(&env.ana).await;
    assert_says(&reply, "were checked and saved");

    catalog.forget(CREDENTIALS[3].1);
    let kept = env.reply_to(&env.ana, "/duck setup").await;
    let pressed = env.ana.press(&kept, "Check again").await.unwrap();
    let answer = pressed.reply().await.content;
    assert!(
        answer.contains("doesn't accept this **catalog token**"),
        "{answer}"
    );
    env.assert_clean().await;
}

#[tokio::test]
async fn the_catalog_to_try_against_can_be_chosen() {
    let env = TestEnv::start().await;
    let asked = env
        .ana
        .run_command("#data", "/duck setup catalog:pond")
        .await
        .unwrap();
    asked.reply().await;
    let invitation = env.ana.read_dm().await;
    let reply = env
        .fill_form(&env.ana, &invitation, &PERMANENT_CREDENTIALS)
        .await;
    // The endpoint of `pond` does not exist.
    assert_says(&reply, "I can't reach the catalog `pond`");
    assert_eq!(env.catalog.requests(), [""; 0]);
    env.assert_clean().await;
}

#[tokio::test]
async fn trying_can_be_turned_off() {
    let env = TestEnv::start_with(&[("DUCKBOT_CREDENTIALS__PREFLIGHT", "false")]).await;
    let reply = env.enter_credentials(&env.ana).await;
    assert!(
        reply
            .content
            .starts_with("Your S3 credentials (access key ID ending in `4D7Q`) and your catalog token were saved without a check.")
    );
    assert_eq!(env.s3.requests(), [""; 0]);
    let kept = env.reply_to(&env.ana, "/duck setup").await;
    assert_says(&kept, "They have not been checked.");
    env.assert_clean().await;
}
