//! Failures of DuckDB's requests to other servers: which server it was, and who can help. Pure.
//!
//! `message` reads DuckDB's error. Here, the session's settings tell whose server it was.

mod message;

use serde::{Deserialize, Serialize};

use self::message::{NoAnswer, Outcome, Request, Target};
use super::{
    environment::{Catalog, CatalogAuth, SessionConfig},
    error_text::DuckDbError,
};
use crate::catalog::values::S3Endpoint;
use crate::s3_error::{self, S3Error};

/// URL schemes that DuckDB reads with the session's S3 credentials.
const S3_SCHEMES: [&str; 6] = ["s3", "s3a", "s3n", "gcs", "gs", "r2"];
/// Domains of AWS.
const AWS_DOMAINS: [&str; 2] = [".amazonaws.com", ".amazonaws.com.cn"];

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
    /// The address, the region or a clock is wrong.
    Misconfigured,
    /// The server is overloaded or failing.
    Busy,
    /// No answer.
    Unreachable,
    /// Another change of the same table or name was faster.
    Conflict,
    /// The storage's quota is used up.
    QuotaExceeded,
    /// The file is in an archive, and has to be restored first.
    Archived,
    /// No TLS: the certificate is not trusted, or the server does not use TLS.
    NoTls,
    /// The server only redirects.
    Redirects,
    /// DuckDB can't read the answer.
    Unreadable,
}

/// Returns the request that failed, if `error`, as DuckDB wrote it, is about one.
pub fn find(error: &str, config: &SessionConfig) -> Option<RequestFailure> {
    let request = message::read(&DuckDbError::parse(error)?)?;
    let server = server(&request.target, config)?;
    let cause = cause(&request, &server)?;
    Some(RequestFailure { server, cause })
}

/// Returns the cause of a failure, or `None` if nobody but the query's author can help, for example
/// because a file does not exist.
fn cause(request: &Request, server: &RemoteServer) -> Option<FailureCause> {
    match (&request.outcome, server) {
        (Outcome::NoAnswer(NoAnswer::Connection), _) => Some(FailureCause::Unreachable),
        (Outcome::NoAnswer(NoAnswer::Tls), _) => Some(FailureCause::NoTls),
        (Outcome::NoAnswer(NoAnswer::Redirects), _) => Some(FailureCause::Redirects),
        (Outcome::Unreadable, _) => Some(FailureCause::Unreadable),
        (Outcome::Status(status), RemoteServer::Storage { .. }) => {
            storage_cause(*status, &request.body)
        }
        (Outcome::Status(409), RemoteServer::Catalog { .. }) => Some(FailureCause::Conflict),
        (Outcome::Status(status), _) => plain_cause(*status),
    }
}

/// Names the server of a request.
fn server(target: &Target, config: &SessionConfig) -> Option<RemoteServer> {
    let url = match target {
        Target::Catalog => return Some(catalog_server(&config.catalog)),
        Target::Iceberg(url) => {
            return match length_in_catalog(url, &config.catalog) {
                Some(_) => Some(catalog_server(&config.catalog)),
                None => other_server(url),
            };
        }
        Target::Storage(url) | Target::Web(url) | Target::Any(url) => url,
    };
    let (scheme, rest) = url.split_once("://")?;
    let login = if config.catalog.vended {
        StorageLogin::Vended
    } else {
        StorageLogin::OwnKeys
    };
    let storage = |bucket: &str| RemoteServer::Storage {
        bucket: Some(bucket.to_owned()).filter(|name| !name.is_empty()),
        login,
    };
    if S3_SCHEMES.contains(&scheme) {
        return Some(storage(first_part(rest)));
    }
    if let Target::Web(_) = target {
        return other_server(url);
    }
    let in_storage = in_storage(rest, config.s3.endpoint.as_ref());
    let in_catalog = match target {
        Target::Storage(_) => None,
        _ => length_in_catalog(url, &config.catalog),
    };
    match (in_storage, in_catalog) {
        // One of them may be below a path of the other.
        (Some((_, length)), Some(longer)) if longer >= length => {
            Some(catalog_server(&config.catalog))
        }
        (Some((bucket, _)), _) => Some(storage(bucket)),
        (None, Some(_)) => Some(catalog_server(&config.catalog)),
        (None, None) => other_server(url),
    }
}

