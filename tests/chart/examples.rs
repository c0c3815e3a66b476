//! Examples of `deploy/`, compared with the overlays for which they are.

use std::fs;

use duckbot::settings::Settings;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{objects, read_settings};
use crate::deploy::kubectl;

/// Objects of an example.
fn example(name: &str) -> Vec<Value> {
    objects(&fs::read_to_string(format!("deploy/examples/{name}.yaml")).unwrap())
}

/// Objects of an overlay, and its settings.
async fn overlay(name: &str) -> (Vec<Value>, Settings) {
    let all = objects(&kubectl(&format!("kustomize deploy/overlays/{name}")).await);
    let folder = TempDir::new().unwrap();
    let settings = read_settings(&all, folder.path());
    (all, settings)
}

#[tokio::test]
async fn the_examples_of_secrets_are_those_that_the_overlay_names() {
    let (all, settings) = overlay("traefik").await;
    let [certificate] = &example("certificate")[..] else {
        panic!("one object");
    };
    assert_eq!(
        certificate["metadata"]["namespace"],
        *settings.kubernetes.namespace
    );
    let secret = settings.routing.tls_secret.unwrap();
    assert_eq!(certificate["spec"]["secretName"], *secret);
    let names = json!([format!("*.{}", settings.routing.domain)]);
    assert_eq!(certificate["spec"]["dnsNames"], names);

    let deployment = all.iter().find(|it| it["kind"] == "Deployment").unwrap();
    let volumes = &deployment["spec"]["template"]["spec"]["volumes"];
    let mut volumes = volumes.as_array().unwrap().iter();
    let token = volumes.find(|it| it["name"] == "discord").unwrap();
    let (name, key) = (
        &token["secret"]["secretName"],
        &token["secret"]["items"][0]["key"],
    );
    let namespace = &deployment["metadata"]["namespace"];
    let metadata = json!({ "name": name, "namespace": namespace });
    let [external] = &example("external-secret")[..] else {
        panic!("one object");
    };
    assert_eq!(external["metadata"], metadata);
    assert_eq!(external["spec"]["target"]["name"], *name);
    assert_eq!(external["spec"]["data"][0]["secretKey"], *key);
    let [sealed] = &example("sealed-secret")[..] else {
        panic!("one object");
    };
    assert_eq!(sealed["metadata"], metadata);
    assert_eq!(sealed["spec"]["template"]["metadata"], metadata);
    let keys: Vec<_> = sealed["spec"]["encryptedData"]
        .as_object()
        .unwrap()
        .keys()
        .collect();
    assert_eq!(keys, [key.as_str().unwrap()]);
}

#[tokio::test]
async fn the_policy_by_names_is_for_the_same_pods_and_hosts() {
    let (all, settings) = overlay("traefik").await;
    let [policy] = &example("names")[..] else {
        panic!("one object");
    };
    let public = |it: &&Value| it["metadata"]["name"] == "sessions-to-public-https";
    let replaced = all.iter().find(public).unwrap();
    assert_eq!(
        policy["metadata"]["namespace"],
        replaced["metadata"]["namespace"]
    );
    assert_eq!(
        policy["spec"]["endpointSelector"],
        replaced["spec"]["podSelector"]
    );
    let lake = &settings.catalogs[0];
    let host = lake.endpoint.split('/').nth(2).unwrap();
    let storage = format!("*.s3.{}.amazonaws.com", lake.s3_region);
    let hosts = json!([
        { "matchName": "ui.duckdb.org" },
        { "matchName": host },
        { "matchPattern": storage },
    ]);
    assert_eq!(policy["spec"]["egress"][1]["toFQDNs"], hosts);
}

#[tokio::test]
async fn the_gateway_is_the_one_that_the_overlay_names() {
    let (all, settings) = overlay("gateway").await;
    let [namespace, gateway] = &example("gateway")[..] else {
        panic!("two objects");
    };
    let named = settings.routing.gateway;
    assert_eq!(namespace["metadata"]["name"], json!(named.namespace));
    let metadata = json!({ "name": named.name, "namespace": named.namespace });
    assert_eq!(gateway["metadata"], metadata);
    let listener = &gateway["spec"]["listeners"][0];
    assert_eq!(listener["name"], json!(named.listener));
    assert_eq!(
        listener["hostname"],
        *format!("*.{}", settings.routing.domain)
    );
    let from = &listener["allowedRoutes"]["namespaces"]["selector"]["matchLabels"];
    let sessions = settings.kubernetes.namespace.as_str();
    assert_eq!(*from, json!({ "kubernetes.io/metadata.name": sessions }));
    // Its class is Traefik's, so Traefik's Pods serve it.
    let doors = all
        .iter()
        .find(|it| it["metadata"]["name"] == "ingress-to-doors");
    let from = &doors.unwrap()["spec"]["ingress"][0]["from"][0]["namespaceSelector"];
    let labels = json!({ "kubernetes.io/metadata.name": gateway["spec"]["gatewayClassName"] });
    assert_eq!(from["matchLabels"], labels);
}
