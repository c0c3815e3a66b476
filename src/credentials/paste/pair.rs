//! The result of reading a paste: values with their names.

use secrecy::SecretString;

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
}
