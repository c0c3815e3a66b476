//! Start-up: connect, and find out now what would fail later.

use std::time::Duration;

use futures_util::future::try_join_all;
use k8s_openapi::api::{
    authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec},
    core::v1::{Namespace, Secret},
};
use kube::{
    Api, Client,
    api::{DynamicObject, ListParams, PostParams},
    config::Config,
};

use super::{
    build::route_resource,
    image,
    request::{ApiAction, call, error_chain},
    signing_keys::DOOR_KEYS,
};
use crate::{
    diagnostics::Diagnostic,
    error::Error,
    settings::{RouteKind, Settings},
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A permission that the bot needs in the sessions namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PermissionRule {
    /// The API group; empty is the core one.
    pub group: &'static str,
    /// The resource, with its subresource after a slash.
    pub resource: &'static str,
    /// What is done with it.
    pub verbs: &'static [&'static str],
}

/// What only questions from the chat need.
pub const EXEC: &str = "pods/exec";

/// Everything that the bot does, and nothing else. `deploy/` grants exactly
/// this (a test compares them); of the last two the one that is configured is needed, and
/// pods/exec only where people may ask.
pub const REQUIRED: [PermissionRule; 10] = [
    rule(
        "",
        "configmaps",
        &["create", "delete", "get", "list", "update", "watch"],
    ),
    rule("", "pods", &["create", "delete", "get", "list", "watch"]),
    rule("", "pods/log", &["get"]),
    // Both: from Kubernetes 1.35 on, the second is asked for as well.
    rule("", EXEC, &["create", "get"]),
    rule("", "events", &["list", "watch"]),
    rule("metrics.k8s.io", "pods", &["get"]),
    rule("", "services", &["create", "delete", "list", "watch"]),
    rule("", "secrets", &["create", "delete", "get", "patch"]),
    rule(
        "traefik.io",
        "ingressroutes",
        &["create", "delete", "list", "watch"],
    ),
    rule(
        "networking.k8s.io",
        "ingresses",
        &["create", "delete", "list", "watch"],
    ),
];

/// What the bot does in its own namespace: with the one Secret [`DOOR_KEYS`].
/// (`create` can't be granted by name.)
pub const REQUIRED_IN_OWN_NAMESPACE: PermissionRule =
    rule("", "secrets", &["create", "get", "update"]);

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

/// The cluster can't be used as it is.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Neither a kubeconfig nor a service account.
    #[error("there is no cluster to talk to: {0}. Set KUBECONFIG, or run inside the cluster")]
    NoConfig(String),
    /// The client can't be built from it.
    #[error("the connection to the cluster can't be set up: {0}")]
    BadConfig(String),
    /// It doesn't answer.
    #[error("the Kubernetes API at {url} can't be used: {error}")]
    NoAnswer {
        /// Where it was looked for.
        url: String,
        /// What happened.
        error: Error,
    },
    /// Permissions are missing.
    #[error(
        "the bot's service account lacks permissions in namespace {namespace}: {missing}. \
         deploy/ has the Role that grants them"
    )]
    NotAllowed {
        /// Where.
        namespace: String,
        /// Which, as a list.
        missing: String,
    },
    /// Routes can't be made.
    #[error(
        "this cluster has no Traefik IngressRoute (traefik.io/v1alpha1): install Traefik's custom \
         resource definitions, or set routing.kind = \"ingress\""
    )]
    NoTraefik,
}

/// Connections to one API server.
pub struct Clients {
    /// For single calls. It tries again by itself when the server is busy.
    pub calls: Client,
    /// For watches. The server ends each in time: one that is silent for longer
    /// leads nowhere, though its connection looks open, and fails. It is the watch
    /// that tries again: the client would pause for minutes.
    pub watches: Client,
}

/// Connects to the cluster and checks that the bot can work there.
///
/// # Errors
/// What is wrong, in a sentence for whoever installs the bot.
pub async fn connect(settings: &Settings) -> Result<Clients, ConnectError> {
    let mut config = Config::infer()
        .await
        .map_err(|error| ConnectError::NoConfig(error_chain(&error)))?;
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    let url = config.cluster_url.to_string();
    let mut watching = config.clone();
    watching.read_timeout = Some(settings.kubernetes.watch_silence);
    watching.default_retry = false;
    let client = |config| {
        Client::try_from(config).map_err(|error| ConnectError::BadConfig(error_chain(&error)))
    };
    let (client, watches) = (client(config)?, client(watching)?);
    let no_answer = |error| ConnectError::NoAnswer {
        url: url.clone(),
        error,
    };

    let namespace = &settings.kubernetes.namespace;
    let missing = missing_permissions(&client, settings)
        .await
        .map_err(no_answer)?;
    not_allowed(namespace, missing)?;
    let home = client.default_namespace();
    let missing = missing_in_own_namespace(&client).await.map_err(no_answer)?;
    not_allowed(home, missing)?;
    match routes(&client, settings).await {
        Ok(()) => Ok(Clients {
            calls: client,
            watches,
        }),
        Err(Error::Unknown { .. }) => Err(ConnectError::NoTraefik),
        Err(error) => Err(no_answer(error)),
    }
}

/// Whether the cluster has the kind of object that routes to sessions.
async fn routes(client: &Client, settings: &Settings) -> Result<(), Error> {
    let namespace = &settings.kubernetes.namespace;
    let resource = route_resource(settings.routing.kind);
    let routes: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
    let one = ListParams::default().limit(1);
    let listed = routes.list_metadata(&one);
    let listed = call(ApiAction::new("list", &resource.plural, namespace), listed);
    listed.await.map(|_| ())
}

