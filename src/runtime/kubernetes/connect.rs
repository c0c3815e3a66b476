//! Start-up: connects to the cluster and checks for anything that would fail later.

use std::time::Duration;

use axum::http::Uri;
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, Client,
    api::{DynamicObject, ListParams},
    config::Config,
};

use tracing::info;

use super::{
    build::route_resource,
    image, lease,
    permissions::{missing_in_own_namespace, missing_permissions},
    records, referenced,
    request::{ApiAction, ApiServer, error_chain, until_answered},
};
use crate::{
    diagnostics::Diagnostic,
    error::Error,
    settings::{RouteKind, Settings},
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Reason why the bot can't use the cluster.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// There is neither a kubeconfig nor a service account.
    #[error("no Kubernetes cluster is configured: {0}. Set KUBECONFIG, or run inside the cluster")]
    NoConfig(String),
    /// The configuration was found, but no client can be built from it.
    #[error("the Kubernetes configuration can't be used: {0}")]
    BadConfig(String),
    /// The API server does not answer, or answers with an error.
    #[error("the Kubernetes API at {url} can't be used: {error}")]
    NoAnswer { url: String, error: Error },
    /// The bot lacks permissions.
    #[error(
        "the bot's service account lacks permissions in namespace {namespace}: {missing}. \
         Apply the Role in deploy/, which grants them"
    )]
    NotAllowed {
        namespace: String,
        /// Missing permissions, such as `watch pods`, separated by commas.
        missing: String,
    },
    /// The cluster does not have the kind of object for routes.
    #[error(
        "this cluster has no {kind} ({api}). Install the custom resource definitions of {of}, or set \
         routing.kind to another kind"
    )]
    NoRoutes {
        kind: String,
        /// API group and version.
        api: String,
        /// Software that brings the definitions.
        of: &'static str,
    },
}

/// Clients of one API server.
pub struct Clients {
    /// Server for single calls. kube's client retries a call that was answered with 429, 503 or
    /// 504, and honours `Retry-After` (`Config::default_retry`).
    pub server: ApiServer,
    /// Client for watches. A watch that is silent for `kubernetes.watch_silence` fails: the server
    /// ends each watch sooner, so the connection must be dead. This client does not retry, because
    /// it would pause for minutes. The watch restarts itself.
    pub watches: Client,
    /// Server for the Lease. It shares no connection with the others, and its client does not retry.
    pub leases: ApiServer,
}

/// Connects to the cluster and checks that the bot can work there. If it `serves`, it waits for an API
/// server that is slow or does not answer.
///
/// # Errors
/// Returns a `ConnectError`, whose text tells the installer what is wrong.
pub async fn connect(settings: &Settings, serves: bool) -> Result<Clients, ConnectError> {
    let mut config = find_config().await?;
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    let url = config.cluster_url.to_string();
    info!("the Kubernetes API is at {url}");
    let mut watching = config.clone();
    watching.read_timeout = Some(settings.kubernetes.watch_silence);
    watching.default_retry = false;
    let mut holding = watching.clone();
    holding.connect_timeout = Some(lease::CALL_TIMEOUT);
    holding.read_timeout = Some(lease::SILENCE);
    let client = |config| {
        Client::try_from(config).map_err(|error| ConnectError::BadConfig(error_chain(&error)))
    };
    let server = ApiServer::new(client(config)?);
    let watches = client(watching)?;
    let leases = ApiServer::new(client(holding)?).with_time_limit(lease::CALL_TIMEOUT);
    let no_answer = |error| ConnectError::NoAnswer {
        url: url.clone(),
        error,
    };

    // At the same time, because each call may take long.
    let check = async || {
        tokio::try_join!(
            missing_permissions(&server, settings),
            missing_in_own_namespace(&server, settings),
            async {
                match routes(&server, settings).await {
                    // A missing permission is a better explanation.
                    Err(error) if error.is_permanent() => Ok(Err(error)),
                    listed => listed.map(Ok),
                }
            },
        )
    };
    let checked = until_answered(serves, check).await;
    let (there, at_home, listed) = checked.map_err(no_answer)?;
    not_allowed(&settings.kubernetes.namespace, there)?;
    not_allowed(server.default_namespace(), at_home)?;
    match listed {
        Ok(()) => Ok(Clients {
            server,
            watches,
            leases,
        }),
        Err(Error::Unknown { .. }) => Err(no_routes(settings.routing.kind)),
        Err(error) => Err(no_answer(error)),
    }
}

