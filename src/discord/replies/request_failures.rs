//! Advice for a query whose request to another server failed.

use super::format::code;
use crate::runtime::{CatalogLogin, FailureCause, RemoteServer, RequestFailure, StorageLogin};

/// Maximum length of a bucket's, a catalog's or a host's name.
const MAX_NAME_CHARS: usize = 63;

/// Tells who can help, and how.
pub(super) fn request_failure(failure: &RequestFailure) -> String {
    let server = match &failure.server {
        RemoteServer::Storage { .. } => "storage".to_owned(),
        RemoteServer::Catalog { name, .. } => format!("catalog `{}`", code(name, MAX_NAME_CHARS)),
        RemoteServer::Other { host } => format!("server `{}`", code(host, MAX_NAME_CHARS)),
    };
    match (failure.cause, &failure.server) {
        (FailureCause::Busy, _) => {
            format!("The {server} is overloaded or has a problem right now. Try again in a minute.")
        }
        (FailureCause::Conflict, _) => format!(
            "The {server} reports a conflict: somebody changed the table or made one of this name \
             meanwhile. Run the query again."
        ),
        (FailureCause::QuotaExceeded, _) => format!(
            "The {server} is full: its quota is used up. Its admin can raise the quota, or delete \
             what is no longer needed."
        ),
        (FailureCause::Archived, _) => format!(
            "A file of this data is in an archive of the {server}, which can't be read. Its admin \
             can restore the file."
        ),
        (FailureCause::NoTls, _) => format!(
            "DuckDB can't make a secure connection to the {server}: its certificate is not \
             trusted, or it does not use TLS. An admin has to check its address, and the setting \
             `tls.ca_file`."
        ),
        (FailureCause::Redirects, _) => format!(
            "The {server} only sends DuckDB to other addresses. An admin has to check its \
             address."
        ),
        (FailureCause::Unreadable, RemoteServer::Catalog { .. }) => format!(
            "The {server} gave an answer that DuckDB can't read. Most often it does not have this \
             table, or denies you access to it. Its admin can help."
        ),
        (FailureCause::Unreadable, _) => format!(
            "The {server} gave no usable answer. It may deny access. Your credentials are \
             not sent there, so `/duck setup` can't help."
        ),
        (FailureCause::Unreachable, _) => {
            format!("DuckDB can't reach the {server}. Try again in a minute, or tell an admin.")
        }
        (FailureCause::Misconfigured, _) => format!(
            "The {server} expects another region or address, or its clock differs from \
             DuckDB's. An admin has to check the catalog's settings that begin with `s3_`, and the \
             clocks."
        ),
        (
            FailureCause::Unauthorized,
            RemoteServer::Storage {
                login: StorageLogin::Vended,
                ..
            },
        ) => "The storage doesn't accept the credentials that the catalog handed out. Try \
              again in a minute, or tell an admin."
            .to_owned(),
        (FailureCause::Unauthorized, RemoteServer::Storage { .. }) => {
            "The storage doesn't accept your S3 credentials. Enter new ones with `/duck \
             setup`."
                .to_owned()
        }
        (FailureCause::Forbidden, RemoteServer::Storage { bucket, login }) => {
            let what = match bucket {
                Some(bucket) => format!("the bucket `{}`", code(bucket, MAX_NAME_CHARS)),
                None => "this data".to_owned(),
            };
            match login {
                StorageLogin::OwnKeys => format!(
                    "Your S3 credentials don't give you access to {what}, or they no longer work. \
                     `/duck setup` checks them; the storage's admin can grant access."
                ),
                StorageLogin::Vended => format!(
                    "The catalog gives your session no access to {what}: it covers the catalog's \
                     tables only. The catalog's admin can grant access."
                ),
            }
        }
        (FailureCause::Unauthorized, RemoteServer::Catalog { login, .. }) => match login {
            CatalogLogin::None => {
                format!("The {server} requires a catalog token. Enter one with `/duck setup`.")
            }
            CatalogLogin::Token => format!(
                "The {server} doesn't accept your catalog token. Enter a new one with \
                 `/duck setup`."
            ),
            CatalogLogin::Client => {
                format!(
                    "The {server} doesn't accept the team's login. An admin has to check the \
                     catalog's setting `oauth2_secret`."
                )
            }
            CatalogLogin::Signature => format!(
                "The {server} doesn't accept your S3 credentials. Enter new ones with \
                 `/duck setup`."
            ),
        },
        (
            FailureCause::Forbidden,
            RemoteServer::Catalog {
                login: CatalogLogin::None,
                ..
            },
        ) => format!(
            "The {server} denies you access. Its admin can grant it. If it uses catalog tokens, \
             enter one with `/duck setup`."
        ),
        (FailureCause::Forbidden, RemoteServer::Catalog { .. }) => {
            format!("The {server} denies you access. Its admin can grant it.")
        }
        (FailureCause::Unauthorized | FailureCause::Forbidden, RemoteServer::Other { .. }) => {
            format!(
                "The {server} denies access. Your credentials are not sent there, so `/duck setup` \
                 can't help. Ask that server's admin for access."
            )
        }
    }
}
