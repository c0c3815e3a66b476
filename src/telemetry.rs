//! Logs: where they go, and what never gets into them.
//!
//! Never logged: credentials, tokens, what people type, interaction tokens,
//! whole requests or events. Libraries record such things in their debug
//! output, and some in warnings (serenity 0.12: `gateway/ws.rs`, `http/client.rs`;
//! kube 5: `client/mod.rs`), so those stay off whatever the filter says.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::{
    Layer, filter::FilterExt, filter::targets::Targets, layer::SubscriberExt,
    util::SubscriberInitExt,
};

use crate::settings::Log;

/// The target of lines that say who did what. They are written whatever the filter says.
pub const AUDIT: &str = "audit";

/// Starts logging to standard error.
pub fn start(log: &Log) {
    let wanted: Targets = log.filter.parse().expect("the settings checked the filter");
    let wanted = wanted.with_target(AUDIT, LevelFilter::INFO);
    let output = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let output = match log.json {
        true => output.json().boxed(),
        false => output
            .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
            .boxed(),
    };
    tracing_subscriber::registry()
        .with(output.with_filter(wanted.and(allowed())))
        .init();
}

/// The most that each source may say.
fn allowed() -> Targets {
    Targets::new()
        .with_default(LevelFilter::INFO)
        .with_target("duckbot", LevelFilter::TRACE)
        // Warns with the text of an answer that it can't read.
        .with_target("kube_client", LevelFilter::ERROR)
        // Warns with the text of an event that it can't read: a form with keys.
        .with_target("serenity", LevelFilter::ERROR)
        .with_target("tungstenite", LevelFilter::WARN)
        .with_target("tokio_tungstenite", LevelFilter::WARN)
}
