//! Cookies of the browsers that have submitted a ticket. They are kept in memory only, so
//! they end with the door.

use std::collections::VecDeque;

use subtle::{Choice, ConstantTimeEq};

use super::ticket::random_token;

/// Maximum number of browsers, more than one person uses. At the limit, the oldest is
/// removed and needs a new ticket.
const MAX_SESSIONS: usize = 32;

/// The cookies that are valid, the oldest first.
#[derive(Default)]
pub struct BrowserSessions {
    keys: VecDeque<String>,
}

impl BrowserSessions {
    /// Lets in one more browser. Returns the value of its cookie.
    pub fn create(&mut self) -> String {
        // Guessing 256 bits takes longer than any session lives.
        let key = random_token() + &random_token();
        if self.keys.len() == MAX_SESSIONS {
            self.keys.pop_front();
        }
        self.keys.push_back(key.clone());
        key
    }

    /// Returns true if a cookie with this value is valid.
    pub fn contains(&self, value: &str) -> bool {
        // Compare all of every key, so the time taken does not reveal where values differ.
        let same = |key: &String| key.as_bytes().ct_eq(value.as_bytes());
        let none = Choice::from(0);
        self.keys
            .iter()
            .fold(none, |known, key| known | same(key))
            .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_recognised_by_its_cookie() {
        let mut browser_sessions = BrowserSessions::default();
        assert!(!browser_sessions.contains(""));
        let (one, two) = (browser_sessions.create(), browser_sessions.create());
        assert_ne!(one, two);
        assert!(browser_sessions.contains(&one) && browser_sessions.contains(&two));
        assert!(
            !browser_sessions.contains(&one[1..]) && !browser_sessions.contains(&format!("{one}x"))
        );
        for _ in 0..MAX_SESSIONS - 1 {
            browser_sessions.create();
        }
        assert!(
            !browser_sessions.contains(&one) && browser_sessions.contains(&two),
            "the oldest browser was removed"
        );
    }
}
