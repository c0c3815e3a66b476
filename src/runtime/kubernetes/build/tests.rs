//! Snapshots of whole objects, so that no change of them goes unnoticed.

use std::{
    collections::{BTreeSet, HashMap},
    path::Path,
};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use serde_json::{Value, json};

use super::*;
use crate::{
    session::{
        Cause, CredentialSource, RECORD_VERSION, WorkOutcome, Workspace, starting, starting_runner,
    },
    settings,
};

const KEY: &str = "2026-11-23-1a2b3c4d:AAAA";

/// Reads settings with this text as their file, and these variables.
fn read(text: &str, changes: &[(&str, &str)]) -> Result<Settings, settings::InvalidSettings> {
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
    let file = Some((Path::new("duckbot.toml"), text));
    Settings::read(file, all)
}

fn settings(changes: &[(&str, &str)]) -> Settings {
    read("", changes).expect("valid")
}

fn session() -> Record {
    Record {
        workspace: Workspace::unnamed(1),
        ..starting()
    }
}

fn pretty(object: &impl serde::Serialize) -> String {
    serde_json::to_string_pretty(object).expect("objects are JSON")
}

#[test]
fn an_event_is_about_one_object_and_its_note_is_short_enough() {
    let fact = crate::runtime::kubernetes::facts::Fact {
        reason: "Extended",
        action: "Extend",
        is_warning: false,
        note: format!("Extended by {}", "ü".repeat(1000)),
    };
    let about = Subject {
        kind: "Pod",
        name: "duckui-977a26".into(),
        uid: "u".into(),
    };
    let at = "2026-11-23T12:00:00Z".parse().expect("a time");
    let mut event = event("s", &about, &fact, 0x1f, "duckbot-0", MicroTime(at));
    let note = event.note.take().expect("a note");
    assert_eq!((note.len(), note.chars().last()), (1024, Some('ü')));
    insta::assert_snapshot!(pretty(&event));
}

#[test]
fn the_record_names_owner_and_workspace() {
    let stored = record(&settings(&[]), &session(), None);
    insta::assert_snapshot!(pretty(&stored));
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
    insta::assert_snapshot!(pretty(&pod(
        &settings,
        &session(),
        "uid-1",
        size,
        catalog,
        KEY
    )));
}

/// Settings with a place for saved work, and a session that uses it.
fn with_work() -> (Settings, Record) {
    let settings = settings(&[
        ("DUCKBOT_CATALOGS__LAKE__WORK", "s3://lake/duckbot/"),
        ("DUCKBOT_WORK__DEADLINE", "30s"),
    ]);
    let record = Record {
        keeps_work: true,
        ..session()
    };
    (settings, record)
}

/// Builds the Pod of a session.
fn pod_of(settings: &Settings, record: &Record) -> Value {
    let size = settings.size_of(record).expect("a default");
    let catalog = settings.named_catalog("lake").expect("set above");
    let pod = pod(settings, record, "uid-1", size, catalog, KEY);
    serde_json::to_value(pod).expect("objects are JSON")
}

/// Returns the variables of DuckDB's container that are about saved work.
fn work_variables(pod: &Value) -> Vec<&Value> {
    let variables = pod["spec"]["containers"][0]["env"].as_array();
    let variables = variables.into_iter().flatten();
    let is_of_work = |it: &&Value| {
        it["name"]
            .as_str()
            .is_some_and(|it| it.starts_with("WORK_"))
    };
    variables.filter(is_of_work).collect()
}

#[test]
fn a_pod_whose_work_is_saved_knows_where_and_has_time_for_it() {
    let (settings, record) = with_work();
    let pod = pod_of(&settings, &record);
    assert_eq!(pod["spec"]["terminationGracePeriodSeconds"], json!(40));
    insta::assert_snapshot!(pretty(&work_variables(&pod)));
    let own = Record {
        credentials: CredentialSource::Session,
        ..record
    };
    let pod = pod_of(&settings, &own);
    let key = json!({
        "name": "WORK_KEY",
        "valueFrom": {
            "secretKeyRef": {
                "name": "duckbot-s3-session-977a26", "key": "work-key", "optional": true,
            },
        },
    });
    assert!(work_variables(&pod).contains(&&key));
}

