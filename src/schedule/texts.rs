//! The texts of scheduled queries, and the trait of their store.

use std::fmt;

use async_trait::async_trait;
use ring::hmac;
use serde::{Deserialize, Serialize};

use super::ScheduleId;
use crate::{error::Error, session::OwnerId};

/// The text of a schedule's query, and the key of the digests of its results.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleText {
    pub sql: String,
    /// Random text. Without it, the digest of a result tells nothing about the result.
    pub salt: String,
}

/// Leaves out the text, which must not get into a log.
impl fmt::Debug for ScheduleText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScheduleText").finish_non_exhaustive()
    }
}

impl ScheduleText {
    /// Parses a stored text. Returns `None` if it is not valid.
    pub fn read(document: &str) -> Option<Self> {
        serde_json::from_str(document).ok()
    }

    /// Serializes the text.
    pub fn write(&self) -> String {
        serde_json::to_string(self).expect("two texts serialize to JSON")
    }

    /// Returns the digest of a result whose fingerprint DuckDB computed.
    pub fn digest(&self, fingerprint: &str) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.salt.as_bytes());
        let digest = hmac::sign(&key, fingerprint.as_bytes());
        let bytes = digest.as_ref().iter().take(16);
        bytes.map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Storage of the texts.
#[async_trait]
pub trait ScheduleTexts: Send + Sync {
    /// Returns the text of a schedule, or `None` if there is none.
    async fn read(&self, owner: OwnerId, id: &ScheduleId) -> Result<Option<ScheduleText>, Error>;

    /// Stores the text of a schedule.
    async fn put(&self, owner: OwnerId, id: &ScheduleId, text: &ScheduleText) -> Result<(), Error>;

    /// Deletes the texts of a person, but for those of the schedules in `keep`. Texts that don't exist are
    /// not an error.
    async fn retain(&self, owner: OwnerId, keep: &[ScheduleId]) -> Result<(), Error>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_needs_the_salt_and_the_text_stays_out_of_debug() {
        let text = |salt: &str| ScheduleText {
            sql: "SELECT 4711".into(),
            salt: salt.into(),
        };
        assert_eq!(text("a").digest("1"), text("a").digest("1"));
        assert_ne!(text("a").digest("1"), text("a").digest("2"));
        assert_ne!(text("a").digest("1"), text("b").digest("1"));
        assert!(!format!("{:?}", text("a")).contains("4711"));
    }
}
