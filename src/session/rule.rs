//! The rules that stop sessions. Records name them. Pure.

use serde::{Deserialize, Serialize};

/// A rule that stops sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// The session reached the maximum age.
    MaxAge,
    /// The owner left the Discord server.
    OwnerLeft,
    /// The session reached the end of its lifetime, including extensions.
    Lifetime,
    /// The session had no query for too long.
    Idle,
}

impl Rule {
    /// Returns true if the owner can prevent the stop. Then the stop waits until the owner has had
    /// the warning time to react.
    pub(super) fn is_soft(self) -> bool {
        matches!(self, Self::Lifetime | Self::Idle)
    }
}
