//! Texts of forms. Discord shows them without Markdown.

use crate::credentials::{CredentialField, CredentialPart};

pub(crate) const EXPIRY_PLACEHOLDER: &str = "12h, or a time in UTC: 2026-11-23 18:00";
pub(crate) const QUERY_TITLE: &str = "Query the team's tables";
pub(crate) const QUERY_LABEL: &str = "One statement that reads";
/// Title and label of the form for a query whose line breaks Discord removed. At most 45 characters.
pub(crate) const LINES_TITLE: &str = "Discord removed your query's line breaks";
pub(crate) const LINES_LABEL: &str = "Put back the line break after each comment";
pub(crate) const QUERY_PLACEHOLDER: &str =
    "SELECT count(*) FROM schema.table (/duck tables shows the names of your tables)";
pub(crate) const SCHEDULE_TITLE: &str = "Run a query on a schedule";
pub(crate) const WHEN_LABEL: &str = "When";
pub(crate) const WHEN_PLACEHOLDER: &str = "every weekday at 9:00";
pub(crate) const ZONE_LABEL: &str = "Time zone";
pub(crate) const ZONE_PLACEHOLDER: &str = "Europe/Berlin";
pub(crate) const FORMAT_LABEL: &str = "Show as";
pub(crate) const FORMAT_PLACEHOLDER: &str = "table, chart or file";
pub(crate) const ONLY_IF_LABEL: &str = "Only if";
pub(crate) const ONLY_IF_PLACEHOLDER: &str =
    "rows, > 100, < 100 or changed; empty: post each result";

/// Title of the credentials form.
pub(crate) fn credentials_title(required: CredentialPart) -> &'static str {
    match required {
        CredentialPart::S3Keys => "Your S3 credentials",
        CredentialPart::CatalogToken => "Your catalog token",
    }
}

/// Text in the first input of the credentials form while it is empty. At most 100 characters.
pub(crate) fn paste_placeholder(required: CredentialPart) -> &'static str {
    match required {
        CredentialPart::S3Keys => {
            "AKIA…, or paste everything here: an env or credentials file, JSON, CSV, YAML, SQL, a \
             web page"
        }
        CredentialPart::CatalogToken => "The token, or a file or command output that contains it",
    }
}

/// Text in another input of the credentials form while it is empty.
pub(crate) fn field_placeholder(field: CredentialField) -> &'static str {
    match field {
        CredentialField::KeyId | CredentialField::SecretKey => "Nothing, if it is in your paste",
        CredentialField::SessionToken => "Only for temporary credentials",
        CredentialField::CatalogToken => "Only if your catalog requires one",
    }
}

/// Name of the credentials form's last input.
pub(crate) fn expiry_label(required: CredentialPart) -> &'static str {
    match required {
        CredentialPart::S3Keys => "Session token expires",
        CredentialPart::CatalogToken => "Catalog token expires",
    }
}

/// Name of an input of the credentials form.
pub(crate) fn field_label(field: CredentialField) -> &'static str {
    match field {
        CredentialField::KeyId => "Access key ID",
        CredentialField::SecretKey => "Secret access key",
        CredentialField::SessionToken => "Session token",
        CredentialField::CatalogToken => "Catalog token",
    }
}

/// Name of a part of a person's credentials.
pub(crate) fn part_name(part: CredentialPart) -> &'static str {
    match part {
        CredentialPart::S3Keys => "S3 credentials",
        CredentialPart::CatalogToken => "catalog token",
    }
}
