//! Values that reach the objects as they are.

use serde_json::{Value, json};

use super::{SIX_VALUES, objects, run_helm, template};

/// The object of this kind and name.
fn find<'a>(all: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let is_meant = |it: &&Value| it["kind"] == kind && it["metadata"]["name"] == name;
    all.iter().find(is_meant).unwrap()
}

#[tokio::test]
async fn every_value_of_the_bots_pod_reaches_it() {
    let set = [
        "replicas=3",
        "priorityClassName=high",
        "image.pullPolicy=Always",
        "image.pullSecrets={registry,mirror}",
        "prepull.enabled=true",
        "prepull.pauseImage=mirror.example.com/pause:1",
        "api.enabled=true",
        "tls.caConfigMap=our-ca",
        "secrets.discord.name=vault-token",
        "secrets.discord.key=bot",
        "secrets.apiTokens.name=vault-api",
        "secrets.apiTokens.key=list",
        "podLabels.team=data",
        "podAnnotations.team=ducks",
        "networkPolicy.ingressNamespace=edge",
        "networkPolicy.dns.namespace=names",
        "networkPolicy.dns.port=1053",
        "networkPolicy.dns.caches={10.0.0.10/32,fd00::10/128}",
        "networkPolicy.privateLake.namespaces={minio}",
        "networkPolicy.privateLake.ports={9000}",
    ];
    let resources = json!({ "requests": { "cpu": "1" }, "limits": { "memory": "1Gi" } });
    let toleration = json!({ "key": "team", "operator": "Exists" });
    let affinity = json!({ "nodeAffinity": {} });
    let spread = json!([{ "maxSkew": 2 }]);
    let values = [
        format!("resources={resources}"),
        format!("tolerations=[{toleration}]"),
        format!("affinity={affinity}"),
        "nodeSelector={\"disk\": \"ssd\"}".to_owned(),
        "extraEnv=[{\"name\": \"HTTPS_PROXY\", \"value\": \"http://proxy\"}]".to_owned(),
        "extraVolumes=[{\"name\": \"more\", \"emptyDir\": {}}]".to_owned(),
        "extraVolumeMounts=[{\"name\": \"more\", \"mountPath\": \"/more\"}]".to_owned(),
        format!(
            "extraPodSpec={{\"topologySpreadConstraints\": {spread}, \"dnsPolicy\": \"Default\"}}"
        ),
        "settings.pod={\"node_selector\": {\"team\": \"data\"}, \"image_pull_secrets\": [\"sessions\"]}"
            .to_owned(),
    ];
    let values: Vec<_> = values.iter().map(String::as_str).collect();
    let all = template(&[&SIX_VALUES[..], &set].concat(), &values)
        .await
        .unwrap();

    let deployment = find(&all, "Deployment", "duckbot");
    assert_eq!(deployment["spec"]["replicas"], 3);
    let pod = &deployment["spec"]["template"];
    assert_eq!(pod["metadata"]["labels"]["team"], "data");
    assert_eq!(pod["metadata"]["annotations"]["team"], "ducks");
    let spec = &pod["spec"];
    assert_eq!(spec["priorityClassName"], "high");
    assert_eq!(
        spec["imagePullSecrets"],
        json!([{ "name": "registry" }, { "name": "mirror" }])
    );
    assert_eq!(spec["nodeSelector"], json!({ "disk": "ssd" }));
    assert_eq!(spec["affinity"], affinity);
    // Besides those that let the Pods leave a failed node.
    let tolerations = spec["tolerations"].as_array().unwrap();
    assert_eq!((tolerations.len(), &tolerations[2]), (3, &toleration));
    assert_eq!(spec["topologySpreadConstraints"], spread);
    assert_eq!(spec["dnsPolicy"], "Default");
    let bot = &spec["containers"][0];
    assert_eq!(bot["imagePullPolicy"], "Always");
    let with_default = json!({ "cpu": "1", "memory": "64Mi" });
    assert_eq!(
        bot["resources"],
        json!({ "requests": with_default, "limits": { "memory": "1Gi" } })
    );
    let has = |list: &Value, item: &Value| list.as_array().unwrap().contains(item);
    let proxy = json!({ "name": "HTTPS_PROXY", "value": "http://proxy" });
    assert!(has(&bot["env"], &proxy), "{bot:#}");
    let more = json!({ "name": "more", "mountPath": "/more" });
    assert!(has(&bot["volumeMounts"], &more), "{bot:#}");
    for volume in [
        json!({ "name": "more", "emptyDir": {} }),
        json!({ "name": "ca", "configMap": { "name": "our-ca" } }),
        json!({ "name": "discord", "secret": {
            "secretName": "vault-token", "items": [{ "key": "bot", "path": "token" }],
        } }),
        json!({ "name": "api", "secret": {
            "secretName": "vault-api", "items": [{ "key": "list", "path": "tokens" }],
        } }),
    ] {
        assert!(has(&spec["volumes"], &volume), "{volume} in {spec:#}");
    }

    // The images are pulled where sessions run, with the Secrets of both.
    let images = &find(&all, "DaemonSet", "duckbot-images")["spec"]["template"]["spec"];
    assert_eq!(
        images["imagePullSecrets"],
        json!([{ "name": "registry" }, { "name": "mirror" }, { "name": "sessions" }])
    );
    assert_eq!(images["nodeSelector"], json!({ "team": "data" }));
    assert_eq!(images["initContainers"][0]["imagePullPolicy"], "Always");
    assert_eq!(
        images["containers"][0]["image"],
        "mirror.example.com/pause:1"
    );

    let from = &find(&all, "NetworkPolicy", "ingress-to-doors")["spec"]["ingress"][0]["from"];
    assert_eq!(*from, json!([in_namespace("edge")]));
    let names = &find(&all, "NetworkPolicy", "names")["spec"]["egress"];
    let on_port = |port: u16| json!([{ "port": port, "protocol": "UDP" }, { "port": port, "protocol": "TCP" }]);
    let caches = json!([
        { "ipBlock": { "cidr": "10.0.0.10/32" } },
        { "ipBlock": { "cidr": "fd00::10/128" } },
    ]);
    assert_eq!(
        *names,
        json!([
            { "to": [in_namespace("names")], "ports": on_port(1053) },
            { "to": caches, "ports": on_port(53) },
        ])
    );
    let egress = &find(&all, "NetworkPolicy", "duckbot-egress")["spec"]["egress"];
    assert_eq!(egress[1], json!({ "to": caches, "ports": on_port(53) }));
    let lake = &find(&all, "NetworkPolicy", "sessions-to-the-lake")["spec"]["egress"];
    let to_minio = json!([{ "to": [in_namespace("minio")], "ports": [{ "port": 9000 }] }]);
    assert_eq!(*lake, to_minio);
}

