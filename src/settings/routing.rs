//! Reads `[routing]`.

use std::collections::BTreeMap;

use super::{
    reader::{Invalid, SettingsReader},
    values::{TEXTS, domain_name, label, parse},
};

/// Routes from outside the cluster to sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routing {
    pub kind: RouteKind,
    /// Domain of sessions, at `duckui-<id>.<domain>`.
    pub domain: String,
    /// Secret with the wildcard certificate. `None`: the controller's default certificate. A Gateway
    /// has its own.
    pub tls_secret: Option<String>,
    /// Traefik's entry points.
    pub entry_points: Vec<String>,
    /// IngressClass. `None`: the cluster's default class.
    pub ingress_class: Option<String>,
    pub gateway: GatewayRef,
    /// Annotations of each route, for the ingress controller.
    pub annotations: BTreeMap<String, String>,
}

/// Kind of object that routes to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteKind {
    /// `traefik.io/v1alpha1` IngressRoute
    Traefik,
    /// `gateway.networking.k8s.io/v1` HTTPRoute
    Gateway,
    /// `networking.k8s.io/v1` Ingress
    Ingress,
}

impl RouteKind {
    pub const ALL: [Self; 3] = [Self::Traefik, Self::Gateway, Self::Ingress];

    /// Value of `routing.kind`.
    fn name(self) -> &'static str {
        match self {
            Self::Traefik => "traefik",
            Self::Gateway => "gateway",
            Self::Ingress => "ingress",
        }
    }

    /// Names what serves the routes, and the setting that chooses it.
    pub fn controller(self) -> &'static str {
        match self {
            Self::Traefik => "Traefik and routing.entry_points",
            Self::Gateway => "the Gateway's controller and routing.gateway",
            Self::Ingress => "the ingress controller and routing.ingress_class",
        }
    }

    /// Names the place of the certificate.
    pub fn certificate(self) -> &'static str {
        match self {
            Self::Gateway => "the certificate of the Gateway's listener",
            Self::Traefik | Self::Ingress => "routing.tls_secret",
        }
    }
}

/// Gateway of HTTPRoutes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayRef {
    /// Name. Empty: routes are of another kind.
    pub name: String,
    /// Namespace. `None`: that of the sessions.
    pub namespace: Option<String>,
    /// Name of its listener. `None`: all that serve the domain.
    pub listener: Option<String>,
    /// Write into routes that requests have no time limit.
    pub no_timeouts: bool,
}

pub(super) fn read_routing(
    reader: &mut SettingsReader,
    is_local: bool,
) -> Result<Routing, Invalid> {
    let kind = reader.required("routing.kind", "traefik, gateway or ingress", |text| {
        RouteKind::ALL.into_iter().find(|kind| kind.name() == text)
    });
    let domain = reader.required_if(
        !is_local,
        "routing.domain",
        "a DNS name of up to 239 characters, like duck.example.com",
        |text| {
            // A session's host name adds `duckui-977a26.`; a DNS name has at most 253 characters.
            domain_name(text).filter(|name| name.len() <= 239)
        },
    );
    let tls_secret = reader.optional("routing.tls_secret", "a Secret's name", domain_name);
    let entry_points = reader.list("routing.entry_points", "an entry point's name", label);
    let ingress_class = reader.optional(
        "routing.ingress_class",
        "an IngressClass's name",
        domain_name,
    );
    let needs_gateway = !is_local && kind == Ok(RouteKind::Gateway);
    let gateway = read_gateway(reader, needs_gateway);
    let annotations = reader.manifest("routing.annotations", TEXTS);
    Ok(Routing {
        kind: kind?,
        domain: domain?,
        tls_secret: tls_secret?,
        entry_points: entry_points?,
        ingress_class: ingress_class?,
        gateway: gateway?,
        annotations: annotations?,
    })
}

fn read_gateway(reader: &mut SettingsReader, is_needed: bool) -> Result<GatewayRef, Invalid> {
    let name = reader.required_if(
        is_needed,
        "routing.gateway",
        "a Gateway's name",
        domain_name,
    );
    let namespace = reader.optional("routing.gateway_namespace", "a namespace's name", label);
    let listener = reader.optional(
        "routing.gateway_listener",
        "the name of a Gateway's listener",
        domain_name,
    );
    let no_timeouts = reader.required("routing.gateway_no_timeouts", "true or false", parse);
    Ok(GatewayRef {
        name: name?,
        namespace: namespace?,
        listener: listener?,
        no_timeouts: no_timeouts?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Settings, tests::minimal};

    #[test]
    fn a_gateway_needs_a_name_unless_sessions_are_on_this_machine() {
        let with = |changes: &[(&str, &str)]| {
            let mut all = minimal();
            let changes = changes.iter();
            all.extend(changes.map(|(name, it)| (format!("DUCKBOT_{name}"), it.to_string())));
            Settings::read(None, all)
        };
        let kind = ("ROUTING__KIND", "gateway");
        let error = with(&[kind]).expect_err("no name").to_string();
        assert!(
            error.contains("routing.gateway: is required; set it to a Gateway's name"),
            "{error}"
        );
        let local = [
            kind,
            ("SESSIONS__RUNTIME", "local"),
            ("LOCAL__FOLDER", "/tmp"),
        ];
        assert!(with(&local).is_ok());
        let routing = with(&[kind, ("ROUTING__GATEWAY", "web")])
            .expect("valid")
            .routing;
        assert!(routing.gateway.no_timeouts);
    }
}
