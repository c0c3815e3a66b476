//! Texts about credentials that can't be read from the form, or that don't work.

use super::{expiry_label, field_label, format::plain};
use crate::{
    credentials::{
        CredentialField, InputError, ValueError,
        preflight::{CheckedService, PreflightError},
    },
    outbound::CertificateProblem,
};

/// Explains a mistake in the form. Shows at most one character of a value.
pub(super) fn input_error(error: &InputError) -> String {
    match error {
        InputError::Value(field, error) => value_error(field_label(*field), error),
        InputError::NoKeyId(c, place) => format!(
            "**{}** contains punctuation that no access key ID has: {} at character {place}. \
             Check that it is not swapped with the secret access key, and paste only the \
             access key ID.",
            field_label(CredentialField::KeyId),
            symbol(*c),
        ),
        InputError::Wrapped(field, c, place) => format!(
            "**{}** seems to contain more than the value: {} at character {place}. Paste \
             only the value itself. If that character belongs to it, put single quotes around \
             the value.",
            field_label(*field),
            symbol(*c),
        ),
        InputError::Broken(field, place) => format!(
            "**{}** has a line break or a space after character {place}, and more text follows. If \
             that text belongs to the value, remove the break. If not, remove the \
             text.",
            field_label(*field)
        ),
        InputError::Placeholder(field) => format!(
            "**{}** is hidden in your paste: there are asterisks, a variable or a placeholder \
             instead of the value. Show the value where you copied it, and copy it again.",
            field_label(*field)
        ),
        InputError::Cut(field) => format!(
            "Your paste is longer than an input can be, and ends within **{}**. Paste only \
             the lines with the credentials.",
            field_label(*field)
        ),
        InputError::Twice(field, profiles) if profiles.is_empty() => format!(
            "**{}** was entered twice, with different values. Enter only one.",
            field_label(*field)
        ),
        InputError::Twice(field, profiles) => {
            let profiles = profiles.iter().map(|it| format!("`{it}`"));
            format!(
                "**{}** was entered more than once, with different values, for {}. Paste \
                 only the credentials that you want to use.",
                field_label(*field),
                profiles.collect::<Vec<_>>().join(", "),
            )
        }
        InputError::Halves(field, key_id, other) => format!(
            "**{}** is of `{key_id}`, and **{}** of `{other}`: they don't belong together. Paste \
             both of the same profile.",
            field_label(CredentialField::KeyId),
            field_label(*field)
        ),
        InputError::NoNames => {
            "I found no name of a credential in your paste. Paste each value with \
                                its name, like `AWS_ACCESS_KEY_ID=…`, or enter each one in its own \
                                field. OAuth clients (`client_id`) are no S3 keys."
                .to_owned()
        }
        InputError::NoSessionToken => format!(
            "These credentials are temporary (the access key ID begins with `ASIA`), and work only \
             with their **{}**. Enter it, too.",
            field_label(CredentialField::SessionToken)
        ),
        InputError::NoTime(part) => format!(
            "**{}** is not a time that I understand. Enter a duration like `12h`, or a time \
             in UTC like `2026-11-23 18:00`, or nothing.",
            expiry_label(*part)
        ),
        InputError::Past(part) => format!(
            "These credentials have already expired, according to **{}** or your paste. Enter new ones.",
            expiry_label(*part)
        ),
    }
}

fn value_error(label: &str, error: &ValueError) -> String {
    match error {
        ValueError::Empty => {
            format!(
                "**{label}** is empty. Fill it in, or paste all credentials into the first field, with their \
                 names."
            )
        }
        ValueError::Space(c, place) => format!(
            "**{label}** contains a space or a line break: {} at character {place}. Paste \
             only the value itself, in one piece.",
            symbol(*c)
        ),
        ValueError::Strange(c, place) => format!(
            "**{label}** contains a character that is not allowed: {} at character {place}. Only \
             letters without accents, digits and punctuation are allowed. Copy it again \
             from where it was issued.",
            symbol(*c)
        ),
        ValueError::TooLong(length) => format!(
            "**{label}** is {length} characters long, which is too long. Paste only the \
             value itself."
        ),
    }
}

/// Names a character, so that it can be found and does not change the text around it.
fn symbol(c: char) -> String {
    match c {
        ' ' => "a space".to_owned(),
        '\n' => "a line break".to_owned(),
        '\t' => "a tab".to_owned(),
        '`' => "a backtick".to_owned(),
        _ if c.is_ascii_graphic() => format!("`{c}`"),
        _ if c.is_alphabetic() => format!("`{c}` (U+{:04X})", u32::from(c)),
        _ => format!("the character U+{:04X}", u32::from(c)),
    }
}

