//! The history of a person's queries from the chat: its entries, their limits, and the trait of its
//! store.

use std::{collections::BTreeMap, fmt, str::FromStr};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use crate::{error::Error, session::OwnerId};

/// Maximum number of queries in a history. A menu in Discord has at most 25 entries.
pub const MAX_QUERIES: usize = 25;
/// Maximum size of all texts in a history, in bytes. A Secret has at most 1 MiB.
const MAX_TEXT_BYTES: usize = 256 << 10;
/// Bytes of a text's digest that are its ID.
const ID_BYTES: usize = 8;

/// ID of a query in its owner's history. It is a digest of the text, so a query that is run again has
/// one entry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct QueryId(String);

impl QueryId {
    /// Returns the ID of a query with this text.
    pub fn of(sql: &str) -> Self {
        let digest = digest(&SHA256, sql.as_bytes());
        let bytes = digest.as_ref().iter().take(ID_BYTES);
        Self(bytes.map(|byte| format!("{byte:02x}")).collect())
    }
}

impl fmt::Display for QueryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text is not a well-formed query ID.
#[derive(Debug)]
pub struct InvalidQueryId;

impl FromStr for QueryId {
    type Err = InvalidQueryId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() == 2 * ID_BYTES && text.bytes().all(is_digit) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidQueryId)
        }
    }
}

/// A query that was asked before.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastQuery {
    pub sql: String,
    /// Catalog that it ran in. `None` if it did not run.
    #[serde(default)]
    pub catalog: Option<String>,
    /// Time at which it ended.
    pub at: DateTime<Utc>,
    pub outcome: PastOutcome,
}

/// Leaves out the text, which must not get into a log.
impl fmt::Debug for PastQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PastQuery")
            .field("at", &self.at)
            .field("outcome", &self.outcome)
            .finish_non_exhaustive()
    }
}

impl PastQuery {
    pub fn id(&self) -> QueryId {
        QueryId::of(&self.sql)
    }
}

/// The end of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PastOutcome {
    Rows {
        /// Number of rows that were returned.
        count: usize,
        /// True if the result has more.
        more: bool,
    },
    /// A statement without rows was carried out.
    Done,
    Cancelled,
    TimedOut,
    /// Nothing ran, for example because no session was running.
    NotRun,
    /// DuckDB returned an error.
    Error,
    /// Another part failed.
    Failed,
}

/// A stored history: JSON of each entry, by the query's ID.
pub type StoredHistory = BTreeMap<String, String>;

/// Serializes a query for its store.
pub fn encode(query: &PastQuery) -> String {
    serde_json::to_string(query).expect("a past query serializes to JSON")
}

/// Reads a stored history, newest first. Leaves out entries that another version wrote.
pub fn decode(stored: &StoredHistory) -> Vec<PastQuery> {
    let read = |value: &String| serde_json::from_str::<PastQuery>(value).ok();
    let mut queries: Vec<_> = stored.values().filter_map(read).collect();
    queries.sort_by_key(|query| std::cmp::Reverse(query.at));
    queries
}

/// Returns the IDs of the entries over the limits: the oldest, and those that can't be read.
pub fn surplus(stored: &StoredHistory) -> Vec<String> {
    let (mut bytes, mut kept) = (0, Vec::new());
    for query in decode(stored).iter().take(MAX_QUERIES) {
        bytes += query.sql.len();
        if bytes <= MAX_TEXT_BYTES {
            kept.push(query.id().0);
        }
    }
    let is_surplus = |id: &&String| !kept.contains(id);
    stored.keys().filter(is_surplus).cloned().collect()
}

/// Storage of histories.
#[async_trait]
pub trait HistoryStore: Send + Sync {
    /// Returns a person's past queries, newest first.
    async fn read(&self, owner: OwnerId) -> Result<Vec<PastQuery>, Error>;

    /// Adds a query, and removes the entries over the limits. It replaces an entry with the same text.
    /// Concurrent calls keep all queries. Returns true if this is the owner's first one.
    async fn add(&self, owner: OwnerId, query: &PastQuery) -> Result<bool, Error>;

    /// Deletes a person's history. A history that does not exist is not an error.
    async fn delete(&self, owner: OwnerId) -> Result<(), Error>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(number: usize, bytes: usize) -> PastQuery {
        let at = DateTime::UNIX_EPOCH + chrono::TimeDelta::seconds(number as i64);
        PastQuery {
            sql: format!("{number:bytes$}"),
            catalog: None,
            at,
            outcome: PastOutcome::Done,
        }
    }

    fn stored(queries: impl Iterator<Item = PastQuery>) -> StoredHistory {
        let entry = |query: PastQuery| (query.id().0.clone(), encode(&query));
        queries.map(entry).collect()
    }

    #[test]
    fn the_oldest_queries_over_a_limit_are_surplus() {
        let many = stored((0..28).map(|number| query(number, 10)));
        let mut oldest: Vec<_> = (0..3).map(|number| query(number, 10).id().0).collect();
        oldest.sort();
        assert_eq!(surplus(&many), oldest);

        let large = stored((0..6).map(|number| query(number, 60 << 10)));
        let mut oldest: Vec<_> = (0..2)
            .map(|number| query(number, 60 << 10).id().0)
            .collect();
        oldest.sort();
        assert_eq!(surplus(&large), oldest);
    }

    #[test]
    fn a_query_has_one_entry_and_the_newest_comes_first() {
        let again = PastQuery {
            at: DateTime::UNIX_EPOCH + chrono::TimeDelta::seconds(9),
            ..query(1, 10)
        };
        let all = stored([query(1, 10), query(2, 10), again.clone()].into_iter());
        assert_eq!(decode(&all), [again, query(2, 10)]);
    }

    #[test]
    fn an_entry_that_cannot_be_read_is_surplus() {
        let mut all = stored([query(1, 10)].into_iter());
        all.insert("odd".into(), "{}".into());
        assert_eq!(surplus(&all), ["odd"]);
        assert_eq!(decode(&all).len(), 1);
    }

    #[test]
    fn an_id_is_read_back_and_the_text_stays_out_of_debug() {
        let query = query(1, 10);
        assert_eq!(
            query.id().to_string().parse::<QueryId>().unwrap(),
            query.id()
        );
        for other in [
            "",
            "0123456789abcde",
            "0123456789ABCDEF",
            "../0123456789abcd",
        ] {
            assert!(other.parse::<QueryId>().is_err(), "{other}");
        }
        assert!(!format!("{query:?}").contains(&query.sql), "{query:?}");
    }
}
