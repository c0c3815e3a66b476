//! HTTP, for those who run the bot: is it alive, is it ready, what does it count.

use std::{net::SocketAddr, sync::Arc};

use anyhow::Context;
use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::listen::listen;
use crate::{
    metrics::{self, Metrics},
    service::Service,
};

/// What it answers with.
#[derive(Clone)]
struct Admin {
    service: Arc<Service>,
    metrics: Metrics,
}

/// Serves `/healthz`, `/readyz` and `/metrics` until `shutdown`.
///
/// # Errors
/// If the address can't be listened on.
pub async fn serve(
    address: SocketAddr,
    service: Arc<Service>,
    metrics: Metrics,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let listener = TcpListener::bind(address).await;
    let listener = listener
        .with_context(|| format!("I can't listen on {address}; admin.listen names another"))?;
    info!(
        "health and metrics are at http://{}",
        listener.local_addr()?
    );
    let app = Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics_text))
        .with_state(Admin { service, metrics });
    listen(listener, app, &shutdown).await;
    Ok(())
}

/// What is not ready, a line each.
async fn ready(State(admin): State<Admin>) -> (StatusCode, String) {
    let mut missing = Vec::new();
    if !admin.service.is_connected() {
        missing.push("discord: not connected, so nobody is answered".to_owned());
    }
    if let Some(since) = admin.service.runtime().stale_since() {
        missing.push(format!("cluster: nothing new is heard since {since:.0?}"));
    }
    match missing.is_empty() {
        true => (StatusCode::OK, "ready\n".to_owned()),
        false => (StatusCode::SERVICE_UNAVAILABLE, missing.join("\n") + "\n"),
    }
}

async fn metrics_text(State(admin): State<Admin>) -> impl IntoResponse {
    let sizes = admin.service.settings().sizes.iter();
    let sessions = admin.service.runtime().sessions();
    metrics::set_unreadable_records(admin.service.runtime().unreadable());
    metrics::set_sessions(&sessions, sizes.map(|size| size.name.as_str()));
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
    (kind, admin.metrics.text())
}
