//! The door: the one way into a session's Pod.
//!
//! DuckDB's UI has no login, so nothing is let through until somebody has shown
//! who they are. That part (tickets) is not built yet: **for now the door is
//! shut for everyone.** What works is readiness: the Pod is ready when DuckDB answers.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use anyhow::Context;
use axum::{Router, http::StatusCode, response::Html, routing::get};
use futures_util::future::join_all;
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

/// Listens until `shutdown`, on `address` or on [`PORT`] of all addresses.
///
/// # Errors
/// If the port is taken.
pub async fn serve(address: Option<SocketAddr>, shutdown: CancellationToken) -> anyhow::Result<()> {
    let listener = listen(address).await.context("the door can't listen")?;
    eprintln!("the door listens on {}", listener.local_addr()?);
    let duckdb = Client::builder()
        .timeout(ANSWER_WITHIN)
        .no_proxy()
        .build()?;
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

async fn listen(address: Option<SocketAddr>) -> io::Result<TcpListener> {
    match address {
        Some(address) => TcpListener::bind(address).await,
        // The IPv6 wildcard takes IPv4 as well, where there is IPv6 at all.
        None => match TcpListener::bind((Ipv6Addr::UNSPECIFIED, PORT)).await {
            Err(_) => TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT)).await,
            listening => listening,
        },
    }
}

async fn readiness(duckdb: &Client) -> (StatusCode, &'static str) {
    let answers = DUCKDB.map(|address| async move {
        let answer = duckdb.get(address).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    });
    match join_all(answers).await.contains(&true) {
        true => (StatusCode::OK, "ready\n"),
        false => (
            StatusCode::SERVICE_UNAVAILABLE,
            "DuckDB does not answer yet\n",
        ),
    }
}
