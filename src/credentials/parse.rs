//! Reads [`Credentials`] from the form or from a program's request. Pure.

use chrono::{DateTime, Datelike, NaiveDateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};

use super::{
    CredentialField, Credentials, KeyHint,
    paste::{PastedField, parse_paste},
};

/// Reasons to reject a value. Contains no part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueError {
    /// The value is empty.
    Empty,
    /// White space or a line break within the value.
    Spaces,
    /// A character that no credential contains.
    Strange,
    /// Number of characters, which is more than the field allows.
    TooLong(usize),
}

/// Reasons to reject an input. Contains no part of the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InputError {
    /// The value of this field is invalid.
    Value(CredentialField, ValueError),
    /// An access key ID with punctuation that no key ID contains.
    NoKeyId,
    /// A name, an equals sign or quotes around the value that could not be removed.
    Wrapped(CredentialField),
    /// Two different values for the same field.
    Twice(CredentialField),
    /// A time of expiry that is neither a duration nor a time.
    NoTime,
    /// A time of expiry in the past.
    Past,
}

/// The submitted form.
pub struct CredentialsForm {
    /// Secret inputs, in the order of [`CredentialField::ALL`].
    pub secrets: [SecretString; 4],
    /// Time at which the session token expires, as typed. May be empty.
    pub expires: String,
}

/// Reads the form. White space and quotes around a value are removed. Any input may contain
/// lines with names, such as an env file.
///
/// # Errors
/// Returns all errors, at most one per field.
pub fn parse(typed: &CredentialsForm, now: DateTime<Utc>) -> Result<Credentials, Vec<InputError>> {
    let mut mistakes = Vec::new();
    let [key_id, secret_key, session_token, catalog_token] = CredentialField::ALL.map(|field| {
        let checked = find_value(field, typed).and_then(|value| validate(field, value));
        checked.unwrap_or_else(|mistake| {
            mistakes.push(mistake);
            None
        })
    });
    let expires = parse_expiry(typed, now).unwrap_or_else(|mistake| {
        mistakes.push(mistake);
        None
    });
    match (key_id, secret_key) {
        (Some(key_id), Some(secret_key)) if mistakes.is_empty() => Ok(Credentials {
            key_id,
            secret_key,
            session_token,
            catalog_token,
            expires,
        }),
        _ => Err(mistakes),
    }
}

/// Finds the value of a field: with its name in any input, or without in the field's own input.
fn find_value(field: CredentialField, typed: &CredentialsForm) -> Result<&str, InputError> {
    let mut found = "";
    for (input, text) in CredentialField::ALL.iter().zip(&typed.secrets) {
        for pasted in parse_paste(text.expose_secret()) {
            let is_ours = match pasted.name {
                Some(name) => name == PastedField::Credential(field),
                None => *input == field,
            };
            if !is_ours || pasted.value.is_empty() || pasted.value == found {
                continue;
            }
            if !found.is_empty() {
                return Err(InputError::Twice(field));
            }
            found = pasted.value;
        }
    }
    Ok(found)
}

fn validate(field: CredentialField, value: &str) -> Result<Option<SecretString>, InputError> {
    if value.is_empty() {
        return if field.is_required() {
            Err(InputError::Value(field, ValueError::Empty))
        } else {
            Ok(None)
        };
    }
    check_characters(field, value).map_err(|error| InputError::Value(field, error))?;
    let is_wrapped = |c| matches!(c, '"' | '\'' | '`' | '{' | '}' | '\\');
    if value.contains(is_wrapped) || value.trim_end_matches('=').contains('=') {
        return Err(InputError::Wrapped(field));
    }
    // Every request contains the key ID in clear text, so no secret may be mistaken for it.
    if field == CredentialField::KeyId && value.contains([',', '=', '/', '+', ';']) {
        return Err(InputError::NoKeyId);
    }
    Ok(Some(SecretString::from(value)))
}

/// Checks a value that a program sends. Unlike [`parse`], it uses the value as it is.
///
/// # Errors
/// If the value is empty, too long, or contains a character that is not allowed.
pub fn check_value(
    field: CredentialField,
    value: SecretString,
) -> Result<SecretString, ValueError> {
    match value.expose_secret() {
        "" => Err(ValueError::Empty),
        text => check_characters(field, text).map(|()| value),
    }
}

