//! Texts about errors. The chat's texts don't fit here, because they contain Markdown and name the
//! inputs of a form.

use crate::{
    credentials::{
        ValueError,
        preflight::{CheckedService, PreflightError},
    },
    session::ErrorSummary,
};

/// Explains why credentials in a request don't work, or why they could not be checked.
pub(super) fn preflight_error(error: &PreflightError) -> String {
    match error {
        PreflightError::Unreachable(service) => format!(
            "The bot can't reach the {}, so the credentials could not be checked. Try again in a \
             minute, or tell an admin.",
            name(service)
        ),
        PreflightError::UnknownKey => {
            "The storage doesn't know s3_key. Check that it is complete, and that it belongs to \
             this storage. An access key ID that begins with ASIA works only together with its \
             session_token."
                .to_owned()
        }
        PreflightError::WrongSecret => {
            "s3_secret doesn't belong to s3_key. Copy both again.".to_owned()
        }
        PreflightError::ExpiredToken => {
            "session_token has expired. Get new credentials.".to_owned()
        }
        PreflightError::WrongToken => {
            "session_token isn't valid for s3_key. Copy all three values again.".to_owned()
        }
        PreflightError::ClockSkew => {
            "The bot's clock and the storage's differ by more than 15 minutes, so the credentials \
             could not be checked. An admin has to correct one of the clocks."
                .to_owned()
        }
        PreflightError::Refused => {
            "The storage doesn't accept these credentials. Check them, or get new ones.".to_owned()
        }
        PreflightError::NoPermission { action, bucket } => format!(
            "These credentials are not allowed to list bucket {bucket} (permission {action}). Ask \
             the person who issued them for it."
        ),
        PreflightError::NoBucket(bucket) => {
            format!("There is no bucket {bucket}. An admin has to correct the setting s3_bucket.")
        }
        PreflightError::OtherRegion => {
            "The storage is in another region than the bot's settings say. An admin has to correct \
             the setting s3_region."
                .to_owned()
        }
        PreflightError::InvalidStorageSettings => {
            "The storage's address or region in the bot's settings is not valid. Tell an admin."
                .to_owned()
        }
        PreflightError::CatalogWantsToken(name) => {
            format!("The catalog {name} requires a catalog_token. Send one.")
        }
        PreflightError::CatalogRefuses(name) => {
            format!("The catalog {name} doesn't accept this catalog_token. Send a new one.")
        }
        PreflightError::Strange { who, status, code } => {
            let answer = format!("{status} {code}");
            format!(
                "The {} gave no usable answer ({}). Tell an admin.",
                name(who),
                answer.trim_end()
            )
        }
    }
}

fn name(service: &CheckedService) -> String {
    match service {
        CheckedService::Storage => "storage".to_owned(),
        CheckedService::Catalog(name) => format!("catalog {name}"),
    }
}

/// Explains why a credential is invalid, as the rest of a sentence about its field.
pub(crate) fn value_error(error: &ValueError) -> String {
    match error {
        ValueError::Empty => "is empty".to_owned(),
        ValueError::Spaces => "contains a space or a line break; send only the value".to_owned(),
        ValueError::Strange => "contains a character that is not allowed; only letters without \
                                accents, digits and punctuation are allowed"
            .to_owned(),
        ValueError::TooLong(length) => {
            format!("is {length} characters long, which is too long; send only the value")
        }
    }
}

/// Explains an error.
pub(crate) fn error_text(error: &ErrorSummary) -> String {
    match error {
        ErrorSummary::NotAllowed {
            verb,
            resource,
            namespace,
        } => format!(
            "I don't have the permission to {verb} {resource} in the namespace {namespace}. An \
             admin can grant it."
        ),
        ErrorSummary::Refused => {
            "The cluster's rules don't allow this. An admin can find the reason in my log."
                .to_owned()
        }
        ErrorSummary::QuotaExceeded { why } => format!(
            "The team's share of the cluster is used up ({why}). Stop a session that nobody needs, \
             or choose a smaller size."
        ),
        ErrorSummary::NotFound => {
            "The cluster lacks something that I need. An admin can find the details in my log."
                .to_owned()
        }
        ErrorSummary::Conflict => {
            "This was changed at the same moment. Please try again.".to_owned()
        }
        ErrorSummary::Disk { why } => format!(
            "I can't read or write a file on my disk ({why}). An admin can find the details in my \
             log."
        ),
        ErrorSummary::Discord => {
            "Discord did not answer as expected. Please try again in a minute.".to_owned()
        }
        ErrorSummary::Unreachable => {
            "I can't reach the cluster right now. Please try again in a minute.".to_owned()
        }
    }
}