#[test]
fn a_pod_without_saved_work_knows_nothing_of_it() {
    let (with_place, record) = with_work();
    let runner = Record {
        keeps_work: false,
        ..starting_runner()
    };
    for (settings, record) in [
        (&with_place, &session()),
        (&with_place, &runner),
        (&settings(&[]), &record),
    ] {
        let pod = pod_of(settings, record);
        assert_eq!(pod["spec"]["terminationGracePeriodSeconds"], json!(5));
        assert!(work_variables(&pod).is_empty(), "{:?}", record.kind);
    }
}

#[test]
fn a_session_that_was_told_to_save_ends_quickly_unless_it_did_not_answer() {
    let (settings, record) = with_work();
    let ready = record.with_announcement(None, record.created, 0);
    let stopped = ready.with_ending(Cause::Stopped { by: 7.into() }, record.created);
    let grace = |outcome| grace_seconds(&settings, &stopped.with_work_outcome(outcome));
    assert_eq!(grace(WorkOutcome::Nothing), 5);
    assert_eq!(grace(WorkOutcome::NoAnswer), 40, "it saves by itself");
}

#[test]
fn the_door_knows_the_interface_and_no_proxy_fetches_pages_for_the_console() {
    for (ui, has_proxy) in [("auto", true), ("console", false), ("duckdb", true)] {
        let pod = pod_of(
            &settings(&[
                ("DUCKBOT_DUCKDB__UI", ui),
                ("DUCKBOT_DUCKDB__HTTP_PROXY", "proxy.example.com:3128"),
            ]),
            &session(),
        );
        let variable = |container: usize, name: &str| {
            let all = pod["spec"]["containers"][container]["env"].as_array();
            let found = all?.iter().find(|it| it["name"] == name)?;
            Some(found["value"].as_str()?.to_owned())
        };
        assert_eq!(variable(1, "DOOR_UI").as_deref(), Some(ui));
        assert_eq!(
            variable(0, "DUCKDB_HTTP_PROXY").is_some(),
            has_proxy,
            "{ui}"
        );
    }
}

#[test]
fn a_query_runner_is_a_pod_with_one_container() {
    let settings = settings(&[]);
    let record = starting_runner();
    let size = settings.size_of(&record).expect("a default");
    let catalog = settings.named_catalog("lake").expect("set above");
    let pod = pod(&settings, &record, "uid-1", size, catalog, KEY);
    insta::assert_snapshot!(pretty(&pod));
}

/// Each kind of addition, with names of duckbot's own where they are accepted.
const ADDITIONS: &str = r#"
    [pod]
    image_pull_policy = "Always"
    image_pull_secrets = ["registry"]
    labels = { team = "data", "duckbot.dev/owner" = "8", "app.kubernetes.io/managed-by" = "me" }
    environment = { TZ = "Europe/Vienna" }
    node_selector = { disk = "ssd" }
    priority_class = "low"
    runtime_class = "gvisor"
    host_users = false
    service_account = "analyst"
    tolerations = [{ key = "team", operator = "Exists" }]
    volume_mounts = [{ name = "data", mountPath = "/mnt/data" }]
    init_sql = "init"
    [pod.annotations]
    note = "hello"
    "duckbot.dev/door-key" = "mine"
    "karpenter.sh/do-not-disrupt" = "false"
    [[pod.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution]]
    topologyKey = "kubernetes.io/hostname"
    [[pod.volumes]]
    name = "data"
    secret = { secretName = "reference" }
    [[pod.init_containers]]
    name = "certificates"
    image = "certificates:1"
    ports = [{ name = "http", containerPort = 8080 }]
    volumeMounts = [{ name = "tmp", mountPath = "/tmp" }]
    securityContext = { runAsUser = 2000 }
"#;

/// Returns true if `now` has all of `ours`. Objects and lists may have more.
fn has_all(now: &Value, ours: &Value) -> bool {
    match (now, ours) {
        (Value::Object(now), Value::Object(ours)) => {
            let mut fields = ours.iter();
            fields.all(|(name, ours)| now.get(name).is_some_and(|now| has_all(now, ours)))
        }
        (Value::Array(now), Value::Array(ours)) => {
            let mut items = ours.iter();
            items.all(|ours| now.iter().any(|now| has_all(now, ours)))
        }
        _ => now == ours,
    }
}

/// Checks that no two items of a list have the same value of `field`.
fn assert_distinct(list: &Value, field: &str) {
    let items = list.as_array().into_iter().flatten();
    let values: Vec<_> = items.map(|item| item[field].to_string()).collect();
    let distinct: BTreeSet<_> = values.iter().collect();
    assert_eq!(distinct.len(), values.len(), "{field}: {values:?}");
}

