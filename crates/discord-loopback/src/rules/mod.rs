//! Discord's limits that its API description does not contain, one file per kind of body. Pure.

pub(super) mod commands;
pub(super) mod interactions;
pub(super) mod messages;

use serde_json::Value;

/// Returns a list in a body; empty if it is absent or null.
pub(super) fn list<'a>(body: &'a Value, key: &str) -> &'a [Value] {
    body[key].as_array().map_or(&[], Vec::as_slice)
}

/// Returns a number in a body; 0 if it is not a number.
pub(super) fn number(body: &Value, key: &str) -> u64 {
    body[key].as_u64().unwrap_or(0)
}
