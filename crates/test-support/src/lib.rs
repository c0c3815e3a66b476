//! Test harness: a team in a chat, a bot, and a cluster.
//!
//! Real: the bot's own program and serenity client, the control plane, RBAC and admission. The
//! tests in `node` also use a real [`Node`] with kubelet and containerd.
//!
//! Stand-ins: Discord (the loopback), and the node in all other tests. There, [`Kubelet`] writes
//! the status that a kubelet would report.
//!
//! The harness knows the bot only as a program. So it is built once for all tests and benches, and
//! a change of the bot does not build it again.
#![allow(clippy::unwrap_used)]

mod api_env;
mod bot;
mod browser;
mod bypass_proxy;
mod catalog;
mod cluster;
mod console;
mod contract;
mod credentials;
mod dns;
mod door;
mod duckdb;
mod end_check;
mod fake_clock;
mod kubelet;
mod kwok;
mod lake;
mod local_env;
mod node;
mod outbound;
mod own_machine;
mod prometheus;
mod proxy;
mod registry;
mod reserved_port;
mod s3;
mod server;
mod session;
mod signed_catalog;
mod small_disk;
mod standby;
mod test_env;
mod third_party;
mod token_catalog;
pub mod tools;
mod tree_catalog;
mod ui_assets;
mod ui_client;
mod wait;

pub use api_env::{ApiEnv, create_token, parse_response, session_request};
pub use bot::{Bot, command};
pub use browser::{Browser, Certificates, Traefik, link_of};
pub use bypass_proxy::bypass_proxy;
pub use catalog::Catalog;
pub use cluster::{Cluster, Namespaces};
pub use console::ConsoleTab;
pub use contract::Contract;
pub use credentials::{CREDENTIALS, PERMANENT_CREDENTIALS, leaked_credentials};
pub use dns::Dns;
pub use door::{Activity, Door, HOST, ORIGIN, RawServer};
pub use duckdb::DuckDb;
pub use fake_clock::FakeClock;
pub use kubelet::{Kubelet, listen_as_door};
pub use kwok::Kwok;
pub use lake::{Lake, lake, own_lake};
pub use local_env::{LocalEnv, Sandbox, duckdb_pids, query_processes};
pub use node::Node;
pub use outbound::{ForwardProxy, TlsFront};
pub use own_machine::{ClientShell, OwnMachine, Ran};
pub use prometheus::Prometheus;
pub use proxy::{ApiFault, Proxy};
pub use registry::Registry;
pub use reserved_port::ReservedPort;
pub use s3::S3;
pub use server::Server;
pub use session::{HOSTS, NAMESPACE, Session, signal};
pub use signed_catalog::SignedCatalog;
pub use small_disk::SmallDisk;
pub use test_env::{RECORD_VERSION, TestEnv, assert_says, session_id_in};
pub use third_party::{
    STRANGER_CREDENTIALS, ThirdPartyLake, seaweedfs_alone, seaweedfs_and_iceberg,
    versitygw_and_iceberg, versitygw_and_nessie, versitygw_with_one_account,
};
pub use token_catalog::{TokenCatalog, VENDED_CREDENTIALS};
pub use tools::helm;
pub use tree_catalog::{Nesting, TreeCatalog, TreeTable};
pub use ui_assets::{PAGE, UiAssets};
pub use ui_client::UiClient;
pub use wait::{ACK_TIMEOUT, WAIT_TIMEOUT, wait_until};
