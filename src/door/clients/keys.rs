//! Keys of clients, and the limit of guesses. Pure.

use chrono::{DateTime, TimeDelta, Utc};

use crate::session::sha256_hex;

/// Number of wrong keys in [`WINDOW`] after which no key is accepted that was not used before.
const MAX_WRONG: usize = 20;
const WINDOW: TimeDelta = TimeDelta::minutes(1);
/// Maximum number of keys of a session.
pub(super) const MAX_KEYS: usize = 16;

/// Result of a check of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyCheck {
    Valid,
    Wrong,
    /// Too many keys were wrong, so this one was not looked at.
    TooManyWrong,
}

/// Digests of the keys. The door never stores a key itself.
#[derive(Default)]
pub(super) struct Keys {
    all: Vec<Key>,
    wrong: Vec<DateTime<Utc>>,
}

struct Key {
    digest: String,
    was_used: bool,
}

impl Keys {
    /// Adds a key by its digest. Returns false if there are too many.
    pub(super) fn add(&mut self, digest: String) -> bool {
        let has_room = self.all.len() < MAX_KEYS;
        if has_room {
            let was_used = false;
            self.all.push(Key { digest, was_used });
        }
        has_room
    }

    /// Forgets all keys. Returns their number.
    pub(super) fn clear(&mut self) -> usize {
        let count = self.all.len();
        self.all.clear();
        count
    }

    /// Checks a key. Guesses don't keep out a client that is already in.
    pub(super) fn check(&mut self, key: &str, now: DateTime<Utc>) -> KeyCheck {
        self.wrong.retain(|at| now - *at < WINDOW);
        let is_guarded = self.wrong.len() >= MAX_WRONG;
        // Digests are compared, so the time tells nothing about a key.
        let digest = sha256_hex(key);
        let known = self.all.iter_mut().find(|it| it.digest == digest);
        match known {
            Some(known) if known.was_used || !is_guarded => {
                known.was_used = true;
                KeyCheck::Valid
            }
            _ if is_guarded => KeyCheck::TooManyWrong,
            _ => {
                self.wrong.push(now);
                KeyCheck::Wrong
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + second, 0).expect("a time")
    }

    fn with(keys: &[&str]) -> Keys {
        let mut all = Keys::default();
        for key in keys {
            assert!(all.add(sha256_hex(key)));
        }
        all
    }

    #[test]
    fn each_key_is_valid_until_all_are_revoked() {
        let mut keys = with(&["one", "two"]);
        assert_eq!(keys.check("one", at(0)), KeyCheck::Valid);
        assert_eq!(keys.check("two", at(0)), KeyCheck::Valid);
        assert_eq!(keys.check("three", at(0)), KeyCheck::Wrong);
        assert_eq!(keys.check("", at(0)), KeyCheck::Wrong);
        assert_eq!(keys.clear(), 2);
        assert_eq!(keys.check("one", at(1)), KeyCheck::Wrong);
    }

    #[test]
    fn guesses_are_limited_and_keep_out_nobody_who_is_in() {
        let mut keys = with(&["used", "new"]);
        assert_eq!(keys.check("used", at(0)), KeyCheck::Valid);
        for guess in 0..MAX_WRONG {
            assert_eq!(keys.check(&format!("{guess}"), at(1)), KeyCheck::Wrong);
        }
        assert_eq!(keys.check("new", at(2)), KeyCheck::TooManyWrong);
        assert_eq!(keys.check("another guess", at(2)), KeyCheck::TooManyWrong);
        assert_eq!(keys.check("used", at(2)), KeyCheck::Valid);
        assert_eq!(keys.check("new", at(61)), KeyCheck::Valid);
    }

    #[test]
    fn the_number_of_keys_is_limited() {
        let mut keys = Keys::default();
        for number in 0..MAX_KEYS {
            assert!(keys.add(sha256_hex(&number.to_string())));
        }
        assert!(!keys.add(sha256_hex("one more")));
        assert_eq!(keys.check("one more", at(0)), KeyCheck::Wrong);
    }
}
