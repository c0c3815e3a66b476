//! From what was typed to [`Credentials`]. Pure.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

use super::{Credentials, KeyHint};

/// One input of the form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// `AKIA…`, or whatever the S3 service calls its user.
    KeyId,
    /// The other half of the key.
    SecretKey,
    /// Only with temporary keys.
    SessionToken,
    /// Only where the catalog wants one.
    CatalogToken,
}

impl Field {
    /// All of them, in the order of the form.
    pub const ALL: [Self; 4] = [
        Self::KeyId,
        Self::SecretKey,
        Self::SessionToken,
        Self::CatalogToken,
    ];

    /// The most characters that it takes. Access key IDs have up to 128 (AWS
    /// IAM API, `AccessKey`); a session token has no stated limit, and 4000 is
    /// what a Discord form carries.
    pub fn max_length(self) -> usize {
        match self {
            Self::KeyId => 128,
            Self::SecretKey => 256,
            Self::SessionToken | Self::CatalogToken => 4000,
        }
    }

    /// Whether it must be filled in.
    pub fn is_required(self) -> bool {
        matches!(self, Self::KeyId | Self::SecretKey)
    }
}

impl fmt::Display for Field {
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
pub enum Mistake {
    /// Nothing but white space.
    #[error("**{0}** is empty. Please fill it in.")]
    Empty(Field),
    /// White space or a line break in the middle.
    #[error(
        "**{0}** has a space or a line break inside. Keys have none: please paste the key alone."
    )]
    Spaces(Field),
    /// Something that no key contains.
    #[error(
        "**{0}** has a character that keys don't have (only plain letters, digits and signs). \
         Please copy it again from where it was issued."
    )]
    Strange(Field),
    /// Longer than any key.
    #[error("**{0}** is {1} characters long, and no such key is. Please paste the key alone.")]
    TooLong(Field, usize),
}

/// Checks the four inputs, given in the order of [`Field::ALL`]. White space
/// around a value is dropped: it comes along when one copies from a terminal.
///
/// # Errors
/// Everything that is wrong, one [`Mistake`] per field at most.
pub fn parse(typed: [SecretString; 4]) -> Result<Credentials, Vec<Mistake>> {
    let mut mistakes = Vec::new();
    let [key_id, secret_key, session_token, catalog_token] = [0, 1, 2, 3].map(|place| {
        check(Field::ALL[place], &typed[place]).unwrap_or_else(|mistake| {
            mistakes.push(mistake);
            None
        })
    });
    match (key_id, secret_key) {
        (Some(key_id), Some(secret_key)) if mistakes.is_empty() => Ok(Credentials {
            key_id,
            secret_key,
            session_token,
            catalog_token,
        }),
        _ => Err(mistakes),
    }
}

fn check(field: Field, typed: &SecretString) -> Result<Option<SecretString>, Mistake> {
    let value = typed.expose_secret().trim();
    let length = value.chars().count();
    if value.is_empty() {
        return match field.is_required() {
            true => Err(Mistake::Empty(field)),
            false => Ok(None),
        };
    }
    if length > field.max_length() {
        return Err(Mistake::TooLong(field, length));
    }
    if value.chars().any(char::is_whitespace) {
        return Err(Mistake::Spaces(field));
    }
    if !value.chars().all(|c| c.is_ascii_graphic()) {
        return Err(Mistake::Strange(field));
    }
    Ok(Some(SecretString::from(value)))
}

impl Credentials {
    /// What was typed into a field, if anything.
    pub fn value(&self, field: Field) -> Option<&SecretString> {
        match field {
            Field::KeyId => Some(&self.key_id),
            Field::SecretKey => Some(&self.secret_key),
            Field::SessionToken => self.session_token.as_ref(),
            Field::CatalogToken => self.catalog_token.as_ref(),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(values: [&str; 4]) -> Result<Credentials, Vec<Mistake>> {
        parse(values.map(SecretString::from))
    }

    #[test]
    fn white_space_around_a_key_is_dropped_and_optional_fields_may_be_empty() {
        let keys = typed(["  AKIAEXAMPLE4D7Q\n", "\ts3cr3t/+= ", "", "  "]).expect("fine");
        assert_eq!(keys.key_id.expose_secret(), "AKIAEXAMPLE4D7Q");
        assert_eq!(keys.secret_key.expose_secret(), "s3cr3t/+=");
        assert!(keys.session_token.is_none() && keys.catalog_token.is_none());
        assert_eq!(keys.hint(), KeyHint("4D7Q".into()));
    }

    #[test]
    fn every_mistake_is_named_at_once_and_none_repeats_what_was_typed() {
        let long = "x".repeat(4001);
        let mistakes = typed(["AKIA CANARY", "", "canary\u{fc}", &long]).expect_err("refused");
        let said: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
        assert_eq!(
            mistakes,
            [
                Mistake::Spaces(Field::KeyId),
                Mistake::Empty(Field::SecretKey),
                Mistake::Strange(Field::SessionToken),
                Mistake::TooLong(Field::CatalogToken, 4001),
            ]
        );
        assert!(!said.join(" ").to_lowercase().contains("canary"));
    }

    #[test]
    fn line_breaks_inside_and_4000_characters_are_no_key() {
        let long = "k".repeat(4000);
        let refused = |values| typed(values).expect_err("refused");
        assert_eq!(
            refused(["AKIA\nX", "s", "", ""]),
            [Mistake::Spaces(Field::KeyId)]
        );
        assert_eq!(
            refused([&long, "s", "", ""]),
            [Mistake::TooLong(Field::KeyId, 4000)]
        );
    }

    #[test]
    fn nothing_is_shown_of_a_very_short_key_id() {
        assert_eq!(
            typed(["minio", "s", "", ""]).expect("fine").hint(),
            KeyHint(String::new())
        );
    }

    #[test]
    fn debug_shows_no_value() {
        let keys = typed(["AKIACANARY", "canary", "canary", "canary"]).expect("fine");
        assert!(!format!("{keys:?}").to_lowercase().contains("canary"));
    }
}
