//! duckbot: everyone in a team gets their own DuckDB UI, by typing `/duck start`.
//!
//! The rooms, from the inside out (docs/architecture.md says why):
//!
//! - [`session`]: what a session is and every rule about it. Pure.
//! - [`credentials`]: what people hand in, and the store's trait.
//! - [`door`]: the one way into a session's Pod. [`duckdb`]: what runs behind it.
//! - [`runtime`]: where sessions run.
//! - [`service`]: the use cases; whoever asks goes through here.
//! - [`discord`]: the chat face. [`reconciler`]: carries sessions through their lives.
//!   [`reaper`]: ends those that nobody ends, and reports.
//! - [`api`]: sessions over HTTP, for programs; health and metrics. [`metrics`]: what is counted.
//! - [`app`] wires them together; [`settings`], [`telemetry`] and `redact` serve all.
//! - `sandbox`: a loopback Discord, for the tests and for trying the bot.

pub mod api;
pub mod app;
pub mod credentials;
pub mod diagnostics;
pub mod discord;
pub mod door;
pub mod duckdb;
pub mod error;
pub mod metrics;
pub mod reaper;
pub mod reconciler;
mod redact;
pub mod runtime;
#[cfg(feature = "sandbox")]
pub mod sandbox;
pub mod service;
pub mod session;
pub mod settings;
pub mod telemetry;
