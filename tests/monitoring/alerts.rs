//! Alerts, without a bot: what makes each fire, and where the documentation explains it.

use std::{collections::BTreeSet, fs};

use serde_json::{Value, json};
use tempfile::TempDir;
use test_support::tools;
use tokio::process::Command;

use super::{
    cases::{CASES, Series},
    rules,
};

/// Causes of failed sessions that raise no alert alone: the person's own, a node that is gone, and a Pod that somebody
/// deleted. A query can make DuckDB crash.
const NO_ALERT: [&str; 9] = [
    "bot_ended",
    "crashed",
    "credentials_missing",
    "disk_full",
    "evicted",
    "lost",
    "node_gone",
    "out_of_memory",
    "vanished",
];

/// Input of promtool, as series of this namespace.
fn input(series: &[Series], namespace: &str) -> Vec<Value> {
    let in_namespace = |(series, values): &Series| {
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let labels = format!("{{namespace=\"{namespace}\", {labels}").replace(", }", "}");
        json!({ "series": format!("{name}{labels}"), "values": values })
    };
    series.iter().map(in_namespace).collect()
}

/// The text of an annotation for an alert with these labels.
fn rendered(text: &str, labels: &[(&str, &str)]) -> String {
    let insert = |text: String, (name, value): &(&str, &str)| {
        text.replace(&format!("{{{{ $labels.{name} }}}}"), value)
    };
    labels.iter().fold(text.to_owned(), insert)
}

#[tokio::test]
async fn each_alert_fires_for_its_reason_and_for_no_similar_one() {
    let groups = rules();
    let rules = groups["groups"][0]["rules"].as_array().unwrap();
    let (mut tests, mut tried) = (Vec::new(), BTreeSet::new());
    for case in CASES {
        tried.insert(case.alert);
        let rule = rules.iter().find(|rule| rule["alert"] == case.alert);
        let rule = rule.expect(case.alert);
        let mut labels = json!({ "namespace": "duckbot", "severity": rule["labels"]["severity"] });
        for (name, value) in case.labels {
            labels[*name] = (*value).into();
        }
        let mut annotations = rule["annotations"].clone();
        for text in annotations.as_object_mut().unwrap().values_mut() {
            *text = rendered(text.as_str().unwrap(), case.labels).into();
        }
        let test = |name: &str, input: Vec<Value>, alerts: Value| {
            json!({
                "name": format!("{} {name}", case.alert),
                "interval": "1m",
                "input_series": input,
                "alert_rule_test": [{
                    "eval_time": case.at, "alertname": case.alert, "exp_alerts": alerts,
                }],
            })
        };
        let fires = json!([{ "exp_labels": labels, "exp_annotations": annotations }]);
        tests.push(test("fires", input(case.fires, "duckbot"), fires));
        // The same problem of another installation is no problem of this one.
        let mut quiet = input(case.quiet, "duckbot");
        quiet.extend(input(case.fires, "another"));
        tests.push(test("is quiet", quiet, json!([])));
    }
    let all: BTreeSet<_> = rules
        .iter()
        .map(|it| it["alert"].as_str().unwrap())
        .collect();
    assert_eq!(tried, all);

    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("rules.yaml"), groups.to_string()).unwrap();
    let file = json!({
        "rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": tests,
    });
    fs::write(folder.path().join("tests.yaml"), file.to_string()).unwrap();
    let promtool = tools::prometheus().join("promtool");
    for arguments in [
        ["check", "rules", "rules.yaml"],
        ["test", "rules", "tests.yaml"],
    ] {
        let mut tool = Command::new(&promtool);
        let said = tool
            .args(arguments)
            .current_dir(&folder)
            .output()
            .await
            .unwrap();
        let text = String::from_utf8_lossy(&said.stdout) + String::from_utf8_lossy(&said.stderr);
        assert!(said.status.success(), "{text}");
    }
}

#[test]
fn each_cause_of_a_failed_session_raises_an_alert_or_is_listed_as_none() {
    let page = include_str!("../../docs/metrics.md");
    let row = page
        .lines()
        .find(|line| line.starts_with("| `duckbot_sessions_ended_total`"));
    let causes = row
        .unwrap()
        .split_once("failed: ")
        .unwrap()
        .1
        .split_once(" |")
        .unwrap()
        .0;
    let causes: BTreeSet<_> = causes.split(", ").map(|it| it.trim_matches('`')).collect();
    for alert in ["DuckbotSessionsFail", "DuckbotQueryRunnersFail"] {
        let rules = rules();
        let rules = rules["groups"][0]["rules"].as_array().unwrap();
        let rule = rules.iter().find(|rule| rule["alert"] == alert).unwrap();
        let expression = rule["expr"].as_str().unwrap();
        let named = expression
            .split_once("why=~\"")
            .unwrap()
            .1
            .split_once('"')
            .unwrap()
            .0;
        let classified: BTreeSet<_> = named.split('|').chain(NO_ALERT).collect();
        assert_eq!(classified, causes, "{alert}");
    }
}

#[test]
fn each_alert_is_explained_where_its_annotation_links_to() {
    let rules = rules();
    let rules = rules["groups"][0]["rules"].as_array().unwrap();
    let runbooks = include_str!("../../docs/runbooks.md");
    let (_, runbooks) = runbooks.split_once("\n## Alerts\n").unwrap();
    let headings = runbooks
        .lines()
        .filter_map(|line| line.strip_prefix("### "));
    let headings: Vec<_> = headings.collect();
    let names: Vec<_> = rules
        .iter()
        .map(|it| it["alert"].as_str().unwrap())
        .collect();
    assert_eq!(headings, names);

    let mut table = String::new();
    for rule in rules {
        let text = |path: &str| rule.pointer(path).unwrap().as_str().unwrap();
        let (name, severity) = (text("/alert"), text("/labels/severity"));
        assert!(["critical", "warning"].contains(&severity), "{name}");
        let anchor = name.to_lowercase();
        assert_eq!(
            text("/annotations/runbook_url"),
            format!("docs/runbooks.md#{anchor}")
        );
        assert!(text("/annotations/description").ends_with('.'), "{name}");
        let summary = text("/annotations/summary");
        table += &format!("| [{name}](runbooks.md#{anchor}) | {severity} | {summary} |\n");
    }
    let manual = include_str!("../../docs/operations.md");
    assert!(
        manual.contains(&table),
        "the table of docs/operations.md must be\n{table}"
    );
}
