//! Discord's limits, which its API description does not hold: one file per kind of body. Pure.

pub mod commands;
pub mod interactions;
pub mod messages;

use serde_json::Value;

/// A list in a body; absent and null both count as none.
pub(super) fn list<'a>(body: &'a Value, key: &str) -> &'a [Value] {
    body[key].as_array().map_or(&[], Vec::as_slice)
}

/// A number in a body, where anything else counts as zero.
pub(super) fn number(body: &Value, key: &str) -> u64 {
    body[key].as_u64().unwrap_or(0)
}
