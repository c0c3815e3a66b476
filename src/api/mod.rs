//! HTTP. For programs: sessions, the same as in the chat (docs/api.md). For those who run the
//! bot, on a port of its own: [`admin`].

pub mod admin;
mod auth;
mod body;
mod document;
mod follow;
mod listen;
mod problem;
mod sessions;
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
pub use token::{NewToken, new_token};

/// The largest body: two tokens of 4000 characters, and room.
const MAX_BODY_BYTES: usize = 16 * 1024;
/// How long a body may keep silent.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// What requests are answered with.
#[derive(Clone)]
struct Api {
    service: Arc<Service>,
    settings: Arc<settings::Api>,
    authenticator: Arc<Authenticator>,
    shutdown: CancellationToken,
}

/// Serves the API until `shutdown`.
///
/// # Errors
/// If the address can't be listened on.
pub async fn serve(
    settings: settings::Api,
    service: Arc<Service>,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let address = settings.listen;
    let listener = TcpListener::bind(address).await;
    let listener = listener
        .with_context(|| format!("I can't listen on {address}; api.listen names another"))?;
    info!("the API is at http://{}", listener.local_addr()?);
    if let Some(owner) = settings.anonymous {
        warn!(
            "THE API LETS EVERYBODY IN: whoever reaches it makes, opens and stops sessions of \
             {owner} (the setting api.anonymous_owner)"
        );
    }
    let api = Api {
        authenticator: Arc::new(Authenticator::new(&settings)),
        settings: Arc::new(settings),
        service,
        shutdown: shutdown.clone(),
    };
    listen(listener, router(api), &shutdown).await;
    Ok(())
}

fn router(api: Api) -> Router {
    Router::new()
        .route("/openapi.json", get(document::openapi))
        .route("/sessions", get(sessions::list).post(sessions::create))
        .route(
            "/sessions/{id}",
            get(sessions::show).delete(sessions::remove),
        )
        .route("/sessions/{id}/extend", post(sessions::extend))
        .route("/sessions/{id}/ticket", post(sessions::ticket))
        .fallback(async || Problem::new(ProblemType::NotFound, "There is nothing at this address."))
        .method_not_allowed_fallback(async || {
            Problem::new(
                ProblemType::MethodNotAllowed,
                "The header Allow says what is.",
            )
        })
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(RequestBodyTimeoutLayer::new(BODY_TIMEOUT))
        .layer(middleware::from_fn_with_state(
            api.clone(),
            auth::authenticate,
        ))
        .with_state(api)
}
