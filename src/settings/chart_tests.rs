//! Settings as the Helm chart passes them.

use std::{collections::BTreeSet, path::Path};

use serde_json::Value;

use super::{reader::SettingsReader, tests::minimal, *};
use crate::outbound::Proxies;

/// Settings that the chart sets itself. Its values have none of them, and no `[local]`.
const OWNED_BY_CHART: [&str; 8] = [
    "admin.listen",
    "api.listen",
    "api.tokens_file",
    "discord.token_file",
    "kubernetes.lease",
    "sessions.door_image",
    "sessions.runtime",
    "tls.ca_file",
];

#[test]
fn the_schema_of_the_chart_has_every_setting() {
    let schema = include_str!("../../deploy/chart/values.schema.json");
    let schema: Value = serde_json::from_str(schema).expect("JSON");
    let mut in_chart = BTreeSet::new();
    collect("", &schema["properties"]["settings"], &mut in_chart);

    let mut reader = SettingsReader::new(merge(None, minimal()).expect("merged"));
    read(
        &mut reader,
        Some("canary-token".to_owned()),
        Ok(Proxies::default()),
    )
    .expect("valid");
    let is_in_chart = |key: &String| {
        let is_table = key.ends_with(">") || key == "discord.token";
        !is_table && !key.starts_with("local.") && !OWNED_BY_CHART.contains(&&**key)
    };
    let general = |key: &String| {
        key.replace("sizes.small.", "sizes.<name>.")
            .replace("sizes.large.", "sizes.<name>.")
            .replace("catalogs.lake.", "catalogs.<name>.")
    };
    let keys = reader.known_keys.iter().map(general);
    let keys: BTreeSet<_> = keys.filter(is_in_chart).collect();
    assert_eq!(in_chart, keys);
}

/// Collects the keys of a schema, such as `sizes.<name>.cpu`.
fn collect(path: &str, schema: &Value, found: &mut BTreeSet<String>) {
    let dot = if path.is_empty() { "" } else { "." };
    if let Some(properties) = schema["properties"].as_object() {
        for (name, inner) in properties {
            collect(&format!("{path}{dot}{name}"), inner, found);
        }
    } else if schema["additionalProperties"]["properties"].is_object() {
        collect(
            &format!("{path}.<name>"),
            &schema["additionalProperties"],
            found,
        );
    } else {
        found.insert(path.to_owned());
    }
}

#[test]
fn a_file_whose_name_ends_in_json_is_json() {
    let text = r#"{
      "discord": { "guild": "1029384756102938475", "admin_roles": [1029384756102938476, "7"] },
      "sql": { "rows": 100000, "history": false },
      "sizes": { "tiny": { "cpu": "500m", "memory": "512Mi" }, "small": { "cpu": 2 } },
      "routing": { "annotations": { "example.com/body-size": "64m", "x": "\u003ca\u0026b\u003e" } },
      "pod": { "tolerations": [{ "key": "team", "tolerationSeconds": 300 }] },
      "reaper": { "idle": "off", "dry_run": true },
      "kubernetes": { "namespace": null }
    }"#;
    let file = Some((Path::new("/etc/duckbot/duckbot.json"), text));
    let mut variables = minimal();
    variables.remove("DUCKBOT_DISCORD__GUILD");
    variables.insert("DUCKBOT_KUBERNETES__NAMESPACE".to_owned(), "s".to_owned());
    let settings = Settings::read(file, variables).expect("valid");
    assert_eq!(settings.discord.guild, 1029384756102938475);
    assert_eq!(settings.discord.admin_roles, [1029384756102938476, 7]);
    let sql = settings.sql.expect("on");
    assert_eq!((sql.rows, sql.history), (100_000, false));
    let sizes: Vec<_> = settings.sizes.iter().map(ToString::to_string).collect();
    assert_eq!(
        sizes,
        [
            "tiny: 500m CPU, 512Mi memory",
            "small: 2 CPU, 4Gi memory",
            "large: 4 CPU, 16Gi memory"
        ]
    );
    let annotations = settings.routing.annotations;
    assert_eq!(annotations["example.com/body-size"], "64m");
    assert_eq!(annotations["x"], "<a&b>");
    assert_eq!(settings.pod.tolerations[0].toleration_seconds, Some(300));
    assert!(settings.reaper.dry_run);

    let file = Some((Path::new("/etc/duckbot/duckbot.json"), "{ \"canary\": }"));
    let broken = Settings::read(file, minimal())
        .expect_err("invalid")
        .to_string();
    assert!(broken.contains("/etc/duckbot/duckbot.json: "), "{broken}");
    assert!(!broken.contains("canary"), "{broken}");
}
