//! Tests of `deploy/`, applied with kubectl. `walk` follows docs/operations.md on a real node.

use std::{collections::HashMap, fs, path::Path, process::Output};

use duckbot::settings::Settings;
use k8s_openapi::{
    api::{
        apps::v1::Deployment,
        coordination::v1::Lease,
        core::v1::{ConfigMap, Namespace, Pod, PodSpec, Secret, Service},
        networking::v1::NetworkPolicy,
    },
    apimachinery::pkg::util::intstr::IntOrString,
};
use kube::{
    Api, Client,
    api::{ListParams, ObjectMeta, PostParams},
    runtime::wait::{await_condition, conditions::is_deleted},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use test_support::{Cluster, wait_until};
use tokio::{process::Command, sync::Mutex};

/// Runs kubectl as an admin, in the project's folder. Returns its output, and fails on errors and
/// warnings.
pub async fn kubectl(line: &str) -> String {
    let output = run(line).await;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "kubectl {line}\n{said}");
    assert!(!said.contains("Warning"), "kubectl {line}\n{said}");
    String::from_utf8(output.stdout).unwrap()
}

/// Runs kubectl as an admin, in the project's folder. Returns the result, even if it failed.
pub async fn run(line: &str) -> Output {
    let cluster = Cluster::shared();
    Command::new(cluster.programs().join("kubectl"))
        .arg("--kubeconfig")
        .arg(cluster.kubeconfig())
        .args(line.split(' '))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .await
        .unwrap()
}

fn in_home<K>(admin: &Client) -> Api<K>
where
    K: kube::Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>,
{
    Api::namespaced(admin.clone(), "duckbot")
}

/// Asserts that the bot's Pod satisfies the Pod security level of its own namespace.
async fn assert_is_admitted(admin: &Client, spec: PodSpec) {
    let pod = Pod {
        metadata: ObjectMeta {
            name: Some("duckbot-check".into()),
            ..ObjectMeta::default()
        },
        spec: Some(spec),
        status: None,
    };
    let dry_run = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    in_home::<Pod>(admin).create(&dry_run, &pod).await.unwrap();
}

/// Lock for the fixed names of the namespaces: one installation can exist at a time.
pub static NAMES: Mutex<()> = Mutex::const_new(());

/// Waits until both namespaces are gone.
pub async fn assert_nothing_left(admin: &Client) {
    for name in ["duckbot", "duckbot-sessions"] {
        let namespaces: Api<Namespace> = Api::all(admin.clone());
        let Some(namespace) = namespaces.get_opt(name).await.unwrap() else {
            continue;
        };
        let uid = namespace.metadata.uid.unwrap();
        let gone = await_condition(namespaces, name, is_deleted(&uid));
        let gone = tokio::time::timeout(std::time::Duration::from_secs(120), gone).await;
        gone.expect("the namespace was removed in time").unwrap();
    }
}

/// Contents of the bot's Secrets, as if the bot had written them.
const KEYS: [(&str, &str); 2] = [
    (
        "duckbot-door-keys",
        r#"{"data":{"a":"YQ=="},"immutable":null}"#,
    ),
    (
        "duckbot-work-key",
        r#"{"data":{"key":"YQ=="},"immutable":true}"#,
    ),
];

