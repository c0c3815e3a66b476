//! Failures of DuckDB's requests to other servers: which server it was, and who can help. Pure.
//!
//! A failure is recognised by the type of DuckDB's error, never by words in it: errors quote data,
//! paths and queries. Only errors of these types are read further, and only at the places where
//! DuckDB or its extension for Iceberg writes the URL and the status:
//!
//! | type | written by | form |
//! | --- | --- | --- |
//! | HTTP | DuckDB | fields `status_code` and `response_body`; the URL is the first quoted text |
//! | HTTP | iceberg | `… endpoint returned response code Forbidden_403 …`, without fields |
//! | IO | DuckDB | `… error for HTTP GET to '<URL>'`: no answer |
//! | IO | iceberg | `GET request to endpoint '<URL>' failed: …`: no answer |
//! | Invalid Configuration | iceberg | `Request to '<URL>' returned a non-200 status code (Forbidden_403)…` |
//! | Invalid Configuration | iceberg | `Could not get token from <URL>: HTTP Forbidden_403 …` |
//! | Not implemented | iceberg | `Enum value: unrecognized enum value "419" for enum "HTTPStatusCode"` |
//!
//! Seen with DuckDB 1.5.5 and iceberg 45163a28.

use serde::{Deserialize, Serialize};

use super::environment::{CatalogAuth, SessionConfig};
use crate::catalog::values::S3Endpoint;
use crate::s3_error::{self, S3Error};

/// URL schemes that DuckDB reads with the session's S3 credentials.
const S3_SCHEMES: [&str; 6] = ["s3", "s3a", "s3n", "gcs", "gs", "r2"];
/// Domains of AWS.
const AWS_DOMAINS: [&str; 2] = ["amazonaws.com", "amazonaws.com.cn"];

/// A request of DuckDB that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestFailure {
    pub server: RemoteServer,
    pub cause: FailureCause,
}

/// A server that DuckDB sends requests to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RemoteServer {
    /// The S3 storage of the session.
    Storage {
        /// Bucket in the URL.
        bucket: Option<String>,
        login: StorageLogin,
    },
    /// The Iceberg catalog of the session.
    Catalog {
        /// Name of the catalog in SQL.
        name: String,
        login: CatalogLogin,
    },
    /// A server in the query. It gets none of the session's credentials.
    Other { host: String },
}

/// Credentials that a session sends to its storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StorageLogin {
    /// The owner's S3 keys.
    OwnKeys,
    /// Credentials from the catalog, for its tables only.
    Vended,
}

/// Credentials that a session sends to its catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CatalogLogin {
    None,
    /// The owner's catalog token.
    Token,
    /// The team's client.
    Client,
    /// The owner's S3 credentials, which sign the requests.
    Signature,
}

/// The reason for a failed request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureCause {
    /// The credentials are not accepted.
    Unauthorized,
    /// The credentials don't allow the request.
    Forbidden,
    /// The region or a clock is wrong.
    Misconfigured,
    /// The server is overloaded or failing.
    Busy,
    /// No answer.
    Unreachable,
}

/// Error as DuckDB writes it with `errors_as_json`.
#[derive(Deserialize)]
struct DuckDbError {
    exception_type: String,
    exception_message: String,
    status_code: Option<String>,
    response_body: Option<String>,
}

/// A failed request, as far as the error says.
struct Request<'a> {
    /// URL. `None` if only the extension for Iceberg writes such an error, so it is the catalog's.
    url: Option<&'a str>,
    /// Status of the answer. `None` if there was no answer.
    status: Option<u16>,
    body: &'a str,
}

/// Returns the request that failed, if `error`, in the format of `errors_as_json`, is about one.
pub fn find(error: &str, config: &SessionConfig) -> Option<RequestFailure> {
    let error: DuckDbError = serde_json::from_str(error).ok()?;
    let request = request(&error)?;
    let server = server(request.url, config)?;
    let cause = match (request.status, &server) {
        (None, _) => FailureCause::Unreachable,
        (Some(status), RemoteServer::Storage { .. }) => storage_cause(status, request.body)?,
        (Some(status), _) => plain_cause(status)?,
    };
    Some(RequestFailure { server, cause })
}

fn request(error: &DuckDbError) -> Option<Request<'_>> {
    let message = error.exception_message.as_str();
    let with = |url, status| {
        Some(Request {
            url,
            status,
            body: error.response_body.as_deref().unwrap_or_default(),
        })
    };
    match (error.exception_type.as_str(), &error.status_code) {
        ("HTTP", Some(status)) => {
            // DuckDB reports a status of 0 if the connection failed.
            let status = status.parse().ok().filter(|status| *status > 0);
            with(Some(quoted(message)?), status)
        }
        ("HTTP", None) => {
            let (_, rest) = message.split_once(" endpoint returned response code ")?;
            with(None, Some(named_status(rest)?))
        }
        ("IO", _) => {
            let (before, rest) = message.split_once('\'')?;
            let is_request = before.ends_with(" request to endpoint ")
                || before.contains(" error for HTTP ") && before.ends_with(" to ");
            with(is_request.then(|| rest.split('\'').next())?, None)
        }
        ("Invalid Configuration", _) => match message.strip_prefix("Could not get token from ") {
            // The login of the team's client.
            Some(rest) => with(None, Some(named_status(rest.split_once(": HTTP ")?.1)?)),
            None => {
                let (url, rest) = message.strip_prefix("Request to '")?.split_once('\'')?;
                let status = rest.strip_prefix(" returned a non-200 status code (")?;
                with(Some(url), Some(named_status(status)?))
            }
        },
        ("Not implemented", _) => {
            let rest = message.strip_prefix("Enum value: unrecognized enum value \"")?;
            let status = rest.strip_suffix("\" for enum \"HTTPStatusCode\"")?;
            with(None, Some(status.parse().ok()?))
        }
        _ => None,
    }
}