fn not_allowed(namespace: &str, missing: Vec<String>) -> Result<(), ConnectError> {
    match missing.is_empty() {
        true => Ok(()),
        false => Err(ConnectError::NotAllowed {
            namespace: namespace.to_owned(),
            missing: missing.join(", "),
        }),
    }
}

/// The permissions that are missing in the bot's own namespace.
async fn missing_in_own_namespace(client: &Client) -> Result<Vec<String>, Error> {
    let rule = REQUIRED_IN_OWN_NAMESPACE;
    let namespace = client.default_namespace();
    let asked = rule.verbs.iter().map(|verb| async move {
        let name = (*verb != "create").then_some(DOOR_KEYS);
        let allowed = is_allowed(client, namespace, rule, verb, name).await?;
        Ok((!allowed).then(|| format!("{verb} {} {DOOR_KEYS}", rule.resource)))
    });
    Ok(try_join_all(asked).await?.into_iter().flatten().collect())
}

/// The permissions that are missing, as `create pods`.
async fn missing_permissions(client: &Client, settings: &Settings) -> Result<Vec<String>, Error> {
    let unused = match settings.routing.kind {
        RouteKind::Traefik => "ingresses",
        RouteKind::Ingress => "ingressroutes",
    };
    let is_needed = |rule: &PermissionRule| match rule.resource {
        EXEC => settings.sql.is_some(),
        resource => resource != unused,
    };
    let needed = REQUIRED.into_iter().filter(is_needed);
    let each = needed.flat_map(|rule| rule.verbs.iter().map(move |verb| (rule, *verb)));
    let namespace = &settings.kubernetes.namespace;
    let asked = each.map(|(rule, verb)| async move {
        let allowed = is_allowed(client, namespace, rule, verb, None).await?;
        Ok((!allowed).then(|| format!("{verb} {}", rule.resource)))
    });
    Ok(try_join_all(asked).await?.into_iter().flatten().collect())
}

async fn is_allowed(
    client: &Client,
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
    let reviews: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    let params = PostParams::default();
    let action = ApiAction::new("create", "selfsubjectaccessreviews", "(all)");
    let answer = call(action, reviews.create(&params, &review)).await?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

/// Looks at everything that the bot needs of the cluster. Changes nothing.
pub async fn diagnose(settings: &Settings) -> Vec<Diagnostic> {
    let config = match Config::infer().await {
        Ok(config) => config,
        Err(error) => {
            let unusable = ConnectError::NoConfig(error_chain(&error));
            return vec![Diagnostic::failed("cluster", unusable.to_string())];
        }
    };
    let url = config.cluster_url.to_string();
    let client = match Client::try_from(config) {
        Ok(client) => client,
        Err(error) => {
            let unusable = ConnectError::BadConfig(error_chain(&error));
            return vec![Diagnostic::failed("cluster", unusable.to_string())];
        }
    };
    let namespace = &settings.kubernetes.namespace;
    let home = client.default_namespace();
    let allowed = tokio::join!(
        missing_permissions(&client, settings),
        missing_in_own_namespace(&client)
    );
    let (there, at_home) = match allowed {
        (Ok(there), Ok(at_home)) => (there, at_home),
        (Err(error), _) | (_, Err(error)) => {
            let unusable = ConnectError::NoAnswer { url, error };
            return vec![Diagnostic::failed("cluster", unusable.to_string())];
        }
    };
    let mut diagnostics = vec![Diagnostic::ok("cluster", format!("{url} answers"))];
    for namespace in [namespace, home] {
        let namespaces: Api<Namespace> = Api::all(client.clone());
        let found = call(
            ApiAction::new("get", "namespaces", "(all)"),
            namespaces.get_metadata_opt(namespace),
        )
        .await;
        // The bot itself may not look; who may sees it.
        if matches!(found, Ok(None)) {
            let says = "there is no such namespace; deploy/ makes it";
            diagnostics.push(Diagnostic::failed(format!("namespace {namespace}"), says));
        }
    }
    for (namespace, missing) in [(namespace.as_str(), there), (home, at_home)] {
        let what = format!("permissions in {namespace}");
        diagnostics.push(match not_allowed(namespace, missing) {
            Ok(()) => Diagnostic::ok(what, "all that are needed"),
            Err(unusable) => Diagnostic::failed(what, unusable.to_string()),
        });
    }
    diagnostics.push(match routes(&client, settings).await {
        Ok(()) => Diagnostic::ok("routes", route_resource(settings.routing.kind).kind),
        Err(Error::Unknown { .. }) => {
            Diagnostic::failed("routes", ConnectError::NoTraefik.to_string())
        }
        Err(error) => Diagnostic::failed("routes", error.to_string()),
    });
    let (session, door) = tokio::join!(
        image::diagnose("sessions.image", &settings.sessions.image),
        image::diagnose("sessions.door_image", &settings.sessions.door_image),
    );
    diagnostics.extend([session, door]);
    if let Some(name) = &settings.routing.tls_secret {
        let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
        let found = secrets.get_metadata_opt(name);
        let found = call(
            ApiAction::new("get", "secrets", namespace).sensitive(),
            found,
        )
        .await;
        let what = "certificate";
        diagnostics.push(match found {
            Ok(Some(_)) => Diagnostic::ok(what, format!("Secret {name}")),
            Ok(None) => Diagnostic::failed(
                what,
                format!("there is no Secret {name} (routing.tls_secret) in {namespace}"),
            ),
            Err(error) => Diagnostic::failed(what, error.to_string()),
        });
    }
    diagnostics
}
