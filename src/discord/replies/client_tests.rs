//! Snapshots of the replies about DuckDB clients.

use super::{
    tests::{gallery, record},
    *,
};
use crate::{
    service::{ClientAccess, NotConnected},
    session::Stage,
};

fn access(url: &str) -> ClientAccess {
    ClientAccess {
        record: record(Stage::Running).into(),
        key: "never-in-a-reply-before-it-is-sent".to_owned().into(),
        url: url.into(),
        version: "v1.5.5".into(),
    }
}

#[test]
fn connecting_clients() {
    let tls = access("https://duckui-977a26.duck.example.com/");
    let local = access("http://duckui-977a26.localhost:4200/");
    let too_many = NotConnected::TooManyKeys {
        id: tls.record.id.clone(),
        most: 16,
    };
    insta::assert_snapshot!(gallery(&[
        ("with TLS", connection(&tls)),
        ("on this machine", connection(&local)),
        ("off", not_connected(&NotConnected::Disabled)),
        ("too many", not_connected(&too_many)),
        ("busy", not_connected(&NotConnected::Busy)),
        ("not prepared", not_connected(&NotConnected::NotPrepared)),
        ("revoked", revoked(&tls.record, 2)),
        ("nothing to revoke", revoked(&tls.record, 0)),
    ]));
}
