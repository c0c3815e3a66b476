//! Texts about credentials in a request that don't work.

use crate::{
    credentials::preflight::{CheckedService, PreflightError},
    outbound::CertificateProblem,
};

/// Explains why credentials in a request don't work, or why they could not be checked.
pub(super) fn preflight_error(error: &PreflightError) -> String {
    match error {
        PreflightError::Unreachable(service) => format!(
            "The bot can't reach the {}, so the credentials could not be checked. Try again later, \
             or tell an admin.",
            name(service)
        ),
        PreflightError::BadCertificate {
            who,
            problem: CertificateProblem::UnknownIssuer(issuer),
        } => format!(
            "The bot does not trust the certificate of the {}, so the credentials could not be \
             checked. It was issued by {issuer}. An admin has to add the certificate of this CA \
             with the setting tls.ca_file.",
            name(who)
        ),
        PreflightError::BadCertificate {
            who,
            problem: CertificateProblem::Invalid(why),
        } => format!(
            "The certificate of the {} is not valid, so the credentials could not be checked \
             ({why}). Its admin has to replace the certificate.",
            name(who)
        ),
        PreflightError::Busy { who, status } => format!(
            "The {} is overloaded or has a problem right now (HTTP {status}), so the credentials \
             could not be checked. Try again later.",
            name(who)
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
        PreflightError::Suspended => {
            "The account of these credentials is suspended or has no access to the storage. Ask \
             the person who issued them."
                .to_owned()
        }
        PreflightError::Refused => {
            "The storage doesn't accept these credentials. Check them, or get new ones.".to_owned()
        }
        PreflightError::NoPermission { action, bucket } => format!(
            "These credentials are not allowed to list bucket {bucket} (permission {action}). Ask \
             the person who issued them for this permission."
        ),
        PreflightError::NoBucket(bucket) => {
            format!(
                "The storage has no bucket {bucket}. An admin has to correct the catalog's setting \
                 s3_bucket."
            )
        }
        PreflightError::OtherRegion => {
            "The storage is in another region than the bot's settings say. An admin has to correct \
             the catalog's setting s3_region."
                .to_owned()
        }
        PreflightError::OtherStyle => {
            "The storage wants the bucket in another place of its address. An admin has to change \
             the catalog's setting s3_path_style."
                .to_owned()
        }
        PreflightError::BucketInEndpoint => {
            "The storage's address in the bot's settings contains a bucket. An admin has to take it \
             out of the catalog's setting s3_endpoint, and set s3_bucket instead."
                .to_owned()
        }
        PreflightError::InvalidStorageSettings => {
            "The storage's address or region in the bot's settings is not valid. An admin has to \
             correct the catalog's settings s3_endpoint and s3_region."
                .to_owned()
        }
        PreflightError::CatalogWantsToken(name) => {
            format!("The catalog {name} requires a catalog_token. Send one.")
        }
        PreflightError::CatalogRefuses(name) => {
            format!("The catalog {name} doesn't accept this catalog_token. Send a new one.")
        }
        PreflightError::CatalogMoved { catalog, uri } => format!(
            "The catalog {catalog} wants requests at {uri}, and doesn't serve them at its address in \
             the bot's settings. An admin has to correct the setting catalogs.{catalog}.endpoint."
        ),
        PreflightError::CatalogForbids(name) => format!(
            "The catalog {name} denies these credentials access. Ask its admin for access, or send \
             other credentials."
        ),
        PreflightError::CatalogWantsSigV4(name) => format!(
            "The catalog {name} only answers requests that are signed with AWS credentials \
             (SigV4), as AWS Glue and S3 Tables do. An admin has to set sigv4_service for this \
             catalog in the bot's settings."
        ),
        PreflightError::CatalogOtherScope(name) => format!(
            "The catalog {name} expects requests that are signed for another region or service. An \
             admin has to correct the settings catalogs.{name}.s3_region and \
             catalogs.{name}.sigv4_service."
        ),
        PreflightError::WrongEndpoint { who, status } => {
            let (kind, setting) = match who {
                CheckedService::Storage => (
                    "an S3 service",
                    "the catalog's setting s3_endpoint".to_owned(),
                ),
                CheckedService::Catalog(name) => (
                    "an Iceberg REST catalog",
                    format!("the setting catalogs.{name}.endpoint"),
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
                    "the catalog's settings s3_endpoint, s3_region and s3_bucket".to_owned()
                }
                CheckedService::Catalog(name) => {
                    format!("the settings catalogs.{name}.endpoint and catalogs.{name}.warehouse")
                }
            };
            let answer = format!("HTTP {status} {code}");
            format!(
                "The {} gave no usable answer ({}). The credentials are probably not the reason. \
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
        CheckedService::Catalog(name) => format!("catalog {name}"),
    }
}
