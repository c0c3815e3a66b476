//! Tests of the Helm chart without a cluster: its objects, and the values that it refuses.

mod egress;
mod examples;
mod refused;
mod releases;
mod rendered;

use std::{collections::BTreeMap, fs, path::Path, process::Output, sync::LazyLock};

use config::{Config, File, FileFormat};
use duckbot::settings::Settings;
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use test_support::{Certificates, Cluster, helm as helm_folder};
use tokio::process::Command;

use crate::deploy::{copy, kubectl, uncommented};

/// Values that a first session needs.
pub const SIX_VALUES: [&str; 6] = [
    "image.registry=registry.example.com",
    "settings.discord.guild=1029384756102938475",
    "settings.routing.domain=duck.example.com",
    "settings.catalogs.lake.endpoint=https://iceberg.example.com/catalog",
    "settings.catalogs.lake.warehouse=analytics",
    "settings.catalogs.lake.s3_region=eu-central-1",
];

/// Certificate of a private CA.
static PRIVATE_CA: LazyLock<String> = LazyLock::new(|| {
    let certificates = Certificates::of("lake.example.com");
    fs::read_to_string(certificates.file("ca.pem")).unwrap()
});

/// Runs helm as an admin, in the project's folder. Returns the result, even if it failed.
async fn helm(arguments: &[&str]) -> Output {
    let cluster = Cluster::shared();
    Command::new(helm_folder().join("helm"))
        .args(arguments)
        .env("KUBECONFIG", cluster.kubeconfig())
        // Nothing of the person who runs the tests applies.
        .env("HOME", cluster.folder())
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .await
        .unwrap()
}

/// Like [`helm`]. Returns the output, and fails on errors.
pub async fn run_helm(arguments: &[&str]) -> String {
    let output = helm(arguments).await;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "helm {arguments:?}\n{said}");
    String::from_utf8(output.stdout).unwrap()
}

/// Objects of the chart as release `duckbot` in the namespace `duckbot`. Values that `--set` sets are
/// texts, and those of `json` are JSON.
async fn template(set: &[&str], json: &[&str]) -> Result<Vec<Value>, String> {
    let mut arguments = vec!["template", "duckbot", "deploy/chart", "-n", "duckbot"];
    arguments.extend(set.iter().flat_map(|value| ["--set", *value]));
    arguments.extend(json.iter().flat_map(|value| ["--set-json", *value]));
    let output = helm(&arguments).await;
    if output.status.success() {
        Ok(objects(&String::from_utf8(output.stdout).unwrap()))
    } else {
        Err(String::from_utf8(output.stderr).unwrap())
    }
}

fn objects(yaml: &str) -> Vec<Value> {
    let all: Vec<Value> = serde_saphyr::from_multiple(yaml).unwrap();
    all.into_iter().filter(Value::is_object).collect()
}

/// Returns true for the ConfigMap with the bot's settings. Kustomize adds a hash to its name.
fn is_settings(object: &Value) -> bool {
    let name = object["metadata"]["name"].as_str().unwrap();
    object["kind"] == "ConfigMap" && name.starts_with("duckbot-settings")
}

/// Objects by kind and name, without what only one of the two ways has.
fn comparable(all: Vec<Value>) -> BTreeMap<String, Value> {
    let named = all.into_iter().map(|mut object| {
        strip(&mut object);
        if is_settings(&object) {
            object["data"] = json!("compared by what the bot reads from it");
        }
        let text = |path: &str| object.pointer(path).map_or("", |it| it.as_str().unwrap());
        let (kind, namespace) = (text("/kind"), text("/metadata/namespace"));
        (
            format!("{kind} {namespace}/{}", text("/metadata/name")),
            object,
        )
    });
    let mut named: BTreeMap<_, _> = named.collect();
    // Helm does not own the release's namespace.
    named.remove("Namespace /duckbot");
    named
}

