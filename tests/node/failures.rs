//! Sessions that can't run: each cause is provoked, and the messages to people are checked.

use k8s_openapi::api::core::v1::{Pod, ResourceQuota};
use kube::{
    Api,
    api::{DynamicObject, Patch, PatchParams, PostParams},
};
use serde_json::json;
use test_support::{CREDENTIALS, Node, TestEnv, assert_says, session_id_in, wait_until};

use super::{
    IMAGE, StatusRecorder, create_object, resource, start_and_fail, wait_for_failure,
    wait_for_last_reply, wait_for_status,
};
use crate::doctor::examine;

#[tokio::test]
async fn no_machine_has_room() {
    let settings = [
        ("DUCKBOT_SIZES__SMALL__MEMORY", "8000Gi"),
        ("DUCKBOT_SESSIONS__START_TIMEOUT", "30s"),
    ];
    let Some(env) = TestEnv::start_on_node(&settings).await else {
        return;
    };
    env.cluster.store_credentials(env.ana.id()).await;
    let (asked, id) = env.start_session(&env.ana, "").await;
    let waits = asked
        .until(|reply| reply.content.contains("the cluster has no room right now"))
        .await;
    assert!(
        waits
            .content
            .contains("waiting (`requested 50m CPU, 8000Gi memory, 1014Mi disk: ")
    );
    wait_for_status(&env, &id, ": queued, ", "Pending").await;

    let (told, ending) = wait_for_failure(&env, &asked).await;
    assert_says(&told, "the cluster has no room for size `small` right now");
    assert_says(&told, "Insufficient memory");
    assert_eq!(ending["failure"], "no_room");

    // Ana's press starts a new session.
    let pressed = env.ana.press(&told, "Try again").await.unwrap();
    let again = pressed.reply().await;
    assert!(
        again.ephemeral
            && again.content.contains("Starting session")
            && again.content.contains("(small, `lake`): ")
    );
    // A second press refers to the same new session.
    let twice = env.ana.press(&told, "Try again").await.unwrap();
    let twice = twice.reply().await;
    assert_eq!(session_id_in(&twice.content), session_id_in(&again.content));
    pressed
        .until(|reply| reply.button("Try again").is_some())
        .await;
    env.wait_until_nothing_left(&env.ana).await;
    env.assert_clean().await;
}

#[tokio::test]
async fn no_machine_may_take_it() {
    let Some(mut env) = TestEnv::start_on_node(&[("DUCKBOT_SESSIONS__START_TIMEOUT", "30s")]).await
    else {
        return;
    };
    let settings = "[pod.node_selector]\n\"duckbot.test/pond\" = \"deep\"\n";
    env.restart_bot_with_config(settings).await;
    env.cluster.store_credentials(env.ana.id()).await;
    let (asked, id) = env.start_session(&env.ana, "").await;
    let waits = asked
        .until(|reply| {
            reply
                .content
                .contains("no cluster node can run it right now")
        })
        .await;
    assert_says(&waits, "node affinity/selector");
    wait_for_status(&env, &id, ": queued, ", "Pending").await;
    let (told, ending) = wait_for_failure(&env, &asked).await;
    assert_says(
        &told,
        "could not start: no cluster node can run it as configured.",
    );
    assert_eq!(ending["failure"], "no_node");
    env.assert_clean().await;
}

#[tokio::test]
async fn the_image_is_not_there() {
    let image = (IMAGE, "duckbot.test/missing/duckui:works");
    let Some(env) = TestEnv::start_on_node(&[image]).await else {
        return;
    };
    let (told, ending) = start_and_fail(&env, Some("ImagePullBackOff")).await;
    assert_says(&told, "the session image was not found (`sessions.image`)");
    assert_eq!(ending["failure"], "image_missing");
    assert!(
        told.content.contains("missing/duckui:works"),
        "the message must name the image for the admin: {}",
        told.content
    );
    env.assert_clean().await;
}

#[tokio::test]
async fn the_registry_refuses() {
    let image = (IMAGE, "duckbot.test/private/duckui:works");
    let Some(env) = TestEnv::start_on_node(&[image]).await else {
        return;
    };
    let (told, ending) = start_and_fail(&env, Some("ImagePullBackOff")).await;
    assert_says(
        &told,
        "the registry does not let the cluster download the session image",
    );
    assert_eq!(ending["failure"], "image_refused");
    env.assert_clean().await;
}

