//! Tests of `/duck status`.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    Api,
    api::{ApiResource, DynamicObject, GroupVersionKind, PostParams},
    runtime::wait::{await_condition, conditions::is_crd_established},
};
use serde_json::{Value, json};
use test_support::{ApiFault, TestEnv, assert_says, wait_until};

#[tokio::test]
async fn its_owner_and_admins_look_into_a_session_and_nobody_else() {
    let env = TestEnv::start().await;
    let none = env.reply_to(&env.ana, "/duck status").await;
    assert_eq!(
        none.content,
        "You have no session to look at. `/duck start` starts one."
    );

    let id = env.ready_session(&env.ana).await;
    let line = format!("/duck status session:{id}");
    for (person, line) in [(&env.ana, "/duck status"), (&env.ada, &line[..])] {
        let status = env.reply_to(person, line).await;
        let words = format!(
            "Session `{id}` of <@{}>: running, small, `lake`, ",
            env.ana.id()
        );
        assert!(
            status.ephemeral && status.content.starts_with(&words),
            "{}",
            status.content
        );
        assert!(status.button("Show log").is_some());
    }
    let refused = env.reply_to(&env.ben, &line).await;
    assert_says(
        &refused,
        "belongs to someone else. Only its owner or an admin can look at it.",
    );
    assert!(refused.components.is_empty());

    let wrong = env.reply_to(&env.ana, "/duck status session:quack").await;
    assert_says(&wrong, "`quack` is not a session ID.");
    env.assert_clean().await;
}

#[tokio::test]
async fn a_log_that_can_not_be_had_is_said_with_a_reference() {
    let env = TestEnv::start().await;
    env.enter_credentials(&env.ana).await;
    env.ready_session(&env.ana).await;
    let status = env.reply_to(&env.ana, "/duck status").await;
    // No node has run the Pod yet.
    let pressed = env.ana.press(&status, "Show log").await.unwrap();
    assert_says(&pressed.reply().await, "is empty.");

    env.api.set_faults(|call| {
        let is_log = call.method == "GET" && call.route.starts_with("pods");
        is_log.then(|| ApiFault::Answer(500, "the node does not answer".into()))
    });
    let pressed = env.ana.press(&status, "Show log").await.unwrap();
    let told = pressed.reply().await;
    assert_says(&told, "(Reference: `");
    assert!(told.ephemeral && told.files.is_empty());
    env.assert_clean().await;
}

#[tokio::test]
async fn without_the_credentials_that_it_was_started_with_a_log_is_not_shown() {
    let env = TestEnv::start().await;
    env.ready_session(&env.ana).await;
    let status = env.reply_to(&env.ana, "/duck status").await;
    env.renew_credentials(&env.ana).await;
    let pressed = env.ana.press(&status, "Show log").await.unwrap();
    assert_says(
        &pressed.reply().await,
        "were replaced or deleted after the session started, and it still has the previous ones",
    );
    env.assert_clean().await;
}

/// Stands in for a metrics server: creates a CRD for its kind, so the API server stores the values
/// itself.
async fn metrics(env: &TestEnv) -> Api<DynamicObject> {
    let crds: Api<CustomResourceDefinition> = Api::all(env.cluster.admin.clone());
    let name = "pods.metrics.k8s.io";
    let open = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
    let definition = json!({
        "metadata": {
            "name": name,
            "annotations": { "api-approved.kubernetes.io": "unapproved, for tests only" },
        },
        "spec": {
            "group": "metrics.k8s.io",
            "scope": "Namespaced",
            "names": { "kind": "PodMetrics", "plural": "pods" },
            "versions": [{
                "name": "v1beta1", "served": true, "storage": true,
                "schema": { "openAPIV3Schema": open },
            }],
        },
    });
    let definition = serde_json::from_value(definition).unwrap();
    // Other tests share the cluster, so the CRD may exist.
    let _ = crds.create(&PostParams::default(), &definition).await;
    let established = await_condition(crds, name, is_crd_established());
    established.await.unwrap();
    let kind = GroupVersionKind::gvk("metrics.k8s.io", "v1beta1", "PodMetrics");
    let resource = ApiResource::from_gvk_with_plural(&kind, "pods");
    Api::namespaced_with(env.cluster.admin.clone(), &env.cluster.sessions, &resource)
}

#[tokio::test]
async fn where_memory_is_measured_it_is_told() {
    let env = TestEnv::start().await;
    let id = env.ready_session(&env.ana).await;
    let metrics = metrics(&env).await;
    let measured: Value = json!({
        "apiVersion": "metrics.k8s.io/v1beta1", "kind": "PodMetrics",
        "metadata": { "name": format!("duckui-{id}") },
        "timestamp": chrono::Utc::now().to_rfc3339(), "window": "15s",
        "containers": [
            { "name": "door", "usage": { "cpu": "1m", "memory": "9000Ki" } },
            { "name": "duckdb", "usage": { "cpu": "200m", "memory": "319488Ki" } },
        ],
    });
    let measured = serde_json::from_value(measured).unwrap();
    // The API server serves the kind only a moment after it is established.
    let made = async || {
        let made = metrics.create(&PostParams::default(), &measured).await;
        made.map(drop).map_err(|error| error.to_string())
    };
    wait_until(made, Result::is_ok).await.unwrap();
    let status = env.reply_to(&env.ana, "/duck status").await;
    assert_says(&status, "\n- Memory: 312 MiB of 4GiB.");
    env.assert_clean().await;
}
