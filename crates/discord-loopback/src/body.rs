//! Reads values of JSON bodies. Pure.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
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

/// Returns the content of a file, which is text, or in base64 if it is not UTF-8.
pub(crate) fn file_content(attachment: &Value) -> Vec<u8> {
    match (&attachment["content"], &attachment["base64"]) {
        (Value::String(text), _) => text.clone().into_bytes(),
        (_, Value::String(text)) => BASE64.decode(text).unwrap_or_default(),
        _ => Vec::new(),
    }
}
