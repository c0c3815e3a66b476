//! Values of AWS, which have a shape of their own: they are found without names, and end where they
//! end.

use secrecy::SecretString;

use super::pair::{Name, Pair};
use crate::credentials::CredentialField;

/// Length of an access key ID of AWS.
const KEY_ID_LENGTH: usize = 20;

/// Length of a secret access key of AWS.
pub(crate) const SECRET_LENGTH: usize = 40;

/// Minimum length of a session token of AWS. Real ones have several hundred characters.
const MIN_TOKEN_LENGTH: usize = 40;

/// Returns true for `AKIA` or `ASIA` and 16 capitals and digits.
pub(crate) fn is_key_id(value: &str) -> bool {
    value.len() == KEY_ID_LENGTH
        && (value.starts_with("AKIA") || value.starts_with("ASIA"))
        && value
            .bytes()
            .all(|it| it.is_ascii_uppercase() || it.is_ascii_digit())
}

/// Returns true for 40 characters of base64 with digits, small letters and capitals.
pub(crate) fn is_secret(value: &str) -> bool {
    let has = |kind: fn(&u8) -> bool| value.as_bytes().iter().any(kind);
    value.len() == SECRET_LENGTH
        && value.bytes().all(is_base64)
        && has(u8::is_ascii_digit)
        && has(u8::is_ascii_lowercase)
        && has(u8::is_ascii_uppercase)
}

/// Returns true for the start of every session token of AWS.
pub(crate) fn is_session_token(value: &str) -> bool {
    value.starts_with("IQoJ") || value.starts_with("FwoG")
}

/// Returns true if a text contains an access key ID of AWS, and no other one.
pub(crate) fn has_one_key_id(text: &str) -> bool {
    only(words(text).filter(|it| is_key_id(it))).is_some()
}

/// Adds the access key ID and the secret access key that no name was found for, if the text has
/// exactly one of each. A session token beside them is added, too.
pub(crate) fn complete(text: &str, pairs: &mut Vec<Pair>) {
    let id = only(words(text).filter(|it| is_key_id(it)));
    let secret = only(words(text).filter(|it| is_secret(it)));
    let (Some(id), Some(secret)) = (id, secret) else {
        return;
    };
    let tokens = words(text).filter(|it| is_session_token(it) && it.len() >= MIN_TOKEN_LENGTH);
    let token = only(tokens);
    let values = [
        (CredentialField::KeyId, Some(id)),
        (CredentialField::SecretKey, Some(secret)),
        (CredentialField::SessionToken, token),
    ];
    let is_missing = |field, value: &str| {
        pairs.iter().all(|it| !it.is_named(field)) && pairs.iter().all(|it| !it.has_value(value))
    };
    let is_whole = values[..2].iter().all(|(field, value)| {
        let is_same = |pair: &Pair| value.is_some_and(|it| pair.has_value(it));
        pairs
            .iter()
            .all(|pair| !pair.is_named(*field) || is_same(pair))
    });
    if !is_whole
        || !values[..2]
            .iter()
            .any(|(field, value)| value.is_some_and(|it| is_missing(*field, it)))
    {
        return;
    }
    let missing = values.into_iter().filter_map(|(field, value)| {
        let value = value.filter(|it| is_missing(field, it))?;
        Some(Pair {
            name: Some(Name::Credential(field)),
            value: SecretString::from(value),
            ..Pair::default()
        })
    });
    let missing: Vec<_> = missing.collect();
    pairs.extend(missing);
}

/// The only value, or `None` if there are several different ones.
fn only<'a>(mut values: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let first = values.next()?;
    values.all(|it| it == first).then_some(first)
}

/// The longest words of the characters of base64. A word that goes on with other characters of names
/// and encodings is left out.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let is_other = |c: char| matches!(c, '_' | '-' | '.' | '%' | '\\' | '*');
    let parts =
        text.split(move |c: char| !(c.is_alphanumeric() || "+/=".contains(c) || is_other(c)));
    let values = parts.map(|part| {
        // `NAME=value`, or a value with its padding.
        let start = part.trim_end_matches('=').rfind('=').map_or(0, |it| it + 1);
        let value = &part[start..];
        // `s3://ID:…` leaves slashes before the ID.
        let bare = value.trim_start_matches('/');
        if is_key_id(bare) { bare } else { value }
    });
    values.filter(move |it| !it.contains(is_other) || is_session_token(it))
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/')
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    const ID: &str = "ASIAQUACKQUACKQUACK7";
    const SECRET: &str = "quack/Quack/quack/quack/quack/quack/2026";

    fn found(text: &str) -> Vec<String> {
        let mut pairs = Vec::new();
        complete(text, &mut pairs);
        let values = pairs.iter().map(|it| it.value.expose_secret().to_owned());
        values.collect()
    }

    #[test]
    fn values_of_aws_are_found_without_names() {
        let token = format!("IQoJ{}==", "quack/2026".repeat(8));
        for text in [
            format!("f(\"{ID}\", '{SECRET}', {token})"),
            format!("{ID}\t{SECRET}\t{token}"),
            format!("a={ID} x{ID} b={SECRET};c={token}\n{ID}"),
        ] {
            assert_eq!(found(&text), [ID, SECRET, &token], "{text}");
        }
    }

    #[test]
    fn two_of_a_kind_are_not_guessed() {
        let other = SECRET.replace('k', "x");
        for text in [
            format!("{ID} {SECRET} {other}"),
            format!("{ID} AKIAQUACKQUACKQUACK7 {SECRET}"),
            format!("{ID} a-{SECRET}"),
            format!("{ID} {SECRET}/more"),
            format!("{ID} {SECRET}=="),
            ID.to_owned(),
        ] {
            assert_eq!(found(&text), [""; 0], "{text}");
        }
    }
}
