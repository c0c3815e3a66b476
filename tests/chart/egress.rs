//! Addresses that the network policies of `deploy/` let sessions and the bot reach.

use std::{
    collections::BTreeSet,
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use serde_json::Value;

use super::{SIX_VALUES, comparable, objects, run_helm, template};
use crate::deploy::kubectl;

/// A network, as in an `ipBlock`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    fn read(text: &Value) -> Self {
        let (address, bits) = text.as_str().unwrap().split_once('/').unwrap();
        Self {
            address: address.parse().unwrap(),
            bits: bits.parse().unwrap(),
        }
    }

    fn contains(self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                (own.to_bits() ^ other.to_bits()).leading_zeros() >= self.bits
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                (own.to_bits() ^ other.to_bits()).leading_zeros() >= self.bits
            }
            _ => false,
        }
    }

    /// The same network behind NAT64 with the well-known prefix (RFC 6052).
    fn behind_nat64(self) -> Option<Self> {
        let IpAddr::V4(address) = self.address else {
            return None;
        };
        let prefix = Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0).to_bits();
        Some(Self {
            address: Ipv6Addr::from_bits(prefix | u128::from(address.to_bits())).into(),
            bits: 96 + self.bits,
        })
    }
}

/// The `ipBlock`s of a policy's egress: each network with its exceptions.
fn blocks(all: &[Value], policy: &str) -> Vec<(Network, BTreeSet<Network>)> {
    let policy = all.iter().find(|it| it["metadata"]["name"] == policy);
    let rules = policy.unwrap()["spec"]["egress"].as_array().unwrap();
    let peers = rules.iter().flat_map(|rule| rule["to"].as_array().unwrap());
    let blocks = peers.filter_map(|peer| peer.get("ipBlock"));
    let read = |block: &Value| {
        let except = block["except"].as_array().into_iter().flatten();
        (
            Network::read(&block["cidr"]),
            except.map(Network::read).collect(),
        )
    };
    blocks.map(read).collect()
}

fn reaches(blocks: &[(Network, BTreeSet<Network>)], address: &str) -> bool {
    let address = address.parse().unwrap();
    let is_in = |(network, except): &(Network, BTreeSet<Network>)| {
        network.contains(address) && !except.iter().any(|it| it.contains(address))
    };
    blocks.iter().any(is_in)
}

/// Addresses at which clouds serve a node's credentials, also behind NAT64 and in 6to4.
const METADATA: [&str; 15] = [
    "169.254.169.254",
    "169.254.170.2",
    "168.63.129.16",
    "100.100.100.200",
    "fe80::a9fe:a9fe",
    "fd00:ec2::254",
    "fd20:ce::254",
    "fd00:c1::a9fe:a9fe",
    "64:ff9b::169.254.169.254",
    "64:ff9b::168.63.129.16",
    "64:ff9b::100.100.100.200",
    "64:ff9b:1::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
    "2002:a83f:8110::1",
    "2002:6464:64c8::1",
];
const PUBLIC: [&str; 4] = [
    "52.95.110.1",
    "2600:1f14::1",
    "64:ff9b::52.95.110.1",
    "162.159.128.233",
];
const PRIVATE: [&str; 9] = [
    "10.0.0.1",
    "100.64.0.1",
    "172.20.0.1",
    "192.168.1.1",
    "198.18.0.1",
    "240.0.0.1",
    "fd00::1",
    "64:ff9b::10.0.0.1",
    "2002:a00:1::",
];

#[tokio::test]
async fn neither_sessions_nor_the_bot_reach_a_nodes_credentials() {
    let all = objects(&kubectl("kustomize deploy/overlays/traefik").await);
    let sessions = blocks(&all, "sessions-to-public-https");
    let bot = blocks(&all, "duckbot-egress");
    for address in METADATA {
        assert!(!reaches(&sessions, address), "{address}");
        assert!(!reaches(&bot, address), "{address}");
    }
    for address in PUBLIC {
        assert!(reaches(&sessions, address), "{address}");
        assert!(reaches(&bot, address), "{address}");
    }
    for address in PRIVATE {
        assert!(!reaches(&sessions, address), "{address}");
    }
    // The API server can have any private address.
    for address in ["10.0.0.1", "172.20.0.1", "fd12::1"] {
        assert!(reaches(&bot, address), "{address}");
    }
}

#[tokio::test]
async fn addresses_that_sessions_cant_reach_are_blocked_behind_nat64_too() {
    let all = objects(&kubectl("kustomize deploy/overlays/traefik").await);
    let blocks = blocks(&all, "sessions-to-public-https");
    let [(every_v4, except_v4), (every_v6, except_v6)] = &blocks[..] else {
        panic!("{blocks:?}");
    };
    let all = [
        IpAddr::from(Ipv4Addr::UNSPECIFIED),
        Ipv6Addr::UNSPECIFIED.into(),
    ];
    let all = all.map(|address| Network { address, bits: 0 });
    assert_eq!([*every_v4, *every_v6], all);
    let behind: BTreeSet<_> = except_v4
        .iter()
        .filter_map(|it| it.behind_nat64())
        .collect();
    let missing: Vec<_> = behind.difference(except_v6).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[tokio::test]
async fn every_way_of_sessions_but_those_to_names_and_the_lake_can_be_closed() {
    let closed = [
        "settings.duckdb.ui=console",
        "networkPolicy.publicHttps=false",
        "networkPolicy.privateLake.cidrs[0]=10.20.30.0/24",
        "networkPolicy.privateLake.ports[0]=9000",
    ];
    let values = [&SIX_VALUES[..], &closed].concat();
    let all = template(&values, &[]).await.unwrap();
    let is_of_sessions = |it: &&Value| {
        it["kind"] == "NetworkPolicy"
            && it["metadata"]["namespace"] == "duckbot-sessions"
            && it["spec"]["policyTypes"].to_string().contains("Egress")
    };
    let policies = all.iter().filter(is_of_sessions);
    let names: BTreeSet<_> = policies
        .map(|it| it["metadata"]["name"].as_str().unwrap())
        .collect();
    let expected = ["names", "nothing-but", "sessions-to-the-lake"];
    assert_eq!(names, BTreeSet::from(expected));
    let lake = blocks(&all, "sessions-to-the-lake");
    assert!(reaches(&lake, "10.20.30.1"));
    let others = PUBLIC.iter().chain(&PRIVATE).chain(&METADATA);
    for address in others {
        assert!(!reaches(&lake, address), "{address}");
    }
}

#[tokio::test]
async fn on_cilium_the_bot_reaches_the_api_server() {
    let example = objects(&fs::read_to_string("deploy/examples/cilium.yaml").unwrap());
    let mut arguments = vec!["template", "duckbot", "deploy/chart", "-n", "duckbot"];
    arguments.extend(["--api-versions", "cilium.io/v2"]);
    arguments.extend(SIX_VALUES.iter().flat_map(|value| ["--set", *value]));
    let chart = comparable(objects(&run_helm(&arguments).await));
    for (name, object) in comparable(example) {
        assert_eq!(chart.get(&name), Some(&object), "{name}");
    }
    // Without limits of egress, neither is needed.
    let unlimited = [&SIX_VALUES[..], &["networkPolicy.botEgress=false"]].concat();
    let unlimited = comparable(template(&unlimited, &[]).await.unwrap());
    assert!(!unlimited.keys().any(|name| name.ends_with("-egress")));
}
