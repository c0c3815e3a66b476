//! The result of reading a paste: values with their names.

use secrecy::{ExposeSecret, SecretString};

use crate::credentials::CredentialField;

/// Fields that a pasted value can be named as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    /// A field of the form.
    Credential(CredentialField),
    /// A token for the storage or for the catalog: the name does not say for which one.
    Token,
    /// Time at which the session token expires.
    Expiry,
}

/// Reasons why a value can't be used although it was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// After this many characters comes white space, and then text that may be its second half.
    Broken(usize),
    /// The last character may belong to the value, or to the text around it.
    Ending(char),
    /// The input was cut off within the value.
    Cut,
    /// Asterisks, a variable or a description stand for the value.
    Placeholder,
}

/// A value in a paste.
#[derive(Default)]
pub(crate) struct Pair {
    /// Field that the value is named as. Without one, the value is the whole text.
    pub name: Option<Name>,
    /// The value, without the quotes around it and with escapes replaced.
    pub value: SecretString,
    /// The value is as it was between quotes, so any character in it is meant.
    pub is_quoted: bool,
    /// Reason why the value can't be used.
    pub flaw: Option<Flaw>,
    /// Section, alias or user that the value belongs to.
    pub profile: Option<String>,
    /// The profile is a section of a file, which ends where the next one begins.
    pub is_in_section: bool,
    /// The name means other things, too: `access`, `secret`.
    pub is_weak: bool,
    /// Words of the name before those that say what the value is: `aws`, `django`.
    pub prefix: String,
}

impl Pair {
    pub(crate) fn is_named(&self, field: CredentialField) -> bool {
        self.name == Some(Name::Credential(field))
    }

    pub(crate) fn has_value(&self, value: &str) -> bool {
        self.value.expose_secret() == value
    }
}
