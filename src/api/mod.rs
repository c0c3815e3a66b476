//! The HTTP API for programs (docs/api.md). It manages the same sessions as the chat. [`admin`]
//! serves health and metrics for operators on a port of its own.

pub mod admin;
mod auth;
mod body;
mod document;
mod follow;
mod problem;
mod sessions;
mod state;
mod token;
mod tokens_file;

use std::sync::Arc;

use anyhow::Context;
use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware,
    routing::{get, post},
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use tracing::{info, warn};

use crate::{
    health::Health,
    listener::{self, Limits},
    service::Service,
    settings,
};
pub use auth::{Authenticator, Principal, request_id};
pub use body::Body;
pub use problem::Problem;
use problem::ProblemType;
pub use sessions::{CreateSession, idempotency_key, parse_create_session};
use state::Api;
pub use token::{NewToken, new_token};

/// Maximum size of a request's body in bytes. A session token and a catalog token of 4000
/// characters each fit, with some reserve.
const MAX_BODY_BYTES: usize = 16 * 1024;
/// Limits of the API's port.
const LIMITS: Limits = Limits {
    connections: 256,
    head: 32 << 10,
};

/// Serves the API until `shutdown`. Tells `health` once it takes connections.
///
/// # Errors
/// If the bot can't listen on the address.
pub async fn serve(
    settings: settings::Api,
    service: Arc<Service>,
    health: &Health,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let address = settings.listen;
    let listener = listener::bind(address).await;
    let listener = listener
        .with_context(|| format!("can't listen on {address}; set another address in api.listen"))?;
    info!("the API is at http://{}", listener.local_addr()?);
    health.set_api_open();
    if let Some(owner) = settings.anonymous {
        warn!(
            "THE API IS OPEN TO EVERYBODY: anyone who can reach it can start, open and stop \
             sessions of {owner}. To require tokens, set api.tokens_file instead of \
             api.anonymous_owner"
        );
    }
    let authenticator = Arc::new(Authenticator::new(&settings));
    let file = settings.tokens_file.clone();
    let tokens = settings.tokens.clone();
    let api = Api {
        settings: Arc::new(settings),
        service,
        shutdown: shutdown.clone(),
    };
    let router = router(api, authenticator.clone());
    let listening = listen(listener, LIMITS, router, &shutdown);
    match file {
        None => listening.await,
        Some(file) => tokio::select! {
            () = listening => {}
            () = tokens_file::follow(&file, tokens, &authenticator) => {}
        },
    }
    Ok(())
}

/// Serves `app` until `shutdown`.
async fn listen(listener: TcpListener, limits: Limits, app: Router, shutdown: &CancellationToken) {
    let answer = move |request| {
        let app = app.clone();
        async move {
            let Ok(answer) = app.oneshot(request).await;
            answer
        }
    };
    listener::serve(listener, limits, answer, shutdown).await;
}

fn router(api: Api, authenticator: Arc<Authenticator>) -> Router {
    Router::new()
        .route("/openapi.json", get(document::openapi))
        .route("/sessions", get(sessions::list).post(sessions::create))
        .route(
            "/sessions/{id}",
            get(sessions::show).delete(sessions::remove),
        )
        .route("/sessions/{id}/extend", post(sessions::extend))
        .route("/sessions/{id}/ticket", post(sessions::ticket))
        .fallback(async || {
            Problem::new(
                ProblemType::NotFound,
                "This path does not exist. GET /openapi.json describes all paths.",
            )
        })
        .method_not_allowed_fallback(async || {
            Problem::new(
                ProblemType::MethodNotAllowed,
                "This path does not support this method. The header Allow lists the supported ones.",
            )
        })
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(middleware::from_fn_with_state(
            authenticator,
            auth::authenticate,
        ))
        .with_state(api)
}