#[tokio::test]
async fn an_installation_is_one_command_and_so_is_its_end() {
    let _names = NAMES.lock().await;
    let admin = Client::try_from(Cluster::shared().config().await).unwrap();
    for overlay in ["traefik", "gateway", "ingress"] {
        let folder = format!("deploy/overlays/{overlay}");
        let applied = kubectl(&format!(
            "apply --server-side --validate=strict -k {folder}"
        ))
        .await;
        assert!(
            applied.contains("deployment.apps/duckbot serverside-applied"),
            "{applied}"
        );

        // Installing again leaves the bot's keys alone.
        if overlay == "traefik" {
            for (name, content) in KEYS {
                kubectl(&format!("patch secret {name} -n duckbot --patch={content}")).await;
            }
        }
        let secrets = in_home::<Secret>(&admin);
        for (name, content) in KEYS {
            let stored = secrets.get(name).await.unwrap();
            let stored = json!({ "data": stored.data, "immutable": stored.immutable });
            let content: Value = serde_json::from_str(content).unwrap();
            assert_eq!(stored, content, "{name}");
        }

        // The door uses the same image as the bot.
        let deployments: Api<Deployment> = in_home(&admin);
        let template = deployments
            .get("duckbot")
            .await
            .unwrap()
            .spec
            .unwrap()
            .template;
        let spec = template.spec.unwrap();
        let bot = &spec.containers[0];
        let door = bot
            .env
            .as_ref()
            .unwrap()
            .iter()
            .find(|it| it.name.ends_with("DOOR_IMAGE"));
        assert_eq!(door.unwrap().value, bot.image);
        assert_eq!(
            bot.image.as_deref(),
            Some("registry.example.com/duckbot:0.1.0")
        );

        assert_is_admitted(&admin, spec).await;

        // The settings in the ConfigMap are valid.
        let maps = in_home::<ConfigMap>(&admin);
        let maps = maps.list(&ListParams::default()).await.unwrap();
        let mut texts = maps
            .into_iter()
            .filter_map(|it| it.data?.remove("duckbot.toml"));
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("duckbot.toml");
        fs::write(&path, texts.next().unwrap()).unwrap();
        assert_eq!(texts.next(), None);
        kubectl("delete configmap --all --namespace duckbot").await;
        let variables = [
            ("DUCKBOT_DISCORD_TOKEN", "token"),
            ("DUCKBOT_ADMIN__LISTEN", "[::]:9090"),
            ("DUCKBOT_SESSIONS__DOOR_IMAGE", "duckbot"),
            ("DUCKBOT_SESSIONS__IMAGE", "duckui"),
        ];
        let variables = variables.map(|(name, it)| (name.to_owned(), it.to_owned()));
        let settings = Settings::load(Some(&path), HashMap::from(variables));
        assert_eq!(settings.unwrap().sessions.default_catalog, "lake");
    }

    // Network policies allow only the listed connections to and from sessions.
    let policies: Api<NetworkPolicy> = Api::namespaced(admin.clone(), "duckbot-sessions");
    let all = policies.list(&ListParams::default()).await.unwrap();
    let names: Vec<_> = all
        .iter()
        .filter_map(|it| it.metadata.name.as_deref())
        .collect();
    assert_eq!(
        names,
        [
            "bot-to-doors",
            "ingress-to-doors",
            "names",
            "nothing-but",
            "sessions-to-public-https"
        ]
    );

    // Enable the private lake, the API and monitoring, as the comments in the file say.
    let folder = TempDir::new().unwrap();
    let deploy = folder.path().join("deploy");
    copy(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy"),
        &deploy,
    );
    let overlay = deploy.join("overlays/traefik");
    let text = fs::read_to_string(overlay.join("kustomization.yaml")).unwrap();
    fs::write(overlay.join("kustomization.yaml"), uncommented(&text)).unwrap();
    let overlay = overlay.to_str().unwrap();
    let applied = kubectl(&format!(
        "apply --server-side --validate=strict -k {overlay}"
    ))
    .await;
    for monitoring in [
        "podmonitor.monitoring.coreos.com/duckbot",
        "prometheusrule.monitoring.coreos.com/duckbot",
        "configmap/duckbot-dashboard",
    ] {
        assert!(
            applied.contains(&format!("{monitoring} serverside-applied")),
            "{applied}"
        );
    }
    let lake = policies.get("sessions-to-the-lake").await.unwrap();
    let egress = lake.spec.unwrap().egress.unwrap();
    assert_eq!(egress[0].ports.as_ref().unwrap().len(), 2);
    let services: Api<Service> = in_home(&admin);
    assert!(services.get_opt("duckbot").await.unwrap().is_some());
    // Only namespaces with a label reach the bot's ports.
    let own: Api<NetworkPolicy> = in_home(&admin);
    for (name, port, label) in [
        ("duckbot", 9090, ("duckbot.dev/metrics", "read")),
        ("duckbot-api", 8080, ("duckbot.dev/api", "call")),
    ] {
        let rules = own.get(name).await.unwrap().spec.unwrap().ingress.unwrap();
        let [rule] = rules.as_slice() else {
            panic!("{rules:?}");
        };
        assert_eq!(
            rule.ports.as_ref().unwrap()[0].port,
            Some(IntOrString::Int(port))
        );
        let from = serde_json::to_value(&rule.from).unwrap();
        let (label, value) = label;
        let namespaces = json!({ "namespaceSelector": { "matchLabels": { label: value } } });
        assert_eq!(from, json!([namespaces]));
    }
    let bots: Api<Deployment> = in_home(&admin);
    let template = bots.get("duckbot").await.unwrap().spec.unwrap().template;
    let labels = template.metadata.unwrap().labels.unwrap();
    let spec = template.spec.unwrap();
    // Prometheus finds the bot's Pods and their port.
    let monitor = kubectl("get podmonitor duckbot --namespace duckbot --output=json").await;
    let monitor: Value = serde_json::from_str(&monitor).unwrap();
    for (name, value) in monitor["spec"]["selector"]["matchLabels"]
        .as_object()
        .unwrap()
    {
        assert_eq!(labels.get(name).map(String::as_str), value.as_str());
    }
    let ports = spec.containers[0].ports.as_ref().unwrap();
    let scraped = monitor["spec"]["podMetricsEndpoints"][0]["port"].as_str();
    let port = ports.iter().find(|port| port.name.as_deref() == scraped);
    assert_eq!(port.unwrap().container_port, 9090);
    let mounts = spec.containers[0].volume_mounts.as_ref().unwrap();
    assert!(mounts.iter().any(|it| it.name == "api"));
    // OpenShift assigns the user.
    let security = spec.security_context.as_ref().unwrap();
    assert_eq!((security.run_as_user, security.run_as_group), (None, None));
    assert_is_admitted(&admin, spec).await;

    // An example that needs no other software. tests/node/door.rs uses the Gateway.
    kubectl(
        "apply --server-side --validate=strict --dry-run=server -f deploy/examples/limits.yaml",
    )
    .await;

    // A backup of the key of saved work replaces another key.
    let backup = kubectl("get secret duckbot-work-key -n duckbot -o yaml").await;
    let file = folder.path().join("backup.yaml");
    fs::write(&file, backup.replace("YQ==", "Yg==")).unwrap();
    let replaced = run(&format!("replace --force -f {}", file.display())).await;
    assert!(replaced.status.success(), "{replaced:?}");
    let restored = in_home::<Secret>(&admin).get("duckbot-work-key").await;
    assert_eq!(restored.unwrap().data.unwrap()["key"].0, b"b");

    // Create the token as the manual says.
    let token = "create secret generic duckbot-discord --namespace duckbot --from-literal=token=x";
    kubectl(token).await;
    assert!(
        in_home::<Secret>(&admin)
            .get_opt("duckbot-discord")
            .await
            .unwrap()
            .is_some()
    );

    for kind in ["", "binding"] {
        let kind = format!("validatingadmissionpolicy{kind}");
        kubectl(&format!(
            "delete {kind} pods.duckbot.duckbot exec.duckbot.duckbot namespace.duckbot.duckbot"
        ))
        .await;
    }
    kubectl("delete --wait=false -k deploy/overlays/traefik").await;
    assert_nothing_left(&admin).await;
}

