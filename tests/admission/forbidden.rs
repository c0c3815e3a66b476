//! Changes of a session's Pod that the policies refuse.

use serde_json::{Value, json};

/// Returns JSON pointers, the values to set there, and parts of the messages. `owner` is that of the Pod.
pub fn changes(owner: &str) -> Vec<(&'static str, Value, &'static str)> {
    let others = "duckbot-s3-7";
    let from_secret = |name: &str| json!({ "name": "A", "valueFrom": { "secretKeyRef": { "name": name, "key": "a" } } });
    let volume = |source: Value| {
        let mut volume = json!({ "name": "more" });
        volume
            .as_object_mut()
            .unwrap()
            .extend(source.as_object().unwrap().clone());
        volume
    };
    let mount = |path: &str| json!({ "name": "note", "mountPath": path });
    let token = json!({ "serviceAccountToken": { "path": "token" } });
    let (image, secret, volumes, mounts) = (
        "another name, image, command or arguments",
        "neither its owner's, its session's nor in the settings",
        "a volume is neither",
        "a volume is mounted where neither",
    );
    let (node, rights) = ("a namespace of the node", "more rights");
    let config_map = "a ConfigMap that is not in the settings";
    vec![
        (
            "/metadata/name",
            json!("duckui-0b0b0b"),
            "name and labels of a session",
        ),
        (
            "/metadata/labels/duckbot.dev~1owner",
            json!("session-0a0a0a"),
            "name and labels of a session",
        ),
        (
            "/metadata/labels/duckbot.dev~1owner",
            json!(format!("{owner}1")),
            secret,
        ),
        ("/spec/containers/0/image", json!("busybox:1"), image),
        ("/spec/containers/0/image", json!("duckui/busybox:1"), image),
        ("/spec/containers/0/image", json!("duckui-2:1"), image),
        ("/spec/containers/0/name", json!("other"), image),
        ("/spec/containers/0/command", json!(["/bin/sh"]), image),
        ("/spec/containers/0/args", json!(["serve"]), image),
        ("/spec/containers/1/args", json!(["serve"]), image),
        ("/spec/containers/1/image", json!("duckui:1"), image),
        (
            "/spec/containers/-",
            json!({ "name": "sh", "image": "duckui:1" }),
            image,
        ),
        (
            "/spec/initContainers/0/image",
            json!("busybox:1"),
            "pod.init_containers",
        ),
        (
            "/spec/initContainers/0/args/1",
            json!("rm"),
            "pod.init_containers",
        ),
        (
            "/spec/initContainers/0/name",
            json!("other"),
            "pod.init_containers",
        ),
        (
            "/spec/containers/0/lifecycle",
            json!({ "preStop": { "exec": { "command": ["sh"] } } }),
            "a hook",
        ),
        (
            "/spec/containers/1/livenessProbe",
            json!({ "exec": { "command": ["sh"] } }),
            "a hook",
        ),
        (
            "/spec/containers/0/env/-",
            json!({ "name": "LD_PRELOAD", "value": "a" }),
            "LD_",
        ),
        ("/spec/containers/0/env/-", from_secret(others), secret),
        (
            "/spec/containers/1/env/-",
            from_secret("duckbot-history-7"),
            secret,
        ),
        (
            "/spec/containers/0/envFrom",
            json!([{ "secretRef": { "name": others } }]),
            secret,
        ),
        (
            "/spec/containers/0/envFrom",
            json!([{ "secretRef": { "name": "duckbot-discord" } }]),
            secret,
        ),
        (
            "/spec/containers/0/env/-",
            json!({ "name": "A", "valueFrom": { "configMapKeyRef": { "name": "duckbot-ledger", "key": "a" } } }),
            config_map,
        ),
        (
            "/spec/initContainers/0/envFrom/-",
            json!({ "configMapRef": { "name": "duckbot-ledger" } }),
            config_map,
        ),
        (
            "/spec/imagePullSecrets/-",
            json!({ "name": others }),
            "images are pulled with a Secret",
        ),
        (
            "/spec/volumes/-",
            volume(json!({ "secret": { "secretName": others } })),
            volumes,
        ),
        (
            "/spec/volumes/-",
            volume(json!({ "projected": { "sources": [{ "secret": { "name": others } }] } })),
            volumes,
        ),
        (
            "/spec/volumes/-",
            volume(json!({ "projected": { "sources": [token] } })),
            volumes,
        ),
        (
            "/spec/volumes/-",
            volume(json!({ "hostPath": { "path": "/" } })),
            volumes,
        ),
        (
            "/spec/volumes/-",
            volume(json!({ "csi": { "driver": "x.example.com" } })),
            volumes,
        ),
        (
            "/spec/volumes/-",
            volume(json!({ "configMap": { "name": "duckbot-ledger" } })),
            volumes,
        ),
        (
            "/spec/volumes/2",
            json!({ "name": "init-sql", "configMap": { "name": "mine" } }),
            volumes,
        ),
        (
            "/spec/volumes/0",
            json!({ "name": "work", "configMap": { "name": "team-note" } }),
            volumes,
        ),
        (
            "/spec/containers/0/volumeMounts/-",
            mount("/usr/bin"),
            mounts,
        ),
        (
            "/spec/containers/0/volumeMounts/-",
            mount("/var/run/secrets/../../../usr"),
            mounts,
        ),
        (
            "/spec/containers/0/volumeMounts/0",
            mount("/home/duck"),
            mounts,
        ),
        (
            "/spec/serviceAccountName",
            json!("default"),
            "another ServiceAccount",
        ),
        (
            "/spec/automountServiceAccountToken",
            json!(true),
            "another ServiceAccount",
        ),
        ("/spec/hostNetwork", json!(true), node),
        ("/spec/hostPID", json!(true), node),
        ("/spec/nodeName", json!("any"), node),
        ("/spec/containers/1/ports/0/hostPort", json!(8080), node),
        (
            "/spec/containers/0/securityContext",
            json!({ "privileged": true }),
            rights,
        ),
        (
            "/spec/containers/0/securityContext/capabilities/add",
            json!(["SYS_ADMIN"]),
            rights,
        ),
        (
            "/spec/containers/0/securityContext/runAsUser",
            json!(0),
            rights,
        ),
        ("/spec/securityContext/runAsNonRoot", json!(false), rights),
    ]
}
