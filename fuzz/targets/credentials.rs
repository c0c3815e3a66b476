//! Text that people paste into the form for credentials.

use duckbot::credentials::{
    self, CatalogToken, CredentialField, CredentialPart, Credentials, CredentialsForm, InputError,
    Parsed, S3Keys,
};
use secrecy::{ExposeSecret, SecretString};

use super::{at, is_ordinary, texts};

/// The form's four inputs and the expiry.
///
/// An accepted value is printable, fits into the form, and stands in one piece in an input (after
/// escapes are replaced). No input appears in an error or in `Debug` output. A plain value is
/// accepted again unchanged.
pub fn credentials(data: &[u8]) {
    let [a, b, c, d, expires] = texts(data);
    let inputs = [a, b, c, d];
    for required in [CredentialPart::S3Keys, CredentialPart::CatalogToken] {
        submit(&inputs, &expires, required);
    }
}

fn submit(inputs: &[String; 4], expires: &str, required: CredentialPart) {
    let form = |secrets: [&str; 4], expires: &str| CredentialsForm {
        secrets: secrets.map(SecretString::from),
        expires: expires.to_owned(),
    };
    for input in inputs {
        credentials::looks_like_a_key(input);
    }
    let typed = form(inputs.each_ref().map(String::as_str), expires);
    let keys = match credentials::parse(&typed, required, at(0)) {
        Ok(Parsed { credentials, .. }) => credentials,
        Err(mistakes) => {
            assert!(!mistakes.is_empty() && mistakes.len() <= 5);
            check_errors(&mistakes, inputs);
            return;
        }
    };
    let values = CredentialField::ALL.map(|field| keys.value(field).map(|it| it.expose_secret()));
    assert_eq!(values[0].is_some(), values[1].is_some());
    assert!(keys.has(required));
    for (field, value) in CredentialField::ALL.into_iter().zip(values) {
        let Some(value) = value else { continue };
        assert!((1..4000).contains(&value.len()), "{field:?}");
        assert!(
            value.bytes().all(|byte| byte.is_ascii_graphic()),
            "{field:?}"
        );
        assert!(
            inputs
                .iter()
                .any(|input| stands_in(input, value) || stands_in(&without_entities(input), value)),
            "{field:?}"
        );
        let same = credentials::check_value(field, value.into());
        assert_eq!(
            same.map(|it| it.expose_secret().to_owned()).as_deref(),
            Ok(value)
        );
    }
    if let Some(expires) = keys.expiry(required) {
        assert!(expires > at(0) && is_ordinary(expires));
    }
    // `Debug` output depends only on which fields are set.
    let other = |value: Option<&str>| value.map(|_| SecretString::from("other"));
    let shape = Credentials {
        s3: keys.s3.as_ref().map(|it| S3Keys {
            key_id: "other".into(),
            secret_key: "other".into(),
            session_token: other(values[2]),
            expires: it.expires,
        }),
        catalog_token: keys.catalog_token.as_ref().map(|it| CatalogToken {
            value: "other".into(),
            expires: it.expires,
        }),
    };
    assert_eq!(format!("{keys:?}"), format!("{shape:?}"));
    if let Some(pair) = &keys.s3 {
        let hint = pair.hint().0;
        let key_id = values[0].unwrap_or_default();
        assert!(hint.len() <= 4 && key_id.ends_with(&hint) && hint.len() * 2 <= key_id.len());
    }
    // Other characters may mean something else without the quotes around them.
    let is_plain = |it: &&str| {
        it.bytes()
            .all(|it| it.is_ascii_alphanumeric() || it == b'/')
    };
    if values.iter().flatten().all(is_plain) {
        let again = form(values.map(Option::unwrap_or_default), "");
        let again =
            credentials::parse(&again, required, at(0)).expect("the values were accepted before");
        assert!(again.credentials.is_same(&keys));
    }
}

