//! Reads values of JSON bodies. Pure.

use serde_json::Value;

/// Returns a list in a body; empty if it is absent or null.
pub(crate) fn list<'a>(body: &'a Value, key: &str) -> &'a [Value] {
    body[key].as_array().map_or(&[], Vec::as_slice)
}

/// Returns a number in a body; 0 if it is not a number.
pub(crate) fn number(body: &Value, key: &str) -> u64 {
    body[key].as_u64().unwrap_or(0)
}

/// Text of a JSON value; a string has no quotes.
pub(crate) fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}
