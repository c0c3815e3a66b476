//! The door: the one way into a session's Pod.
//!
//! DuckDB's UI has no login, so nothing is let through until somebody has shown
//! who they are. That part (tickets) is not built yet: **for now the door is
//! shut for everyone.** What works is readiness: the Pod is ready when DuckDB answers.

use std::{net::Ipv4Addr, time::Duration};

use axum::{Router, http::StatusCode, response::Html, routing::get};
use reqwest::Client;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The port that the door listens on.
pub const PORT: u16 = 8080;
/// Answers 200 when DuckDB's UI answers, else 503.
pub const READY_PATH: &str = "/.duckbot/ready";

/// Where DuckDB's UI server listens: in a Pod `localhost` is `::1` first, on
/// most machines 127.0.0.1 (both seen with DuckDB 1.4.4).
const DUCKDB: [&str; 2] = ["http://[::1]:4213/info", "http://127.0.0.1:4213/info"];
const ANSWER_WITHIN: Duration = Duration::from_millis(800);

const SHUT: &str = "<!doctype html><meta charset=utf-8><title>duckbot</title>\
    <p>This session is running, but its door can't be opened from outside yet.";

/// Listens until `shutdown`.
///
/// # Errors
/// If the port is taken.
pub async fn serve(shutdown: CancellationToken) -> anyhow::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT)).await?;
    let duckdb = Client::builder().timeout(ANSWER_WITHIN).build()?;
    let ready = move || {
        let duckdb = duckdb.clone();
        async move { readiness(&duckdb).await }
    };
    let app = Router::new()
        .route(READY_PATH, get(ready))
        .fallback((StatusCode::FORBIDDEN, Html(SHUT)));
    axum::serve(listener, app)
        .with_graceful_shutdown(shutdown.cancelled_owned())
        .await?;
    Ok(())
}

async fn readiness(duckdb: &Client) -> (StatusCode, &'static str) {
    for address in DUCKDB {
        match duckdb.get(address).send().await {
            Ok(answer) if answer.status().is_success() => return (StatusCode::OK, "ready\n"),
            _ => {}
        }
    }
    (
        StatusCode::SERVICE_UNAVAILABLE,
        "DuckDB does not answer yet\n",
    )
}
