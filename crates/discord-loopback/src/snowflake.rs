//! IDs in Discord's format, with the milliseconds since 2015 in the upper bits. Reads the clock.

use std::hash::{BuildHasher, RandomState};

use chrono::{DateTime, Utc};

/// A Discord ID. In Discord's API it is a string.
pub type Snowflake = u64;

/// Start of 2015 in Unix milliseconds, the epoch of Discord's IDs.
const EPOCH_MS: i64 = 1_420_070_400_000;

/// Generates strictly increasing IDs, so that the order of IDs is the order of events.
#[derive(Debug, Default)]
pub(crate) struct SnowflakeGenerator {
    last: Snowflake,
}

impl SnowflakeGenerator {
    /// Returns the next ID, with the current time.
    pub(crate) fn next(&mut self) -> Snowflake {
        let since = u64::try_from(Utc::now().timestamp_millis() - EPOCH_MS).unwrap_or(0);
        self.last = (self.last + 1).max(since << 22);
        self.last
    }
}

/// Time at which an ID was created.
#[must_use]
pub(crate) fn created_at(id: Snowflake) -> DateTime<Utc> {
    let since = i64::try_from(id >> 22).unwrap_or(0);
    DateTime::from_timestamp_millis(since + EPOCH_MS).unwrap_or_default()
}

/// Returns 32 hex digits, different on every call, for tokens that tests search for in outputs.
///
/// The standard library seeds `RandomState` from the system, so no other crate is needed.
#[must_use]
pub(crate) fn random_hex() -> String {
    let half = || RandomState::new().hash_one(0_u8);
    format!("{:016x}{:016x}", half(), half())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_increase_and_contain_their_creation_time() {
        let mut ids = SnowflakeGenerator::default();
        let (first, second) = (ids.next(), ids.next());
        assert!(first < second);
        assert!((Utc::now() - created_at(first)).num_seconds().abs() < 5);
    }

    #[test]
    fn random_text_differs() {
        assert_ne!(random_hex(), random_hex());
    }
}
