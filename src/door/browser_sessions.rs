//! Who is inside: browsers that have shown a ticket. They live in memory, so they
//! end with the session.

use std::collections::VecDeque;

use super::ticket::random_token;

/// More browsers than one person has. The one that came first has to show a ticket again.
const MAX_SESSIONS: usize = 32;

/// The cookies that were given out.
#[derive(Default)]
pub struct BrowserSessions {
    keys: VecDeque<String>,
}

impl BrowserSessions {
    /// Lets one more in; the value of its cookie.
    pub fn create(&mut self) -> String {
        // Guessing 256 bits takes longer than any session lives.
        let key = random_token() + &random_token();
        if self.keys.len() == MAX_SESSIONS {
            self.keys.pop_front();
        }
        self.keys.push_back(key.clone());
        key
    }

    /// Whether a cookie with this value was given out.
    pub fn contains(&self, value: &str) -> bool {
        // Every one is compared to its end: time tells nothing about where they differ.
        let same = |key: &String| {
            let bytes = key.bytes().zip(value.bytes());
            let differ = bytes.fold(0, |differ, (a, b)| differ | (a ^ b));
            key.len() == value.len() && differ == 0
        };
        self.keys.iter().fold(false, |known, key| known | same(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_is_known_by_its_cookie() {
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
            "the first one left"
        );
    }
}
