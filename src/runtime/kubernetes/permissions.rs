//! Kubernetes permissions that the bot needs, and the check for missing ones.

use futures_util::future::try_join_all;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::{Api, api::PostParams};

use super::{
    build::{GATEWAY_GROUP, route_resource},
    lease::LEASES,
    request::{ApiAction, ApiServer},
    signing_keys::DOOR_KEYS,
    work_master::WORK_MASTER,
};
use crate::{
    error::Error,
    settings::{RouteKind, Settings},
};

/// Permissions for one resource, as in an RBAC rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PermissionRule {
    /// API group. Empty for the core group.
    pub group: &'static str,
    /// Resource, with its subresource after a slash.
    pub resource: &'static str,
    pub verbs: &'static [&'static str],
}

/// Resource that only `/duck sql`, the renewal of a session's credentials and the save at its end need.
pub(super) const EXEC: &str = "pods/exec";

/// Exactly the permissions that the bot uses in the sessions namespace. `deploy/` grants the same,
/// which a test checks. Of the last three, only the one for `routing.kind` is needed. `pods/exec` is
/// needed only with SQL from the chat or saved work. Without it, sessions keep their credentials until a
/// restart.
pub const REQUIRED: [PermissionRule; 12] = [
    rule(
        "",
        "configmaps",
        &["create", "delete", "get", "list", "update", "watch"],
    ),
    rule("", "pods", &["create", "delete", "get", "list", "watch"]),
    rule("", "pods/log", &["get"]),
    // A WebSocket upgrade is a GET request. Kubernetes 1.35 and later also check `create`.
    rule("", EXEC, &["create", "get"]),
    rule("", "events", &["list", "watch"]),
    rule("events.k8s.io", "events", &["create"]),
    rule("metrics.k8s.io", "pods", &["get"]),
    rule("", "services", &["create", "delete", "list", "watch"]),
    rule("", "secrets", &["create", "delete", "get", "patch"]),
    rule(
        "traefik.io",
        "ingressroutes",
        &["create", "delete", "list", "watch"],
    ),
    rule(
        GATEWAY_GROUP,
        "httproutes",
        &["create", "delete", "list", "watch"],
    ),
    rule(
        "networking.k8s.io",
        "ingresses",
        &["create", "delete", "list", "watch"],
    ),
];

/// Permissions in the bot's own namespace for the Secret [`DOOR_KEYS`] and, if work is saved, for
/// [`WORK_MASTER`].
const OWN_SECRETS: PermissionRule = rule("", "secrets", &["get", "update"]);

/// Permissions in the bot's own namespace for the Lease `kubernetes.lease`, if it is set.
const LEASE: PermissionRule = rule("coordination.k8s.io", LEASES, &["get", "update"]);

const fn rule(
    group: &'static str,
    resource: &'static str,
    verbs: &'static [&'static str],
) -> PermissionRule {
    PermissionRule {
        group,
        resource,
        verbs,
    }
}

/// Returns the missing permissions in the bot's own namespace.
pub(super) async fn missing_in_own_namespace(
    server: &ApiServer,
    settings: &Settings,
) -> Result<Vec<String>, Error> {
    let namespace = server.default_namespace();
    let of_work = settings.saves_work().then_some(WORK_MASTER);
    let secrets = [DOOR_KEYS].into_iter().chain(of_work);
    let secrets = secrets.map(|name| (OWN_SECRETS, name));
    let lease = settings.kubernetes.lease.as_deref();
    let objects = secrets.chain(lease.map(|name| (LEASE, name)));
    let each =
        objects.flat_map(|(rule, name)| rule.verbs.iter().map(move |verb| (rule, *verb, name)));
    let asked = each.map(|(rule, verb, name)| async move {
        let allowed = is_allowed(server, namespace, rule, verb, Some(name)).await?;
        Ok((!allowed).then(|| format!("{verb} {} {name}", rule.resource)))
    });
    Ok(try_join_all(asked).await?.into_iter().flatten().collect())
}

/// Returns the rules of [`REQUIRED`] that are needed with routes of this kind.
fn needed(kind: RouteKind, has_exec: bool) -> impl Iterator<Item = PermissionRule> {
    let others = RouteKind::ALL
        .into_iter()
        .filter(move |other| *other != kind);
    let unused: Vec<_> = others.map(|other| route_resource(other).plural).collect();
    let is_needed = move |rule: &PermissionRule| match rule.resource {
        EXEC => has_exec,
        resource => !unused.iter().any(|other| other == resource),
    };
    REQUIRED.into_iter().filter(is_needed)
}

/// Returns the missing permissions in the sessions namespace, such as `create pods`.
pub(super) async fn missing_permissions(
    server: &ApiServer,
    settings: &Settings,
) -> Result<Vec<String>, Error> {
    let has_exec = settings.sql.is_some() || settings.saves_work();
    let needed = needed(settings.routing.kind, has_exec);
    let each = needed.flat_map(|rule| rule.verbs.iter().map(move |verb| (rule, *verb)));
    let namespace = &settings.kubernetes.namespace;
    let asked = each.map(|(rule, verb)| async move {
        let allowed = is_allowed(server, namespace, rule, verb, None).await?;
        Ok((!allowed).then(|| format!("{verb} {}", rule.resource)))
    });
    Ok(try_join_all(asked).await?.into_iter().flatten().collect())
}

async fn is_allowed(
    server: &ApiServer,
    namespace: &str,
    rule: PermissionRule,
    verb: &str,
    name: Option<&str>,
) -> Result<bool, Error> {
    let (resource, subresource) = match rule.resource.split_once('/') {
        Some((resource, subresource)) => (resource, Some(subresource.to_owned())),
        None => (rule.resource, None),
    };
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                namespace: Some(namespace.to_owned()),
                group: Some(rule.group.to_owned()),
                resource: Some(resource.to_owned()),
                subresource,
                verb: Some(verb.to_owned()),
                name: name.map(str::to_owned),
                ..ResourceAttributes::default()
            }),
            non_resource_attributes: None,
        },
        ..SelfSubjectAccessReview::default()
    };
    let reviews: Api<SelfSubjectAccessReview> = Api::all(server.client());
    let params = PostParams::default();
    let action = ApiAction::new("create", "selfsubjectaccessreviews", "(all)");
    let answer = server
        .call(action, reviews.create(&params, &review))
        .await?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_routes_in_use_are_needed() {
        for (kind, route) in [
            (RouteKind::Traefik, "traefik.io/ingressroutes"),
            (RouteKind::Gateway, "gateway.networking.k8s.io/httproutes"),
            (RouteKind::Ingress, "networking.k8s.io/ingresses"),
        ] {
            let names = needed(kind, true).map(|rule| format!("{}/{}", rule.group, rule.resource));
            let names: Vec<_> = names.collect();
            assert_eq!(names.len(), REQUIRED.len() - 2);
            assert!(names.iter().any(|name| name == route), "{names:?}");
        }
        assert!(needed(RouteKind::Traefik, false).all(|rule| rule.resource != EXEC));
    }
}
