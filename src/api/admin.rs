//! HTTP for operators: liveness, readiness and metrics.

use std::{net::SocketAddr, sync::Arc};

use anyhow::Context;
use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::listen;
use crate::{
    listener::{self, Limits},
    metrics::{self, Metrics},
    service::Service,
};

/// Limits of the port. The kubelet and Prometheus need few connections.
const LIMITS: Limits = Limits {
    connections: 64,
    head: 8 << 10,
};

/// State of the request handlers.
#[derive(Clone)]
struct Admin {
    service: Arc<Service>,
    metrics: Metrics,
}

/// Serves `/healthz`, `/readyz` and `/metrics` until `shutdown`.
///
/// # Errors
/// If the bot can't listen on the address.
pub async fn serve(
    address: SocketAddr,
    service: Arc<Service>,
    metrics: Metrics,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let listener = listener::bind(address).await;
    let listener = listener.with_context(|| {
        format!("can't listen on {address}; set another address in admin.listen")
    })?;
    info!(
        "health and metrics are at http://{}",
        listener.local_addr()?
    );
    let app = Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics_text))
        .with_state(Admin { service, metrics });
    listen(listener, LIMITS, app, &shutdown).await;
    Ok(())
}

/// Reports what is not ready, one line each.
async fn ready(State(admin): State<Admin>) -> (StatusCode, String) {
    let mut missing = Vec::new();
    if !admin.service.is_connected() {
        missing.push("discord: not connected, so commands get no answer".to_owned());
    }
    if let Some(since) = admin.service.stale_since() {
        missing.push(format!("cluster: no updates since {since:.0?}"));
    }
    if missing.is_empty() {
        (StatusCode::OK, "ready\n".to_owned())
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, missing.join("\n") + "\n")
    }
}

async fn metrics_text(State(admin): State<Admin>) -> impl IntoResponse {
    let sizes = admin.service.sizes().iter();
    let sessions = admin.service.list(None);
    metrics::set_unreadable_records(admin.service.unreadable_records());
    metrics::set_sessions(&sessions, sizes.map(|size| size.name.as_str()));
    metrics::set_runners(&admin.service.runners(None));
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
    (kind, admin.metrics.text())
}
