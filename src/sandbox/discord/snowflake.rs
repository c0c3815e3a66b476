//! Ids as Discord makes them: milliseconds since 2015 in the upper bits. Reads the clock, no other I/O.

use std::hash::{BuildHasher, RandomState};

use chrono::{DateTime, Utc};

/// A Discord id. On the wire it is a string, here it is plain.
pub type Snowflake = u64;

/// First millisecond of 2015, where Discord's ids begin to count.
const EPOCH_MS: i64 = 1_420_070_400_000;

/// Hands out ids that rise strictly, so that the order of ids is the order of events.
#[derive(Debug, Default)]
pub struct SnowflakeGenerator {
    last: Snowflake,
}

impl SnowflakeGenerator {
    /// The next id; it looks as if it were made now.
    pub fn next(&mut self) -> Snowflake {
        let since = u64::try_from(Utc::now().timestamp_millis() - EPOCH_MS).unwrap_or(0);
        self.last = (self.last + 1).max(since << 22);
        self.last
    }
}

/// The moment that an id carries.
#[must_use]
pub fn created_at(id: Snowflake) -> DateTime<Utc> {
    let since = i64::try_from(id >> 22).unwrap_or(0);
    DateTime::from_timestamp_millis(since + EPOCH_MS).unwrap_or_default()
}

/// 32 hex digits that differ on every call: for tokens, which tests look for as canaries.
///
/// The standard library seeds each `RandomState` from the system; no need for another crate here.
#[must_use]
pub fn random_hex() -> String {
    let half = || RandomState::new().hash_one(0_u8);
    format!("{:016x}{:016x}", half(), half())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_rise_and_carry_their_moment() {
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
