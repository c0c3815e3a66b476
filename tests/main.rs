//! Black-box tests: the bot as a process, against the loopback Discord and a real Kubernetes API
//! server. Each file tests one capability; `test_support` is the harness.
#![allow(clippy::unwrap_used)]

mod access;
mod admin;
mod admission;
mod api;
mod blame;
mod calls;
mod chart;
mod check;
mod clients;
mod compatibility;
mod connections;
mod console;
mod credentials;
mod deploy;
mod doctor;
mod door;
mod duckdb;
mod editor;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod effort;
mod events;
mod failover;
mod fault_injection;
mod faults;
mod fuzz;
mod history;
mod images;
mod init;
mod layers;
mod list;
mod local;
mod loopback;
mod maintenance;
mod memory;
mod monitoring;
mod names;
mod node;
mod outage;
mod outbound;
mod permissions;
mod preflight;
mod process;
mod quotes;
mod reaper;
mod release;
mod reliability;
mod runners;
mod runtimes;
#[cfg(feature = "sandbox")]
mod sandbox;
mod saves;
mod schedule;
mod secrets;
mod servers;
mod session;
mod setup;
mod sql;
mod start;
mod status;
mod stop;
mod trouble;
mod vended;
mod walk;
mod watch;
