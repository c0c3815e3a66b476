//! Snapshots of whole objects, so that no change of them goes unnoticed.

use std::collections::HashMap;

use super::*;
use crate::{
    session::{RECORD_VERSION, starting, starting_runner},
    settings,
};
use k8s_openapi::api::core::v1::{Container, Toleration};

const KEY: &str = "2026-11-23-1a2b3c4d:AAAA";

fn settings(changes: &[(&str, &str)]) -> Settings {
    let pairs = [
        ("DUCKBOT_DISCORD__GUILD", "1"),
        ("DUCKBOT_DISCORD_TOKEN", "t"),
        ("DUCKBOT_ROUTING__DOMAIN", "duck.example.com"),
        ("DUCKBOT_SESSIONS__IMAGE", "duckui:1"),
        ("DUCKBOT_SESSIONS__DOOR_IMAGE", "duckbot:1"),
        ("DUCKBOT_SESSIONS__DEFAULT_CATALOG", "lake"),
        ("DUCKBOT_CATALOGS__LAKE__ENDPOINT", "http://catalog:8181"),
        (
            "DUCKBOT_CATALOGS__LAKE__WAREHOUSE",
            "a$(S3_SECRET_ACCESS_KEY)b",
        ),
    ];
    let all = pairs.iter().chain(changes);
    let all: HashMap<_, _> = all.map(|(k, v)| (k.to_string(), v.to_string())).collect();
    Settings::load(None, all).expect("valid")
}

fn session() -> Record {
    Record {
        slot: 1,
        ..starting()
    }
}

fn json(object: &impl serde::Serialize) -> String {
    serde_json::to_string_pretty(object).expect("objects are JSON")
}

#[test]
fn the_record_names_owner_and_slot() {
    let stored = record(&settings(&[]), &session(), None);
    insta::assert_snapshot!(json(&stored));
    assert_eq!(read_record(&stored), Ok(session()));
}

#[test]
fn a_record_of_a_newer_bot_is_not_read() {
    let mut newer = session();
    newer.version = RECORD_VERSION + 1;
    let stored = record(&settings(&[]), &newer, None);
    assert!(
        read_record(&stored)
            .expect_err("another version")
            .contains("this bot reads version")
    );
}

#[test]
fn the_pod_is_restricted_and_holds_no_secret_value() {
    let settings = settings(&[]);
    let size = settings.size("small").expect("a default");
    let catalog = settings.named_catalog("lake").expect("set above");
    insta::assert_snapshot!(json(&pod(
        &settings,
        &session(),
        "uid-1",
        size,
        catalog,
        KEY
    )));
}

#[test]
fn a_query_runner_is_a_pod_with_one_container() {
    let settings = settings(&[]);
    let record = starting_runner();
    let size = settings.size_of(&record).expect("a default");
    let catalog = settings.named_catalog("lake").expect("set above");
    let pod = pod(&settings, &record, "uid-1", size, catalog, KEY);
    insta::assert_snapshot!(json(&pod));
}

#[test]
fn what_an_admin_adds_to_the_pod_is_there_and_nothing_of_ours_gives_way() {
    let mut settings = settings(&[]);
    let text = |pairs: &[(&str, &str)]| {
        let owned = pairs.iter().map(|(a, b)| (a.to_string(), b.to_string()));
        owned.collect::<BTreeMap<_, _>>()
    };
    settings.pod = settings::Pod {
        image_pull_policy: Some("Always".into()),
        image_pull_secrets: vec!["registry".into()],
        labels: text(&[("team", "data"), ("duckbot.dev/owner", "8")]),
        annotations: text(&[("note", "hello")]),
        run_as_user: Some(70_000),
        environment: text(&[("TZ", "Europe/Vienna"), ("SESSION_ID", "000000")]),
        node_selector: text(&[("disk", "ssd")]),
        tolerations: vec![Toleration {
            key: Some("team".into()),
            operator: Some("Exists".into()),
            ..Toleration::default()
        }],
        priority_class: Some("low".into()),
        init_containers: vec![Container {
            name: "certificates".into(),
            image: Some("certificates:1".into()),
            ..Container::default()
        }],
        init_sql: Some("init".into()),
    };
    settings.duckdb.folders = vec!["s3://lake/".into(), "s3://pond/".into()];
    let size = settings.size("small").expect("a default").clone();
    let mut catalog = settings.named_catalog("lake").expect("set above").clone();
    catalog.oauth2 = Some(settings::OAuth2 {
        secret: "catalog-client".into(),
        server: None,
        scope: Some("catalog".into()),
    });
    insta::assert_snapshot!(json(&pod(
        &settings,
        &session(),
        "uid-1",
        &size,
        &catalog,
        KEY
    )));
}

#[test]
fn a_cluster_may_assign_the_user() {
    let settings = settings(&[("DUCKBOT_POD__RUN_AS_USER", "")]);
    let size = settings.size("small").expect("a default");
    let catalog = settings.named_catalog("lake").expect("set above");
    let pod = pod(&settings, &session(), "uid-1", size, catalog, KEY);
    let security = pod.spec.and_then(|it| it.security_context);
    let expected = serde_json::json!({
        "runAsNonRoot": true, "seccompProfile": { "type": "RuntimeDefault" },
    });
    assert_eq!(serde_json::to_value(security).expect("JSON"), expected);
}

#[test]
fn the_service_leads_to_the_door() {
    insta::assert_snapshot!(json(&service(&settings(&[]), &session(), "uid-1")));
}

#[test]
fn the_route_is_traefiks_by_default() {
    insta::assert_snapshot!(json(&route(&settings(&[]), &session(), "uid-1")));
}

#[test]
fn or_an_ingress() {
    let mut settings = settings(&[
        ("DUCKBOT_ROUTING__KIND", "ingress"),
        ("DUCKBOT_ROUTING__INGRESS_CLASS", "nginx"),
        ("DUCKBOT_ROUTING__TLS_SECRET", "wildcard"),
    ]);
    let timeout = "nginx.ingress.kubernetes.io/proxy-read-timeout".to_owned();
    settings.routing.annotations = [(timeout, "86400".to_owned())].into();
    insta::assert_snapshot!(json(&route(&settings, &session(), "uid-1")));
}