/// An error contains one character of an input at most, and the names of profiles.
fn check_errors(mistakes: &[InputError], inputs: &[String; 4]) {
    let profiles = mistakes.iter().flat_map(|it| match it {
        InputError::Twice(_, profiles) => profiles.clone(),
        InputError::Halves(_, key_id, other) => vec![key_id.clone(), other.clone()],
        _ => Vec::new(),
    });
    let profiles: Vec<_> = profiles.collect();
    // Words of the error types themselves.
    let fixed = "InputError ValueError CredentialField SecretKey SessionToken CatalogToken \
        Placeholder Halves NoNames NoSessionToken ReadAsUtc CredentialPart S3Keys";
    for said in mistakes.iter().map(|it| format!("{it:?}")) {
        let is_leaked = |it: &&str| {
            let is_known = fixed.contains(it) || profiles.iter().any(|name| name.contains(it));
            it.len() >= 8 && said.contains(*it) && !is_known
        };
        let leaked = inputs.iter().map(|it| it.trim()).find(is_leaked);
        assert_eq!(leaked, None, "an input is shown in {said:?}");
    }
}

/// Replaces the entities of XML, once.
fn without_entities(text: &str) -> String {
    let mut parts = text.split('&');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let entities = [
            ("quot;", '"'),
            ("#34;", '"'),
            ("apos;", '\''),
            ("#39;", '\''),
            ("lt;", '<'),
            ("gt;", '>'),
            ("amp;", '&'),
        ];
        let entity = entities.iter().find(|(code, _)| part.starts_with(code));
        let (c, length) = entity.map_or(('&', 0), |(code, c)| (*c, code.len()));
        plain.push(c);
        plain.push_str(&part[length..]);
    }
    plain
}

/// Returns true if a value stands in one piece in a text, or in one that is encoded in base64.
fn stands_in(text: &str, value: &str) -> bool {
    let chars: Vec<char> = text.chars().filter(|c| !is_invisible(*c)).collect();
    let value: Vec<char> = value.chars().collect();
    (0..chars.len())
        .any(|start| follows(&chars[start..], &value) || in_base64(&chars[start..], &value))
}

fn is_invisible(c: char) -> bool {
    let is_replaced = matches!(c, '\u{2018}'..='\u{201f}' | '\u{ab}' | '\u{bb}' | '\u{ff1a}' | '\u{ff1d}' | '\u{2500}'..='\u{257f}');
    !c.is_ascii() && !c.is_alphanumeric() && !c.is_whitespace() && !is_replaced
}

/// Compares a value with a text, in which only backslashes and doubled quotes may be in between.
fn follows(mut text: &[char], value: &[char]) -> bool {
    for wanted in value {
        loop {
            let Some((next, rest)) = text.split_first() else {
                return false;
            };
            text = rest;
            if next == wanted {
                break;
            }
            let code = rest.get(..4).map(|it| it.iter().collect::<String>());
            let code = code.and_then(|it| u32::from_str_radix(&it, 16).ok());
            if *next == 'u' && code == Some(u32::from(*wanted)) {
                text = &rest[4..];
                break;
            }
            let code = rest.get(..2).map(|it| it.iter().collect::<String>());
            let code = code.and_then(|it| u32::from_str_radix(&it, 16).ok());
            if *next == '%' && code == Some(u32::from(*wanted)) {
                text = &rest[2..];
                break;
            }
            let is_typographic = matches!(next, '\u{2018}'..='\u{201f}' | '\u{ab}' | '\u{bb}' | '\u{ff1a}' | '\u{ff1d}' | '\u{2500}'..='\u{257f}');
            if is_typographic && matches!(wanted, '"' | '\'' | ':' | '=' | '|' | '-') {
                break;
            }
            if !matches!(next, '\\' | '\'' | '"') {
                return false;
            }
        }
    }
    true
}

fn in_base64(text: &[char], value: &[char]) -> bool {
    const DIGITS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = text.iter().map_while(|c| DIGITS.find(*c));
    let mut bits = 0_usize;
    let mut count = 0;
    let mut bytes = Vec::new();
    for digit in digits {
        bits = (bits << 6 | digit) & 0xffff;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    let text = String::from_utf8_lossy(&bytes);
    text.trim() == value.iter().collect::<String>()
}
