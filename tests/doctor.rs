//! Tests of `/duck doctor`: each thing that can fail is made to fail.

use std::sync::{
    Arc,
    atomic::{AtomicU16, Ordering::Relaxed},
};

use axum::{Router, http::StatusCode};
use chrono::{TimeDelta, Utc};
use discord_loopback::{MessageView, Person};
use test_support::{
    ApiFault, CREDENTIALS, Certificates, ForwardProxy, ReservedPort, TestEnv, TlsFront,
    assert_says, duckdb_pids, lake, signal, wait_until,
};

use crate::{check::gateway::refuse_route, local};

/// Runs the command, and returns the reply once all is checked.
pub async fn examine(person: &Person, line: &str) -> MessageView {
    let asked = person.run_command("#data", line).await.unwrap();
    let done = asked.until(|it| it.button("Check again").is_some()).await;
    assert!(done.ephemeral);
    done
}

#[tokio::test]
async fn a_person_without_a_session_reads_what_keeps_them_from_starting_one() {
    let env = TestEnv::start_with(&[("DUCKBOT_SESSIONS__PER_USER", "1")]).await;
    let ana = &env.ana;
    let none = examine(ana, "/duck doctor").await;
    assert_says(
        &none,
        "You have no saved S3 credentials, and the catalog `lake` requires them.",
    );
    assert!(none.button("Enter credentials").is_some());

    env.enter_credentials(ana).await;
    let again = ana.press(&none, "Check again").await.unwrap();
    let fine = again.until(|it| it.content.contains("You can start")).await;
    for line in [
        "✅ Cluster: answers",
        "✅ Starts: allowed",
        "✅ Your sessions: 0 of 1",
        "✅ Cluster's rules: allow a session",
        "✅ S3 credentials: work",
        "✅ Storage: answers",
        "✅ Catalog `lake`: answers",
    ] {
        assert_says(&fine, line);
    }

    env.catalog.answer_with(503);
    let busy = examine(ana, "/duck doctor").await;
    assert_says(
        &busy,
        "❌ Catalog `lake`: is overloaded or has a problem (HTTP 503)",
    );
    assert_says(&busy, "✅ S3 credentials: are saved");
    env.s3.deny(CREDENTIALS[0].1, "s3:ListBucket", "lake");
    let refused = examine(ana, "/duck doctor").await;
    assert_says(&refused, "❌ S3 credentials: don't work");
    assert_says(&refused, "list bucket `lake` (permission `s3:ListBucket`)");
    let past = Utc::now() - TimeDelta::hours(1);
    env.annotate_credentials(ana, "expires-at", past).await;
    let expired = examine(ana, "/duck doctor").await;
    assert_says(
        &expired,
        "**I found a problem.** Your S3 credentials expired <t:",
    );

    env.reply_to(&env.ada, "/duck pause until:2h reason:We upgrade.")
        .await;
    let paused = examine(ana, "/duck doctor").await;
    assert_says(&paused, "**I found 2 problems.** The first one to solve: ");
    assert_says(&paused, "❌ Starts: paused until <t:");
    env.api.set_faults(|call| {
        let is_pause = call.method == "GET" && call.path.ends_with("/duckbot-pause");
        is_pause.then(|| ApiFault::Answer(500, "etcd is gone".into()))
    });
    let lost = examine(ana, "/duck doctor").await;
    assert_says(&lost, "❌ Cluster: does not answer as it should");
    assert_says(&lost, "❔ Starts: could not be checked");
    env.mark_all_read().await;
    env.assert_clean().await;
}

#[tokio::test]
async fn a_session_whose_address_has_no_dns_entry_or_whose_door_is_cut_off_is_explained() {
    let env = TestEnv::start().await;
    env.enter_credentials(&env.ana).await;
    let id = env.ready_session(&env.ana).await;
    let unknown = examine(&env.ana, "/duck doctor").await;
    let found = format!(
        "**I found a problem with session `{id}`.** The session's address has no DNS entry"
    );
    assert_says(&unknown, &found);
    for line in [
        "✅ Session: running",
        "✅ DuckDB: answers",
        "✅ Door: answers",
    ] {
        assert_says(&unknown, line);
    }
    env.kubelet.mark_ready_without_door(&id).await;
    let line = format!("/duck doctor session:{id}");
    let look = async || examine(&env.ada, &line).await;
    let is_cut_off = |it: &MessageView| it.content.contains("❌ Door");
    let cut_off = wait_until(look, is_cut_off).await;
    for line in [
        &*format!("**I found 2 problems with session `{id}`.**"),
        "❔ DuckDB: not known, because I can't reach the door in front of it",
        "❌ Door (checks who opens the session): does not answer me",
        "container `door`, port 8081: `asking the door of session ",
        &format!("Pod `duckui-{id}`, record `duckui-{}-main`", env.ana.id()),
        "❔ Tables: not checked, because this needs the owner's credentials",
        "✅ S3 credentials: are saved",
    ] {
        assert_says(&cut_off, line);
    }
    let refused = env.reply_to(&env.ben, &line).await;
    assert_says(&refused, "Only its owner or an admin can check it.");
    let choices = env
        .ana
        .complete("#data", "/duck doctor session:")
        .await
        .unwrap();
    assert_eq!(choices.len(), 1);
    env.assert_clean().await;
}

