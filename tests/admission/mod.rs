//! Tests of the admission policies (`deploy/chart/admission`) on the API server, with the bot's own permissions
//! and Pods. No node runs the Pods.

mod forbidden;

use std::fs;

use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::{
    Api, Client, ResourceExt,
    api::{EvictParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use test_support::{PERMANENT_CREDENTIALS, TestEnv, assert_says, command, signal, wait_until};

use crate::{chart::run_helm, deploy::kubectl};

/// Settings that add something to each Pod, for the bot and for the chart.
fn additions() -> Value {
    json!({
        "pod": {
            "service_account": "analyst",
            "init_sql": "team-sql",
            "environment": { "POND": "deep" },
            "image_pull_secrets": ["registry"],
            "volumes": [
                { "name": "reference", "persistentVolumeClaim": { "claimName": "reference" } },
                { "name": "client", "secret": { "secretName": "team-client" } },
                { "name": "note", "configMap": { "name": "team-note" } },
            ],
            "volume_mounts": [{ "name": "reference", "mountPath": "/mnt/reference" }],
            "init_containers": [{
                "name": "fetch", "image": "fetch:1", "command": ["/bin/fetch"], "args": ["-c", "a\nb"],
                "volumeMounts": [{ "name": "note", "mountPath": "/note" }],
                "env": [{ "name": "FROM", "valueFrom": { "configMapKeyRef": { "name": "sources", "key": "a" } } }],
                "envFrom": [{ "secretRef": { "name": "fetcher" } }, { "configMapRef": { "name": "options" } }],
            }],
        },
        "catalogs": { "pond": { "endpoint": "http://pond:8181", "oauth2_secret": "pond-client" } },
    })
}

/// Installs the policies of the chart for `env`. Returns the path of their manifest.
async fn install(env: &TestEnv, folder: &TempDir) -> String {
    let mut settings = additions();
    settings["discord"] = json!({ "guild": "1" });
    settings["routing"] = json!({ "domain": "duck.example.com" });
    settings["kubernetes"] = json!({ "namespace": env.cluster.sessions });
    settings["sessions"] = json!({ "image": "duckui:1" });
    let values = json!({
        "fullnameOverride": "duckbot",
        "image": { "bot": "duckbot:1" },
        "admissionPolicy": { "enabled": true },
        "settings": settings,
    });
    let file = |name: &str, content: &str| {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let values = file("values.json", &values.to_string());
    let only = ["--show-only", "templates/admission.yaml"];
    let release = [
        "template",
        "a",
        "deploy/chart",
        "--namespace",
        &env.cluster.bot,
    ];
    let rendered = run_helm(&[&release[..], &only, &["--values", &values]].concat()).await;
    let manifest = file("policies.yaml", &rendered);
    kubectl(&format!(
        "apply --server-side --validate=strict -f {manifest}"
    ))
    .await;
    manifest
}

/// Tries to create `pod`, without doing so. Returns why it was refused, or an empty text.
async fn refusal(pods: &Api<Pod>, pod: &Value) -> String {
    let dry_run = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    let pod: Pod = serde_json::from_value(pod.clone()).unwrap();
    let created = pods.create(&dry_run, &pod).await;
    created.err().map_or_else(String::new, |it| it.to_string())
}

/// Sets a field of `pod` by its JSON pointer. `-` at the end appends to a list.
fn with(pod: &Value, path: &str, value: Value) -> Value {
    let mut pod = pod.clone();
    let (parent, name) = path.rsplit_once('/').unwrap();
    match pod.pointer_mut(parent).unwrap() {
        Value::Array(items) if name == "-" => items.push(value),
        Value::Array(items) => items[name.parse::<usize>().unwrap()] = value,
        fields => fields[name.replace("~1", "/")] = value,
    }
    pod
}

/// Asks to run `command` in DuckDB's container. Returns the answer, which is an error: there is no node.
async fn exec(bot: &Client, namespace: &str, pod: &str, query: &str) -> String {
    let path = format!("/api/v1/namespaces/{namespace}/pods/{pod}/{query}");
    let request = axum::http::Request::post(path).body(Vec::new()).unwrap();
    bot.request_text(request).await.unwrap_err().to_string()
}

/// Gives the bot more permissions than `deploy/` does, so that only the policies refuse.
async fn allow_updates(env: &TestEnv, bot: &Client) {
    let (sessions, home) = (&env.cluster.sessions, &env.cluster.bot);
    let resources = "pods,pods/ephemeralcontainers,pods/attach";
    let verbs = "--verb=update --verb=patch --verb=create";
    kubectl(&format!(
        "create role more -n {sessions} {verbs} --resource={resources}"
    ))
    .await;
    let account = format!("--serviceaccount={home}:duckbot");
    kubectl(&format!(
        "create rolebinding more -n {sessions} --role=more {account}"
    ))
    .await;
    let pods: Api<Pod> = Api::namespaced(bot.clone(), sessions);
    let (params, nothing) = (PatchParams::default(), json!({}));
    let may = async || {
        let patched = pods.patch("none", &params, &Patch::Merge(&nothing)).await;
        patched.unwrap_err().to_string()
    };
    wait_until(may, |said| said.contains("not found")).await;
}

#[tokio::test]
async fn the_bot_creates_what_it_needs_and_nothing_else() {
    let mut env = TestEnv::without_bot(&[]).await;
    let sessions = env.cluster.sessions.clone();
    // Without the Pod security standard, so that only the policies refuse.
    kubectl(&format!(
        "label namespace {sessions} {} --overwrite pod-security.kubernetes.io/enforce=privileged",
        env.cluster.bot
    ))
    .await;
    kubectl(&format!("create serviceaccount analyst -n {sessions}")).await;
    let folder = TempDir::new().unwrap();
    let manifest = install(&env, &folder).await;
    let bot = env.cluster.bot_client().await;
    let pods: Api<Pod> = Api::namespaced(bot.clone(), &sessions);
    let plain = json!({ "metadata": { "name": "a" }, "spec": { "containers": [{ "name": "a", "image": "a" }] } });
    let said = wait_until(
        async || refusal(&pods, &plain).await,
        |it| it.contains("denied request: "),
    )
    .await;
    assert!(said.contains("name and labels of a session"), "{said}");

    // The bot starts a session of each size, starts one again on another node and one with new credentials, and
    // starts a query runner.
    let settings = env.file("settings.json", &additions().to_string());
    env.variables.insert("DUCKBOT_CONFIG".into(), settings);
    env.start_bot().await;
    env.enter_credentials(&env.ana).await;
    let old = env.ready_session(&env.ana).await;
    let kept = env.reply_to(&env.ana, "/duck setup").await;
    let stored = env.fill_form(&env.ana, &kept, &PERMANENT_CREDENTIALS).await;
    let label = "Restart with the new credentials";
    let pressed = env.ana.press(&stored, label).await.unwrap();
    let restarted = pressed.until(|it| it.content.starts_with("Stopped"));
    assert_says(&restarted.await, &old);
    let new = env.cluster.documents().await[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    env.kubelet.mark_ready(&new).await;
    assert_says(&env.ana.read("#data").await, &new);
    env.cluster.store_credentials(env.ben.id()).await;
    let (asked, id) = env.start_session(&env.ben, "size:large catalog:pond").await;
    env.kubelet.mark_ready(&id).await;
    asked.until(|it| it.content.contains("is ready")).await;
    assert_says(&env.ben.read("#data").await, &id);
    let name = format!("duckui-{id}");
    let first = env.cluster.pods().get(&name).await.unwrap();
    let all = env.cluster.pods();
    all.evict(&name, &EvictParams::default()).await.unwrap();
    let again = async || env.cluster.pods().get_opt(&name).await.unwrap();
    let again = wait_until(again, |it| {
        it.as_ref()
            .is_some_and(|it| it.metadata.uid != first.metadata.uid)
    });
    let again = again.await.unwrap();
    env.kubelet.mark_ready(&id).await;
    assert_says(&env.ben.read("#data").await, "is ready again");
    env.cluster.store_credentials(env.ada.id()).await;
    let query = env
        .ada
        .run_command("#data", "/duck sql query:SELECT 42")
        .await
        .unwrap();
    let runner = async || {
        let pods = env.cluster.pods().list(&Default::default()).await.unwrap();
        pods.iter()
            .filter(|it| it.spec.as_ref().unwrap().containers.len() == 1)
            .count()
    };
    wait_until(runner, |count| *count == 1).await;
    env.ada.press(&query.reply().await, "Cancel").await.unwrap();
    query.until(|it| it.content.contains("Cancelled.")).await;

    // An admin tries the installation. Its session is nobody's.
    let trial = command(&["check", "--session"], &env.variables);
    let trial = { trial }.spawn().unwrap();
    let tried = async || {
        let pods = env.cluster.pods().list(&Default::default()).await.unwrap();
        let guild = env.discord.guild_id().to_string();
        let is_trial = |it: &Pod| it.labels().get("duckbot.dev/owner") == Some(&guild);
        pods.into_iter().any(|it| is_trial(&it))
    };
    wait_until(tried, |is_there| *is_there).await;
    signal("INT", trial.id().unwrap()).await;
    let output = trial.wait_with_output().await.unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("WRONG session: interrupted"), "{said}");

    // The same Pod with another ID, and with what may change, passes.
    let metadata = json!({
        "name": "duckui-0a0a0a",
        "labels": again.metadata.labels,
        "annotations": again.metadata.annotations,
    });
    let pod = json!({ "metadata": metadata, "spec": again.spec });
    let pod = with(
        &pod,
        "/metadata/labels/duckbot.dev~1session",
        json!("0a0a0a"),
    );
    let own = json!({ "name": "A", "valueFrom": { "secretKeyRef": { "name": "duckbot-s3-session-0a0a0a", "key": "a" } } });
    let cloud =
        json!({ "serviceAccountToken": { "path": "token", "audience": "sts.example.com" } });
    let by_webhook = with(
        &pod,
        "/spec/volumes/-",
        json!({ "name": "cloud", "projected": { "sources": [cloud] } }),
    );
    let mount = json!({ "name": "cloud", "mountPath": "/var/run/secrets/example.com/token" });
    for allowed in [
        pod.clone(),
        with(&pod, "/spec/containers/0/image", json!("duckui:2")),
        with(
            &pod,
            "/spec/containers/0/image",
            json!(format!("duckui@sha256:{}", "a".repeat(64))),
        ),
        with(&pod, "/spec/containers/0/env/-", own),
        with(&by_webhook, "/spec/containers/0/volumeMounts/-", mount),
        with(
            &pod,
            "/spec/imagePullSecrets/0",
            json!({ "name": "analyst-dockercfg-x7zk2" }),
        ),
    ] {
        assert_eq!(refusal(&pods, &allowed).await, "", "{allowed}");
    }
    let ben = env.ben.id().to_string();
    let mut wrong = Vec::new();
    for (path, value, message) in forbidden::changes(&ben) {
        let said = refusal(&pods, &with(&pod, path, value.clone())).await;
        if !(said.contains("denied request: ") && said.contains(message)) {
            wrong.push(format!("{path} {value}: {said:.300}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");

    // What RBAC refuses today, the policies refuse, too.
    allow_updates(&env, &bot).await;
    let params = PatchParams::default();
    let image = json!({ "spec": { "containers": [{ "name": "duckdb", "image": "busybox:1" }] } });
    let updated = pods.patch(&name, &params, &Patch::Strategic(image)).await;
    let said = updated.unwrap_err().to_string();
    assert!(
        said.contains("another name, image, command or arguments"),
        "{said}"
    );
    let shell =
        json!({ "spec": { "ephemeralContainers": [{ "name": "sh", "image": "duckui:1" }] } });
    let added = pods
        .patch_subresource(
            "ephemeralcontainers",
            &name,
            &params,
            &Patch::Strategic(shell),
        )
        .await;
    let said = added.unwrap_err().to_string();
    assert!(said.contains("an ephemeral container"), "{said}");

    // Only the bot's own commands run.
    let at = async |query: &str| exec(&bot, &sessions, &name, query).await;
    let denied = "the bot runs only its own two commands";
    let duckbot = "exec?stdout=true&container=duckdb&command=duckbot&command=duckdb&command=";
    for option in ["--ask", "--control"] {
        let said = at(&format!("{duckbot}{option}")).await;
        assert!(said.contains("does not have a host assigned"), "{said}");
    }
    for query in [
        &format!("{duckbot}--else"),
        &format!("{duckbot}--ask&command=more"),
        "exec?stdout=true&container=door&command=duckbot&command=duckdb&command=--ask",
        "exec?stdout=true&container=duckdb&command=sh",
        "attach?stdout=true&container=duckdb",
    ] {
        let said = at(query).await;
        assert!(said.contains(denied), "{query}: {said}");
    }

    // With `exact-images`, another tag is refused.
    let maps: Api<ConfigMap> = Api::namespaced(env.cluster.admin.clone(), &env.cluster.bot);
    let exact = Patch::Merge(json!({ "data": { "exact-images": "true" } }));
    maps.patch("duckbot-admission", &params, &exact)
        .await
        .unwrap();
    let other = with(&pod, "/spec/containers/0/image", json!("duckui:2"));
    wait_until(
        async || refusal(&pods, &other).await,
        |it| it.contains("another name, image"),
    )
    .await;
    assert_eq!(refusal(&pods, &pod).await, "");

    // Without the ConfigMap, no session starts. Other namespaces go on.
    kubectl(&format!(
        "delete configmap duckbot-admission -n {}",
        env.cluster.bot
    ))
    .await;
    wait_until(
        async || refusal(&pods, &pod).await,
        |it| it.contains("no params found"),
    )
    .await;
    let elsewhere: Api<Pod> = Api::namespaced(env.cluster.admin.clone(), "default");
    assert_eq!(refusal(&elsewhere, &plain).await, "");

    // Wherever RBAC allows the bot to create Pods, the policies refuse those outside of its namespace.
    let home = &env.cluster.bot;
    kubectl(&format!(
        "create role more -n {home} --verb=create --resource=pods"
    ))
    .await;
    kubectl(&format!(
        "create rolebinding more -n {home} --role=more --serviceaccount={home}:duckbot"
    ))
    .await;
    let pods: Api<Pod> = Api::namespaced(bot.clone(), home);
    wait_until(
        async || refusal(&pods, &plain).await,
        |it| it.contains("the Pod is not in the namespace of the sessions"),
    )
    .await;

    kubectl(&format!("delete --ignore-not-found -f {manifest}")).await;
    env.assert_clean().await;
}
