//! Discord's error responses: status, code, message and, for an invalid body, field errors. Pure.
//!
//! Codes: <https://discord.com/developers/docs/topics/opcodes-and-status-codes#json>.

use serde_json::{Map, Value, json};

/// HTTP status, Discord's error code and its message.
pub(crate) type ErrorCode = (u16, u32, &'static str);

pub(crate) const NO_SUCH_ROUTE: ErrorCode = (404, 0, "404: Not Found");
pub(crate) const UNAUTHORIZED: ErrorCode = (401, 0, "401: Unauthorized");
pub(crate) const UNKNOWN_APPLICATION: ErrorCode = (404, 10002, "Unknown Application");
pub(crate) const UNKNOWN_CHANNEL: ErrorCode = (404, 10003, "Unknown Channel");
pub(crate) const UNKNOWN_GUILD: ErrorCode = (404, 10004, "Unknown Guild");
pub(crate) const UNKNOWN_MEMBER: ErrorCode = (404, 10007, "Unknown Member");
pub(crate) const UNKNOWN_MESSAGE: ErrorCode = (404, 10008, "Unknown Message");
pub(crate) const UNKNOWN_USER: ErrorCode = (404, 10013, "Unknown User");
pub(crate) const UNKNOWN_WEBHOOK: ErrorCode = (404, 10015, "Unknown Webhook");
pub(crate) const UNKNOWN_INTERACTION: ErrorCode = (404, 10062, "Unknown interaction");
pub(crate) const ALREADY_ACKNOWLEDGED: ErrorCode =
    (400, 40060, "Interaction has already been acknowledged.");
pub(crate) const MISSING_ACCESS: ErrorCode = (403, 50001, "Missing Access");
pub(crate) const NOT_YOUR_MESSAGE: ErrorCode =
    (403, 50005, "Cannot edit a message authored by another user");
pub(crate) const EMPTY_MESSAGE: ErrorCode = (400, 50006, "Cannot send an empty message");
pub(crate) const CANNOT_DM: ErrorCode = (403, 50007, "Cannot send messages to this user");
pub(crate) const MISSING_PERMISSIONS: ErrorCode = (403, 50013, "Missing Permissions");
pub(crate) const INVALID_RECIPIENT: ErrorCode = (400, 50033, "Invalid Recipient(s)");
pub(crate) const INVALID_WEBHOOK_TOKEN: ErrorCode = (401, 50027, "Invalid Webhook Token");
pub(crate) const INVALID_JSON: ErrorCode = (400, 50109, "The request body contains invalid JSON.");
pub(crate) const NO_MUTUAL_GUILDS: ErrorCode = (
    403,
    50278,
    "Cannot send messages to this user due to having no mutual guilds",
);

/// Error response to a request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ApiError {
    /// HTTP status.
    pub status: u16,
    /// Complete response body.
    pub body: Value,
}

impl From<ErrorCode> for ApiError {
    fn from((status, code, message): ErrorCode) -> Self {
        Self {
            status,
            body: json!({ "message": message, "code": code }),
        }
    }
}

/// Collects the errors of a request body by field, in Discord's format.
#[derive(Debug, Default)]
pub(crate) struct FieldErrors {
    errors: Map<String, Value>,
}

impl FieldErrors {
    /// Adds an error at a dotted path, such as `data.components.0.label`.
    pub(crate) fn add(&mut self, path: &str, code: &str, message: impl Into<String>) {
        let mut place = &mut self.errors;
        for step in path.split('.') {
            place = place
                .entry(step)
                .or_insert_with(|| json!({}))
                .as_object_mut()
                .expect("every step is inserted as an object");
        }
        let mistakes = place.entry("_errors").or_insert_with(|| json!([]));
        if let Value::Array(list) = mistakes {
            list.push(json!({ "code": code, "message": message.into() }));
        }
    }

    /// Checks that a text has from `least` to `most` characters.
    pub(crate) fn check_length(&mut self, path: &str, text: &str, least: usize, most: usize) {
        let count = text.chars().count();
        if count > most || count < least {
            let message = format!("Must be between {least} and {most} in length.");
            self.add(path, "BASE_TYPE_BAD_LENGTH", message);
        }
    }

    /// Like [`FieldErrors::check_length`], for a required field.
    pub(crate) fn check_required(
        &mut self,
        path: &str,
        text: Option<&str>,
        least: usize,
        most: usize,
    ) {
        match text {
            Some(text) => self.check_length(path, text, least, most),
            None => self.add(path, "BASE_TYPE_REQUIRED", "This field is required"),
        }
    }

    /// Checks that a list has at most `most` entries.
    pub(crate) fn check_count(&mut self, path: &str, count: usize, most: usize) {
        if count > most {
            let message = format!("Must be {most} or fewer in length.");
            self.add(path, "BASE_TYPE_MAX_LENGTH", message);
        }
    }

    /// Returns `Ok` if no error was added.
    ///
    /// # Errors
    ///
    /// Status 400 with code 50035 and all field errors.
    pub(crate) fn finish(self) -> Result<(), ApiError> {
        if self.errors.is_empty() {
            return Ok(());
        }
        let body = json!({ "message": "Invalid Form Body", "code": 50035, "errors": self.errors });
        Err(ApiError { status: 400, body })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_is_reported_at_its_path() {
        let mut form = FieldErrors::default();
        form.check_length("data.title", "", 1, 45);
        let error = form.finish().unwrap_err();
        assert_eq!(error.status, 400);
        let mistakes = &error.body["errors"]["data"]["title"]["_errors"];
        assert_eq!(mistakes[0]["code"], "BASE_TYPE_BAD_LENGTH");
    }

    #[test]
    fn a_form_without_mistakes_passes() {
        assert_eq!(FieldErrors::default().finish(), Ok(()));
    }
}
