//! The harness: a team in a chat, a bot, and a cluster.
//!
//! Real: the bot's own program and serenity client, etcd, kube-apiserver and
//! kube-controller-manager, RBAC and admission. Stand-ins: Discord (the
//! loopback), and the node: [`Kubelet`] writes what a kubelet would report.

mod bot;
mod cluster;
mod contract;
mod duckdb;
mod kubelet;
mod proxy;
mod team;

pub use bot::{Bot, command};
pub use cluster::{Cluster, Namespaces};
pub use contract::Contract;
pub use duckdb::DuckDb;
pub use kubelet::Kubelet;
pub use proxy::{Damage, Proxy};
pub use team::{KEYS, Team, session_in};
