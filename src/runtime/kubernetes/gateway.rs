//! The Gateway of sessions: does it take their routes, for `duckbot check`, and did it?

use std::collections::BTreeMap;

use k8s_openapi::{api::core::v1::Namespace, apimachinery::pkg::apis::meta::v1::LabelSelector};
use kube::{
    Api,
    api::{ApiResource, DynamicObject, GroupVersionKind},
    core::{Selector, SelectorExt},
};
use serde::{Deserialize, de::DeserializeOwned};

use super::{
    build::GATEWAY_GROUP,
    request::{ApiAction, ApiServer},
};
use crate::{
    diagnostics::Diagnostic,
    error::Error,
    settings::{Routing, Settings},
};

/// The fields of a Gateway that are read:
/// <https://gateway-api.sigs.k8s.io/reference/spec/#gateway>
#[derive(Deserialize)]
struct Gateway {
    spec: GatewaySpec,
    #[serde(default)]
    status: GatewayStatus,
}

#[derive(Deserialize)]
struct GatewaySpec {
    listeners: Vec<Listener>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listener {
    name: String,
    hostname: Option<String>,
    protocol: String,
    #[serde(default)]
    allowed_routes: AllowedRoutes,
}

#[derive(Deserialize, Default)]
struct AllowedRoutes {
    #[serde(default)]
    namespaces: RouteNamespaces,
    #[serde(default)]
    kinds: Vec<AllowedKind>,
}

#[derive(Deserialize, Default)]
struct RouteNamespaces {
    from: Option<String>,
    selector: Option<LabelSelector>,
}

#[derive(Deserialize)]
struct AllowedKind {
    kind: String,
}

#[derive(Deserialize, Default)]
struct GatewayStatus {
    #[serde(default)]
    conditions: Vec<Condition>,
    #[serde(default)]
    listeners: Vec<Part>,
}

/// Status of a listener, or of a route at one of its parents.
#[derive(Deserialize)]
struct Part {
    #[serde(default)]
    name: String,
    #[serde(default)]
    conditions: Vec<Condition>,
}

#[derive(Deserialize)]
struct RouteStatus {
    #[serde(default)]
    parents: Vec<Part>,
}

#[derive(Deserialize)]
struct Condition {
    r#type: String,
    status: String,
    reason: String,
    #[serde(default)]
    message: String,
}

impl Condition {
    fn is_of(&self, types: &[&str]) -> bool {
        types.contains(&&*self.r#type)
    }

    /// The reason, and the message if there is one.
    fn why(&self) -> String {
        match &*self.message {
            "" => self.reason.clone(),
            message => format!("{}, {message}", self.reason),
        }
    }
}

fn read<T: DeserializeOwned>(object: &DynamicObject) -> Result<T, String> {
    serde_json::from_value(object.data.clone()).map_err(|error| error.to_string())
}

/// Checks that the Gateway exists, and that one of its listeners takes the routes of sessions.
pub(super) async fn diagnose(server: &ApiServer, settings: &Settings) -> Diagnostic {
    let what = "gateway";
    let sessions = &settings.kubernetes.namespace;
    let (name, namespace) = (
        &settings.routing.gateway.name,
        settings
            .routing
            .gateway
            .namespace
            .as_ref()
            .unwrap_or(sessions),
    );
    let gvk = GroupVersionKind::gvk(GATEWAY_GROUP, "v1", "Gateway");
    let resource = ApiResource::from_gvk(&gvk);
    let gateways: Api<DynamicObject> = Api::namespaced_with(server.client(), namespace, &resource);
    let action = ApiAction::new("get", "gateways", namespace);
    let found = match server.call(action, gateways.get_opt(name)).await {
        Ok(Some(found)) => found,
        Ok(None) => {
            return Diagnostic::failed(
                what,
                format!(
                    "{name} (routing.gateway) not found in namespace {namespace} \
                     (routing.gateway_namespace); create it"
                ),
            );
        }
        // The bot itself does not need this permission.
        Err(Error::NotAllowed { .. }) => {
            let says = format!(
                "not checked: this account may not get Gateways in {namespace}; use --session"
            );
            return Diagnostic::ok(what, says);
        }
        Err(error) => return Diagnostic::failed(what, error.to_string()),
    };
    let namespaces: Api<Namespace> = Api::all(server.client());
    let action = ApiAction::new("get", "namespaces", "(all)");
    let labels = server.call(action, namespaces.get_metadata(sessions)).await;
    let target = Target {
        routing: &settings.routing,
        namespace: sessions,
        is_same_namespace: namespace == sessions,
        labels: labels.ok().map(|it| it.metadata.labels.unwrap_or_default()),
    };
    match read(&found).and_then(|gateway| target.check(&gateway)) {
        Ok(Attached::WithTls(says)) => Diagnostic::ok(what, format!("{namespace}/{name}{says}")),
        Ok(Attached::InPart(says)) => {
            Diagnostic::warning(what, format!("{namespace}/{name}{says}"))
        }
        Err(why) => Diagnostic::failed(what, format!("{namespace}/{name} {why}")),
    }
}

/// Place that routes of sessions would have at a Gateway. The text goes on after the Gateway's name.
#[derive(Debug, PartialEq, Eq)]
enum Attached {
    WithTls(String),
    InPart(String),
}

/// Routes of sessions, as far as a Gateway decides about them.
struct Target<'a> {
    routing: &'a Routing,
    /// Namespace of the routes.
    namespace: &'a str,
    is_same_namespace: bool,
    /// Labels of the namespace. `None`: they can't be read.
    labels: Option<BTreeMap<String, String>>,
}

impl Target<'_> {
    /// # Errors
    /// Returns why the Gateway does not take the routes, and what to do.
    fn check(&self, gateway: &Gateway) -> Result<Attached, String> {
        let status = &gateway.status;
        let states = status.conditions.iter();
        let mut states = states.filter(|it| it.is_of(&["Accepted", "Programmed"]));
        if let Some(state) = states.find(|it| it.status != "True") {
            return Err(format!(
                "is not {}: {}; check its GatewayClass and its controller",
                state.r#type.to_lowercase(),
                state.why()
            ));
        }
        let wanted = self.routing.gateway.listener.as_ref();
        let (mut secure, mut plain, mut refusals) = (Vec::new(), Vec::new(), Vec::new());
        for listener in &gateway.spec.listeners {
            let name = &listener.name;
            if wanted.is_some_and(|wanted| wanted != name) {
                continue;
            }
            match self.refusal(listener, status) {
                Some(why) => refusals.push(format!("listener {name} {why}")),
                None if listener.protocol == "HTTPS" => secure.push(name.as_str()),
                None => plain.push(name.as_str()),
            }
        }
        match (secure.first(), plain.first()) {
            (Some(_), None) => {
                let says = format!(", listener {}", secure.join(", "));
                Ok(Attached::WithTls(says))
            }
            (Some(secure), Some(plain)) => Ok(Attached::InPart(format!(
                " would serve sessions without TLS, too, at its listener {plain}; set \
                 routing.gateway_listener to {secure}"
            ))),
            (None, Some(plain)) => Ok(Attached::InPart(format!(
                " has no HTTPS listener for sessions, only {plain}; add one, unless a load balancer \
                 in front of it ends TLS"
            ))),
            (None, None) => Err(match wanted {
                Some(wanted) if refusals.is_empty() => {
                    let names = gateway.spec.listeners.iter().map(|it| it.name.as_str());
                    let names = Vec::from_iter(names).join(", ");
                    format!("has no listener {wanted} (routing.gateway_listener), only {names}")
                }
                _ => format!("takes no routes of sessions: {}", refusals.join("; ")),
            }),
        }
    }