#[tokio::test]
async fn the_registry_is_broken() {
    let image = (IMAGE, "duckbot.test/broken/duckui:works");
    let settings = [image, ("DUCKBOT_SESSIONS__START_TIMEOUT", "60s")];
    let Some(env) = TestEnv::start_on_node(&settings).await else {
        return;
    };
    env.cluster.store_credentials(env.ana.id()).await;
    let (asked, id) = env.start_session(&env.ana, "").await;
    asked
        .until(|reply| reply.content.contains("can't be downloaded yet"))
        .await;
    wait_for_status(&env, &id, ": starting, ", "Pending").await;
    let (told, ending) = wait_for_failure(&env, &asked).await;
    assert_says(&told, "could not be downloaded in time");
    assert_eq!(ending["failure"], "image_unavailable");
    env.assert_clean().await;
}

#[tokio::test]
async fn the_door_ends_again_and_again() {
    let door = (
        "DUCKBOT_SESSIONS__DOOR_IMAGE",
        "duckbot.test/duckui:crashes",
    );
    let Some(env) = TestEnv::start_on_node(&[door]).await else {
        return;
    };
    let (told, ending) = start_and_fail(&env, Some("CrashLoopBackOff")).await;
    assert_says(
        &told,
        "the proxy that checks who opens it crashed repeatedly",
    );
    assert_eq!(ending["failure"], "door");
    env.assert_clean().await;
}

#[tokio::test]
async fn what_an_admin_added_can_not_run() {
    for (command, why, kubectl) in [
        ("/bin/nowhere", "no such file or directory", "StartError"),
        (
            "/bin/false",
            "fetch: Error, exit code 1",
            "CrashLoopBackOff",
        ),
    ] {
        let Some(mut env) = TestEnv::start_on_node(&[]).await else {
            return;
        };
        let settings = format!(
            "[[pod.init_containers]]\nname = \"fetch\"\nimage = \"duckbot.test/pause:1\"\n\
             command = [\"{command}\"]\n"
        );
        env.restart_bot_with_config(&settings).await;
        let (told, ending) = start_and_fail(&env, Some(kubectl)).await;
        assert_says(&told, "the cluster can't run its containers as configured");
        assert_says(&told, why);
        assert_eq!(ending["failure"], "container");
        env.assert_clean().await;
    }
}

#[tokio::test]
async fn duckdb_ends_again_and_again_and_admins_read_its_last_words() {
    let image = (IMAGE, "duckbot.test/duckui:crashes");
    let Some(mut env) = TestEnv::start_on_node(&[image]).await else {
        return;
    };
    let ops = env.discord.channel("ops");
    env.restart_bot_with_config(&format!("discord.admin_channel = {ops}\n"))
        .await;
    // Enter the credentials in the chat, so that the bot knows which values to remove.
    env.enter_credentials(&env.ana).await;

    let recorder = StatusRecorder::of(&env);
    let (asked, id) = env.start_session(&env.ana, "").await;
    let log = env.ada.read("#ops").await;
    let (told, ending) = wait_for_failure(&env, &asked).await;
    assert!(recorder.reasons().contains(&"CrashLoopBackOff".to_owned()));
    assert_eq!(ending["failure"], "crashed");
    assert_says(&told, "DuckDB crashed repeatedly");
    assert_says(&told, "exit code 3");
    assert!(log.mentions.is_empty() && log.content.contains(&id));
    assert_eq!(log.files[0].name, format!("duckui-{id}.log"));
    let lines = log.files[0].text();
    assert!(lines.contains("The duck has no pond"), "{lines}");
    assert!(
        lines.contains("Reading the catalog as [removed] with [removed]…"),
        "{lines}"
    );
    assert!(CREDENTIALS.iter().all(|(_, value)| !lines.contains(value)));
    env.assert_clean().await;
}

