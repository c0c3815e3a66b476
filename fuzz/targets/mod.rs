//! What the fuzz targets do: one function for each, which takes bytes and asserts what must
//! hold of whatever a person, the network or the cluster sends. `tests/fuzz.rs` replays the
//! corpora through the same functions.
//!
//! Where a target takes several texts, the byte 0xFF stands between them: no text has it.

mod activity;
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
    activity::activity, credentials::credentials, documents::documents, interactions::interactions,
    policy::policy, quoting::quoting, requests::requests, settings::settings, tickets::tickets,
};

/// A function that must hold for any bytes.
pub type Target = fn(&[u8]);

/// All of them, by the names of their folders.
pub const TARGETS: [(&str, Target); 9] = [
    ("credentials", credentials),
    ("interactions", interactions),
    ("tickets", tickets),
    ("policy", policy),
    ("settings", settings),
    ("requests", requests),
    ("quoting", quoting),
    ("activity", activity),
    ("documents", documents),
];

/// The pieces of the input; those that are not there are empty.
fn pieces<const N: usize>(data: &[u8]) -> [&[u8]; N] {
    let mut all = data.split(|byte| *byte == 0xff);
    [(); N].map(|()| all.next().unwrap_or_default())
}

fn texts<const N: usize>(data: &[u8]) -> [String; N] {
    pieces(data).map(|piece| String::from_utf8_lossy(piece).into_owned())
}

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + second, 0).expect("a time")
}

fn is_ordinary(time: DateTime<Utc>) -> bool {
    (0..=9999).contains(&time.year())
}