    /// Reason why a listener does not take the routes.
    fn refusal(&self, listener: &Listener, status: &GatewayStatus) -> Option<String> {
        if !["HTTP", "HTTPS"].contains(&&*listener.protocol) {
            return Some(format!("is for {}", listener.protocol));
        }
        let domain = &self.routing.domain;
        if let Some(hostname) = &listener.hostname
            && !covers(hostname, domain)
        {
            return Some(format!("is for {hostname}, not for *.{domain}"));
        }
        let kinds = &listener.allowed_routes.kinds;
        if !kinds.is_empty() && !kinds.iter().any(|it| it.kind == "HTTPRoute") {
            return Some("does not allow HTTPRoutes (allowedRoutes.kinds)".to_owned());
        }
        let namespaces = &listener.allowed_routes.namespaces;
        let is_allowed = match namespaces.from.as_deref() {
            Some("All") => true,
            Some("Selector") => match (&self.labels, &namespaces.selector) {
                (Some(labels), Some(selector)) => Selector::try_from(selector.clone())
                    .is_ok_and(|selector| selector.matches(labels)),
                // Without the labels, the rest can be checked.
                (None, _) => true,
                (_, None) => false,
            },
            Some("None") => false,
            _ => self.is_same_namespace,
        };
        if !is_allowed {
            return Some(format!(
                "allows no routes from namespace {} (allowedRoutes.namespaces)",
                self.namespace
            ));
        }
        let own = status.listeners.iter().find(|it| it.name == listener.name);
        let states = own.into_iter().flat_map(|it| &it.conditions);
        let mut bad = states.filter(|it| {
            it.status == "False" && it.is_of(&["Accepted", "Programmed", "ResolvedRefs"])
        });
        bad.next().map(|it| format!("does not work: {}", it.why()))
    }
}

/// Returns true if a listener's host name includes those of sessions. A wildcard stands for one or more
/// labels.
fn covers(hostname: &str, domain: &str) -> bool {
    let Some(parent) = hostname.strip_prefix("*.") else {
        return false;
    };
    let above = domain.strip_suffix(parent);
    above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
}

/// Reason why the Gateway refused this HTTPRoute, if it did.
pub(super) fn route_refusal(route: &DynamicObject) -> Option<String> {
    let status = route.data.get("status").cloned().unwrap_or_default();
    let status: Option<RouteStatus> = serde_json::from_value(status).ok();
    let parents = status.map(|it| it.parents).unwrap_or_default();
    let states = parents.iter().flat_map(|parent| &parent.conditions);
    let mut bad =
        states.filter(|it| it.status == "False" && it.is_of(&["Accepted", "ResolvedRefs"]));
    bad.next()
        .map(|it| format!("the Gateway refused its HTTPRoute: {}", it.why()))
}

#[cfg(test)]
mod tests;