#[test]
fn with_any_additions_all_of_ours_stays_and_the_pod_stays_restricted() {
    let (plain, added) = (settings(&[]), read(ADDITIONS, &[]).expect("valid"));
    for record in [session(), starting_runner()] {
        let build = |settings: &Settings| {
            let size = settings.size_of(&record).expect("a default");
            let catalog = settings.named_catalog("lake").expect("set above");
            json!(pod(settings, &record, "uid-1", size, catalog, KEY))
        };
        let (ours, now) = (build(&plain), build(&added));
        assert!(has_all(&now, &ours), "{now:#}");
        let spec = &now["spec"];
        for (list, field) in [
            ("volumes", "name"),
            ("containers", "name"),
            ("initContainers", "name"),
        ] {
            assert_distinct(&spec[list], field);
        }
        assert_eq!(spec["securityContext"], ours["spec"]["securityContext"]);
        assert_eq!(spec["automountServiceAccountToken"], false);
        for field in ["hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"] {
            assert!(spec[field].is_null(), "{field}");
        }
        let containers = |pod: &Value| {
            pod["spec"]["containers"]
                .as_array()
                .cloned()
                .expect("a list")
        };
        let pairs = containers(&now).into_iter().zip(containers(&ours));
        assert_eq!(containers(&now).len(), containers(&ours).len());
        for (mut now, mut ours) in pairs {
            assert_distinct(&now["env"], "name");
            assert_distinct(&now["volumeMounts"], "mountPath");
            for list in ["env", "volumeMounts", "imagePullPolicy"] {
                (now[list], ours[list]) = (Value::Null, Value::Null);
            }
            assert_eq!(now, ours);
        }
    }
}

#[test]
fn the_settings_refuse_each_name_and_path_of_a_pod() {
    let settings = read(
        r#"
        pod.init_sql = "init"
        duckdb.folders = ["s3://lake/"]
        duckdb.extensions = ["spatial"]
        duckdb.http_proxy = "proxy:3128"
        [catalogs.lake]
        vended_credentials = true
        [catalogs.glue]
        endpoint = "https://glue.example"
        sigv4_service = "glue"
        [catalogs.team]
        endpoint = "https://team.example"
        oauth2_secret = "client"
        "#,
        &[],
    )
    .expect("valid");
    for record in [session(), starting_runner()] {
        for catalog in &settings.catalogs {
            let size = settings.size_of(&record).expect("a default");
            let spec = json!(pod(&settings, &record, "uid-1", size, catalog, KEY))["spec"].take();
            let text = |value: &Value| value.as_str().expect("a text").to_owned();
            let is_refused = |addition: String| {
                let error = read(&addition, &[]).expect_err(&addition).to_string();
                assert!(error.contains("  pod."), "{addition}: {error}");
            };
            let container = &spec["containers"][0];
            for variable in container["env"].as_array().expect("a list") {
                let name = text(&variable["name"]);
                is_refused(format!("pod.environment.{name} = 'x'"));
            }
            for volume in spec["volumes"].as_array().expect("a list") {
                let name = text(&volume["name"]);
                is_refused(format!(
                    "pod.volumes = [{{ name = '{name}', emptyDir = {{}} }}]"
                ));
            }
            for mount in container["volumeMounts"].as_array().expect("a list") {
                let path = text(&mount["mountPath"]);
                is_refused(format!(
                    "pod.volumes = [{{ name = 'x', emptyDir = {{}} }}]\n\
                     pod.volume_mounts = [{{ name = 'x', mountPath = '{path}' }}]"
                ));
            }
            for container in spec["containers"].as_array().expect("a list") {
                let name = text(&container["name"]);
                is_refused(format!("pod.init_containers = [{{ name = '{name}' }}]"));
            }
        }
    }
}

