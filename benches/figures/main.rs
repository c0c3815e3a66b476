//! Measures the figures of docs/performance.md. The bot and a floor are measured in turns, in the
//! same run. `cargo bench --bench figures` measures all groups, and `-- api memory` only these.
//!
//! Asserts nothing. The table has an aim for each figure.
#![allow(clippy::unwrap_used)]

mod api;
mod binary;
mod callers;
mod calls;
mod clients;
mod commands;
mod console;
mod crowd;
mod failover;
mod floor;
mod floor_bot;
mod growth;
mod kept;
mod memory;
mod node;
mod people;
mod plot;
mod relay;
mod rivals;
mod sandbox;
mod scale;
mod setup;
mod side;
mod sql;
mod stats;
mod table;
mod work;

use table::Table;

const GROUPS: [&str; 18] = [
    "api", "rivals", "commands", "calls", "node", "memory", "scale", "callers", "sandbox", "sql",
    "work", "console", "clients", "relay", "kept", "people", "failover", "binary",
];

#[tokio::main]
async fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    if let Some(("floor", what)) = arguments.first().and_then(|it| it.split_once(':')) {
        return floor::serve(what).await;
    }
    // Cargo adds arguments such as --bench.
    let mut asked: Vec<_> = arguments
        .iter()
        .filter(|it| !it.starts_with("--"))
        .map(String::as_str)
        .collect();
    if let Some(unknown) = asked.iter().find(|it| !GROUPS.contains(it)) {
        eprintln!("unknown group {unknown}; groups: {}", GROUPS.join(" "));
        return;
    }
    if asked.is_empty() {
        asked = GROUPS.to_vec();
    }
    let mut table = Table::load();
    for group in asked {
        eprintln!("── {group}");
        let mut series = Vec::new();
        let rows = match group {
            "api" => api::rows().await,
            "callers" => callers::rows(&mut series).await,
            "rivals" => rivals::rows().await,
            "commands" => commands::rows().await,
            "calls" => calls::rows().await,
            "node" => node::rows().await,
            "memory" => memory::rows().await,
            "scale" => scale::rows(&mut series).await,
            "sandbox" => sandbox::rows().await,
            "sql" => sql::rows().await,
            "work" => work::rows().await,
            "console" => console::rows().await,
            "clients" => clients::rows(&mut series).await,
            "relay" => relay::rows().await,
            "kept" => kept::rows().await,
            "people" => people::rows().await,
            "failover" => failover::rows().await,
            _ => binary::rows().await,
        };
        table.replace_group(group, &rows, &series);
        // Saved after each group, in case a later one fails.
        table.write();
    }
    print!("{}", table.markdown());
}
