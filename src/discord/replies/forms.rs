//! Texts of forms. Discord shows them without Markdown.

use crate::credentials::CredentialField;

pub(crate) const CREDENTIALS_TITLE: &str = "Your S3 credentials";
/// At most 100 characters.
pub(crate) const PASTE_PLACEHOLDER: &str =
    "AKIA…, or paste everything here: an env or credentials file, JSON, CSV, YAML, SQL, a web page";
pub(crate) const EXPIRY_LABEL: &str = "Session token expires";
pub(crate) const EXPIRY_PLACEHOLDER: &str = "12h, or a time in UTC: 2026-11-23 18:00";
pub(crate) const QUERY_TITLE: &str = "Query the team's tables";
pub(crate) const QUERY_LABEL: &str = "One SELECT statement";
pub(crate) const QUERY_PLACEHOLDER: &str =
    "SELECT day, sum(total) FROM lake.sales.orders GROUP BY day";

/// Name of an input of the credentials form.
pub(crate) fn field_label(field: CredentialField) -> &'static str {
    match field {
        CredentialField::KeyId => "Access key ID",
        CredentialField::SecretKey => "Secret access key",
        CredentialField::SessionToken => "Session token",
        CredentialField::CatalogToken => "Catalog token",
    }
}
