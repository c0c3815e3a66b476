//! The parts of credentials and their secret values: names, limits and order. Pure.

use crate::settings::{Catalog, Settings};

/// A part of a person's credentials. Each catalog requires one; the other is optional.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialPart {
    S3Keys,
    CatalogToken,
}

impl CredentialPart {
    /// Returns the part that a session needs for this catalog.
    pub fn required_by(catalog: &Catalog) -> Self {
        if catalog.vended_credentials {
            Self::CatalogToken
        } else {
            Self::S3Keys
        }
    }

    /// Returns the part that a session needs for the catalog with this name or URL.
    pub fn required_for(settings: &Settings, catalog: &str) -> Self {
        let catalog = settings.catalog(catalog);
        catalog.map_or(Self::S3Keys, |catalog| Self::required_by(&catalog))
    }

    /// Returns the first field of the part, which no such part lacks.
    pub fn field(self) -> CredentialField {
        match self {
            Self::S3Keys => CredentialField::KeyId,
            Self::CatalogToken => CredentialField::CatalogToken,
        }
    }
}

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

    /// Returns true if the field must be filled in where this part is required.
    pub fn is_required(self, part: CredentialPart) -> bool {
        match part {
            CredentialPart::S3Keys => matches!(self, Self::KeyId | Self::SecretKey),
            CredentialPart::CatalogToken => self == Self::CatalogToken,
        }
    }
}