/// Checks the length and the characters of a value.
fn check_characters(field: CredentialField, text: &str) -> Result<(), ValueError> {
    let length = text.chars().count();
    if length > field.max_length() {
        return Err(ValueError::TooLong(length));
    }
    if text.chars().any(char::is_whitespace) {
        return Err(ValueError::Spaces);
    }
    if text.chars().all(|c| c.is_ascii_graphic()) {
        Ok(())
    } else {
        Err(ValueError::Strange)
    }
}

/// Reads the time of expiry, as typed into its own input or as named in another one.
fn parse_expiry(
    typed: &CredentialsForm,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, InputError> {
    let pastes = typed.secrets.iter().map(|text| text.expose_secret());
    let named = pastes
        .flat_map(parse_paste)
        .find(|it| it.name == Some(PastedField::Expiry));
    let text = match typed.expires.trim() {
        "" => named.map_or("", |it| it.value),
        text => text,
    };
    if text.is_empty() {
        return Ok(None);
    }
    // A record can't hold other years.
    let time = parse_time(text, now).filter(|time| (0..=9999).contains(&time.year()));
    match time.ok_or(InputError::NoTime)? {
        past if past <= now => Err(InputError::Past),
        expires => Ok(Some(expires)),
    }
}

/// Reads `12h`, `in 90 min`, `2026-11-23 18:00` (UTC), or RFC 3339.
fn parse_time(text: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.to_utc());
    }
    let bare = text.trim_end_matches("UTC").trim_end();
    for format in ["%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M"] {
        if let Ok(time) = NaiveDateTime::parse_from_str(bare, format) {
            return Some(time.and_utc());
        }
    }
    // In lower case, because humantime reads `M` as months.
    let span = text.to_lowercase();
    let span = span.strip_prefix("in ").unwrap_or(&span);
    let span = TimeDelta::from_std(humantime::parse_duration(span).ok()?).ok()?;
    now.checked_add_signed(span)
        .filter(|time| *time < now + TimeDelta::days(3660))
}

impl Credentials {
    /// Returns the value of a field, if it has one.
    pub fn value(&self, field: CredentialField) -> Option<&SecretString> {
        match field {
            CredentialField::KeyId => Some(&self.key_id),
            CredentialField::SecretKey => Some(&self.secret_key),
            CredentialField::SessionToken => self.session_token.as_ref(),
            CredentialField::CatalogToken => self.catalog_token.as_ref(),
        }
    }

    /// Returns true if all values are equal. Ignores the time of expiry.
    pub fn is_same(&self, other: &Self) -> bool {
        let value = |credentials: &Self, field| {
            credentials
                .value(field)
                .map(|it| it.expose_secret().to_owned())
        };
        CredentialField::ALL
            .into_iter()
            .all(|field| value(self, field) == value(other, field))
    }

    /// Returns the part of the access key ID that may be shown. If the ID has fewer than eight
    /// characters, that part is empty.
    pub fn hint(&self) -> KeyHint {
        let key = self.key_id.expose_secret();
        let shown = if key.len() >= 8 {
            &key[key.len() - 4..]
        } else {
            ""
        };
        KeyHint(shown.to_owned())
    }
}

/// Returns true if a chat message may contain credentials: an AWS key ID, a value with a name
/// of a credential, or a long random word.
pub fn looks_like_a_key(text: &str) -> bool {
    let is_named = parse_paste(text)
        .iter()
        .any(|it| matches!(it.name, Some(PastedField::Credential(_))));
    let is_key_id = |word: &str| {
        let is_prefixed = word.starts_with("AKIA") || word.starts_with("ASIA");
        is_prefixed && word.len() >= 16 && word.chars().all(|c| c.is_ascii_alphanumeric())
    };
    let is_random = |word: &str| {
        let has = |kind: fn(&char) -> bool| word.chars().any(|c| kind(&c));
        word.len() >= 32
            && has(char::is_ascii_digit)
            && has(char::is_ascii_lowercase)
            && has(char::is_ascii_uppercase)
    };
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric() && !"+/=_-".contains(c));
    is_named || words.any(|word| is_random(word) || word.split('=').any(is_key_id))
}

#[cfg(test)]
mod tests;
