//! HTTP for operators: liveness, readiness and metrics.

use std::{
    net::SocketAddr,
    sync::{Arc, OnceLock},
};

use anyhow::Context;
use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::listen;
use crate::{
    health::{Connection, Health},
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
pub struct Admin {
    /// The service, once the cluster was read.
    pub service: Arc<OnceLock<Arc<Service>>>,
    pub health: Arc<Health>,
    pub metrics: Metrics,
}

/// Serves `/healthz`, `/readyz` and `/metrics` until `shutdown`. Needs neither the cluster nor Discord.
///
/// # Errors
/// If the bot can't listen on the address.
pub async fn serve(
    address: SocketAddr,
    admin: Admin,
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
        .with_state(admin);
    listen(listener, LIMITS, app, &shutdown).await;
    Ok(())
}

/// Reports what is not ready, and then the states that readiness does not depend on, one line each.
async fn ready(State(admin): State<Admin>) -> (StatusCode, String) {
    let mut missing = Vec::new();
    match admin.service.get() {
        None => missing.push("starting: reading the cluster".to_owned()),
        Some(service) => {
            if !admin.health.is_api_open() {
                missing.push("starting: opening the API's port".to_owned());
            }
            if let Some(since) = service.stale_since() {
                missing.push(format!("cluster: no updates since {since:.0?}"));
            }
        }
    }
    let status = if missing.is_empty() {
        missing.push("ready".to_owned());
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let discord = match admin.health.discord() {
        Connection::Connected => "connected".to_owned(),
        Connection::LostSince(since) => {
            format!("not connected since {since:.0?}, so commands get no answer")
        }
        Connection::Closed => "not connected, because this bot does not lead".to_owned(),
    };
    let leading = if admin.health.is_leading() {
        "yes"
    } else {
        "no"
    };
    let lines = missing.join("\n");
    (
        status,
        format!("{lines}\ndiscord: {discord}\nleading: {leading}\n"),
    )
}

async fn metrics_text(State(admin): State<Admin>) -> impl IntoResponse {
    // Before the cluster was read, there is no view, so it is as old as the process.
    let mut view_age = admin.metrics.uptime();
    if let Some(service) = admin.service.get() {
        let age = |since: DateTime<Utc>| (Utc::now() - since).to_std().unwrap_or_default();
        view_age = service.stale_since().map(age).unwrap_or_default();
        let sizes = service.sizes().iter();
        let sessions = service.list(None);
        metrics::set_unreadable_records(service.unreadable_records());
        metrics::set_sessions(&sessions, sizes.map(|size| size.name.as_str()));
        metrics::set_runners(&service.runners(None));
    }
    metrics::set_view_age(view_age);
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
    (kind, admin.metrics.text())
}
