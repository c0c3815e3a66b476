//! Values in an encoding: base64 of Kubernetes, percent codes of URLs, entities of HTML and XML.

use base64::{Engine, prelude::BASE64_STANDARD};
use secrecy::{ExposeSecret, SecretString, zeroize::Zeroizing};

use super::pair::{Name, Pair};
use crate::credentials::CredentialField;

/// Entities of HTML and XML, and the characters that they mean.
const ENTITIES: [(&str, char); 7] = [
    ("&quot;", '"'),
    ("&#34;", '"'),
    ("&apos;", '\''),
    ("&#39;", '\''),
    ("&lt;", '<'),
    ("&gt;", '>'),
    ("&amp;", '&'),
];

/// Decodes base64. Returns `None` if the text is none, or does not contain text.
pub(crate) fn from_base64(text: &str) -> Option<Zeroizing<String>> {
    let bytes = BASE64_STANDARD.decode(text).ok().map(Zeroizing::new)?;
    let text = std::str::from_utf8(&bytes).ok()?;
    Some(Zeroizing::new(text.trim().to_owned()))
}

/// Decodes all values of a Kubernetes Secret that does not say so: its access key ID reads as one
/// when decoded, which no other ID does.
pub(crate) fn decode(pairs: &mut [Pair]) {
    let decoded = |pair: &Pair| {
        let text = from_base64(pair.value.expose_secret())?;
        let is_value = !text.is_empty() && text.bytes().all(|it| it.is_ascii_graphic());
        is_value.then_some(text)
    };
    let is_key_id =
        |text: &str| text.len() >= 16 && text.bytes().all(|it| it.is_ascii_alphanumeric());
    let is_encoded = pairs.iter().any(|pair| {
        let text = decoded(pair).filter(|_| pair.is_named(CredentialField::KeyId));
        text.is_some_and(|text| is_key_id(&text))
    });
    if is_encoded {
        for pair in pairs.iter_mut().filter(|it| it.name != Some(Name::Expiry)) {
            if let Some(text) = decoded(pair) {
                pair.value = SecretString::from(text.as_str());
                pair.is_quoted = true;
            }
        }
    }
}

/// Replaces the percent codes of a URL. Returns `None` if one of them is not valid.
pub(crate) fn percent_decoded(text: &str) -> Option<Zeroizing<String>> {
    let mut plain = Zeroizing::new(String::with_capacity(text.len()));
    let mut parts = text.split('%');
    plain.push_str(parts.next()?);
    for part in parts {
        let code = u8::from_str_radix(part.get(..2)?, 16).ok()?;
        plain.push(char::from(code));
        plain.push_str(&part[2..]);
    }
    Some(plain)
}

/// Replaces the entities of HTML and XML.
pub(crate) fn without_entities(text: &str) -> Zeroizing<String> {
    let mut plain = Zeroizing::new(String::with_capacity(text.len()));
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let entity = ENTITIES.iter().find(|(code, _)| rest.starts_with(code));
        let (c, length) = entity.map_or((c, c.len_utf8()), |(code, c)| (*c, code.len()));
        plain.push(c);
        rest = &rest[length..];
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_replaced() {
        assert_eq!(
            percent_decoded("a%2Fb%2B").as_deref().map(String::as_str),
            Some("a/b+")
        );
        assert!(percent_decoded("a%2").is_none());
        assert_eq!(*without_entities("a&amp;lt;b&quot;&x;"), "a&lt;b\"&x;");
        assert_eq!(from_base64("YWJj\n").map(|it| it.to_string()), None);
        assert_eq!(
            from_base64("YWIK").map(|it| it.to_string()),
            Some("ab".into())
        );
    }
}