/// Finds the cluster. A proxy in the environment is for other servers, and kube can't use it. One in the
/// kubeconfig stays.
async fn find_config() -> Result<Config, ConnectError> {
    let mut config = Config::infer()
        .await
        .map_err(|error| ConnectError::NoConfig(error_chain(&error)))?;
    let is_of_environment = |url: &Uri| {
        let values = ["HTTPS_PROXY", "https_proxy"].map(std::env::var);
        let mut values = values.into_iter().flatten();
        values.any(|value| value.parse::<Uri>().is_ok_and(|it| it == *url))
    };
    config.proxy_url = config.proxy_url.filter(|url| !is_of_environment(url));
    Ok(config)
}

/// Lists one route, to check that the cluster has this kind of object.
///
/// # Errors
/// Returns [`Error::Unknown`] if it does not.
async fn routes(server: &ApiServer, settings: &Settings) -> Result<(), Error> {
    let namespace = &settings.kubernetes.namespace;
    let resource = route_resource(settings.routing.kind);
    let routes: Api<DynamicObject> = Api::namespaced_with(server.client(), namespace, &resource);
    let one = ListParams::default().limit(1);
    let listed = routes.list_metadata(&one);
    let action = ApiAction::new("list", &resource.plural, namespace);
    server.call(action, listed).await.map(|_| ())
}

fn no_routes(kind: RouteKind) -> ConnectError {
    let resource = route_resource(kind);
    ConnectError::NoRoutes {
        kind: resource.kind,
        api: resource.api_version,
        of: match kind {
            RouteKind::Traefik => "Traefik",
            RouteKind::Gateway => "the Gateway API",
            // Every supported version has this kind.
            RouteKind::Ingress => "Kubernetes",
        },
    }
}

fn not_allowed(namespace: &str, missing: Vec<String>) -> Result<(), ConnectError> {
    if missing.is_empty() {
        Ok(())
    } else {
        Err(ConnectError::NotAllowed {
            namespace: namespace.to_owned(),
            missing: missing.join(", "),
        })
    }
}

/// Checks everything that the bot needs from the cluster. Changes nothing.
pub async fn diagnose(settings: &Settings) -> Vec<Diagnostic> {
    let config = match find_config().await {
        Ok(config) => config,
        Err(unusable) => return vec![Diagnostic::failed("cluster", unusable.to_string())],
    };
    let url = config.cluster_url.to_string();
    let server = match Client::try_from(config) {
        Ok(client) => ApiServer::new(client),
        Err(error) => {
            let unusable = ConnectError::BadConfig(error_chain(&error));
            return vec![Diagnostic::failed("cluster", unusable.to_string())];
        }
    };
    let namespace = &settings.kubernetes.namespace;
    let home = server.default_namespace();
    let allowed = tokio::join!(
        missing_permissions(&server, settings),
        missing_in_own_namespace(&server, settings)
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
        let namespaces: Api<Namespace> = Api::all(server.client());
        let action = ApiAction::new("get", "namespaces", "(all)");
        let found = server.call(action, namespaces.get_metadata_opt(namespace));
        let found = found.await;
        // The bot's own service account may not read namespaces, so other results are ignored.
        if matches!(found, Ok(None)) {
            let says = "not found; apply deploy/, which creates it";
            diagnostics.push(Diagnostic::failed(format!("namespace {namespace}"), says));
        }
    }
    for (namespace, missing) in [(namespace.as_str(), there), (home, at_home)] {
        let what = format!("permissions in {namespace}");
        diagnostics.push(match not_allowed(namespace, missing) {
            Ok(()) => Diagnostic::ok(what, "all required permissions are granted"),
            Err(unusable) => Diagnostic::failed(what, unusable.to_string()),
        });
    }
    diagnostics.push(match routes(&server, settings).await {
        Ok(()) => Diagnostic::ok("routes", route_resource(settings.routing.kind).kind),
        Err(Error::Unknown { .. }) => {
            Diagnostic::failed("routes", no_routes(settings.routing.kind).to_string())
        }
        Err(error) => Diagnostic::failed("routes", error.to_string()),
    });
    if let Some(name) = &settings.kubernetes.lease {
        diagnostics.push(lease::diagnose(&server, name).await);
    }
    diagnostics.push(records::diagnose(&server, namespace).await);
    let (session, door) = tokio::join!(
        image::diagnose(
            &settings.outbound,
            "sessions.image",
            &settings.sessions.image
        ),
        image::diagnose(
            &settings.outbound,
            "sessions.door_image",
            &settings.sessions.door_image
        ),
    );
    diagnostics.extend([session, door]);
    diagnostics.extend(referenced::diagnose(&server, settings).await);
    diagnostics
}
