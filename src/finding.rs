//! What `duckbot check` finds out.

use std::fmt;

use serde::Serialize;

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub what: String,
    /// How it is.
    pub state: State,
    /// What was found, and what to do about it.
    pub says: String,
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// As it should be.
    Fine,
    /// It must be mended.
    Wrong,
}

impl Finding {
    /// As it should be.
    pub fn fine(what: impl Into<String>, says: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            state: State::Fine,
            says: says.into(),
        }
    }

    /// To be mended; how, stands in `says`.
    pub fn wrong(what: impl Into<String>, says: impl Into<String>) -> Self {
        Self {
            state: State::Wrong,
            ..Self::fine(what, says)
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.state {
            State::Fine => "ok   ",
            State::Wrong => "WRONG",
        };
        write!(f, "{mark} {}: {}", self.what, self.says)
    }
}