#[tokio::test]
async fn the_answer_at_a_sessions_address_is_told_in_an_analysts_words() {
    let certificates = Certificates::of("*.duck.test");
    let status = Arc::new(AtomicU16::new(404));
    let answer = status.clone();
    let app =
        Router::new().fallback(async move || StatusCode::from_u16(answer.load(Relaxed)).unwrap());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    let (front, proxy) = (
        TlsFront::start(&server, &certificates).await,
        ForwardProxy::start().await,
    );
    proxy.lead_https_to(front.port);
    let env = TestEnv::start_with(&[
        ("DUCKBOT_ROUTING__DOMAIN", "duck.test"),
        (
            "DUCKBOT_TLS__CA_FILE",
            certificates.file("ca.pem").to_str().unwrap(),
        ),
        ("HTTPS_PROXY", &format!("http://{}", proxy.address)),
    ])
    .await;
    env.enter_credentials(&env.ana).await;
    env.ready_session(&env.ana).await;
    for (code, line) in [
        (404, "❌ Address: leads nowhere yet (HTTP 404)"),
        (502, "❌ Address: does not reach the session (HTTP 502)"),
        (503, "❌ Address: does not reach the session (HTTP 503)"),
        (504, "❌ Address: does not reach the session (HTTP 504)"),
        (302, "⚠️ Address: asks for another login first (HTTP 302)"),
        (200, "❌ Address: leads to another server (HTTP 200)"),
    ] {
        status.store(code, Relaxed);
        assert_says(&examine(&env.ana, "/duck doctor").await, line);
    }
    // Another authority of the same name.
    let others = Certificates::of("*.duck.test");
    let other = TlsFront::start(&server, &others).await;
    proxy.lead_https_to(other.port);
    let forged = examine(&env.ana, "/duck doctor").await;
    assert_says(&forged, "❌ Address: has a certificate that is not valid");
    proxy.lead_https_to(9);
    let silent = examine(&env.ana, "/duck doctor").await;
    assert_says(&silent, "❔ Address: could not be checked from here");
    assert_says(&silent, "could not check everything");
    env.assert_clean().await;
}

#[tokio::test]
async fn a_route_that_the_gateway_refused_and_a_storage_that_can_not_be_reached_are_named() {
    let nobody = ReservedPort::reserve();
    let env = TestEnv::start_with(&[
        ("DUCKBOT_ROUTING__KIND", "gateway"),
        ("DUCKBOT_ROUTING__GATEWAY", "duckui"),
        ("DUCKBOT_CATALOGS__LAKE__S3_ENDPOINT", &nobody.url()),
    ])
    .await;
    let id = env.ready_session(&env.ana).await;
    refuse_route(&env, &format!("duckui-{id}")).await;
    let found = examine(&env.ana, "/duck doctor").await;
    assert_says(&found, "❌ Address: was refused by the cluster's gateway");
    assert_says(&found, "❌ Storage: does not answer");
    assert_says(&found, "✅ Catalog `lake`: answers");
    let line = format!("/duck doctor session:{id}");
    assert_says(
        &examine(&env.ada, &line).await,
        "the Gateway refused its HTTPRoute: NotAllowedByListeners",
    );
    env.assert_clean().await;
}

#[tokio::test]
async fn a_session_that_works_is_confirmed_and_keys_that_no_longer_work_are_named() {
    let (key, secret) = ("AKIADOCTORONTHISMACHINE", "a-secret-for-the-doctor");
    lake().s3.add_key(key, secret);
    let catalog = ("DUCKBOT_CATALOGS__LAKE__ENDPOINT", &*lake().catalog);
    let home = local::start_with_work(&[catalog]).await;
    home.enter_key_pair(&home.ana, key, secret).await;
    let ready = examine(&home.ana, "/duck doctor").await;
    assert_says(&ready, "**You can start a session:** `/duck start`.");
    assert_says(&ready, "✅ Saved work: can be saved");

    let id = local::ready_session(&home.ana).await;
    let works = examine(&home.ana, "/duck doctor").await;
    assert_says(&works, &format!("**Session `{id}` works.**"));
    assert_says(&works, "✅ Address: leads to the session");
    assert_says(&works, "✅ Tables: ");
    assert_says(&works, "✅ Saved work: nothing to save");

    let processes = duckdb_pids(&id);
    for process in &processes {
        signal("STOP", *process).await;
    }
    let hangs = examine(&home.ana, "/duck doctor").await;
    for process in &processes {
        signal("CONT", *process).await;
    }
    assert_says(&hangs, "❌ DuckDB: does not answer");
    assert_says(&hangs, "✅ Door: answers");

    let ui = local::open_ui(&home.ana).await;
    ui.run_sql("CREATE TABLE birds AS SELECT 'teal' AS name")
        .await
        .unwrap();
    lake().s3.forget(key);
    let saved = home.ana.run_command("#data", "/duck save").await.unwrap();
    saved
        .until(|it| it.content.contains("refused your S3 credentials"))
        .await;
    let refused = examine(&home.ana, "/duck doctor").await;
    assert_says(&refused, "doesn't know this **access key ID**");
    assert_says(&refused, "❌ S3 credentials: don't work");
    assert_says(&refused, "❌ Saved work: can't be saved");
    assert!(refused.button("Enter credentials").is_some());
    home.assert_clean().await;
}
