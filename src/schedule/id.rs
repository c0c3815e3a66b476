//! IDs of schedules.

use std::{fmt, str::FromStr};

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use crate::session::RequestId;

/// ID of a schedule: six lower-case hex digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ScheduleId(String);

/// The text is not a well-formed ID of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the ID of a schedule is six characters of 0-9 and a-f, like 977a26")]
pub struct InvalidScheduleId;

impl ScheduleId {
    const DIGITS: usize = 6;

    /// Returns the ID of the schedule that a request makes. A repeated request has the same one.
    pub fn of_request(request: &RequestId) -> Self {
        let digest = digest(&SHA256, request.0.as_bytes());
        let bytes = digest.as_ref().iter().take(Self::DIGITS / 2);
        Self(bytes.map(|byte| format!("{byte:02x}")).collect())
    }

    /// Returns a number that is spread evenly over the IDs, below `below`.
    pub fn spread(&self, below: u32) -> u32 {
        u32::from_str_radix(&self.0, 16).unwrap_or_default() % below
    }
}

impl FromStr for ScheduleId {
    type Err = InvalidScheduleId;

    fn from_str(text: &str) -> Result<Self, InvalidScheduleId> {
        let is_digit = |c: u8| matches!(c, b'0'..=b'9' | b'a'..=b'f');
        if text.len() == Self::DIGITS && text.bytes().all(is_digit) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidScheduleId)
        }
    }
}

impl TryFrom<String> for ScheduleId {
    type Error = InvalidScheduleId;

    fn try_from(text: String) -> Result<Self, InvalidScheduleId> {
        text.parse()
    }
}

impl From<ScheduleId> for String {
    fn from(id: ScheduleId) -> Self {
        id.0
    }
}

impl fmt::Display for ScheduleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
