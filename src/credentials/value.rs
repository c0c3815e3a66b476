//! Rules for the characters of a value, however it was handed in. Pure.

use secrecy::{ExposeSecret, SecretString};

use super::CredentialField;

/// Reasons to reject a value. Contains at most one character of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueError {
    /// The value is empty.
    Empty,
    /// White space within the value, at this character. The first one is 1.
    Space(char, usize),
    /// A character that no credential contains, and its place.
    Strange(char, usize),
    /// Number of characters, which is more than the field allows.
    TooLong(usize),
}

/// Checks a value that a program sends, and uses it as it is.
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
pub(super) fn check_characters(field: CredentialField, text: &str) -> Result<(), ValueError> {
    let length = text.chars().count();
    if length > field.max_length() {
        return Err(ValueError::TooLong(length));
    }
    if let Some((c, place)) = find(text, char::is_whitespace) {
        return Err(ValueError::Space(c, place));
    }
    match find(text, |c| !c.is_ascii_graphic()) {
        Some((c, place)) => Err(ValueError::Strange(c, place)),
        None => Ok(()),
    }
}

/// Finds the first such character, and its place. The first place is 1.
pub(super) fn find(text: &str, is_wanted: impl Fn(char) -> bool) -> Option<(char, usize)> {
    let mut places = text.chars().zip(1..);
    places.find(|(c, _)| is_wanted(*c))
}

/// Returns true for temporary credentials of AWS that lack their session token: they never work.
pub fn lacks_session_token(key_id: &SecretString, session_token: Option<&SecretString>) -> bool {
    let id = key_id.expose_secret();
    let is_temporary = id.starts_with("ASIA") && id.len() == 20;
    is_temporary && session_token.is_none()
}
