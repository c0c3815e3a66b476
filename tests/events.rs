//! Events: `kubectl describe` says what duckbot did with a session, and why.

use std::time::Duration;

use k8s_openapi::api::events::v1::Event;
use kube::Api;
use test_support::{ApiFault, TestEnv, wait_until};

use crate::deploy::kubectl;

#[tokio::test]
async fn kubectl_describe_says_what_duckbot_did_and_why_and_an_event_that_fails_changes_nothing() {
    let env = TestEnv::start_with(&[]).await;
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
    env.assert_clean().await;
}
