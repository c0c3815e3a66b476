//! Events: `kubectl describe` says what duckbot did with a session, and why.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use discord_loopback::{Person, RestFault};
use k8s_openapi::api::events::v1::Event;
use kube::{Api, ResourceExt, api::EvictParams};
use test_support::{ApiFault, TestEnv, assert_says, wait_until};

use crate::deploy::kubectl;

#[tokio::test]
async fn kubectl_describe_says_what_duckbot_did_and_why_and_an_event_that_fails_changes_nothing() {
    let work = ("DUCKBOT_CATALOGS__LAKE__WORK", "s3://lake/duckbot/");
    let env = TestEnv::start_with(&[work]).await;
    let sessions = env.cluster.sessions.clone();
    let (ana, ada) = (env.ana.clone(), env.ada.clone());
    // The API server takes no Event for a while.
    env.api.set_faults(|call| {
        let is_event = call.method == "POST" && call.route == "events";
        is_event.then_some(ApiFault::Hang(Duration::from_secs(1)))
    });
    let id = env.ready_session(&ana).await;
    env.wait_for_log("an Event about a session was dropped")
        .await;
    env.api.clear_faults();
    env.reply_to(&ana, "/duck extend duration:3h").await;
    env.wait_for_log("Events about sessions are sent again")
        .await;

    let record = env.record_name(&ana, 0);
    let describe = async |what: &str, says: &str| {
        let line = format!("describe {what} --namespace {sessions}");
        let described = async || kubectl(&line).await;
        wait_until(described, |it: &String| it.contains(says)).await
    };
    let pod = format!("pod duckui-{id}");
    for what in [&pod, &format!("configmap {record}")] {
        let described = describe(what, "Extended by 3h").await;
        let line = described.lines().find(|it| it.contains("Extended by"));
        let words: Vec<_> = line.unwrap().split_whitespace().collect();
        assert_eq!(words[..2], ["Normal", "Extended"], "{described}");
        assert!(words.contains(&"duckbot"), "{described}");
    }
    let status = env.reply_to(&ana, "/duck status").await;
    assert!(!status.content.contains("Extended by"), "{status:?}");

    let stop = format!("/duck stop session:{id}");
    let question = env.reply_to(&ada, &stop).await;
    env.confirm_stop(&ada, &question).await;
    env.mark_all_read().await;
    env.wait_until_nothing_left(&ana).await;
    let events: Api<Event> = Api::namespaced(env.cluster.admin.clone(), &sessions);
    let told = async || {
        let listed = events.list(&Default::default()).await.unwrap();
        let told = listed.items.into_iter().map(|event| {
            let note = event.note.unwrap();
            assert!(!note.contains(&ana.name()), "it names a person: {note}");
            (event.regarding.unwrap().kind.unwrap(), note)
        });
        let mut stops: Vec<_> = told.filter(|(_, note)| note.contains("Stopped")).collect();
        stops.sort();
        stops
    };
    let stops = wait_until(told, |it: &Vec<_>| it.len() == 2).await;
    let by_admin = |kind: &str| (kind.to_owned(), "Stopped by an admin".to_owned());
    assert_eq!(stops, [by_admin("ConfigMap"), by_admin("Pod")]);

    let about = async |record: &str| {
        let mut all = events.list(&Default::default()).await.unwrap().items;
        all.retain(|it| it.regarding.as_ref().unwrap().name.as_deref() == Some(record));
        all.sort_by_key(|it| it.event_time.clone());
        let line = |it: Event| format!("{} {}", it.type_.unwrap(), it.reason.unwrap());
        all.into_iter().map(line).collect::<Vec<_>>()
    };
    // No DuckDB runs in the Pod.
    let is_unsaved = |it: &Vec<String>| it.contains(&"Warning WorkNotSaved".to_owned());
    wait_until(async || about(&record).await, is_unsaved).await;

    live_through_a_lot(&env, &env.ben).await;
    let record = env.record_name(&env.ben, 0);
    let is_last = |it: &Vec<String>| it.last().is_some_and(|it| it == "Warning Failed");
    assert_eq!(
        wait_until(async || about(&record).await, is_last).await,
        [
            "Normal Requested",
            "Warning NotAnnounced",
            "Normal Announced",
            "Normal OwnerWarned",
            "Warning DuckDBRestarted",
            "Warning Rescheduling",
            "Normal StartingAgain",
            "Normal Ready",
            "Warning Failed",
        ]
    );
    env.assert_clean().await;
}

/// Discord takes the message about a session late, its credentials expire soon, its DuckDB runs out of memory, the
/// cluster takes its Pod, and the next Pod fails.
async fn live_through_a_lot(env: &TestEnv, person: &Person) {
    let messages = "/channels/{channel}/messages";
    env.discord
        .inject_fault(RestFault::cut_before("POST", messages));
    env.cluster.store_credentials(person.id()).await;
    let soon = Utc::now() + TimeDelta::minutes(20);
    env.annotate_credentials(person, "expires-at", soon).await;
    let id = env.ready_session(person).await;
    assert_says(&person.read_dm().await, "**expire <t:");
    env.kubelet.mark_restarted(&id).await;
    assert_says(&person.read("#data").await, "and was restarted");
    let pods = env.cluster.pods();
    let name = format!("duckui-{id}");
    let first = pods.get(&name).await.unwrap().uid();
    pods.evict(&name, &EvictParams::default()).await.unwrap();
    let now = async || pods.get_opt(&name).await.unwrap();
    wait_until(now, |it| it.as_ref().is_some_and(|it| it.uid() != first)).await;
    env.kubelet.mark_ready(&id).await;
    assert_says(&person.read("#data").await, "is ready again");
    env.kubelet.mark_failed(&id, "out of luck").await;
    assert_says(&person.read("#data").await, "has failed.");
    env.wait_until_nothing_left(person).await;
}
