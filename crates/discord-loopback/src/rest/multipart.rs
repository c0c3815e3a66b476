//! Converts a request with files to JSON. Pure.
//!
//! <https://discord.com/developers/docs/reference#uploading-files>

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use serde_json::{Value, json};

/// Returns the `payload_json` of a form, with the files in `attachments`. Returns `None` if this is
/// not such a form.
///
/// `content` of an attachment is not a field of Discord's. It keeps the file in the transcript. If the
/// file is not text in UTF-8, it is in `base64` instead.
pub(super) fn payload(content_type: &str, bytes: &[u8]) -> Option<Value> {
    let (kind, boundary) = content_type.split_once("boundary=")?;
    if !kind.starts_with("multipart/form-data") {
        return None;
    }
    let mut payload = json!({});
    let mut files = Vec::new();
    for part in split(
        bytes,
        format!("--{}", boundary.trim_matches('"')).as_bytes(),
    ) {
        let Some((head, content)) = split_once(part, b"\r\n\r\n") else {
            continue; // Before the first boundary, or after the last.
        };
        let head = String::from_utf8_lossy(head);
        let content = content.strip_suffix(b"\r\n").unwrap_or(content);
        match parameter(&head, "filename") {
            Some(name) => {
                let mut file = json!({ "id": files.len().to_string(), "filename": name });
                match std::str::from_utf8(content) {
                    Ok(text) => file["content"] = text.into(),
                    Err(_) => file["base64"] = BASE64.encode(content).into(),
                }
                files.push(file);
            }
            None if parameter(&head, "name") == Some("payload_json") => {
                payload = serde_json::from_slice(content).ok()?;
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
    for file in &mut files {
        let described = message["attachments"].as_array().into_iter().flatten();
        let mut described = described.filter(|it| id_of(it) == id_of(file));
        if let Some(described) = described.next() {
            file["description"] = described["description"].clone();
        }
    }
    message["attachments"] = files.into();
    Some(payload)
}

/// ID of an attachment object, which is a number or text.
fn id_of(attachment: &Value) -> Option<u64> {
    let id = &attachment["id"];
    id.as_u64().or_else(|| id.as_str()?.parse().ok())
}

fn split<'a>(bytes: &'a [u8], at: &[u8]) -> Vec<&'a [u8]> {
    let (mut parts, mut rest) = (Vec::new(), bytes);
    while let Some((part, after)) = split_once(rest, at) {
        parts.push(part);
        rest = after;
    }
    parts.push(rest);
    parts
}

fn split_once<'a>(bytes: &'a [u8], at: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let place = bytes.windows(at.len()).position(|window| window == at)?;
    Some((&bytes[..place], &bytes[place + at.len()..]))
}

/// Returns a quoted parameter of `Content-Disposition`.
fn parameter<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let (_, after) = head.split_once(&format!(" {name}=\""))?;
    Some(after.split_once('"')?.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::file_content;

    #[test]
    fn a_form_becomes_json_with_its_files() {
        let form = b"--b\r\nContent-Disposition: form-data; name=\"files[0]\"; \
            filename=\"log.txt\"\r\n\r\nquack\r\n--b\r\nContent-Disposition: form-data; \
            name=\"files[1]\"; filename=\"a.bin\"\r\n\r\n\xff\0--\r\n\r\n--b\r\n\
            Content-Disposition: form-data; \
            name=\"payload_json\"\r\n\r\n{\"content\":\"x\",\"attachments\":[{\"id\":0,\"description\":\"d\"}]}\r\n--b--\r\n";
        let payload = payload("multipart/form-data; boundary=b", form).unwrap();
        assert_eq!(payload["content"], "x");
        let [text, binary] = [0, 1].map(|at| &payload["attachments"][at]);
        assert_eq!(
            (&text["filename"], &text["content"]),
            (&json!("log.txt"), &json!("quack"))
        );
        assert_eq!(file_content(text), b"quack");
        assert_eq!(text["description"], "d");
        assert_eq!(binary["content"], Value::Null);
        assert_eq!(file_content(binary), b"\xff\0--\r\n");
    }

    #[test]
    fn json_is_no_form() {
        assert_eq!(payload("application/json", b"{}"), None);
    }
}