/// Pods of the bot that are not about to end.
pub async fn bots(namespace: &str) -> Vec<Pod> {
    let admin = Client::try_from(Cluster::shared().config().await).unwrap();
    let pods: Api<Pod> = Api::namespaced(admin, namespace);
    let ours = ListParams::default().labels("app.kubernetes.io/name=duckbot");
    let mut all = pods.list(&ours).await.unwrap().items;
    all.retain(|pod| pod.metadata.deletion_timestamp.is_none());
    all
}

/// Waits until one of [`bots`] other than `previous` holds the Lease with this name. An earlier leader has then
/// closed its connection to Discord. Returns the holder: the Pod's name, `_`, and a random part.
pub async fn wait_for_leader(namespace: &str, name: &str, previous: Option<&str>) -> String {
    let admin = Client::try_from(Cluster::shared().config().await).unwrap();
    let leases: Api<Lease> = Api::namespaced(admin, namespace);
    let leader = async || {
        let lease = leases.get(name).await.unwrap();
        let holder = lease.spec.and_then(|spec| spec.holder_identity)?;
        let (pod, _) = holder.rsplit_once('_')?;
        let mut bots = bots(namespace).await.into_iter();
        let is_there = bots.any(|it| it.metadata.name.as_deref() == Some(pod));
        (is_there && Some(&*holder) != previous).then_some(holder)
    };
    wait_until(leader, Option::is_some).await.unwrap()
}

/// Enables everything that an overlay has in comments.
pub fn uncommented(overlay: &str) -> String {
    let lines = overlay.lines().map(|line| {
        let is_meant = line.starts_with("  # - ../../components/")
            || line.starts_with("  # - target: ")
            || line.starts_with("  #   ");
        if is_meant {
            line.replacen("# ", "", 1)
        } else {
            line.to_owned()
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Copies a folder recursively.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target)
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

/// Replaces texts in a file, as a person with an editor would.
pub fn edit(file: &Path, changes: &[(&str, &str)]) {
    let mut text = fs::read_to_string(file).unwrap();
    for (old, new) in changes {
        assert!(text.contains(old), "{} has no {old:?}", file.display());
        text = text.replace(old, new);
    }
    fs::write(file, text).unwrap();
}
