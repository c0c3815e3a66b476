//! The route of a session, from its host name to its Service: an IngressRoute of Traefik, an HTTPRoute
//! of the Gateway API, or an Ingress.
//!
//! Formats: <https://doc.traefik.io/traefik/reference/routing-configuration/kubernetes/crd/http/ingressroute/>,
//! <https://gateway-api.sigs.k8s.io/reference/spec/#httproute>

use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use serde_json::{Value, json};

use super::{HTTP, HTTP_PORT, add, host, owned_by, stamp};
use crate::{
    session::Record,
    settings::{GatewayRef, RouteKind, Routing, Settings},
};

/// API group of the Gateway API.
pub const GATEWAY_GROUP: &str = "gateway.networking.k8s.io";

/// API resource of routes of this kind.
pub fn route_resource(kind: RouteKind) -> ApiResource {
    let gvk = match kind {
        RouteKind::Traefik => GroupVersionKind::gvk("traefik.io", "v1alpha1", "IngressRoute"),
        RouteKind::Gateway => GroupVersionKind::gvk(GATEWAY_GROUP, "v1", "HTTPRoute"),
        RouteKind::Ingress => GroupVersionKind::gvk("networking.k8s.io", "v1", "Ingress"),
    };
    ApiResource::from_gvk(&gvk)
}

/// Builds the route of `session`. `uid` is the UID of its record.
pub fn route(settings: &Settings, session: &Record, uid: &str) -> DynamicObject {
    let name = session.id.object_name();
    let host = host(settings, &session.id);
    let spec = match settings.routing.kind {
        RouteKind::Traefik => traefik(&settings.routing, &name, &host),
        RouteKind::Gateway => http_route(&settings.routing.gateway, &name, &host),
        RouteKind::Ingress => ingress(&settings.routing, &name, &host),
    };
    let mut object = DynamicObject::new(&name, &route_resource(settings.routing.kind))
        .data(json!({ "spec": spec }));
    object.metadata = stamp(settings, session, name, Some(owned_by(session, uid)));
    add(
        &mut object.metadata.annotations,
        &settings.routing.annotations,
    );
    object
}

fn traefik(routing: &Routing, name: &str, host: &str) -> Value {
    let tls = match &routing.tls_secret {
        Some(secret) => json!({ "secretName": secret }),
        None => json!({}),
    };
    json!({
        "entryPoints": routing.entry_points,
        "routes": [{
            "kind": "Rule",
            "match": format!("Host(`{host}`)"),
            "services": [{ "kind": "Service", "name": name, "port": HTTP_PORT }],
        }],
        "tls": tls,
    })
}

fn http_route(gateway: &GatewayRef, name: &str, host: &str) -> Value {
    let mut parent = json!({ "name": gateway.name });
    if let Some(namespace) = &gateway.namespace {
        parent["namespace"] = json!(namespace);
    }
    if let Some(listener) = &gateway.listener {
        parent["sectionName"] = json!(listener);
    }
    let mut rule = json!({ "backendRefs": [{ "name": name, "port": HTTP_PORT }] });
    if gateway.no_timeouts {
        // A query may take hours, and an event stream stays open. Without the field, the limit is up to
        // the implementation: Envoy Gateway's is 15 s. Zero should turn it off:
        // https://gateway-api.sigs.k8s.io/reference/spec/#httproutetimeouts
        // https://gateway.envoyproxy.io/docs/tasks/traffic/http-timeouts/
        rule["timeouts"] = json!({ "request": "0s" });
    }
    json!({ "parentRefs": [parent], "hostnames": [host], "rules": [rule] })
}

fn ingress(routing: &Routing, name: &str, host: &str) -> Value {
    let backend = json!({ "service": { "name": name, "port": { "name": HTTP } } });
    let mut tls = json!({ "hosts": [host] });
    if let Some(secret) = &routing.tls_secret {
        tls["secretName"] = json!(secret);
    }
    let mut spec = json!({
        "rules": [{
            "host": host,
            "http": { "paths": [{ "path": "/", "pathType": "Prefix", "backend": backend }] },
        }],
        "tls": [tls],
    });
    if let Some(class) = &routing.ingress_class {
        spec["ingressClassName"] = json!(class);
    }
    spec
}
