//! Speed that a person feels, on a real node, through Traefik and TLS. The floors do the same with kubectl, a
//! bare proxy, and DuckDB's command line.

mod by_kubectl;
mod first_query;
mod open;
pub mod proxy;
mod start;
mod visit;

use std::{net::Ipv4Addr, time::Duration};

use discord_loopback::Person;
use test_support::{Cluster, Node, ReservedPort, TestEnv, Traefik, bypass_proxy, lake};

use super::{sql::KEY, stats::time_stats, table::Row};

/// Number of people who start a session at once.
const PEOPLE: usize = 10;
/// Label of the link that opens a session.
const LINK: &str = "Open DuckDB";

/// An environment on the node whose sessions read the lake and are reached through Traefik.
struct Team {
    env: TestEnv,
    traefik: Traefik,
    catalog: ReservedPort,
    s3: ReservedPort,
    /// People besides Ana.
    people: Vec<Person>,
}

impl Team {
    async fn start(node: &Node) -> Self {
        let host = Cluster::shared().host();
        let mut catalog = ReservedPort::reserve_on(host);
        let mut s3 = ReservedPort::reserve_on(host);
        catalog.forward_to(&lake().catalog);
        s3.forward_to(&lake().s3.url());
        lake().s3.add_key(KEY[0], KEY[1]);
        let (catalog_url, s3_url) = (catalog.url(), s3.url());
        let settings = [
            ("DUCKBOT_LOG__FILTER", "info"),
            ("DUCKBOT_CREDENTIALS__PREFLIGHT", "false"),
            ("DUCKBOT_CATALOGS__LAKE__ENDPOINT", &*catalog_url),
            ("DUCKBOT_CATALOGS__LAKE__S3_ENDPOINT", &*s3_url),
            // The floor's DuckDB runs in the same container.
            ("DUCKBOT_SIZES__SMALL__MEMORY", "1Gi"),
        ];
        let here = Ipv4Addr::LOCALHOST.into();
        let mut env = TestEnv::without_bot_for_pods(&node.name, here, &settings).await;
        env.skip_end_check();
        let name = |number| format!("p{number}");
        for number in 0..PEOPLE {
            env.discord.add_person(&name(number), &["analyst"]);
        }
        let people = (0..PEOPLE).map(|number| env.discord.person(&name(number)));
        let people: Vec<_> = people.collect();
        for person in people.iter().chain([&env.ana]) {
            let id = person.id();
            env.cluster.store_key_pair(id, KEY[0], KEY[1]).await;
        }
        let traefik = Traefik::start(&env.cluster);
        bypass_proxy(&env).await;
        env.start_bot().await;
        Self {
            env,
            traefik,
            catalog,
            s3,
            people,
        }
    }
}

/// Returns no rows if this machine can't run nodes.
pub async fn rows() -> Vec<Row> {
    let Some(node) = Node::shared() else {
        return Vec::new();
    };
    let mut team = Team::start(node).await;
    let mut rows = start::rows(&team).await;
    rows.push(open::row(&mut team).await);
    rows
}

/// Prints the median of each part of a time.
fn print_parts<const N: usize>(what: &str, names: [&str; N], times: &[[Duration; N]]) {
    let median = |part: usize| {
        let times: Vec<_> = times.iter().map(|parts| parts[part]).collect();
        time_stats(&times).median
    };
    let parts = names.iter().enumerate();
    let parts: Vec<_> = parts
        .map(|(at, name)| format!("{name} {:.0} ms", median(at)))
        .collect();
    eprintln!("{what}: {}", parts.join(", "));
}
