//! Values that the chart refuses, each with a sentence, before anything is installed.

use std::{collections::HashMap, fs, path::Path};

use duckbot::settings::Settings;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{SIX_VALUES, helm, objects, template};

/// Values with everything on.
fn everything() -> Value {
    json!({
        "image": { "registry": "registry.example.com" },
        "settings": {
            "discord": { "guild": "1029384756102938475" },
            "routing": { "domain": "duck.example.com" },
            "catalogs": { "lake": { "endpoint": "https://iceberg.example.com/catalog" } },
        },
        "tls": { "caConfigMap": "private-ca" },
        "networkPolicy": { "privateLake": { "cidrs": ["10.0.0.0/8", "fd00::/8"], "ports": [9000] } },
        "api": { "enabled": true },
        "prepull": { "enabled": true },
        "monitoring": { "enabled": true },
        "admissionPolicy": { "enabled": true },
        "limits": { "enabled": true },
    })
}

/// Sets a value at `path`.
fn set(values: &mut Value, path: &[String], value: Value) {
    let place = path.iter().fold(values, |at, name| &mut at[name.as_str()]);
    *place = value;
}

/// Renders the chart with these values.
async fn render(values: &Value) -> Result<Vec<Value>, String> {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("values.json");
    fs::write(&file, values.to_string()).unwrap();
    let file = file.to_str().unwrap();
    let output = helm(&[
        "template",
        "duckbot",
        "deploy/chart",
        "-n",
        "duckbot",
        "-f",
        file,
    ])
    .await;
    if output.status.success() {
        Ok(objects(&String::from_utf8(output.stdout).unwrap()))
    } else {
        Err(String::from_utf8(output.stderr).unwrap())
    }
}

#[tokio::test]
async fn additions_to_the_bots_pod_cant_replace_what_the_chart_sets() {
    let mut values = everything();
    values["image"]["pullSecrets"] = json!(["registry"]);
    values["priorityClassName"] = json!("high");
    values["nodeSelector"] = json!({ "team": "data" });
    values["affinity"] = json!({ "podAntiAffinity": {} });
    let all = render(&values).await.unwrap();
    let deployment = all.iter().find(|it| it["kind"] == "Deployment").unwrap();
    let pod = &deployment["spec"]["template"];
    let keys =
        |value: &Value| -> Vec<String> { value.as_object().unwrap().keys().cloned().collect() };
    let mut fields = keys(&pod["spec"]);
    // The chart leaves this one to whoever sets it.
    fields.retain(|field| field != "topologySpreadConstraints");
    let labels = keys(&pod["metadata"]["labels"]);
    let annotations = vec!["checksum/settings".to_owned()];
    for (value, keys) in [
        ("extraPodSpec", fields),
        ("podLabels", labels),
        ("podAnnotations", annotations),
    ] {
        for key in keys {
            let addition = format!("{value}={}", json!({ key.as_str(): "x" }));
            let refused = template(&SIX_VALUES, &[&addition]).await.unwrap_err();
            let why = format!("{value} can't have {key}, because the chart sets it itself; ");
            assert!(refused.contains(&why), "{why:?} in\n{refused}");
        }
    }
    let label = "monitoring.labels={\"helm.sh/chart\": \"x\"}";
    let on = [&SIX_VALUES[..], &["monitoring.enabled=true"]].concat();
    let refused = template(&on, &[label]).await.unwrap_err();
    let why = "monitoring.labels can't have helm.sh/chart, because the chart sets it itself";
    assert!(refused.contains(why), "{refused}");
}