/// Explains why credentials don't work, or why they could not be checked.
pub(super) fn preflight_error(error: &PreflightError) -> String {
    match error {
        PreflightError::Unreachable(service) => format!(
            "I can't reach the {}, so your credentials could not be checked. Try again in a \
             minute, or tell an admin.",
            name(service)
        ),
        PreflightError::BadCertificate {
            who,
            problem: CertificateProblem::UnknownIssuer(issuer),
        } => format!(
            "I don't trust the certificate of the {}, so your credentials could not be checked. It \
             was issued by {}. An admin has to add the certificate of this CA with the setting \
             `tls.ca_file`.",
            name(who),
            plain(issuer)
        ),
        PreflightError::BadCertificate {
            who,
            problem: CertificateProblem::Invalid(why),
        } => format!(
            "The certificate of the {} is not valid, so your credentials could not be checked ({}). \
             Its admin has to replace the certificate.",
            name(who),
            plain(why)
        ),
        PreflightError::Busy { who, status } => format!(
            "The {} is overloaded or has a problem right now (HTTP {status}), so your credentials \
             could not be checked. Try again in a minute.",
            name(who)
        ),
        PreflightError::UnknownKey => {
            "The storage doesn't know this **access key ID**. Check that it is complete, \
             and that it belongs to this storage. (One that begins with `ASIA` works only together \
             with its session token.)"
                .to_owned()
        }
        PreflightError::WrongSecret => "The **secret access key** doesn't belong to this access \
                                        key ID. Copy both again."
            .to_owned(),
        PreflightError::ExpiredToken => {
            "The **session token** has expired. Get new credentials.".to_owned()
        }
        PreflightError::WrongToken => "The **session token** isn't valid for this access key ID. \
                                       Copy all three values again."
            .to_owned(),
        PreflightError::ClockSkew => {
            "My clock and the storage's differ by more than 15 minutes, so your credentials could \
             not be checked. An admin has to correct one of the clocks."
                .to_owned()
        }
        PreflightError::Suspended => {
            "The account of these credentials is suspended or has no access to the storage. \
             Ask the person who gave you the credentials."
                .to_owned()
        }
        PreflightError::Refused => "The storage doesn't accept these credentials. Check \
                                    them, or get new ones."
            .to_owned(),
        PreflightError::NoPermission { action, bucket } => format!(
            "These credentials are not allowed to list bucket `{bucket}` (permission `{action}`). \
             Ask the person who gave you the credentials for this permission."
        ),
        PreflightError::NoBucket(bucket) => format!(
            "The storage has no bucket `{bucket}`. An admin has to correct the catalog's setting \
             `s3_bucket`."
        ),
        PreflightError::OtherRegion => "The storage is in another region than my settings say. An \
            admin has to correct the catalog's setting `s3_region`."
            .to_owned(),
        PreflightError::OtherStyle => "The storage wants the bucket in another place of its \
            address. An admin has to change the catalog's setting `s3_path_style`."
            .to_owned(),
        PreflightError::BucketInEndpoint => "The storage's address in my settings contains a \
            bucket. An admin has to take it out of the catalog's setting `s3_endpoint`, and set \
            `s3_bucket` instead."
            .to_owned(),
        PreflightError::InvalidStorageSettings => {
            "The storage's address or region in my settings is not valid. An admin has to correct \
             the catalog's settings `s3_endpoint` and `s3_region`."
                .to_owned()
        }
        PreflightError::CatalogWantsToken(name) => {
            format!("The catalog `{name}` requires a **catalog token**. Enter one.")
        }
        PreflightError::CatalogRefuses(name) => {
            format!("The catalog `{name}` doesn't accept this **catalog token**. Enter a new one.")
        }
        PreflightError::CatalogMoved { catalog, uri } => format!(
            "The catalog `{catalog}` wants requests at `{uri}`, and doesn't serve them at its \
             address in my settings. An admin has to correct the setting \
             `catalogs.{catalog}.endpoint`."
        ),
        PreflightError::CatalogForbids(name) => format!(
            "The catalog `{name}` denies you access. Ask its admin for access, or enter other \
             credentials."
        ),
        PreflightError::CatalogWantsSigV4(name) => format!(
            "The catalog `{name}` only answers requests that are signed with AWS credentials \
             (SigV4), as AWS Glue and S3 Tables do. An admin has to set `sigv4_service` for this \
             catalog in my settings."
        ),
        PreflightError::CatalogOtherScope(name) => format!(
            "The catalog `{name}` expects requests that are signed for another region or service. An \
             admin has to correct the settings `catalogs.{name}.s3_region` and \
             `catalogs.{name}.sigv4_service`."
        ),
        PreflightError::WrongEndpoint { who, status } => {
            let (kind, setting) = match who {
                CheckedService::Storage => (
                    "an S3 service",
                    "the catalog's setting `s3_endpoint`".to_owned(),
                ),
                CheckedService::Catalog(name) => (
                    "an Iceberg REST catalog",
                    format!("the setting `catalogs.{name}.endpoint`"),
                ),
            };
            format!(
                "The server at the address of the {} is not {kind} (HTTP {status}). An admin has \
                 to check {setting}.",
                name(who)
            )
        }
        PreflightError::Strange { who, status, code } => {
            let settings = match who {
                CheckedService::Storage => {
                    "the catalog's settings `s3_endpoint`, `s3_region` and `s3_bucket`".to_owned()
                }
                CheckedService::Catalog(name) => {
                    format!(
                        "the settings `catalogs.{name}.endpoint` and `catalogs.{name}.warehouse`"
                    )
                }
            };
            let answer = format!("HTTP {status} {code}");
            format!(
                "The {} gave no usable answer ({}). Your credentials are probably not the reason. \
                 An admin has to check {settings}.",
                name(who),
                answer.trim_end()
            )
        }
    }
}

fn name(service: &CheckedService) -> String {
    match service {
        CheckedService::Storage => "storage".to_owned(),
        CheckedService::Catalog(name) => format!("catalog `{name}`"),
    }
}