/// The Pods of a namespace, as a policy names them.
fn in_namespace(name: &str) -> Value {
    let labels = json!({ "kubernetes.io/metadata.name": name });
    json!({ "namespaceSelector": { "matchLabels": labels } })
}

#[tokio::test]
async fn sessions_get_the_secrets_of_the_registry_unless_they_have_others() {
    let secrets = ["image.pullSecrets={registry,mirror}"];
    let with = [&SIX_VALUES[..], &secrets].concat();
    let all = template(&with, &[]).await.unwrap();
    let read = super::settings(&all);
    let ours =
        "image_pull_secrets: [\n            \"registry\",\n            \"mirror\",\n        ]";
    assert!(read.contains(ours), "{read}");
    let others = "settings.pod={\"image_pull_secrets\": [\"sessions\"]}";
    let all = template(&with, &[others]).await.unwrap();
    let read = super::settings(&all);
    let theirs = "image_pull_secrets: [\n            \"sessions\",\n        ]";
    assert!(read.contains(theirs), "{read}");
}

/// Names that YAML reads as something else than a text, unless they have quotes.
const ODD_NAMES: [&str; 14] = [
    "true", "2024", "1e3", "null", "0x1f", "false", "12", "0o7", "3", "4", "5", "6", "7", "8",
];

#[tokio::test]
async fn a_name_that_looks_like_a_number_stays_a_text() {
    let plain: Vec<_> = (0..ODD_NAMES.len())
        .map(|it| format!("name-{it}"))
        .collect();
    let plain: Vec<_> = plain.iter().map(String::as_str).collect();
    let (odd, plain) = (shapes(&ODD_NAMES).await, shapes(&plain).await);
    assert_eq!(odd, plain);
}

/// Renders the chart with these names. Returns the objects, in which each text is empty.
async fn shapes(names: &[&str]) -> Vec<Value> {
    let mut names = names.iter();
    let (release, namespace) = (names.next().unwrap(), names.next().unwrap());
    let mut arguments = vec!["template", release, "deploy/chart", "-n", namespace];
    arguments.extend(SIX_VALUES.iter().flat_map(|value| ["--set", *value]));
    let values = [
        "fullnameOverride",
        "settings.kubernetes.namespace",
        "settings.pod.service_account",
        "networkPolicy.ingressNamespace",
        "networkPolicy.dns.namespace",
        "networkPolicy.privateLake.namespaces[0]",
        "priorityClassName",
        "tls.caConfigMap",
        "secrets.discord.name",
        "secrets.apiTokens.key",
        "image.pullSecrets[0]",
        "image.bot",
    ];
    let values = values.map(|value| format!("{value}={}", names.next().unwrap()));
    arguments.extend(values.iter().flat_map(|it| ["--set-string", it.as_str()]));
    for more in [
        "networkPolicy.privateLake.ports={9000}",
        "api.enabled=true",
        "prepull.enabled=true",
        "limits.enabled=true",
        "monitoring.enabled=true",
        "monitoring.dashboard=false",
        "admissionPolicy.enabled=true",
    ] {
        arguments.extend(["--set", more]);
    }
    let mut all = objects(&run_helm(&arguments).await);
    all.iter_mut().for_each(blank);
    all
}

/// Empties all texts.
fn blank(value: &mut Value) {
    match value {
        Value::String(text) => text.clear(),
        Value::Array(items) => items.iter_mut().for_each(blank),
        Value::Object(entries) => entries.values_mut().for_each(blank),
        _ => {}
    }
}
