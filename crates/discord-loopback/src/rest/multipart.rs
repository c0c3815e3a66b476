//! Converts a request with files to JSON. Pure.
//!
//! <https://discord.com/developers/docs/reference#uploading-files>

use serde_json::{Value, json};

/// Returns the `payload_json` of a form, with the files in `attachments`. Returns `None` if this is
/// not such a form.
///
/// `content` of an attachment is not a field of Discord's. It keeps the file in the transcript.
pub(super) fn payload(content_type: &str, bytes: &[u8]) -> Option<Value> {
    let (kind, boundary) = content_type.split_once("boundary=")?;
    if !kind.starts_with("multipart/form-data") {
        return None;
    }
    let text = String::from_utf8_lossy(bytes);
    let mut payload = json!({});
    let mut files = Vec::new();
    for part in text.split(&format!("--{}", boundary.trim_matches('"'))) {
        let Some((head, content)) = part.split_once("\r\n\r\n") else {
            continue; // Before the first boundary, or after the last.
        };
        let content = content.strip_suffix("\r\n").unwrap_or(content);
        match parameter(head, "filename") {
            Some(name) => {
                let id = files.len().to_string();
                files.push(json!({ "id": id, "filename": name, "content": content }));
            }
            None if parameter(head, "name") == Some("payload_json") => {
                payload = serde_json::from_str(content).ok()?;
            }
            None => {}
        }
    }
    // In a response to an interaction, the message is one level down.
    let message = if payload["data"].is_object() {
        &mut payload["data"]
    } else {
        &mut payload
    };
    message["attachments"] = files.into();
    Some(payload)
}

/// Returns a quoted parameter of `Content-Disposition`.
fn parameter<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let (_, after) = head.split_once(&format!(" {name}=\""))?;
    Some(after.split_once('"')?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_becomes_json_with_the_names_of_its_files() {
        let form = "--b\r\nContent-Disposition: form-data; name=\"files[0]\"; \
            filename=\"log.txt\"\r\n\r\nquack\r\n--b\r\nContent-Disposition: form-data; \
            name=\"payload_json\"\r\n\r\n{\"content\":\"x\"}\r\n--b--\r\n";
        let payload = payload("multipart/form-data; boundary=b", form.as_bytes()).unwrap();
        assert_eq!(payload["content"], "x");
        assert_eq!(payload["attachments"][0]["filename"], "log.txt");
        assert_eq!(payload["attachments"][0]["content"], "quack");
    }

    #[test]
    fn json_is_no_form() {
        assert_eq!(payload("application/json", b"{}"), None);
    }
}
