//! The secret values of credentials: their names, limits and order. Pure.

/// A secret input of the form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialField {
    /// Access key ID: `AKIA…`, or a user name at other S3 services.
    KeyId,
    /// Secret access key.
    SecretKey,
    /// Session token, which only temporary credentials have.
    SessionToken,
    /// Catalog token, if the catalog requires one.
    CatalogToken,
}

impl CredentialField {
    /// The fields in the order of the form.
    pub const ALL: [Self; 4] = [
        Self::KeyId,
        Self::SecretKey,
        Self::SessionToken,
        Self::CatalogToken,
    ];

    /// Name of the field in the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::KeyId => "s3-access-key-id",
            Self::SecretKey => "s3-secret-access-key",
            Self::SessionToken => "s3-session-token",
            Self::CatalogToken => "catalog-token",
        }
    }

    /// Maximum number of characters. Access key IDs have up to 128 (AWS IAM API, `AccessKey`).
    /// Session tokens have no documented limit, but an input of a Discord form holds 4000.
    pub(super) fn max_length(self) -> usize {
        match self {
            Self::KeyId => 128,
            Self::SecretKey => 256,
            // One less than the form's limit: a text of full length may have been cut off.
            Self::SessionToken | Self::CatalogToken => 3999,
        }
    }

    /// Returns true if the field must be filled in.
    pub fn is_required(self) -> bool {
        matches!(self, Self::KeyId | Self::SecretKey)
    }
}
