//! duckbot gives each person of a team their own DuckDB UI, with `/duck start` in Discord.
//!
//! The modules, from the inside out (docs/architecture.md has the reasons):
//!
//! - [`session`]: session types, and every rule about sessions. Pure.
//! - [`catalog`]: the values of a catalog's settings, and the list of its tables.
//! - [`credentials`]: S3 credentials: parsing, preflight, and the trait of their store.
//! - [`health`]: the bot's state for health checks.
//! - [`history`]: a person's past queries: their limits, and the trait of their store.
//! - [`schedule`]: queries that run at recurring times: their times, conditions and stages.
//! - [`leadership`]: which of several bots acts.
//! - `listener`: HTTP on a port, with limits on connections. [`outbound`]: connections to other
//!   servers: CA certificates and proxies.
//! - [`door`]: the authenticating reverse proxy in front of a session. [`duckdb`]: the program
//!   behind it.
//! - [`runtime`]: the place where sessions run, on Kubernetes or on one machine.
//! - [`service`]: the use cases, which the chat and the API share.
//! - [`discord`]: commands, replies and public messages. `reconciler`: the loop that takes
//!   sessions through their lives. `reaper`: the loop that stops idle and old sessions, and posts
//!   the report. `scheduler`: the loop that runs schedules.
//! - [`api`]: sessions over HTTP for programs, health and metrics. [`metrics`]: names, units and
//!   labels of all metrics.
//! - [`app`]: start-up and wiring, also of the sandbox. [`error`], [`settings`], [`telemetry`],
//!   [`diagnostics`], `concurrency`, `redact` and `unicode` serve all modules.

#![warn(unreachable_pub)]

pub mod api;
pub mod app;
pub mod catalog;
mod concurrency;
pub mod credentials;
pub mod diagnostics;
pub mod discord;
pub mod door;
pub mod duckdb;
pub mod error;
pub mod health;
pub mod history;
pub mod leadership;
mod listener;
pub mod metrics;
pub mod outbound;
mod reaper;
mod reconciler;
mod redact;
pub mod runtime;
mod s3_error;
pub mod schedule;
mod scheduler;
pub mod service;
pub mod session;
pub mod settings;
pub mod telemetry;
mod unicode;
pub mod work;