#[tokio::test]
async fn duckdb_needs_more_memory_than_there_is_and_more_is_offered() {
    let image = (IMAGE, "duckbot.test/duckui:hungry");
    let Some(env) = TestEnv::start_on_node(&[image]).await else {
        return;
    };
    let (told, ending) = start_and_fail(&env, Some("OOMKilled")).await;
    assert_says(&told, "ran out of memory repeatedly (size `small`)");
    assert_eq!(ending["failure"], "out_of_memory");
    let pressed = env
        .ana
        .press(&told, "Try again with a larger size")
        .await
        .unwrap();
    let reply = pressed.reply().await;
    assert_says(&reply, "Starting session");
    assert_says(&reply, "(large, `lake`): ");
    let told = wait_for_last_reply(&env, &pressed).await;
    assert_says(&told, "size `large`");
    assert!(
        told.button("Try again with a larger size").is_none(),
        "there is no larger size"
    );
    env.assert_clean().await;
}

#[tokio::test]
async fn the_credentials_are_gone_when_it_starts() {
    let image = (IMAGE, "duckbot.test/held-keys/duckui:works");
    let Some(env) = TestEnv::start_on_node(&[image]).await else {
        return;
    };
    env.cluster.store_credentials(env.ana.id()).await;
    let (asked, id) = env.start_session(&env.ana, "").await;
    asked.until(|reply| reply.content.contains("▰▰▰▱▱")).await;
    wait_for_status(&env, &id, ": starting, ", "Pending").await;
    let secret = format!("duckbot-s3-{}", env.ana.id());
    env.cluster
        .secrets()
        .delete(&secret, &Default::default())
        .await
        .unwrap();
    Node::registry().release("held-keys");
    let (told, ending) = wait_for_failure(&env, &asked).await;
    assert_says(&told, "your credentials are no longer saved");
    assert_eq!(ending["failure"], "credentials_missing");
    env.assert_clean().await;
}

#[tokio::test]
async fn a_volume_can_not_be_mounted() {
    let settings = [("DUCKBOT_SESSIONS__START_TIMEOUT", "60s")];
    let Some(env) = TestEnv::start_on_node(&settings).await else {
        return;
    };
    // Some clusters add their own volumes to every Pod.
    mount_into_every_pod(&env, "not-there").await;

    env.cluster.store_credentials(env.ana.id()).await;
    let (asked, id) = env.start_session(&env.ana, "").await;
    asked
        .until(|reply| reply.content.contains("can't be attached yet"))
        .await;
    wait_for_status(&env, &id, ": starting, ", "Pending").await;
    let (told, ending) = wait_for_failure(&env, &asked).await;
    assert_says(&told, "could not be attached in time");
    assert_says(&told, "not-there");
    assert_eq!(ending["failure"], "mount");
    env.assert_clean().await;
}

#[tokio::test]
async fn the_namespace_has_used_up_its_quota() {
    let disk = [("DUCKBOT_SIZES__SMALL__DISK", "1Gi")];
    let Some(env) = TestEnv::start_on_node(&disk).await else {
        return;
    };
    let limit_disk = async |requests: &str| {
        let hard =
            json!({ "limits.ephemeral-storage": "1Gi", "requests.ephemeral-storage": requests });
        let quota = json!({ "apiVersion": "v1", "kind": "ResourceQuota",
            "metadata": { "name": "small" }, "spec": { "hard": hard } });
        let quotas: Api<ResourceQuota> =
            Api::namespaced(env.cluster.admin.clone(), &env.cluster.sessions);
        let apply = PatchParams::apply("test").force();
        let patch = Patch::Apply(quota);
        quotas.patch("small", &apply, &patch).await.unwrap();
        // The quota applies only after the cluster has computed its usage.
        let counted = async || {
            let status = quotas.get("small").await.unwrap().status;
            let hard = status.and_then(|status| status.hard).unwrap_or_default();
            hard.get("requests.ephemeral-storage").cloned()
        };
        wait_until(counted, |hard| {
            hard.as_ref().is_some_and(|it| it.0 == requests)
        })
        .await;
    };
    limit_disk("100Mi").await;
    let (told, ending) = start_and_fail(&env, None).await;
    assert_eq!(ending["cause"], "refused");
    assert_says(&told, "The team's share of the cluster is used up");
    assert_says(&told, "limited: requests.ephemeral-storage=100Mi");
    let line = "❌ Cluster's rules: the team's share is used up";
    assert_says(&examine(&env.ana, "/duck doctor").await, line);

    // The disk of size `small` is exactly what a session takes of the quota.
    limit_disk("1Gi").await;
    env.ready_session(&env.ana).await;
    env.assert_clean().await;
}

