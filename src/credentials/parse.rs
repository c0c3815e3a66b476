//! From what was typed to [`Credentials`]. Pure.

use std::fmt;

use chrono::{DateTime, Datelike, NaiveDateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};

use super::{
    Credentials, KeyHint,
    paste::{PastedField, parse_paste},
};

/// One secret input of the form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialField {
    /// `AKIA…`, or whatever the S3 service calls its user.
    KeyId,
    /// The other half of the key.
    SecretKey,
    /// Only with temporary keys.
    SessionToken,
    /// Only where the catalog wants one.
    CatalogToken,
}

impl CredentialField {
    /// All of them, in the order of the form.
    pub const ALL: [Self; 4] = [
        Self::KeyId,
        Self::SecretKey,
        Self::SessionToken,
        Self::CatalogToken,
    ];

    /// What it is called where it is kept.
    pub fn name(self) -> &'static str {
        match self {
            Self::KeyId => "s3-access-key-id",
            Self::SecretKey => "s3-secret-access-key",
            Self::SessionToken => "s3-session-token",
            Self::CatalogToken => "catalog-token",
        }
    }

    /// The most characters that it takes. Access key IDs have up to 128 (AWS
    /// IAM API, `AccessKey`); a session token has no stated limit, and 4000 is
    /// what a Discord form carries.
    fn max_length(self) -> usize {
        match self {
            Self::KeyId => 128,
            Self::SecretKey => 256,
            // One less than the form takes: a text that fills it may have been cut.
            Self::SessionToken | Self::CatalogToken => 3999,
        }
    }

    /// Whether it must be filled in.
    pub fn is_required(self) -> bool {
        matches!(self, Self::KeyId | Self::SecretKey)
    }
}

impl fmt::Display for CredentialField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::KeyId => "Access key ID",
            Self::SecretKey => "Secret access key",
            Self::SessionToken => "Session token",
            Self::CatalogToken => "Catalog token",
        })
    }
}

/// Why an input was not accepted. Never says what was typed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// Nothing but white space.
    #[error("**{0}** is empty. Please fill it in.")]
    Empty(CredentialField),
    /// White space or a line break in the middle.
    #[error(
        "**{0}** has a space or a line break inside. Keys have none: please paste the key alone."
    )]
    Spaces(CredentialField),
    /// Something that no key contains.
    #[error(
        "**{0}** has a character that keys don't have (only plain letters, digits and signs). \
         Please copy it again from where it was issued."
    )]
    Strange(CredentialField),
    /// An access key ID with signs that only other things have.
    #[error(
        "**Access key ID** has signs that no key ID has. Are it and the secret access key swapped, \
         or is there more than the key ID in the field?"
    )]
    NoKeyId,
    /// With a name, an equals sign or quotes around it that could not be understood.
    #[error(
        "**{0}** has more in it than the value: quotes, braces or an equals sign. Please paste \
         the value alone."
    )]
    Wrapped(CredentialField),
    /// Longer than any key.
    #[error("**{0}** is {1} characters long, more than I can take. Please paste the value alone.")]
    TooLong(CredentialField, usize),
    /// Two different values for the same thing.
    #[error("**{0}** is there twice, with different values. Please paste only one.")]
    Twice(CredentialField),
    /// Not a time.
    #[error(
        "**Expires** is not a time that I understand. Write `12h`, or a time in UTC like \
         `2026-11-23 18:00`."
    )]
    NoTime,
    /// A time that has passed.
    #[error("**Expires** is in the past: these keys no longer work. Please get new ones.")]
    Past,
}

/// What the form came back with.
pub struct CredentialsForm {
    /// In the order of [`CredentialField::ALL`].
    pub secrets: [SecretString; 4],
    /// When the session token expires, in the person's words; may be empty.
    pub expires: String,
}

/// Checks what was typed. Accepts what people paste: white space and quotes
/// around a value, and lines with names, which may stand in any input.
///
/// # Errors
/// Everything that is wrong, one [`InputError`] per field at most.
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

/// The value for a field: named anywhere, or bare in its own input.
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
        return match field.is_required() {
            true => Err(InputError::Empty(field)),
            false => Ok(None),
        };
    }
    check_characters(field, value)?;
    let is_wrapped = |c| matches!(c, '"' | '\'' | '`' | '{' | '}' | '\\');
    if value.contains(is_wrapped) || value.trim_end_matches('=').contains('=') {
        return Err(InputError::Wrapped(field));
    }
    // It travels in clear in each request, so nothing else must be taken for one.
    if field == CredentialField::KeyId && value.contains([',', '=', '/', '+', ';']) {
        return Err(InputError::NoKeyId);
    }
    Ok(Some(SecretString::from(value)))
}

/// Checks a value that a program sends: nothing is looked for in it.
///
/// # Errors
/// If it can't be one.
pub fn check_value(
    field: CredentialField,
    value: SecretString,
) -> Result<SecretString, InputError> {
    match value.expose_secret() {
        "" => Err(InputError::Empty(field)),
        text => check_characters(field, text).map(|()| value),
    }
}

/// Whether a text could be such a value at all.
fn check_characters(field: CredentialField, text: &str) -> Result<(), InputError> {
    let length = text.chars().count();
    if length > field.max_length() {
        return Err(InputError::TooLong(field, length));
    }
    if text.chars().any(char::is_whitespace) {
        return Err(InputError::Spaces(field));
    }
    match text.chars().all(|c| c.is_ascii_graphic()) {
        true => Ok(()),
        false => Err(InputError::Strange(field)),
    }
}

/// When the token expires: as typed, or as it stands in a paste.
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
    // Others could not be written down: a record takes no such time.
    let time = parse_time(text, now).filter(|time| (0..=9999).contains(&time.year()));
    match time.ok_or(InputError::NoTime)? {
        past if past <= now => Err(InputError::Past),
        expires => Ok(Some(expires)),
    }
}

/// `12h`, `in 90 min`, `2026-11-23 18:00` (UTC), or RFC 3339.
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
    // humantime takes `M` for months.
    let span = text.to_lowercase();
    let span = span.strip_prefix("in ").unwrap_or(&span);
    let span = TimeDelta::from_std(humantime::parse_duration(span).ok()?).ok()?;
    now.checked_add_signed(span)
        .filter(|time| *time < now + TimeDelta::days(3660))
}

impl Credentials {
    /// What was typed into a field, if anything.
    pub fn value(&self, field: CredentialField) -> Option<&SecretString> {
        match field {
            CredentialField::KeyId => Some(&self.key_id),
            CredentialField::SecretKey => Some(&self.secret_key),
            CredentialField::SessionToken => self.session_token.as_ref(),
            CredentialField::CatalogToken => self.catalog_token.as_ref(),
        }
    }

    /// Whether these are the same keys.
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

    /// What may be shown of them. A key too short to keep a secret beside four
    /// characters of it shows none.
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

/// Whether a text looks like somebody wrote a key where everybody's history
/// keeps it: an AWS key ID, a named key, or a long random word.
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
