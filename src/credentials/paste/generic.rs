//! Pairs of names that mean something else almost everywhere: `key` and `secret`, `username` and
//! `password`, `AK` and `SK`. They count if there is exactly one of each, and both values are random.

use secrecy::SecretString;

use super::{
    absent::is_placeholder,
    after::continues,
    link::{Separator, link, looks_random},
    names,
    pair::{Flaw, Name, Pair},
    quoted::quoted,
};
use crate::credentials::CredentialField;

/// Last words of names for an access key ID. Longer ones first.
const KEY_IDS: [&str; 9] = [
    "secretid",
    "accesskey",
    "apikey",
    "keyid",
    "username",
    "login",
    "user",
    "key",
    "ak",
];

/// Last words of names for a secret access key. Longer ones first.
const SECRETS: [&str; 10] = [
    "apisecret",
    "keysecret",
    "secretkey",
    "appkey",
    "password",
    "passwd",
    "secret",
    "pass",
    "pwd",
    "sk",
];

/// Words of names for something else.
const OTHERS: [&str; 16] = [
    "account", "client", "cookie", "db", "database", "github", "jwt", "kms", "oauth", "postgres",
    "private", "public", "signing", "smtp", "ssh", "tenant",
];

/// Adds such a pair to the values of a text that has no key.
pub(crate) fn complete(text: &str, pairs: &mut Vec<Pair>) {
    let [has_id, has_secret] = [CredentialField::KeyId, CredentialField::SecretKey]
        .map(|field| pairs.iter().any(|it| it.is_named(field)));
    if has_id && has_secret {
        return;
    }
    let mut ids = Vec::new();
    let mut secrets = Vec::new();
    for start in text.char_indices().map(|(at, _)| at) {
        if !names::is_start(text, start) {
            continue;
        }
        let word = names::identifier(&text[start..]);
        let field = field(word);
        if let Some(field) = field
            && let Some((value, is_whole)) = value(text, start, start + word.len())
        {
            let found = match field {
                CredentialField::KeyId => &mut ids,
                _ => &mut secrets,
            };
            if !found.contains(&(value, is_whole)) {
                found.push((value, is_whole));
            }
        }
    }
    let ([(id, is_id_whole)], [(secret, is_secret_whole)]) = (&ids[..], &secrets[..]) else {
        return;
    };
    for (field, value, is_whole) in [
        (CredentialField::KeyId, *id, *is_id_whole),
        (CredentialField::SecretKey, *secret, *is_secret_whole),
    ] {
        if id == secret || pairs.iter().any(|it| it.is_named(field)) {
            continue;
        }
        let broken = || Flaw::Broken(value.chars().count());
        pairs.push(Pair {
            name: Some(Name::Credential(field)),
            value: SecretString::from(value),
            flaw: (!is_whole).then(broken),
            is_weak: true,
            ..Pair::default()
        });
    }
}

/// The field that the last words of an identifier stand for.
fn field(word: &str) -> Option<CredentialField> {
    let parts = names::parts(word);
    if parts.iter().any(|it| OTHERS.contains(&it.as_str())) {
        return None;
    }
    let ends = |known: &[&str]| {
        let last = &parts[parts.len().saturating_sub(2)..];
        let joined = last.concat();
        let last = last.last().map_or("", String::as_str);
        known.iter().any(|it| *it == joined || *it == last)
    };
    let joined = parts[parts.len().saturating_sub(2)..].concat();
    if SECRETS.contains(&joined.as_str()) {
        Some(CredentialField::SecretKey)
    } else if KEY_IDS.contains(&joined.as_str()) || !ends(&SECRETS) && ends(&KEY_IDS) {
        Some(CredentialField::KeyId)
    } else {
        ends(&SECRETS).then_some(CredentialField::SecretKey)
    }
}

/// The random value of a name, and whether it is all of it.
fn value(text: &str, start: usize, end: usize) -> Option<(&str, bool)> {
    // After white space alone, such a word is none of these names.
    let link = link(text, start, end).filter(|it| it.separator != Separator::Space)?;
    let rest = &text[link.start..];
    let (value, is_whole) = if let Some(inside) = quoted(rest) {
        let body = rest[..inside.length].trim_matches(['"', '\'', '`']);
        (body, true)
    } else {
        let length = rest.find(char::is_whitespace).unwrap_or(rest.len());
        (
            rest[..length].trim_end_matches([',', ';']),
            !continues(&rest[length..]),
        )
    };
    let is_usual = |c: char| c.is_ascii_alphanumeric() || "+/=_-".contains(c);
    let is_value = looks_random(value) && value.chars().all(is_usual) && !is_placeholder(value);
    is_value.then_some((value, is_whole))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn found(text: &str) -> Vec<String> {
        let mut pairs = Vec::new();
        complete(text, &mut pairs);
        let values = pairs.iter().map(|it| it.value.expose_secret().to_owned());
        values.collect()
    }

    #[test]
    fn one_pair_of_random_values_is_found() {
        for text in [
            "Key: QUACKquack20260000\nSecret: quack/quack/QUACK/2026",
            "EXOSCALE_API_KEY=QUACKquack20260000\nEXOSCALE_API_SECRET=quack/quack/QUACK/2026",
            "AK=QUACKquack20260000 SK=quack/quack/QUACK/2026",
            "{\"username\": \"QUACKquack20260000\", \"password\": \"quack/quack/QUACK/2026\"}",
        ] {
            let values = ["QUACKquack20260000", "quack/quack/QUACK/2026"];
            assert_eq!(found(text), values, "{text}");
        }
    }

    #[test]
    fn other_pairs_are_not() {
        for text in [
            "Username: ana\nPassword: quack/quack/QUACK/2026",
            "client_key=QUACKquack20260000 client_secret=quack/quack/QUACK/2026",
            "key=QUACKquack20260000 key=QUACKquack20260001 secret=quack/quack/QUACK/2026",
            "key=QUACKquack20260000",
        ] {
            assert_eq!(found(text), [""; 0], "{text}");
        }
    }
}
