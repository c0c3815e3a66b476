//! The HTTP API for programs (docs/api.md). It manages the same sessions as the chat. [`admin`]
//! serves health and metrics for operators on a port of its own.

pub mod admin;
mod auth;
mod body;
mod document;
mod follow;
mod listen;
mod problem;
mod sessions;
mod state;
mod token;

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware,
    routing::{get, post},
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_http::timeout::RequestBodyTimeoutLayer;
use tracing::{info, warn};

use crate::{service::Service, settings};
pub use auth::{Authenticator, Principal, request_id};
pub use body::Body;
use listen::listen;
pub use problem::Problem;
use problem::ProblemType;
pub use sessions::{CreateSession, idempotency_key, parse_create_session};
use state::Api;
pub use token::{NewToken, new_token};

/// Maximum size of a request's body in bytes. A session token and a catalog token of 4000
/// characters each fit, with some reserve.
const MAX_BODY_BYTES: usize = 16 * 1024;
/// Maximum time to wait for the next chunk of a request's body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves the API until `shutdown`.
///
/// # Errors
/// If the bot can't listen on the address.
pub async fn serve(
    settings: settings::Api,
    service: Arc<Service>,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let address = settings.listen;
    let listener = TcpListener::bind(address).await;
    let listener = listener
        .with_context(|| format!("can't listen on {address}; set another address in api.listen"))?;
    info!("the API is at http://{}", listener.local_addr()?);
    if let Some(owner) = settings.anonymous {
        warn!(
            "THE API IS OPEN TO EVERYBODY: anyone who can reach it can start, open and stop \
             sessions of {owner}. To require tokens, set api.tokens_file instead of \
             api.anonymous_owner"
        );
    }
    let authenticator = Authenticator::new(&settings);
    let api = Api {
        settings: Arc::new(settings),
        service,
        shutdown: shutdown.clone(),
    };
    listen(listener, router(api, authenticator), &shutdown).await;
    Ok(())
}

fn router(api: Api, authenticator: Authenticator) -> Router {
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
        .layer(RequestBodyTimeoutLayer::new(BODY_TIMEOUT))
        .layer(middleware::from_fn_with_state(
            Arc::new(authenticator),
            auth::authenticate,
        ))
        .with_state(api)
}
