//! Incidents: reasons why a Pod can't run or was taken away.

use serde::{Deserialize, Serialize};

/// Something that happened to a session's Pod, with the cluster's message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    pub failure: Failure,
    /// Message of the cluster, without queries of URLs ([`without_queries`]).
    pub why: String,
}

impl Incident {
    /// Creates an incident. Queries of URLs are removed from `why` ([`without_queries`]).
    pub fn new(failure: Failure, why: impl AsRef<str>) -> Self {
        Self {
            failure,
            why: without_queries(why.as_ref()),
        }
    }
}

/// Replaces the query of each URL in a text by `…`. A registry's answer may contain a URL with a
/// token in its query.
pub fn without_queries(words: &str) -> String {
    let words = words.split_inclusive(char::is_whitespace);
    words.map(without_query).collect()
}

/// Replaces the query of a word that is a URL, and returns other words unchanged.
fn without_query(word: &str) -> String {
    match word.split_once('?') {
        Some((address, query)) if address.contains("://") => {
            // The query ends at a quotation mark.
            let end = query.trim_start_matches(|c: char| !c.is_whitespace() && !"\"'`".contains(c));
            format!("{address}?…{end}")
        }
        _ => word.to_owned(),
    }
}

/// The kind of an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// No node has enough free resources.
    NoRoom,
    /// No node matches the Pod's constraints, such as its node selector.
    NoNode,
    /// The image does not exist in its registry.
    ImageMissing,
    /// The registry does not allow the cluster to pull the image.
    ImageRefused,
    /// The image can't be pulled for another reason.
    ImageUnavailable,
    /// The Secret with the credentials, or a key of it, is missing.
    CredentialsMissing,
    /// A volume can't be mounted.
    Mount,
    /// A container can't be created as the Pod specifies it.
    Container,
    /// DuckDB crashes repeatedly.
    Crashed,
    /// DuckDB exceeded its memory limit.
    OutOfMemory,
    /// The door crashes repeatedly.
    Door,
    /// The session exceeded its disk limit.
    DiskFull,
    /// The node evicted the Pod, because it lacked resources or was drained.
    Evicted,
    /// The node is gone.
    NodeGone,
    /// The Pod is gone for an unknown reason.
    Vanished,
    /// The bot ended, and the session's process with it (local runtime).
    BotEnded,
    /// Any other kind, including kinds that only another version of the bot knows.
    #[default]
    #[serde(other)]
    Other,
}

impl Failure {
    pub const ALL: [Self; 17] = [
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
        Self::BotEnded,
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
