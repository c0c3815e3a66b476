//! Values without names.

use secrecy::{SecretString, zeroize::Zeroizing};

use super::{
    encoded::percent_decoded,
    link::looks_random,
    names,
    pair::{Flaw, Name, Pair},
    quoted::{quoted, unescape_slashes},
    shapes,
};
use crate::credentials::CredentialField;

/// Reads a text without names as one value.
pub(crate) fn bare(text: &str) -> Pair {
    let text = text.trim();
    // A line of JSON without its name.
    let text = match text.strip_suffix([',', ';']) {
        Some(text) if text.starts_with(['"', '\'']) => text,
        _ => text,
    };
    let inside = quoted(text).filter(|it| it.length == text.len());
    let is_quoted = inside.is_some();
    let value = match inside {
        Some(inside) => inside.text,
        None => unescape_slashes(text),
    };
    let is_hidden = value.len() > 2 && value.chars().all(|c| matches!(c, '*' | '\u{2022}'));
    Pair {
        value: SecretString::from(value.trim()),
        is_quoted,
        // Other texts may be meant, as the whole input is the value.
        flaw: is_hidden.then_some(Flaw::Placeholder),
        ..Pair::default()
    }
}

/// Reads values by their places: `ID:SECRET`, two lines, addresses with a login, the arguments of
/// `mc`, and the text output of `aws`.
pub(crate) fn by_place(text: &str) -> Vec<Pair> {
    let words: Vec<_> = text.split_whitespace().collect();
    let found = of_aws(&words).or_else(|| of_mc(&words));
    let found = found.or_else(|| two_words(text).map(|(id, secret)| vec![id, secret]));
    if let Some(values) = found {
        return named(values.into_iter().map(bare));
    }
    let login = words.iter().find_map(|word| of_address(word));
    named(login.into_iter().flatten().map(|value| Pair {
        value: SecretString::from(value.as_str()),
        is_quoted: true,
        ..Pair::default()
    }))
}

/// Names values by their order.
fn named(values: impl Iterator<Item = Pair>) -> Vec<Pair> {
    let names = [
        Name::Credential(CredentialField::KeyId),
        Name::Credential(CredentialField::SecretKey),
        Name::Credential(CredentialField::SessionToken),
        Name::Expiry,
    ];
    let pairs = names.into_iter().zip(values);
    let pairs = pairs.map(|(name, pair)| Pair {
        name: Some(name),
        ..pair
    });
    pairs.collect()
}

/// The columns of `aws sts … --output text` and `aws iam create-access-key --output text`.
fn of_aws<'a>(words: &[&'a str]) -> Option<Vec<&'a str>> {
    if let [id, time, secret, token] = *words
        && shapes::is_key_id(id)
        && shapes::is_secret(secret)
    {
        return Some(vec![id, secret, token, time]);
    }
    let start = words
        .iter()
        .position(|it| matches!(*it, "CREDENTIALS" | "ROLECREDENTIALS" | "ACCESSKEY"))?;
    match words[start..] {
        ["ROLECREDENTIALS", id, time, secret, token, ..] => Some(vec![id, secret, token, time]),
        ["CREDENTIALS", id, time, secret, token, ..] => Some(vec![id, secret, token, time]),
        ["ACCESSKEY", id, time, secret, ..] if time.contains('T') => Some(vec![id, secret]),
        _ => None,
    }
}

/// `mc alias set NAME URL ID SECRET`
fn of_mc<'a>(words: &[&'a str]) -> Option<Vec<&'a str>> {
    let mut commands = words.windows(6);
    let command = commands.find(|it| {
        matches!(it[..2], ["alias", "set"] | ["host", "add"]) && it[3].contains("://")
    })?;
    Some(vec![command[4], command[5]])
}

/// `MC_HOST_NAME=https://ID:SECRET@host`, `s3://ID:SECRET@bucket`
fn of_address(word: &str) -> Option<[Zeroizing<String>; 2]> {
    let (scheme, address) = word.split_once("://")?;
    let scheme = scheme.rsplit(['"', '\'', '=']).next().unwrap_or_default();
    let is_storage = matches!(scheme, "s3" | "s3a" | "s3n" | "aws") || word.contains("MC_HOST_");
    // A host has no `@`, a secret may have one.
    let (login, _) = address.rsplit_once('@')?;
    let (id, secret) = login.split_once(':').filter(|_| is_storage)?;
    Some([percent_decoded(id)?, percent_decoded(secret)?])
}

fn two_words(text: &str) -> Option<(&str, &str)> {
    let (id, secret) = text
        .trim()
        .split_once(|c: char| c.is_whitespace() || ":,;".contains(c))?;
    let secret = secret.trim();
    if shapes::is_key_id(id) && secret.contains([':', ',', ';']) {
        // A session token follows.
        return None;
    }
    let is_upper = id
        .chars()
        .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
    let is_hex = id.chars().all(|c| c.is_ascii_hexdigit());
    // As MinIO generates them.
    let is_of_minio = (id.len(), secret.len()) == (20, 40)
        && looks_random(id)
        && id.chars().all(|c| c.is_ascii_alphanumeric());
    let is_id = (16..=128).contains(&id.len()) && (is_upper || is_hex || is_of_minio);
    (is_id && looks_random(secret) && names::at(secret, 0).is_none()).then_some((id, secret))
}
