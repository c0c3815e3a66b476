//! The dashboard, without Grafana: its fields by Grafana's own types, and its queries by a real Prometheus.

use std::collections::BTreeSet;

use serde_json::Value;
use test_support::{Prometheus, tools, wait_until};
use tokio::process::Command;

use super::{rules, run};

const DASHBOARD: &str = include_str!("../../deploy/chart/monitoring/dashboard.json");

fn panels() -> Vec<Value> {
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    dashboard["panels"].as_array().unwrap().clone()
}

/// Queries of a panel, as Grafana sends them for a time that includes the whole test.
fn queries(panel: &Value) -> Vec<String> {
    let targets = panel["targets"].as_array().into_iter().flatten();
    let queries = targets.map(|target| {
        let query = target["expr"].as_str().unwrap();
        let query = query.replace("$namespace", "duckbot");
        query.replace("$__rate_interval", "10m")
    });
    queries.collect()
}

/// Asserts that Prometheus accepts all queries, and that all panels show something.
pub async fn assert_filled(prometheus: &Prometheus) {
    for panel in panels() {
        for query in queries(&panel) {
            let series = async || prometheus.query(&query).await.expect(&query);
            wait_until(series, |it| !it.is_empty()).await;
        }
    }
}

#[tokio::test]
async fn grafana_knows_each_field_of_the_dashboard() {
    let check = async |dashboard: &str| {
        let mut program = Command::new(tools::grafana().join("dashboard"));
        run(&mut program, dashboard).await
    };
    assert_eq!(check(DASHBOARD).await, (true, String::new()));
    let wrong = DASHBOARD.replacen("\"fillOpacity\"", "\"fillOpacty\"", 1);
    let (_, refused) = check(&wrong).await;
    assert!(
        refused.contains("unexpected field 'fillOpacty'"),
        "{refused}"
    );
}

#[test]
fn panels_are_apart_and_use_the_variables() {
    let (mut ids, mut cells) = (BTreeSet::new(), BTreeSet::new());
    for panel in panels() {
        let title = panel["title"].as_str().unwrap();
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title}");
        let at = |name: &str| panel["gridPos"][name].as_u64().unwrap();
        assert!(at("x") + at("w") <= 24, "{title}");
        for x in at("x")..at("x") + at("w") {
            for y in at("y")..at("y") + at("h") {
                assert!(cells.insert((x, y)), "{title} covers another panel");
            }
        }
        // The program of `crates/test-support/grafana` knows the fields of these types.
        let kind = panel["type"].as_str().unwrap();
        assert!(["row", "stat", "timeseries"].contains(&kind), "{title}");
        assert_eq!(kind == "row", queries(&panel).is_empty(), "{title}");
        for target in panel["targets"].as_array().into_iter().flatten() {
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{title}");
            let query = target["expr"].as_str().unwrap();
            let of_one = query.matches("namespace=\"$namespace\"").count();
            assert_eq!(of_one, query.matches('{').count(), "{title}: {query}");
        }
    }
}

/// Names of metrics in a query.
fn names(query: &str) -> impl Iterator<Item = &str> {
    let words = query.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("duckbot_") || word.starts_with("process_"))
}

#[test]
fn all_metrics_are_those_of_the_bot() {
    let page = include_str!("../../docs/metrics.md");
    let rules = rules();
    let rules = rules["groups"][0]["rules"].as_array().unwrap().iter();
    let expressions = rules.map(|rule| rule["expr"].as_str().unwrap().to_owned());
    let shown: Vec<_> = panels().iter().flat_map(queries).collect();
    for query in expressions.chain(shown.iter().cloned()) {
        for name in names(&query) {
            let is_described = |name: &str| page.contains(&format!("`{name}`"));
            let base = ["_bucket", "_sum", "_count"];
            let mut bases = base.into_iter().filter_map(|end| name.strip_suffix(end));
            assert!(
                is_described(name) || bases.any(is_described),
                "{name} in {query}"
            );
        }
    }
    // Each metric is shown.
    for line in page.lines() {
        let Some((name, _)) = line
            .strip_prefix("| `duckbot_")
            .and_then(|it| it.split_once('`'))
        else {
            continue;
        };
        let name = format!("duckbot_{name}");
        assert!(
            shown.iter().any(|query| query.contains(&name)),
            "no panel shows {name}"
        );
    }
}
