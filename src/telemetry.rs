//! Logs: where they go, and what never gets into them.
//!
//! Never logged: credentials, tokens, what people type, interaction tokens,
//! whole requests or events. Libraries record such things in their debug
//! output (serenity's spans hold whole gateway events and request routes with
//! tokens, see serenity 0.12 `http/client.rs`), so that stays off whatever the
//! filter says.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::{
    Layer, filter::FilterExt, filter::targets::Targets, layer::SubscriberExt,
    util::SubscriberInitExt,
};

use crate::settings::Log;

/// Starts logging to standard error.
pub fn start(log: &Log) {
    let wanted: Targets = log.filter.parse().expect("the settings checked the filter");
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
        .with_target("serenity", LevelFilter::WARN)
        .with_target("tungstenite", LevelFilter::WARN)
        .with_target("tokio_tungstenite", LevelFilter::WARN)
}
