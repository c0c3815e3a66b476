use serde_json::{Value, json};

use super::*;
use crate::settings::{GatewayRef, RouteKind};

fn routing(listener: Option<&str>) -> Routing {
    Routing {
        kind: RouteKind::Gateway,
        domain: "duck.example.com".to_owned(),
        tls_secret: None,
        entry_points: Vec::new(),
        ingress_class: None,
        gateway: GatewayRef {
            name: "web".to_owned(),
            namespace: Some("infra".to_owned()),
            listener: listener.map(str::to_owned),
            no_timeouts: true,
        },
        annotations: BTreeMap::new(),
    }
}

/// Checks a Gateway with these listeners for sessions in another namespace.
fn check(wanted: Option<&str>, listeners: Value, status: Value) -> Result<Attached, String> {
    let labels = [("team".to_owned(), "data".to_owned())];
    let target = Target {
        routing: &routing(wanted),
        namespace: "duckbot-sessions",
        is_same_namespace: false,
        labels: Some(labels.into()),
    };
    let gateway = json!({ "spec": { "listeners": listeners }, "status": status });
    target.check(&serde_json::from_value(gateway).expect("a Gateway"))
}

fn listener(name: &str, protocol: &str, hostname: &str, namespaces: Value) -> Value {
    json!({
        "name": name, "protocol": protocol, "hostname": hostname, "port": 443,
        "allowedRoutes": { "namespaces": namespaces },
    })
}

#[test]
fn a_listener_for_the_domain_and_the_namespace_takes_sessions() {
    let selector = |value: &str| json!({ "from": "Selector", "selector": { "matchLabels": { "team": value } } });
    let with_tls = |says: &str| Ok(Attached::WithTls(says.to_owned()));
    for hostname in ["*.duck.example.com", "*.example.com", "*.com"] {
        let https = listener("https", "HTTPS", hostname, json!({ "from": "All" }));
        let other = listener("other", "HTTPS", hostname, json!({ "from": "Same" }));
        let both = json!([other, https]);
        assert_eq!(check(None, both, json!({})), with_tls(", listener https"));
    }
    let any = json!({ "name": "https", "protocol": "HTTPS", "allowedRoutes": {
        "namespaces": selector("data"), "kinds": [{ "kind": "HTTPRoute" }] } });
    assert_eq!(
        check(None, json!([any]), json!({})),
        with_tls(", listener https")
    );

    let all = json!({ "from": "All" });
    let domain = "*.duck.example.com";
    for (wrong, says) in [
        (
            listener("a", "HTTPS", "duck.example.com", all.clone()),
            "a is for duck.example.com, not",
        ),
        (
            listener("a", "HTTPS", "*.uck.example.com", all.clone()),
            "a is for *.uck.example.com, not",
        ),
        (listener("a", "TLS", domain, all.clone()), "a is for TLS"),
        (
            listener("a", "HTTPS", domain, json!({})),
            "a allows no routes from namespace duckbot-sessions",
        ),
        (
            listener("a", "HTTPS", domain, selector("web")),
            "a allows no routes from namespace duckbot-sessions",
        ),
    ] {
        let why = check(None, json!([wrong]), json!({})).expect_err(says);
        assert!(
            why.contains(&format!("takes no routes of sessions: listener {says}")),
            "{why}"
        );
    }
}

#[test]
fn a_listener_without_tls_is_no_place_for_sessions() {
    let of = |name: &str, protocol: &str| {
        listener(
            name,
            protocol,
            "*.duck.example.com",
            json!({ "from": "All" }),
        )
    };
    let both = json!([of("http", "HTTP"), of("https", "HTTPS")]);
    let in_part = |checked| match checked {
        Ok(Attached::InPart(says)) => says,
        other => panic!("{other:?}"),
    };
    let says = in_part(check(None, both.clone(), json!({})));
    assert!(
        says.ends_with("listener http; set routing.gateway_listener to https"),
        "{says}"
    );
    let named = check(Some("https"), both.clone(), json!({}));
    assert_eq!(named, Ok(Attached::WithTls(", listener https".to_owned())));
    let says = in_part(check(Some("http"), both.clone(), json!({})));
    assert!(says.contains("has no HTTPS listener"), "{says}");
    let why = check(Some("tls"), both, json!({})).expect_err("none");
    assert_eq!(
        why,
        "has no listener tls (routing.gateway_listener), only http, https"
    );
}

#[test]
fn the_controllers_reasons_are_shown() {
    let https = || {
        let all = json!({ "from": "All" });
        json!([listener("https", "HTTPS", "*.duck.example.com", all)])
    };
    let condition = |kind: &str, status: &str, reason: &str, message: &str| json!({ "type": kind, "status": status, "reason": reason, "message": message });
    let waiting = condition("Accepted", "Unknown", "Pending", "Waiting for controller");
    let why = check(None, https(), json!({ "conditions": [waiting] })).expect_err("new");
    assert!(
        why.starts_with("is not accepted: Pending, Waiting for controller; check"),
        "{why}"
    );
    let no_secret = condition("ResolvedRefs", "False", "InvalidCertificateRef", "");
    let status = json!({ "listeners": [{ "name": "https", "conditions": [no_secret] }] });
    let why = check(None, https(), status).expect_err("no certificate");
    assert!(
        why.ends_with("listener https does not work: InvalidCertificateRef"),
        "{why}"
    );

    let route = |status: Value| {
        let resource = super::super::build::route_resource(RouteKind::Gateway);
        route_refusal(&DynamicObject::new("a", &resource).data(json!({ "status": status })))
    };
    assert_eq!(route(Value::Null), None);
    let parents = |it: Value| json!({ "parents": [{ "conditions": [it] }] });
    let refused = condition("Accepted", "False", "UnsupportedValue", "timeouts");
    let says = route(parents(refused)).expect("refused");
    assert!(says.ends_with("UnsupportedValue, timeouts"), "{says}");
    assert_eq!(
        route(parents(condition("Accepted", "True", "Accepted", ""))),
        None
    );
}