#[test]
fn the_disk_of_a_size_is_shared_by_all_that_a_session_writes() {
    let settings = read(
        "sizes.small.requests = { cpu = '250m', memory = '1Gi', disk = '2Gi' }",
        &[],
    );
    let settings = settings.expect("valid");
    let size = settings.size("small").expect("a default");
    let catalog = settings.named_catalog("lake").expect("set above");
    let pod = json!(pod(&settings, &session(), "uid-1", size, catalog, KEY));
    let resources = |index: usize| pod["spec"]["containers"][index]["resources"].clone();
    let amounts = |cpu: &str, memory: &str, disk: &str| json!({ "cpu": cpu, "memory": memory, "ephemeral-storage": disk });
    // Together 10 GiB, of which 2 are reserved.
    let duckdb = json!({ "limits": amounts("1", "4Gi", "10176Mi"), "requests": amounts("250m", "1Gi", "2028Mi") });
    let door = json!({ "limits": amounts("100m", "64Mi", "64Mi"), "requests": amounts("100m", "64Mi", "20Mi") });
    assert_eq!((resources(0), resources(1)), (duckdb, door));
    for volume in pod["spec"]["volumes"].as_array().expect("a list") {
        assert_eq!(volume["emptyDir"]["sizeLimit"], "10Gi");
    }
}

#[test]
fn an_autoscaler_may_take_a_sessions_node_if_the_settings_say_so() {
    let settings = settings(&[("DUCKBOT_POD__BLOCK_SCALE_DOWN", "false")]);
    let size = settings.size("small").expect("a default");
    let catalog = settings.named_catalog("lake").expect("set above");
    let annotations = pod(&settings, &session(), "uid-1", size, catalog, KEY)
        .metadata
        .annotations;
    let names: Vec<_> = annotations.expect("some").into_keys().collect();
    assert_eq!(names, [DISPLAY_NAME, DOOR_KEY]);
}

#[test]
fn what_an_admin_adds_to_the_pod_is_there_and_nothing_of_ours_gives_way() {
    let mut settings = read(ADDITIONS, &[]).expect("valid");
    settings.duckdb.folders = vec!["s3://lake/".into(), "s3://pond/".into()];
    let size = settings.size("small").expect("a default").clone();
    let mut catalog = settings.named_catalog("lake").expect("set above").clone();
    catalog.oauth2 = Some(settings::OAuth2 {
        secret: "catalog-client".into(),
        server: None,
        scope: Some("catalog".into()),
    });
    insta::assert_snapshot!(pretty(&pod(
        &settings,
        &session(),
        "uid-1",
        &size,
        &catalog,
        KEY
    )));
}

#[test]
fn the_user_is_a_setting_or_the_clusters_choice() {
    let security = |user: &str| {
        let settings = settings(&[("DUCKBOT_POD__RUN_AS_USER", user)]);
        let size = settings.size("small").expect("a default");
        let catalog = settings.named_catalog("lake").expect("set above");
        let pod = pod(&settings, &session(), "uid-1", size, catalog, KEY);
        json!(pod.spec.and_then(|it| it.security_context))
    };
    let mut expected = json!({
        "runAsNonRoot": true, "seccompProfile": { "type": "RuntimeDefault" },
    });
    assert_eq!(security(""), expected);
    for field in ["runAsUser", "runAsGroup", "fsGroup"] {
        expected[field] = 70_000.into();
    }
    assert_eq!(security("70000"), expected);
}

#[test]
fn the_service_leads_to_the_door() {
    insta::assert_snapshot!(pretty(&service(&settings(&[]), &session(), "uid-1")));
}

#[test]
fn the_route_is_traefiks_by_default() {
    insta::assert_snapshot!(pretty(&route(&settings(&[]), &session(), "uid-1")));
}

#[test]
fn or_an_http_route() {
    let gateway = [
        ("DUCKBOT_ROUTING__KIND", "gateway"),
        ("DUCKBOT_ROUTING__GATEWAY", "web"),
    ];
    let more = [
        ("DUCKBOT_ROUTING__GATEWAY_NAMESPACE", "infra"),
        ("DUCKBOT_ROUTING__GATEWAY_LISTENER", "https"),
        // Ignored: the Gateway has its own certificate.
        ("DUCKBOT_ROUTING__TLS_SECRET", "wildcard"),
    ];
    let settings_of = |more: &[_]| settings(&[&gateway, more].concat());
    insta::assert_snapshot!(pretty(&route(&settings_of(&more), &session(), "uid-1")));
    let without = settings_of(&[("DUCKBOT_ROUTING__GATEWAY_NO_TIMEOUTS", "false")]);
    let spec = &route(&without, &session(), "uid-1").data["spec"];
    assert_eq!(spec["parentRefs"], serde_json::json!([{ "name": "web" }]));
    assert_eq!(spec["rules"][0].get("timeouts"), None);
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
    insta::assert_snapshot!(pretty(&route(&settings, &session(), "uid-1")));
}