#[tokio::test]
async fn values_that_cant_work_are_refused_with_a_sentence() {
    for (value, why) in [
        (
            "settings.discord.guild=\"\"",
            "at '/settings/discord/guild': '' does not match",
        ),
        (
            "settings.discord.guild=\"abc\"",
            "at '/settings/discord/guild': 'abc' does not match",
        ),
        (
            "settings.routing.domain=\"\"",
            "at '/settings/routing/domain': '' does not match",
        ),
        (
            "settings.routing.domain=\"https://x\"",
            "at '/settings/routing/domain': 'https://x' does not match",
        ),
        (
            "settings.routing={\"kind\": \"gateway\", \"gateway\": \"\", \"domain\": \"x.y\"}",
            "at '/settings/routing/gateway': '' does not match",
        ),
        (
            "settings.routing={\"kind\": \"gateway\", \"gateway\": \"web\", \"domain\": \"x.y\"}",
            "networkPolicy.ingressNamespace is required with a Gateway",
        ),
        (
            "settings.sessions.per_user=-1",
            "at '/settings/sessions/per_user': minimum: got -1, want 1",
        ),
        (
            "settings.log.format=\"xml\"",
            "at '/settings/log/format': 'xml' does not match",
        ),
        (
            "settings.report={\"when_quiet\": \"zzz\"}",
            "at '/settings/report/when_quiet': 'zzz' does not match",
        ),
        (
            "settings.pod={\"image_pull_policy\": \"Sometimes\"}",
            "at '/settings/pod/image_pull_policy': 'Sometimes' does not match",
        ),
        (
            "settings.sizes={\"small\": {\"cpu\": 1.5}}",
            "settings.sizes.small.cpu is 1.5; write parts of cores as thousandths: 1500m",
        ),
        (
            "settings.sizes={\"small\": {\"requests\": {\"cpu\": \"0.25\"}}}",
            "settings.sizes.small.requests.cpu is 0.25; write parts of cores as thousandths: 250m",
        ),
        (
            "settings.kubernetes.namespace=\"duckbot\"",
            "sessions need another namespace than duckbot, which is the bot's",
        ),
        (
            "fullnameOverride=\"Bad_Name\"",
            "at '/fullnameOverride': 'Bad_Name' does not match",
        ),
        (
            "networkPolicy.privateLake.cidrs=[\"10.0.0.0/33\"]",
            "at '/networkPolicy/privateLake/cidrs/0': '10.0.0.0/33' does not match",
        ),
        (
            "networkPolicy.privateLake.cidrs=[\"not\"]",
            "at '/networkPolicy/privateLake/cidrs/0': 'not' does not match",
        ),
    ] {
        let (path, new) = value.split_once('=').unwrap();
        let path: Vec<_> = path.split('.').map(str::to_owned).collect();
        let mut values = everything();
        set(&mut values, &path, serde_json::from_str(new).unwrap());
        let refused = render(&values).await.err();
        let refused = refused.unwrap_or_else(|| panic!("{value} is accepted"));
        assert!(refused.contains(why), "{why:?} in\n{refused}");
    }
    // A cluster accepts parts of cores, so other containers can have them.
    let container = "settings.pod.init_containers=[{\"name\": \"a\", \"image\": \"b\",\
                     \"resources\": {\"requests\": {\"cpu\": \"0.5\"}}}]";
    template(&SIX_VALUES, &[container]).await.unwrap();

    let set: Vec<_> = SIX_VALUES.iter().flat_map(|it| ["--set", *it]).collect();
    let dotted = [&["template", "team.duckbot", "deploy/chart"][..], &set].concat();
    let refused = String::from_utf8(helm(&dotted).await.stderr).unwrap();
    assert!(
        refused.contains("team.duckbot, has a dot, which a namespace can't have"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_value_that_is_null_is_refused_or_has_a_meaning() {
    let defaults = fs::read_to_string("deploy/chart/values.yaml").unwrap();
    let defaults: Value = serde_saphyr::from_str(&defaults).unwrap();
    let mut paths = Vec::new();
    collect(&defaults, &mut Vec::new(), &mut paths);
    let mut refused = Vec::new();
    for path in &paths {
        let mut values = everything();
        set(&mut values, path, Value::Null);
        if let Err(why) = render(&values).await {
            let is_sentence = why.contains("missing property") || why.contains("is required");
            assert!(is_sentence, "{path:?}: {why}");
            refused.push(path.join("."));
        }
    }
    for path in [
        "networkPolicy",
        "settings.kubernetes",
        "settings.sessions",
        "secrets.discord",
        "secrets.discord.key",
        "limits.memory",
        "openshift",
        "replicas",
    ] {
        assert!(refused.iter().any(|it| it == path), "{path} in {refused:?}");
    }
}

/// Collects the paths of all values, with those of tables.
fn collect(value: &Value, path: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    for (name, inner) in value.as_object().into_iter().flatten() {
        path.push(name.clone());
        found.push(path.clone());
        collect(inner, path, found);
        path.pop();
    }
}

/// Values to try for each setting.
const PROBES: &str = r#"["", " x ", "x", "X.y", "+3", "-1", "0", "1.5", "500m", "4Gi", "5m", "0s", " off ", "off",
    " silence ", " json ", " Always ", "a.b", " https://x.example.com/p ", "s3://lake/x/", "7",
    -1, 0, 1, 20, 21, 51, 101, 1000000, true, false]"#;

#[tokio::test]
async fn the_schema_refuses_nothing_that_the_bot_accepts() {
    let schema = fs::read_to_string("deploy/chart/values.schema.json").unwrap();
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let mut keys = Vec::new();
    find_keys(
        &schema,
        &schema["properties"]["settings"],
        &mut Vec::new(),
        &mut keys,
    );
    let probes: Vec<Value> = serde_json::from_str(PROBES).unwrap();
    for probe in probes {
        let mut values = everything();
        let mut tried = HashMap::new();
        for (path, types) in &keys {
            let Some(value) = probe_of(types, &probe) else {
                continue;
            };
            let mut whole = vec!["settings".to_owned()];
            whole.extend(path.iter().cloned());
            tried.insert(
                format!("/{}", whole.join("/")),
                (whole.clone(), value.clone()),
            );
            set(&mut values, &whole, value);
        }
        let refused = render(&values).await.err().unwrap_or_default();
        let lines = refused
            .lines()
            .filter_map(|line| line.trim().strip_prefix("- at '"));
        for place in lines.filter_map(|line| line.split('\'').next()) {
            // An item of a list.
            let whole = place.trim_end_matches("/0");
            let Some((path, value)) = tried.get(whole) else {
                continue;
            };
            let mut values = everything();
            set(&mut values, path, value.clone());
            let accepted = accepts(&values["settings"]);
            assert!(!accepted, "{whole} = {value} is refused:\n{refused}");
        }
    }
}

/// The value to try for a setting of these types. `None`: the probe is of another type.
fn probe_of(types: &[&str], probe: &Value) -> Option<Value> {
    let own = match probe {
        Value::String(_) => "string",
        Value::Bool(_) => "boolean",
        _ => "integer",
    };
    let is_number = own == "integer" && types.contains(&"number");
    match types {
        ["array"] if own == "string" => Some(json!([probe])),
        types if types.contains(&own) || is_number => Some(probe.clone()),
        _ => None,
    }
}

/// Returns true if the bot starts with these settings.
fn accepts(settings: &Value) -> bool {
    let variables = [
        ("DUCKBOT_DISCORD_TOKEN", "token"),
        ("DUCKBOT_SESSIONS__DOOR_IMAGE", "duckbot:1"),
        ("DUCKBOT_SESSIONS__IMAGE", "duckui:1"),
    ];
    let variables = variables.map(|(name, it)| (name.to_owned(), it.to_owned()));
    let text = settings.to_string();
    Settings::read(Some((Path::new("duckbot.json"), &text)), variables.into()).is_ok()
}

/// Finds the settings in a schema, with their types. The namespace is not one of them: the chart uses it itself.
fn find_keys<'a>(
    schema: &'a Value,
    at: &'a Value,
    path: &mut Vec<String>,
    found: &mut Vec<(Vec<String>, Vec<&'a str>)>,
) {
    let name = at["$ref"].as_str().and_then(|it| it.rsplit('/').next());
    let at = name.map_or(at, |name| &schema["definitions"][name]);
    let table = &at["additionalProperties"];
    if let Some(inner) = at["properties"].as_object() {
        for (name, inner) in inner {
            path.push(name.clone());
            find_keys(schema, inner, path, found);
            path.pop();
        }
    } else if table["properties"].is_object() {
        let name = if path == &["sizes"] { "small" } else { "lake" };
        path.push(name.to_owned());
        find_keys(schema, table, path, found);
        path.pop();
    } else if path != &["kubernetes", "namespace"] {
        let types = match &at["type"] {
            Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
            Value::String(one) => vec![one.as_str()],
            _ => vec!["string"],
        };
        found.push((path.clone(), types));
    }
}
