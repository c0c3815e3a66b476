//! The harness: a team in a chat, a bot, and a cluster.
//!
//! Real: the bot's own program and serenity client, etcd, kube-apiserver and
//! kube-controller-manager, RBAC and admission. Stand-ins: Discord (the
//! loopback), and the node: [`Kubelet`] writes what a kubelet would report.

mod bot;
mod catalog;
mod cluster;
mod contract;
mod duckdb;
mod kubelet;
mod proxy;
mod s3;
mod server;
mod team;

pub use bot::{Bot, command};
pub use catalog::Catalog;
pub use cluster::{Cluster, Namespaces};
pub use contract::Contract;
pub use duckdb::DuckDb;
pub use kubelet::Kubelet;
pub use proxy::{Damage, Proxy};
pub use s3::S3;
pub use team::{KEYS, PERMANENT, Team, keys_in, session_in};
