//! Logging: its output, and the limits of what libraries may log.
//!
//! Credentials, tokens, texts that people type, and whole requests or events are never logged. The
//! only exception is the text of queries in the audit log, if `sql.log_queries` is on. Libraries
//! log such data in their debug output, and some in warnings (serenity 0.12: `gateway/ws.rs`,
//! `http/client.rs`; kube 5: `client/mod.rs`). So these levels stay off, whatever the filter says.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::{
    Layer, filter::FilterExt, filter::targets::Targets, layer::SubscriberExt,
    util::SubscriberInitExt,
};

use crate::settings::Log;

/// Target of the audit log's lines. They are written whatever the filter says.
pub const AUDIT: &str = "audit";

/// Starts logging to standard error.
pub fn start(log: &Log) {
    let wanted: Targets = log
        .filter
        .parse()
        .expect("a filter that the settings have checked");
    let wanted = wanted.with_target(AUDIT, LevelFilter::INFO);
    let output = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let output = if log.json {
        output.json().boxed()
    } else {
        output
            .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
            .boxed()
    };
    tracing_subscriber::registry()
        .with(output.with_filter(wanted.and(allowed())))
        .init();
}

/// Returns the most verbose level that each source may log.
fn allowed() -> Targets {
    Targets::new()
        .with_default(LevelFilter::INFO)
        .with_target("duckbot", LevelFilter::TRACE)
        // Warnings may contain a response that kube could not parse.
        .with_target("kube_client", LevelFilter::ERROR)
        // Warnings may contain an event that serenity could not parse, such as a form with
        // credentials.
        .with_target("serenity", LevelFilter::ERROR)
        .with_target("tungstenite", LevelFilter::WARN)
        .with_target("tokio_tungstenite", LevelFilter::WARN)
}
