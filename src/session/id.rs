//! Identifiers. Parsing checks them, so a value that was parsed is well formed.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Error for a text that is not a well-formed ID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidId(&'static str);

impl InvalidId {
    pub(super) fn new(reason: &'static str) -> Self {
        Self(reason)
    }
}

/// Session ID: six lower-case hex digits, as in `duckui-977a26`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SessionId(String);

impl SessionId {
    const DIGITS: usize = 6;

    /// Takes the first six hex digits of a random (version 4) UUID.
    pub fn from_uuid(uuid: Uuid) -> Self {
        let mut digits = uuid.simple().to_string();
        digits.truncate(Self::DIGITS);
        Self(digits)
    }

    /// Returns `duckui-<id>`, the name of the session's objects and of its host.
    pub fn object_name(&self) -> String {
        format!("duckui-{self}")
    }
}

impl FromStr for SessionId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let is_digit = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        if text.len() == Self::DIGITS && text.chars().all(is_digit) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidId(
                "a session ID is six characters of 0-9 and a-f, like 977a26",
            ))
        }
    }
}

impl TryFrom<String> for SessionId {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

impl From<SessionId> for String {
    fn from(id: SessionId) -> Self {
        id.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Defines a Discord ID ("snowflake"): never zero if parsed, and a string in JSON because it can
/// exceed the integers that a JavaScript number represents exactly.
macro_rules! snowflake {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(u64);

        impl $name {
            /// Returns the ID as a number.
            pub fn get(self) -> u64 {
                self.0
            }
        }

        impl From<u64> for $name {
            fn from(id: u64) -> Self {
                Self(id)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                match text.parse() {
                    Ok(id) if id > 0 => Ok(Self(id)),
                    _ => Err(InvalidId(
                        "a Discord ID is a number of 17 to 20 digits, like 1029384756102938475",
                    )),
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0.to_string()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

snowflake!(
    /// Discord user ID of the person that a session belongs to.
    OwnerId
);
snowflake!(
    /// ID of the channel in which a session was requested.
    ChannelId
);
snowflake!(
    /// ID of a message in that channel.
    MessageId
);

/// Request ID, made from a Discord ID, an API request, or the session to retry or restart. One
/// request makes at most one session.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestId(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_id_is_six_digits_of_a_uuid() {
        let uuid = Uuid::from_u128(0x977a_26b0_0000_4000_8000_0000_0000_0000);
        let id = SessionId::from_uuid(uuid);
        assert_eq!(id.to_string(), "977a26");
        assert_eq!(id.object_name(), "duckui-977a26");
    }

    #[test]
    fn anything_else_is_not_a_session_id() {
        for text in [
            "",
            "977a2",
            "977a261",
            "977A26",
            "977g26",
            "977a2\u{e9}",
            "../../",
        ] {
            assert!(text.parse::<SessionId>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_discord_id_is_a_positive_number_written_as_text() {
        assert_eq!("42".parse(), Ok(OwnerId::from(42)));
        assert!("0".parse::<OwnerId>().is_err());
        assert!("-1".parse::<OwnerId>().is_err());
        let json = serde_json::to_string(&OwnerId::from(42)).expect("an ID is valid JSON");
        assert_eq!(json, "\"42\"");
    }
}
