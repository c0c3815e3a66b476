//! Fuzz targets: one function per target. Each takes arbitrary bytes from a person, the network or
//! the cluster, and asserts the properties that must hold. `tests/fuzz.rs` replays the corpora
//! through the same functions.
//!
//! The byte 0xFF separates the texts of a target that takes several. It occurs in no UTF-8 text.

mod activity;
mod answers;
mod credentials;
mod documents;
mod interactions;
mod policy;
mod quoting;
mod requests;
mod settings;
mod state;
mod tickets;

use chrono::{DateTime, Datelike, Utc};

pub use self::{
    activity::activity, answers::answers, credentials::credentials, documents::documents,
    interactions::interactions, policy::policy, quoting::quoting, requests::requests,
    settings::settings, tickets::tickets,
};

/// A target. Panics if a property does not hold for the bytes.
pub type Target = fn(&[u8]);

/// Fuzz targets, by the names of their folders.
pub const TARGETS: [(&str, Target); 10] = [
    ("credentials", credentials),
    ("interactions", interactions),
    ("tickets", tickets),
    ("policy", policy),
    ("settings", settings),
    ("requests", requests),
    ("quoting", quoting),
    ("activity", activity),
    ("documents", documents),
    ("answers", answers),
];

/// Splits the input at 0xFF. Missing pieces are empty.
fn pieces<const N: usize>(data: &[u8]) -> [&[u8]; N] {
    let mut all = data.split(|byte| *byte == 0xff);
    [(); N].map(|()| all.next().unwrap_or_default())
}

fn texts<const N: usize>(data: &[u8]) -> [String; N] {
    pieces(data).map(|piece| String::from_utf8_lossy(piece).into_owned())
}

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + second, 0).expect("the timestamp is in range")
}

fn is_ordinary(time: DateTime<Utc>) -> bool {
    (0..=9999).contains(&time.year())
}