fn strip(value: &mut Value) {
    const HELMS: [&str; 6] = [
        "app.kubernetes.io/instance",
        "app.kubernetes.io/managed-by",
        "app.kubernetes.io/version",
        "checksum/settings",
        "helm.sh/chart",
        "helm.sh/resource-policy",
    ];
    match value {
        Value::Object(entries) => {
            entries.retain(|name, _| !HELMS.contains(&name.as_str()));
            entries.values_mut().for_each(strip);
            for name in ["labels", "annotations"] {
                if entries.get(name) == Some(&Value::Object(Map::new())) {
                    entries.remove(name);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(strip),
        Value::String(text) if text.starts_with("duckbot-settings-") => {
            *text = "duckbot-settings".into();
        }
        Value::String(text) if text == "/etc/duckbot/duckbot.json" => {
            *text = "/etc/duckbot/duckbot.toml".into();
        }
        _ => {}
    }
}

/// Settings that the bot reads in its Pod, as text.
fn settings(all: &[Value]) -> String {
    let folder = TempDir::new().unwrap();
    let read = format!("{:#?}", read_settings(all, folder.path()));
    read.replace(folder.path().to_str().unwrap(), "")
}

/// Settings that the bot reads in its Pod. Its files are in `folder`.
fn read_settings(all: &[Value], folder: &Path) -> Settings {
    let settings = all.iter().find(|it| is_settings(it)).unwrap();
    let data = settings["data"].as_object().unwrap();
    let (name, text) = data.iter().next().unwrap();
    let container = "/spec/template/spec/containers/0/env";
    let deployment = all.iter().find(|it| it["kind"] == "Deployment").unwrap();
    let variables = deployment.pointer(container).unwrap();
    let variables = variables.as_array().unwrap().iter().map(|it| {
        let text = |name: &str| it[name].as_str().unwrap().to_owned();
        (text("name"), text("value"))
    });
    let mut variables: std::collections::HashMap<_, _> = variables.collect();
    for (variable, content) in [
        ("DUCKBOT_DISCORD__TOKEN_FILE", "token"),
        ("DUCKBOT_API__TOKENS_FILE", ""),
        ("DUCKBOT_TLS__CA_FILE", &PRIVATE_CA),
    ] {
        if let Some(path) = variables.get_mut(variable) {
            let file = folder.join(variable);
            fs::write(&file, content).unwrap();
            *path = file.to_str().unwrap().to_owned();
        }
    }
    Settings::read(Some((Path::new(name), text.as_str().unwrap())), variables).unwrap()
}

#[tokio::test]
async fn the_chart_makes_the_objects_of_the_overlays() {
    let traefik = kubectl("kustomize deploy/overlays/traefik").await;
    let gateway = kubectl("kustomize deploy/overlays/gateway").await;
    let ingress = kubectl("kustomize deploy/overlays/ingress").await;
    let folder = TempDir::new().unwrap();
    let deploy = folder.path().join("deploy");
    copy(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy"),
        &deploy,
    );
    let file = deploy.join("overlays/traefik/kustomization.yaml");
    let enabled = uncommented(&fs::read_to_string(&file).unwrap());
    fs::write(&file, enabled).unwrap();
    let folder = file.parent().unwrap().display();
    let mut everything = kubectl(&format!("kustomize {folder}")).await;
    everything.push_str("---\n");
    everything.push_str(&fs::read_to_string("deploy/examples/limits.yaml").unwrap());

    let at_gateway = [
        "settings.routing.kind=gateway",
        "settings.routing.gateway=duckui",
        "settings.routing.gateway_namespace=gateways",
        "settings.routing.gateway_listener=https",
        "settings.routing.tls_secret=",
        "networkPolicy.ingressNamespace=traefik",
    ];
    let class = [
        "settings.routing.kind=ingress",
        "settings.routing.ingress_class=nginx",
    ];
    let annotations = "settings.routing.annotations={\
        \"nginx.ingress.kubernetes.io/proxy-read-timeout\": \"86400\",\
        \"nginx.ingress.kubernetes.io/proxy-send-timeout\": \"86400\",\
        \"nginx.ingress.kubernetes.io/proxy-body-size\": \"64m\",\
        \"nginx.ingress.kubernetes.io/proxy-buffering\": \"off\",\
        \"nginx.ingress.kubernetes.io/proxy-request-buffering\": \"off\"}";
    let on = [
        "api.enabled=true",
        "prepull.enabled=true",
        "limits.enabled=true",
        "monitoring.enabled=true",
        "admissionPolicy.enabled=true",
        "tls.caConfigMap=private-ca",
        "image.pullSecrets={registry-login}",
        "openshift=true",
        "networkPolicy.privateLake.cidrs={10.20.30.0/24}",
        "networkPolicy.privateLake.ports={9000,8181}",
    ];
    let cases: [(_, &[&str], &[&str]); 4] = [
        (traefik, &[], &[]),
        (gateway, &at_gateway, &[]),
        (ingress, &class, &[annotations]),
        (everything, &on, &[]),
    ];
    for (overlay, more, json) in cases {
        let set: Vec<_> = SIX_VALUES.iter().chain(more).copied().collect();
        let chart = template(&set, json).await.unwrap();
        let overlay = objects(&overlay);
        if more.contains(&"openshift=true") {
            assert_names_are_resolved_on_openshift(&overlay);
        }
        assert_eq!(settings(&chart), settings(&overlay), "{more:?}");
        assert_eq!(comparable(chart), comparable(overlay), "{more:?}");
    }
}

/// Asserts that sessions reach OpenShift's DNS:
/// <https://docs.openshift.com/container-platform/latest/networking/networking_operators/dns-operator.html>
fn assert_names_are_resolved_on_openshift(all: &[Value]) {
    let names = all.iter().find(|it| it["metadata"]["name"] == "names");
    let dns = json!({
        "to": [{ "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": "openshift-dns" } } }],
        "ports": [{ "port": 5353, "protocol": "UDP" }, { "port": 5353, "protocol": "TCP" }],
    });
    assert_eq!(names.unwrap()["spec"]["egress"][0], dns);
}

#[tokio::test]
async fn values_are_checked_before_anything_is_installed() {
    let set: Vec<_> = SIX_VALUES.iter().flat_map(|it| ["--set", *it]).collect();
    let lint = [&["lint", "--strict", "deploy/chart"][..], &set].concat();
    run_helm(&lint).await;

    let refused = template(
        &[
            "settings.sessions.per_usr=3",
            "settings.discord.token_file=x",
        ],
        &["settings.reaper.idle=false"],
    );
    let refused = refused.await.unwrap_err();
    for line in [
        "at '/settings/sessions': additional properties 'per_usr' not allowed",
        "at '/settings/discord': missing property 'guild'",
        "at '/settings/discord': additional properties 'token_file' not allowed",
        "at '/settings/routing': missing property 'domain'",
        "at '/settings/catalogs': minProperties: got 0, want 1",
        "at '/settings/reaper/idle': got boolean, want string",
    ] {
        assert!(refused.contains(line), "{line:?} in\n{refused}");
    }
    let without_registry = template(&SIX_VALUES[1..], &[]).await.unwrap_err();
    assert!(
        without_registry.contains("image.registry is required"),
        "{without_registry}"
    );
    // YAML and JSON round such a number.
    let id = "settings.discord.admin_roles=[1029384756102938475]";
    let rounded = template(&SIX_VALUES, &[id]).await.unwrap_err();
    assert!(
        rounded.contains("settings.discord.admin_roles.0 was rounded"),
        "{rounded}"
    );
}

#[tokio::test]
async fn alerts_are_about_the_namespace_of_the_release() {
    let in_team_b = ["template", "team-b", "deploy/chart", "-n", "team-b"];
    let set = SIX_VALUES.iter().chain(&[
        "monitoring.enabled=true",
        "monitoring.labels.release=null",
        "monitoring.labels.prometheus=main",
        "monitoring.dashboard=false",
    ]);
    let set: Vec<_> = set.flat_map(|it| ["--set", *it]).collect();
    let all = objects(&run_helm(&[&in_team_b[..], &set].concat()).await);
    let of_kind = |kind: &str| all.iter().find(|it| it["kind"] == kind);
    for kind in ["PodMonitor", "PrometheusRule"] {
        let labels = &of_kind(kind).unwrap()["metadata"]["labels"];
        assert_eq!(
            (&labels["prometheus"], &labels["release"]),
            (&json!("main"), &Value::Null)
        );
    }
    let selector = &of_kind("PodMonitor").unwrap()["spec"]["selector"]["matchLabels"];
    assert_eq!(selector["app.kubernetes.io/instance"], "team-b");
    let rules = &of_kind("PrometheusRule").unwrap()["spec"]["groups"][0]["rules"];
    for rule in rules.as_array().unwrap() {
        let expression = rule["expr"].as_str().unwrap();
        let selected = expression.matches("namespace=\"team-b\"").count();
        assert_eq!(selected, expression.matches('{').count(), "{expression}");
    }
    let maps = all.iter().filter(|it| it["kind"] == "ConfigMap");
    assert_eq!(maps.count(), 1, "only the settings");
}

#[tokio::test]
async fn every_kind_of_setting_reaches_the_bot_unchanged() {
    // All defaults, except the settings that the chart sets itself.
    let defaults = include_str!("../config/default.toml");
    let defaults = Config::builder().add_source(File::from_str(defaults, FileFormat::Toml));
    let mut all: Value = defaults.build().unwrap().try_deserialize().unwrap();
    for (section, key) in [
        ("discord", "token_file"),
        ("kubernetes", "lease"),
        ("sessions", "runtime"),
        ("sessions", "door_image"),
        ("api", "listen"),
        ("api", "tokens_file"),
    ] {
        all[section].as_object_mut().unwrap().remove(key);
    }
    for section in ["local", "admin", "tls"] {
        all.as_object_mut().unwrap().remove(section);
    }
    all["discord"]["guild"] = json!("1029384756102938475");
    all["routing"]["domain"] = json!("duck.example.com");
    all["sessions"]["image"] = json!("duckui:1");
    all["catalogs"]["lake"] = json!({ "endpoint": "https://iceberg.example.com/catalog" });
    let image = "image.bot=duckbot:1";
    let expected = template(&[image], &[&format!("settings={all}")]).await;
    let expected = settings(&expected.unwrap());

    // Values of each kind, also numbers, which Helm reads as floating-point numbers.
    all["sql"]["rows"] = json!(100_000);
    all["sql"]["history"] = json!(false);
    all["sizes"]["tiny"] = json!({ "cpu": 2, "memory": "512Mi" });
    all["pod"]["tolerations"] = json!([{ "key": "a", "tolerationSeconds": 300 }]);
    all["pod"]["environment"] = json!({ "ODD": "$A \"b\" 'c' <d> {{ e }}" });
    let changed = template(&[image], &[&format!("settings={all}")]).await;
    let changed = settings(&changed.unwrap());
    let new: Vec<_> = changed
        .lines()
        .map(str::trim)
        .filter(|line| !expected.contains(line))
        .collect();
    for line in [
        "rows: 100000,",
        "history: false,",
        "name: \"tiny\",",
        "toleration_seconds: Some(",
        "\"ODD\": \"$A \\\"b\\\" 'c' <d> {{ e }}\",",
    ] {
        assert!(new.contains(&line), "{line:?} in {new:?}");
    }
}
