//! The route of a session, from its host name to its Service: an IngressRoute of Traefik, or an
//! Ingress.
//!
//! Traefik's format: <https://doc.traefik.io/traefik/reference/routing-configuration/kubernetes/crd/http/ingressroute/>

use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use serde_json::{Value, json};

use super::{HTTP, HTTP_PORT, add, host, owned_by, stamp};
use crate::{
    session::Record,
    settings::{RouteKind, Routing, Settings},
};

/// API resource of routes of this kind.
pub fn route_resource(kind: RouteKind) -> ApiResource {
    let gvk = match kind {
        RouteKind::Traefik => GroupVersionKind::gvk("traefik.io", "v1alpha1", "IngressRoute"),
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
