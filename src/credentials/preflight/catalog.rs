//! The request to the catalog, and the meaning of its answer.

use chrono::{DateTime, Utc};
use reqwest::{Client, Method, RequestBuilder, StatusCode, Url};
use secrecy::ExposeSecret;
use serde_json::{Map, Value};

use super::{
    error::{CheckedService, PreflightError},
    http::{HttpResponse, send},
};
use crate::{
    catalog::config::CatalogConfig,
    credentials::{Credentials, sign::sign},
    s3_error::{S3Error, meaning_of_code},
    settings::Catalog,
};

/// Name of the error in a response of AWS. A host and a URL may follow after a colon.
const AWS_ERROR_HEADER: &str = "x-amzn-errortype";
/// Beginnings of AWS's names for a missing signature, and for a token in its place.
const AWS_UNSIGNED: [&str; 2] = ["MissingAuthenticationToken", "IncompleteSignature"];
/// Message of AWS about a missing signature.
const AWS_UNSIGNED_MESSAGE: &str = "Missing Authentication Token";
/// Services of AWS that are catalogs. Other hosts of AWS may be anybody's catalog.
const AWS_CATALOGS: [&str; 2] = ["glue.", "s3tables."];
/// Domains of AWS.
const AWS_DOMAINS: [&str; 2] = [".amazonaws.com", ".amazonaws.com.cn"];

/// Means by which a request names its sender.
enum Login {
    None,
    Token,
    Signature,
}

/// Asks the catalog for its configuration, as DuckDB does first.
pub(super) async fn check(
    client: &Client,
    credentials: &Credentials,
    catalog: &Catalog,
    now: DateTime<Utc>,
) -> Result<(), PreflightError> {
    let has_token = credentials.catalog_token.is_some() && !catalog.ignores_tokens;
    if catalog.oauth2.is_some() && !has_token {
        // Sessions log in as the team's client, which is not part of these credentials.
        return Ok(());
    }
    let who = CheckedService::Catalog(catalog.name.clone());
    let Ok(url) = config_url(catalog) else {
        return Err(PreflightError::Unreachable(who));
    };
    let (request, login) = request(client, &url, credentials, catalog, now);
    let answer = send(request, &who).await?;
    let config = CatalogConfig::parse(&answer.text);
    if let (StatusCode::OK, Some(config)) = (answer.status, &config) {
        return check_namespaces(client, credentials, catalog, config, now).await;
    }
    let body = serde_json::from_str::<Map<String, Value>>(&answer.text).ok();
    Err(error(&answer, body, &url, &login, &catalog.name))
}

/// Asks for the namespaces, because some catalogs give everybody their configuration (SeaweedFS). A
/// catalog that names another address must serve them at its address in the settings, too: DuckDB does
/// not follow the other one, and the bot sends no token there.
async fn check_namespaces(
    client: &Client,
    credentials: &Credentials,
    catalog: &Catalog,
    config: &CatalogConfig,
    now: DateTime<Utc>,
) -> Result<(), PreflightError> {
    let moved = config
        .moved_to(&catalog.endpoint)
        .map(|uri| PreflightError::CatalogMoved {
            catalog: catalog.name.clone(),
            uri: shown_address(uri),
        });
    let base = config.base(&catalog.endpoint);
    let Some(url) = base.and_then(|base| Url::parse(&format!("{base}/namespaces")).ok()) else {
        return moved.map_or(Ok(()), Err);
    };
    let (request, login) = request(client, &url, credentials, catalog, now);
    let who = CheckedService::Catalog(catalog.name.clone());
    let answer = send(request, &who).await?;
    match (answer.status.as_u16(), &login, moved) {
        (200..=299, ..) => Ok(()),
        (.., Some(moved)) => Err(moved),
        (401 | 419, ..) | (403, Login::None, _) => {
            let body = serde_json::from_str(&answer.text).ok();
            Err(error(&answer, body, &url, &login, &catalog.name))
        }
        // Who may not list namespaces may still read tables.
        _ => Ok(()),
    }
}

fn shown_address(uri: &str) -> String {
    let plain = uri.chars().filter(|c| c.is_ascii_graphic() && *c != '`');
    plain.take(200).collect()
}

