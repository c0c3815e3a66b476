//! A node whose Pods have IPv6 addresses only, in a cluster that assigns users to Pods, as OpenShift does. The bot runs
//! there as `deploy/` installs it.

use std::fs;

use k8s_openapi::api::core::v1::{Pod, PodSpec};
use kube::{
    Api,
    api::{DynamicObject, ListParams, LogParams, PostParams},
};
use serde_json::json;
use test_support::{Cluster, Node, ReservedPort, TestEnv, assert_says, wait_until};

use super::{exec, pod, resource};
use crate::deploy::kubectl;

/// User and volume group that the cluster assigns. The user's own group is 0, because the image does not know the user.
const USER: i64 = 1_000_680_000;

#[tokio::test]
async fn bot_and_sessions_run_on_ipv6_only_and_as_any_user() {
    let Some(node) = Node::with_ipv6_only() else {
        return;
    };
    let address = Cluster::shared().ipv6().unwrap();
    let env = TestEnv::without_bot_for_pods(&node.name, address, &[]).await;
    assign_users(&env).await;
    // kube-apiserver listens on an address of IPv4 only.
    let server = Cluster::shared().config().await.cluster_url;
    let mut api = ReservedPort::reserve_on(address);
    api.forward_to(&format!("http://{}", server.authority().unwrap()));
    install_bot(&env, &node, &api).await;

    // The kubelet's probes reach the bot, and the bot reaches Discord and the API server.
    let name = &env.cluster.bot;
    kubectl(&format!(
        "rollout status deployment/duckbot -n {name} --timeout=120s"
    ))
    .await;
    env.discord.wait_connected().await;
    let id = env.ready_session(&env.ana).await;
    let bots: Api<Pod> = Api::namespaced(env.cluster.admin.clone(), name);
    let bot = bots.list(&ListParams::default()).await.unwrap().items;
    let session = pod(&env, &id).await;
    for pod in [&bot[0], &session] {
        let address = pod.status.as_ref().unwrap().pod_ip.as_ref().unwrap();
        assert!(address.contains(':'), "{address}");
        let security = pod.spec.as_ref().unwrap().security_context.as_ref();
        assert_eq!(security.unwrap().run_as_user, Some(USER));
    }
    let (name, all) = (bot[0].metadata.name.as_ref().unwrap(), LogParams::default());
    let log = bots.logs(name, &all).await.unwrap();
    assert!(log.contains("health and metrics are at http://[::]:9090"));
    assert!(!log.contains("can't reach its door"), "{log}");

    // DuckDB answers a browser, the bot asks the door about its use, and the API server reaches the node.
    env.wait_until_prepared(&id).await;
    let ui = env.open_ui(&env.ana, &id).await;
    let rows = ui.rows("SELECT 42 AS n").await;
    assert_eq!(rows, Ok(json!([{ "n": 42 }])));
    ui.run_sql("CREATE TABLE big AS SELECT range AS n FROM range(1_000_000)")
        .await
        .unwrap();
    let listed = env.reply_to(&env.ana, "/duck list").await;
    assert_says(&listed, ", last active <t:");
    let who = format!("test $(id -u):$(id -g) = {USER}:0 && touch /home/duck/file /tmp/file");
    exec(&env, &id, &["/bin/sh", "-c", &who]).await;

    env.stop_session(&env.ana).await;
    env.assert_nothing_left().await;
    env.assert_clean().await;
}

