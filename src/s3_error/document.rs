//! The error document of an S3 service. Pure.

use std::borrow::Cow;

use serde_json::{Map, Value};

/// Longest code to repeat to people. Real ones have at most 40 characters.
const MAX_CODE_LEN: usize = 64;

/// Error document, as far as it is understood. A missing part is empty.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ErrorDocument<'a> {
    pub(super) code: Cow<'a, str>,
    /// Message for people, with its details.
    pub(super) message: String,
    /// True if the document names the right region.
    pub(super) has_region: bool,
    /// True for JSON, which S3 does not use, but some services do.
    pub(super) is_json: bool,
}

impl<'a> ErrorDocument<'a> {
    /// Reads the elements of the first `Error`, which may be cut off. Text before it is skipped.
    pub(super) fn parse(text: &'a str) -> Self {
        if let Ok(object) = serde_json::from_str::<Map<String, Value>>(text) {
            return Self::from_json(&object);
        }
        let mut document = Self::default();
        let mut path: Vec<&str> = Vec::new();
        let mut rest = text;
        while let Some((before, tag_on)) = rest.split_once('<') {
            match *path {
                [.., "Error", "Code"] if document.code.is_empty() => {
                    document.code = plausible(before.trim()).into();
                }
                [.., "Error", "Message" | "Details"] => {
                    document.message = format!("{} {before}", document.message);
                }
                [.., "Error", "Region"] => document.has_region = true,
                _ => {}
            }
            rest = match tag_on {
                // Text that an element quotes, such as the key of an object.
                _ if tag_on.starts_with("![CDATA[") => after(tag_on, "]]>"),
                _ if tag_on.starts_with("!--") => after(tag_on, "-->"),
                _ => {
                    let Some((tag, rest)) = tag_on.split_once('>') else {
                        break;
                    };
                    match tag.strip_prefix('/') {
                        Some(_) if path.len() > 1 => drop(path.pop()),
                        // The end of the error.
                        Some(_) => break,
                        None if tag.ends_with('/') || tag.starts_with(['?', '!']) => {}
                        None => path.push(local_name(tag)),
                    }
                    rest
                }
            };
        }
        document
    }

    fn from_json(object: &Map<String, Value>) -> Self {
        let text = |names: [&str; 2]| {
            let mut found = names.iter().filter_map(|name| object.get(*name)?.as_str());
            found.next().unwrap_or_default()
        };
        Self {
            code: plausible(text(["Code", "code"])).to_owned().into(),
            message: text(["Message", "message"]).to_owned(),
            has_region: false,
            is_json: true,
        }
    }
}

/// Returns the text after `sign`, or nothing.
fn after<'a>(text: &'a str, sign: &str) -> &'a str {
    text.split_once(sign).map_or("", |(_, rest)| rest)
}

/// Returns the name of an element, without attributes and the prefix of its namespace.
fn local_name(tag: &str) -> &str {
    let name = tag.split_whitespace().next().unwrap_or_default();
    name.rsplit(':').next().unwrap_or_default()
}

/// Returns a code that can be repeated to people, or nothing.
fn plausible(code: &str) -> &str {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "._".contains(c);
    if code.len() <= MAX_CODE_LEN && code.chars().all(is_part) {
        code
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_the_one_of_the_error() {
        for (text, code) in [
            ("<Error><Code>SlowDown</Code></Error>", "SlowDown"),
            ("<Error>\n  <Code> SlowDown </Code>\n", "SlowDown"),
            (
                "<Error><Code xmlns=\"\">SlowDown</Code></Error>",
                "SlowDown",
            ),
            (
                "<s3:Error xmlns:s3=\"x\"><s3:Code>SlowDown</s3:Code></s3:Error>",
                "SlowDown",
            ),
            (
                "<?xml version=\"1.0\"?><!-- <Error> --><R><Error><Type/><Code>A.B</Code></Error></R>",
                "A.B",
            ),
            (
                "<Error><Key><![CDATA[<Code>SlowDown</Code>]]></Key><Code>AccessDenied</Code></Error>",
                "AccessDenied",
            ),
            (
                "<Error><Resource><Code>SlowDown</Code></Resource><Code>AccessDenied</Code></Error>",
                "AccessDenied",
            ),
            (
                "the crate says: <Error><Code>A</Code></Error>: <Error><Code>B</Code></Error>",
                "A",
            ),
            (r#"{"Code":"SlowDown","RequestId":"x"}"#, "SlowDown"),
            (
                r#"{"code":"bad_auth_token","status":401}"#,
                "bad_auth_token",
            ),
            (r#"{"code":404}"#, ""),
            ("<html><Code>SlowDown</Code></html>", ""),
            ("", ""),
            ("<Error><Code>", ""),
            ("<Error><Code>@everyone</Code></Error>", ""),
            ("<Error><Code>a b</Code></Error>", ""),
        ] {
            assert_eq!(ErrorDocument::parse(text).code, code, "{text}");
        }
    }

    #[test]
    fn a_message_comes_with_its_details() {
        let text = "<Error><Code>A</Code><Message>No</Message><Region>x</Region><Details>Never\
                    </Details></Error>";
        let document = ErrorDocument::parse(text);
        assert_eq!(document.message, " No Never");
        assert!(document.has_region);
    }
}
