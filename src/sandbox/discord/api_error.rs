//! How Discord says no: status, code, message and, for a bad form, where it is bad. Pure.
//!
//! Codes: <https://discord.com/developers/docs/topics/opcodes-and-status-codes#json>.

use serde_json::{Map, Value, json};

/// A status with the code and the sentence that Discord sends along.
pub type Reason = (u16, u32, &'static str);

pub const NO_SUCH_ROUTE: Reason = (404, 0, "404: Not Found");
pub const UNAUTHORIZED: Reason = (401, 0, "401: Unauthorized");
pub const UNKNOWN_APPLICATION: Reason = (404, 10002, "Unknown Application");
pub const UNKNOWN_CHANNEL: Reason = (404, 10003, "Unknown Channel");
pub const UNKNOWN_GUILD: Reason = (404, 10004, "Unknown Guild");
pub const UNKNOWN_MEMBER: Reason = (404, 10007, "Unknown Member");
pub const UNKNOWN_MESSAGE: Reason = (404, 10008, "Unknown Message");
pub const UNKNOWN_USER: Reason = (404, 10013, "Unknown User");
pub const UNKNOWN_WEBHOOK: Reason = (404, 10015, "Unknown Webhook");
pub const UNKNOWN_INTERACTION: Reason = (404, 10062, "Unknown interaction");
pub const ALREADY_ACKNOWLEDGED: Reason = (400, 40060, "Interaction has already been acknowledged.");
pub const MISSING_ACCESS: Reason = (403, 50001, "Missing Access");
pub const NOT_YOUR_MESSAGE: Reason = (403, 50005, "Cannot edit a message authored by another user");
pub const EMPTY_MESSAGE: Reason = (400, 50006, "Cannot send an empty message");
pub const CANNOT_DM: Reason = (403, 50007, "Cannot send messages to this user");
pub const MISSING_PERMISSIONS: Reason = (403, 50013, "Missing Permissions");
pub const INVALID_RECIPIENT: Reason = (400, 50033, "Invalid Recipient(s)");
pub const INVALID_WEBHOOK_TOKEN: Reason = (401, 50027, "Invalid Webhook Token");
pub const INVALID_JSON: Reason = (400, 50109, "The request body contains invalid JSON.");
pub const NO_MUTUAL_GUILDS: Reason = (
    403,
    50278,
    "Cannot send messages to this user due to having no mutual guilds",
);

/// One refused request.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The whole body of the answer.
    pub body: Value,
}

impl From<Reason> for Refusal {
    fn from((status, code, message): Reason) -> Self {
        Self {
            status,
            body: json!({ "message": message, "code": code }),
        }
    }
}

/// Collects what is wrong with a body, field by field, as Discord reports it.
#[derive(Debug, Default)]
pub struct Form {
    errors: Map<String, Value>,
}

impl Form {
    /// Notes one mistake at a dotted path, such as `data.components.0.label`.
    pub fn wrong(&mut self, path: &str, code: &str, message: impl Into<String>) {
        let mut place = &mut self.errors;
        for step in path.split('.') {
            place = place
                .entry(step)
                .or_insert_with(|| json!({}))
                .as_object_mut()
                .expect("every step was inserted as an object");
        }
        let mistakes = place.entry("_errors").or_insert_with(|| json!([]));
        if let Value::Array(list) = mistakes {
            list.push(json!({ "code": code, "message": message.into() }));
        }
    }

    /// Checks how many characters a text has.
    pub fn length(&mut self, path: &str, text: &str, least: usize, most: usize) {
        let count = text.chars().count();
        if count > most || count < least {
            let message = format!("Must be between {least} and {most} in length.");
            self.wrong(path, "BASE_TYPE_BAD_LENGTH", message);
        }
    }

    /// Like [`Form::length`], for a field that has to be there.
    pub fn required(&mut self, path: &str, text: Option<&str>, least: usize, most: usize) {
        match text {
            Some(text) => self.length(path, text, least, most),
            None => self.wrong(path, "BASE_TYPE_REQUIRED", "This field is required"),
        }
    }

    /// Checks how many entries a list has.
    pub fn count(&mut self, path: &str, count: usize, most: usize) {
        if count > most {
            let message = format!("Must be {most} or fewer in length.");
            self.wrong(path, "BASE_TYPE_MAX_LENGTH", message);
        }
    }

    /// Whether nothing was wrong.
    ///
    /// # Errors
    ///
    /// 400 with code 50035 and every mistake.
    pub fn finish(self) -> Result<(), Refusal> {
        if self.errors.is_empty() {
            return Ok(());
        }
        let body = json!({ "message": "Invalid Form Body", "code": 50035, "errors": self.errors });
        Err(Refusal { status: 400, body })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_is_reported_at_its_path() {
        let mut form = Form::default();
        form.length("data.title", "", 1, 45);
        let refusal = form.finish().unwrap_err();
        assert_eq!(refusal.status, 400);
        let mistakes = &refusal.body["errors"]["data"]["title"]["_errors"];
        assert_eq!(mistakes[0]["code"], "BASE_TYPE_BAD_LENGTH");
    }

    #[test]
    fn a_form_without_mistakes_passes() {
        assert_eq!(Form::default().finish(), Ok(()));
    }
}
