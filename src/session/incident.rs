//! What keeps a Pod from running, or took it away.

use serde::{Deserialize, Serialize};

/// One thing that went wrong, and what the cluster says about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// What kind of thing.
    pub failure: Failure,
    /// The cluster's words, without anything secret.
    pub why: String,
}

impl Incident {
    /// Of that kind, in these words ([`without_queries`]).
    pub fn new(failure: Failure, why: impl AsRef<str>) -> Self {
        Self {
            failure,
            why: without_queries(why.as_ref()),
        }
    }
}

/// The cluster's words without what follows a question mark in a URL: a registry may answer
/// with one that holds a token.
pub fn without_queries(words: &str) -> String {
    let words = words.split_inclusive(char::is_whitespace);
    words.map(without_query).collect()
}

/// A word as it is or, of a URL with a query, what stands before that.
fn without_query(word: &str) -> String {
    match word.split_once('?') {
        Some((address, query)) if address.contains("://") => {
            // A quotation mark ends it.
            let end = query.trim_start_matches(|c: char| !c.is_whitespace() && !"\"'`".contains(c));
            format!("{address}?…{end}")
        }
        _ => word.to_owned(),
    }
}

/// The kinds that people are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// No node has room for it.
    NoRoom,
    /// No node may take it as it is set up.
    NoNode,
    /// The image is not in its registry.
    ImageMissing,
    /// The registry does not let the cluster have the image.
    ImageRefused,
    /// The image can't be fetched for another reason.
    ImageUnavailable,
    /// The Secret with the owner's keys, or an entry of it, is gone.
    CredentialsMissing,
    /// A volume can't be mounted.
    Mount,
    /// A container can't be made as the Pod describes it.
    Container,
    /// DuckDB ends again and again.
    Crashed,
    /// DuckDB needed more memory than it has.
    OutOfMemory,
    /// The door ends again and again.
    Door,
    /// It filled the disk that it may.
    DiskFull,
    /// The node needed the space, or was emptied.
    Evicted,
    /// The node is gone.
    NodeGone,
    /// Its Pod is gone, and nobody saw why.
    Vanished,
    /// Something else, or something that another version of the bot wrote down.
    #[default]
    #[serde(other)]
    Other,
}

impl Failure {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::NoRoom,
        Self::NoNode,
        Self::ImageMissing,
        Self::ImageRefused,
        Self::ImageUnavailable,
        Self::CredentialsMissing,
        Self::Mount,
        Self::Container,
        Self::Crashed,
        Self::OutOfMemory,
        Self::Door,
        Self::DiskFull,
        Self::Evicted,
        Self::NodeGone,
        Self::Vanished,
        Self::Other,
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_query_of_a_url_is_kept() {
        let why = "failed to do request: Get \"https://s3.example/x?X-Amz-Security-Token=canary&a=b\": EOF. Why?";
        let incident = Incident::new(Failure::ImageUnavailable, why);
        let kept = "failed to do request: Get \"https://s3.example/x?…\": EOF. Why?";
        assert_eq!(incident.why, kept);
    }
}
