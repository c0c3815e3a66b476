//! Start-up: connect, and find out now what would fail later.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::{
    Api, Client,
    api::{DynamicObject, ListParams},
    config::Config,
};

use super::{
    build::route_resource,
    image,
    permissions::{missing_in_own_namespace, missing_permissions},
    request::{ApiAction, call, error_chain},
};
use crate::{diagnostics::Diagnostic, error::Error, settings::Settings};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

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
