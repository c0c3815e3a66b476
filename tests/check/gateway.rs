//! The Gateway of sessions.

use kube::{
    Api, ResourceExt,
    api::{
        ApiResource, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams, PostParams,
    },
};
use serde_json::json;
use test_support::{Cluster, TestEnv, wait_until};

use super::{env, run_bot};

#[tokio::test]
async fn the_gateway_is_read_by_an_account_that_may() {
    let mut env = env().await;
    let (bot, sessions) = (env.cluster.bot.clone(), env.cluster.sessions.clone());
    for (name, value) in [
        ("KIND", "gateway"),
        ("GATEWAY", "duckui"),
        ("GATEWAY_NAMESPACE", &bot),
        // Not read: the Gateway has its own certificate.
        ("TLS_SECRET", "wildcard"),
    ] {
        let name = format!("DUCKBOT_ROUTING__{name}");
        env.variables.insert(name, value.into());
    }
    let (_, text) = run_bot(&env, &["check"]).await;
    for line in [
        "ok    routes: HTTPRoute",
        &format!("ok    gateway: not checked: this account may not get Gateways in {bot}"),
    ] {
        assert!(text.contains(line), "{line:?} in\n{text}");
    }
    assert!(!text.contains("certificate"), "{text}");
    assert_refusal_is_shown(&env).await;

    let admin = Cluster::shared().kubeconfig();
    env.variables
        .insert("KUBECONFIG".into(), admin.to_str().unwrap().into());
    let (_, text) = run_bot(&env, &["check"]).await;
    let line = format!("WRONG gateway: duckui (routing.gateway) not found in namespace {bot} (");
    assert!(text.contains(&line), "{text}");

    let resource = GroupVersionKind::gvk("gateway.networking.k8s.io", "v1", "Gateway");
    let resource = ApiResource::from_gvk(&resource);
    let gateways: Api<DynamicObject> =
        Api::namespaced_with(env.cluster.admin.clone(), &bot, &resource);
    let gateway = json!({ "spec": { "gatewayClassName": "nobody", "listeners": [{
        "name": "https", "protocol": "HTTPS", "port": 443, "hostname": "*.duck.example.com",
        "tls": { "certificateRefs": [{ "name": "wildcard" }] },
        "allowedRoutes": { "namespaces": { "from": "Selector", "selector": {
            "matchLabels": { "kubernetes.io/metadata.name": sessions },
        } } },
    }] } });
    let gateway = DynamicObject::new("duckui", &resource).data(gateway);
    let params = PostParams::default();
    gateways.create(&params, &gateway).await.unwrap();
    let (_, text) = run_bot(&env, &["check"]).await;
    let line = format!(
        "WRONG gateway: {bot}/duckui is not accepted: Pending, Waiting for controller; check"
    );
    assert!(text.contains(&line), "{text}");

    // A controller takes it.
    let condition = |kind: &str| {
        json!({ "type": kind, "status": "True", "reason": kind, "message": "",
            "lastTransitionTime": "2026-11-26T12:00:00Z" })
    };
    let conditions = ["Accepted", "Programmed"].map(condition);
    let status = json!({ "status": { "conditions": conditions } });
    let (params, patch) = (PatchParams::default(), Patch::Merge(&status));
    let patched = gateways.patch_status("duckui", &params, &patch).await;
    patched.unwrap();
    let (_, text) = run_bot(&env, &["check"]).await;
    let line = format!("ok    gateway: {bot}/duckui, listener https");
    assert!(text.contains(&line), "{text}");
    env.assert_clean().await;
}

/// Refuses an HTTPRoute, as a controller would.
pub async fn refuse_route(env: &TestEnv, name: &str) {
    let condition = json!({ "type": "Accepted", "status": "False", "reason": "NotAllowedByListeners",
        "message": "", "lastTransitionTime": "2026-11-26T12:00:00Z" });
    let parents = json!([{ "controllerName": "test.dev/controller", "conditions": [condition],
        "parentRef": { "name": "duckui" } }]);
    let status = json!({ "status": { "parents": parents } });
    let (params, patch) = (PatchParams::default(), Patch::Merge(&status));
    let routes = env.cluster.http_routes();
    routes.patch_status(name, &params, &patch).await.unwrap();
}

/// Checks that `--session` shows why the Gateway refused the session's route.
async fn assert_refusal_is_shown(env: &TestEnv) {
    let refuse = async {
        let routes = env.cluster.http_routes();
        let listed = async || routes.list(&ListParams::default()).await.unwrap().items;
        let found = wait_until(listed, |it| !it.is_empty()).await;
        let name = found[0].name_any();
        env.kubelet.mark_ready(&name["duckui-".len()..]).await;
        refuse_route(env, &name).await;
    };
    let ((_, text), ()) = tokio::join!(run_bot(env, &["check", "--session"]), refuse);
    let line = ".duck.example.com: the Gateway refused its HTTPRoute: NotAllowedByListeners";
    assert!(text.contains(line), "{text}");
    env.assert_nothing_left().await;
}