#[tokio::test]
async fn admission_refuses_the_pod() {
    let Some(env) = TestEnv::start_on_node(&[]).await else {
        return;
    };
    create_object(
        &env,
        json!({ "apiVersion": "v1", "kind": "LimitRange", "metadata": { "name": "tiny" },
        "spec": { "limits": [{ "type": "Container", "max": { "memory": "100Mi" } }] } }),
    )
    .await;
    let (told, ending) = start_and_fail(&env, None).await;
    assert_eq!(ending["cause"], "refused");
    assert_says(&told, "The cluster's rules don't allow this");
    let (_, reference) = told.content.split_once("Reference: `").unwrap();
    let reference = &reference[..8];
    assert!(
        env.log()
            .lines()
            .any(|line| line.contains(reference) && line.contains("maximum memory usage"))
    );
    let examined = examine(&env.ada, "/duck doctor").await;
    assert_says(&examined, "❌ Cluster's rules: don't allow a session");
    assert_says(&examined, "maximum memory usage");
    env.assert_clean().await;
}

#[tokio::test]
async fn it_is_not_ready_in_time() {
    let image = (IMAGE, "duckbot.test/duckui:held");
    let settings = [image, ("DUCKBOT_SESSIONS__START_TIMEOUT", "60s")];
    let Some(env) = TestEnv::start_on_node(&settings).await else {
        return;
    };
    env.cluster.store_credentials(env.ana.id()).await;
    let (asked, id) = env.start_session(&env.ana, "").await;
    asked.until(|reply| reply.content.contains("▰▰▰▰▱")).await;
    wait_for_status(&env, &id, ": starting, ", "Running").await;
    let (told, ending) = wait_for_failure(&env, &asked).await;
    assert_says(&told, "was not ready within 1 minute");
    assert_eq!(ending["cause"], "took_too_long");
    env.assert_clean().await;
}

/// Makes the cluster mount a Secret into every session's Pod, as some clusters do.
async fn mount_into_every_pod(env: &TestEnv, secret: &str) {
    let name = &env.cluster.sessions;
    let rule = json!({ "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"],
        "resources": ["pods"] });
    let namespace = json!({ "matchLabels": { "kubernetes.io/metadata.name": name } });
    let mount = "Object.spec.containers.volumeMounts{name: 'theirs', mountPath: '/theirs'}";
    let volume = format!(
        "Object.spec.volumes{{name: 'theirs', secret: Object.spec.volumes.secret{{secretName: '{secret}'}}}}"
    );
    let patch = format!(
        "[JSONPatch{{op: 'add', path: '/spec/volumes/-', value: {volume}}},
          JSONPatch{{op: 'add', path: '/spec/containers/0/volumeMounts/-', value: {mount}}}]"
    );
    let policy = json!({ "metadata": { "name": name }, "spec": {
        "failurePolicy": "Fail", "reinvocationPolicy": "Never",
        "matchConstraints": { "resourceRules": [rule], "namespaceSelector": namespace },
        "mutations": [{ "patchType": "JSONPatch", "jsonPatch": { "expression": patch } }],
    }});
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
    // The policy takes effect after a moment.
    let probe: Pod = serde_json::from_value(json!({ "metadata": { "name": "probe" }, "spec": {
        "automountServiceAccountToken": false, // The token would be another volume.
        "volumes": [{ "name": "own", "emptyDir": {} }],
        "securityContext": { "runAsNonRoot": true, "seccompProfile": { "type": "RuntimeDefault" } },
        "containers": [{ "name": "probe", "image": "probe",
            "volumeMounts": [{ "name": "own", "mountPath": "/own" }], "securityContext": {
            "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] } } }],
    }}))
    .unwrap();
    let only_ask = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    let holds = async {
        loop {
            let pod = env.cluster.pods().create(&only_ask, &probe).await.unwrap();
            if pod.spec.unwrap().volumes.unwrap().len() == 2 {
                return;
            }
        }
    };
    let limit = std::time::Duration::from_secs(60);
    tokio::time::timeout(limit, holds)
        .await
        .expect("the policy took effect in time");
}