fn catalog_server(catalog: &Catalog) -> RemoteServer {
    RemoteServer::Catalog {
        name: catalog.name.clone(),
        login: match catalog.auth {
            CatalogAuth::None => CatalogLogin::None,
            CatalogAuth::Token => CatalogLogin::Token,
            CatalogAuth::OAuth2 { .. } => CatalogLogin::Client,
            CatalogAuth::Signature { .. } => CatalogLogin::Signature,
        },
    }
}

fn other_server(url: &str) -> Option<RemoteServer> {
    let (_, rest) = url.split_once("://")?;
    // Without a user name and password.
    let host = first_part(rest).rsplit('@').next()?.to_owned();
    Some(RemoteServer::Other { host })
}

/// Returns the length of the catalog's address, without its scheme, if `url` is a request to the catalog:
/// DuckDB's are all below `/v1/`.
fn length_in_catalog(url: &str, catalog: &Catalog) -> Option<usize> {
    let rest = url.strip_prefix(&*catalog.endpoint)?;
    let (_, address) = catalog.endpoint.split_once("://")?;
    rest.starts_with("/v1/").then_some(address.len())
}

/// Returns the text up to the first slash or question mark.
fn first_part(text: &str) -> &str {
    text.split(['/', '?']).next().unwrap_or_default()
}

/// Returns the bucket of a URL without its scheme, and the length of the storage's address in it, if
/// the URL is in the storage.
fn in_storage<'a>(url: &'a str, endpoint: Option<&S3Endpoint>) -> Option<(&'a str, usize)> {
    let host = first_part(url);
    let path = &url[host.len()..];
    let is_aws = |rest: &str| {
        let mut domains = AWS_DOMAINS.iter();
        domains.any(|domain| rest.ends_with(domain) || rest == &domain[1..])
    };
    // The bucket in front of the host is empty if the bucket is in the path.
    let (bucket, below) = match endpoint {
        Some(endpoint) => {
            let before = host.strip_suffix(endpoint.authority())?;
            let bucket = before.strip_suffix('.');
            let bucket = bucket.or(before.is_empty().then_some(""))?;
            (bucket, endpoint.path())
        }
        None if host.starts_with("s3.") && is_aws(host) => ("", ""),
        None => {
            let (bucket, rest) = host.split_once(".s3.")?;
            (is_aws(rest).then_some(bucket)?, "")
        }
    };
    let path = path.strip_prefix(below)?;
    if !path.is_empty() && !path.starts_with(['/', '?']) {
        return None;
    }
    let length = host.len() + below.len();
    match bucket {
        "" => Some((first_part(path.trim_start_matches('/')), length)),
        bucket => Some((bucket, length)),
    }
}

fn storage_cause(status: u16, body: &str) -> Option<FailureCause> {
    match s3_error::meaning(status, body) {
        S3Error::UnknownKey
        | S3Error::WrongSecret
        | S3Error::ExpiredToken
        | S3Error::WrongToken
        | S3Error::Suspended
        | S3Error::Refused => Some(FailureCause::Unauthorized),
        // A denial with a code that nobody knows says nothing about the credentials themselves.
        S3Error::NoPermission | S3Error::Denied => Some(FailureCause::Forbidden),
        S3Error::QuotaExceeded => Some(FailureCause::QuotaExceeded),
        S3Error::Archived => Some(FailureCause::Archived),
        S3Error::ClockSkew | S3Error::OtherRegion | S3Error::OtherStyle | S3Error::OtherAddress => {
            Some(FailureCause::Misconfigured)
        }
        S3Error::Busy => Some(FailureCause::Busy),
        // An answer to HEAD has no body. Storages use this status for other regions only.
        S3Error::NotS3 if status == 301 && body.is_empty() => Some(FailureCause::Misconfigured),
        S3Error::NotS3 | S3Error::Strange | S3Error::NoBucket => plain_cause(status),
    }
}

fn plain_cause(status: u16) -> Option<FailureCause> {
    match status {
        // Iceberg's specification uses 419 for an expired token.
        401 | 419 => Some(FailureCause::Unauthorized),
        403 => Some(FailureCause::Forbidden),
        _ if s3_error::is_momentary(status) => Some(FailureCause::Busy),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