fn config_url(catalog: &Catalog) -> Result<Url, ()> {
    let mut url = Url::parse(&format!("{}/v1/config", catalog.endpoint)).map_err(|_| ())?;
    if let Some(warehouse) = &catalog.warehouse {
        url.query_pairs_mut().append_pair("warehouse", warehouse);
        // Signers disagree about `+`, but all agree about `%20`.
        let query = url.query().map(|query| query.replace('+', "%20"));
        url.set_query(query.as_deref());
    }
    Ok(url)
}

fn request(
    client: &Client,
    url: &Url,
    credentials: &Credentials,
    catalog: &Catalog,
    now: DateTime<Utc>,
) -> (RequestBuilder, Login) {
    let asked = client.get(url.clone());
    if let (Some(service), Some(keys)) = (&catalog.sigv4_service, &credentials.s3) {
        let region = &catalog.s3_region;
        // The storage reports values that can't be sent, which is signed in the same way.
        return match sign(&Method::GET, url, keys, (service, region), now) {
            Ok(headers) => (asked.headers(headers), Login::Signature),
            Err(_) => (asked, Login::Signature),
        };
    }
    match &credentials.catalog_token {
        Some(token) => (asked.bearer_auth(token.value.expose_secret()), Login::Token),
        None => (asked, Login::None),
    }
}

/// Translates an error of the catalog.
fn error(
    answer: &HttpResponse,
    body: Option<Map<String, Value>>,
    url: &Url,
    login: &Login,
    name: &str,
) -> PreflightError {
    let name = || name.to_owned();
    let who = || CheckedService::Catalog(name());
    // Some catalogs have error documents of their own, but all have JSON.
    let is_catalog = body.is_some();
    let body = Value::Object(body.unwrap_or_default());
    let status = answer.status.as_u16();
    match (status, login) {
        (408 | 425 | 429 | 500 | 502.., _) => PreflightError::Busy { who: who(), status },
        (400 | 401 | 403, Login::Signature) => {
            signature_error(&error_type(answer, &body), status, name())
        }
        (400 | 401 | 403, _) if wants_signature(answer, &body, url) => {
            PreflightError::CatalogWantsSigV4(name())
        }
        // Iceberg's specification uses 419 for an expired token.
        (401 | 419, Login::Token) => PreflightError::CatalogRefuses(name()),
        (401, Login::None) => PreflightError::CatalogWantsToken(name()),
        (403, Login::Token) if is_catalog => PreflightError::CatalogForbids(name()),
        (403, Login::None) if is_catalog => PreflightError::CatalogWantsToken(name()),
        (400.., _) if is_catalog => PreflightError::Strange {
            who: who(),
            status,
            code: String::new(),
        },
        _ => PreflightError::WrongEndpoint { who: who(), status },
    }
}

/// Translates a denial of a signed request. AWS uses the same names for its storage.
fn signature_error(error: &str, status: u16, name: String) -> PreflightError {
    match meaning_of_code(error) {
        Some(S3Error::UnknownKey) => PreflightError::UnknownKey,
        Some(S3Error::WrongSecret) => PreflightError::WrongSecret,
        Some(S3Error::ExpiredToken) => PreflightError::ExpiredToken,
        Some(S3Error::WrongToken) => PreflightError::WrongToken,
        Some(S3Error::ClockSkew) => PreflightError::ClockSkew,
        Some(S3Error::Busy) => PreflightError::Busy {
            who: CheckedService::Catalog(name),
            status,
        },
        _ if status == 400 => PreflightError::Strange {
            who: CheckedService::Catalog(name),
            status,
            code: String::new(),
        },
        _ => PreflightError::CatalogForbids(name),
    }
}

/// Returns the name of the error, as AWS or Iceberg's specification writes it.
fn error_type(answer: &HttpResponse, body: &Value) -> String {
    let header = answer.headers.get(AWS_ERROR_HEADER);
    let header = header.and_then(|name| name.to_str().ok());
    let name = header.or_else(|| body["error"]["type"].as_str());
    let name = name.and_then(|name| name.split(':').next());
    name.unwrap_or_default().to_owned()
}

/// Returns true if AWS misses a signature.
fn wants_signature(answer: &HttpResponse, body: &Value, url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let is_aws = AWS_DOMAINS.iter().any(|domain| host.ends_with(domain))
        && AWS_CATALOGS.iter().any(|service| host.starts_with(service));
    let error = error_type(answer, body);
    is_aws
        || AWS_UNSIGNED.iter().any(|name| error.starts_with(name))
        || body["message"] == AWS_UNSIGNED_MESSAGE
}