/// Lets the cluster assign a user to each Pod without one, as OpenShift's admission does for restricted-v2.
async fn assign_users(env: &TestEnv) {
    let name = &env.cluster.sessions;
    let assign = |field: &str| {
        let path = format!("/spec/securityContext/{field}");
        let patch = format!("[JSONPatch{{op: 'add', path: '{path}', value: {USER}}}]");
        json!({ "patchType": "JSONPatch", "jsonPatch": { "expression": patch } })
    };
    let policy = json!({ "metadata": { "name": name }, "spec": {
        "reinvocationPolicy": "Never",
        "matchConstraints": {
            "namespaceSelector": { "matchExpressions": [{
                "key": "kubernetes.io/metadata.name", "operator": "In", "values": [name, env.cluster.bot],
            }] },
            "resourceRules": [{
                "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"],
            }],
        },
        "matchConditions": [{
            "name": "no-user", "expression": "!has(object.spec.securityContext.runAsUser)",
        }],
        "mutations": [assign("runAsUser"), assign("fsGroup")],
    } });
    let binding = json!({ "metadata": { "name": name }, "spec": { "policyName": name } });
    for (kind, object) in [
        ("MutatingAdmissionPolicy", policy),
        ("MutatingAdmissionPolicyBinding", binding),
    ] {
        let resource = resource("admissionregistration.k8s.io/v1beta1", kind);
        let objects: Api<DynamicObject> = Api::all_with(env.cluster.admin.clone(), &resource);
        let object = serde_json::from_value(object).unwrap();
        objects
            .create(&PostParams::default(), &object)
            .await
            .unwrap();
    }

    // The policy takes effect a moment later.
    let probe: Pod = serde_json::from_value(json!({ "metadata": { "name": "probe" }, "spec": {
        "securityContext": { "runAsNonRoot": true, "seccompProfile": { "type": "RuntimeDefault" } },
        "containers": [{ "name": "a", "image": "a", "securityContext": {
            "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] },
        } }],
    } }))
    .unwrap();
    let dry_run = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    let assigned = async || {
        let pod = env.cluster.pods().create(&dry_run, &probe).await.unwrap();
        let security = pod.spec.and_then(|spec: PodSpec| spec.security_context);
        security.and_then(|it| it.fs_group)
    };
    wait_until(assigned, |it| *it == Some(USER)).await;
}

/// Installs the Deployment of `deploy/` with the component for OpenShift, and the test's settings.
async fn install_bot(env: &TestEnv, node: &Node, api: &ReservedPort) {
    let namespace = &env.cluster.bot;
    let host = Cluster::shared().ipv6().unwrap().to_string();
    let mut variables = env.variables.clone();
    variables.remove("KUBECONFIG");
    variables.remove("DUCKBOT_DISCORD__TOKEN_FILE");
    for (name, value) in [
        ("KUBERNETES_SERVICE_HOST", host),
        ("KUBERNETES_SERVICE_PORT", api.number().to_string()),
        ("DUCKBOT_DISCORD__API_PROXY", env.discord.url()),
    ] {
        variables.insert(name.into(), value);
    }
    let variables: Vec<_> = variables
        .iter()
        .map(|(name, value)| json!({ "name": name, "value": value }))
        .collect();
    let text = |path: &str| fs::read_to_string(path).unwrap();
    let folder = tempfile::TempDir::new().unwrap();
    let write = |name: &str, content: String| fs::write(folder.path().join(name), content).unwrap();
    // A namespace of its own, so that another test may install into the usual one.
    let rename =
        |it: String| it.replace("namespace: duckbot\n", &format!("namespace: {namespace}\n"));
    write("duckbot.yaml", rename(text("deploy/base/duckbot.yaml")));
    fs::create_dir(folder.path().join("openshift")).unwrap();
    let component = text("deploy/components/openshift/kustomization.yaml");
    write("openshift/kustomization.yaml", component);
    let patch = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "duckbot", "namespace": namespace },
        "spec": { "template": { "spec": { "containers": [{ "name": "duckbot", "env": variables }] } } },
    });
    write("patch.json", patch.to_string());
    let token = env.discord.token();
    let kustomization = json!({
        "resources": ["duckbot.yaml"], "components": ["openshift"], "patches": [{ "path": "patch.json" }],
        "images": [{ "name": "duckbot", "newName": "duckbot.test/duckbot", "newTag": "test" }],
        "namespace": namespace,
        "generatorOptions": { "disableNameSuffixHash": true },
        "configMapGenerator": [{ "name": "duckbot-settings", "literals": ["duckbot.toml="] }],
        "secretGenerator": [{ "name": "duckbot-discord", "literals": [format!("token={token}")] }],
    });
    write("kustomization.yaml", kustomization.to_string());
    kubectl(&format!(
        "label namespace {namespace} duckbot.dev/node={}",
        node.name
    ))
    .await;
    let folder = folder.path().display();
    kubectl(&format!(
        "apply --server-side --validate=strict -k {folder}"
    ))
    .await;
}