/// Returns the first text in single quotes.
fn quoted(message: &str) -> Option<&str> {
    message.split('\'').nth(1)
}

/// Parses a status like `Forbidden_403` at the beginning of a text.
fn named_status(text: &str) -> Option<u16> {
    let name = text.split([' ', ')', ',', '.']).next()?;
    name.rsplit_once('_')?.1.parse().ok()
}

/// Names the server of a URL. Without a URL it is the catalog.
fn server(url: Option<&str>, config: &SessionConfig) -> Option<RemoteServer> {
    let catalog = &config.catalog;
    let is_catalog = |url: &str| {
        url.strip_prefix(&*catalog.endpoint)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
    };
    let Some(url) = url.filter(|url| !is_catalog(url)) else {
        return Some(RemoteServer::Catalog {
            name: catalog.name.clone(),
            login: match catalog.auth {
                CatalogAuth::None => CatalogLogin::None,
                CatalogAuth::Token => CatalogLogin::Token,
                CatalogAuth::OAuth2 { .. } => CatalogLogin::Client,
                CatalogAuth::Signature { .. } => CatalogLogin::Signature,
            },
        });
    };
    let (scheme, rest) = url.split_once("://")?;
    let (host, path) = rest.split_once(['/', '?']).unwrap_or((rest, ""));
    let storage = |bucket: &str| RemoteServer::Storage {
        bucket: Some(bucket.to_owned()).filter(|name| !name.is_empty()),
        login: if catalog.vended {
            StorageLogin::Vended
        } else {
            StorageLogin::OwnKeys
        },
    };
    if S3_SCHEMES.contains(&scheme) {
        return Some(storage(host));
    }
    let endpoint = config.s3.endpoint.as_ref();
    // The storage may be below a path.
    let below = endpoint.map_or("", |endpoint| endpoint.path().trim_start_matches('/'));
    let path = path.strip_prefix(below).unwrap_or(path);
    let mut parts = path.trim_start_matches('/').split(['/', '?']);
    let first = parts.next().unwrap_or_default();
    Some(match bucket_prefix(host, endpoint) {
        Some("") => storage(first),
        Some(name) => storage(name),
        None => RemoteServer::Other { host: host.into() },
    })
}

/// Returns the bucket in a host of the storage; it is empty if the bucket is in the path. Returns
/// `None` for other hosts.
fn bucket_prefix<'a>(host: &'a str, endpoint: Option<&S3Endpoint>) -> Option<&'a str> {
    let is_aws = |rest: &str| AWS_DOMAINS.iter().any(|domain| rest.ends_with(domain));
    match endpoint {
        Some(endpoint) => {
            let before = host.strip_suffix(endpoint.authority())?;
            match before {
                "" => Some(""),
                _ => before.strip_suffix('.'),
            }
        }
        None if host.starts_with("s3.") && is_aws(host) => Some(""),
        None => {
            let (bucket, rest) = host.split_once(".s3.")?;
            is_aws(rest).then_some(bucket)
        }
    }
}

/// Returns the cause of a failure at the storage, or `None` if nobody but the query's author can
/// help, for example because a file does not exist.
fn storage_cause(status: u16, body: &str) -> Option<FailureCause> {
    match s3_error::meaning(status, body) {
        S3Error::UnknownKey
        | S3Error::WrongSecret
        | S3Error::ExpiredToken
        | S3Error::WrongToken
        | S3Error::Suspended
        | S3Error::Refused => Some(FailureCause::Unauthorized),
        S3Error::NoPermission => Some(FailureCause::Forbidden),
        S3Error::ClockSkew | S3Error::OtherRegion => Some(FailureCause::Misconfigured),
        S3Error::Busy => Some(FailureCause::Busy),
        // An answer to HEAD has no body.
        S3Error::NotS3 | S3Error::Strange | S3Error::NoBucket | S3Error::InvalidPart => {
            plain_cause(status)
        }
    }
}

fn plain_cause(status: u16) -> Option<FailureCause> {
    match status {
        // Iceberg's specification uses 419 for an expired token.
        401 | 419 => Some(FailureCause::Unauthorized),
        403 => Some(FailureCause::Forbidden),
        408 | 425 | 429 | 500 | 502.. => Some(FailureCause::Busy),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
