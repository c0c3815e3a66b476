//! The requests to the catalog. [`super::catalog_error`] has the meanings of its errors.

use chrono::{DateTime, Utc};
use reqwest::{Client, Method, RequestBuilder, StatusCode, Url};
use secrecy::ExposeSecret;

use super::{
    catalog_error::{Login, error, strange},
    error::{CheckedService, PreflightError},
    http::send,
};
use crate::{
    catalog::config::CatalogConfig,
    credentials::{Credentials, sign::sign},
    s3_error::is_momentary,
    settings::Catalog,
};

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
    Err(error(&answer, &url, login, &catalog.name))
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
    match (answer.status.as_u16(), login, moved) {
        (200..=299, ..) => Ok(()),
        (.., Some(moved)) => Err(moved),
        (400 | 401 | 419, ..) | (403, Login::None, _) => {
            Err(error(&answer, &url, login, &catalog.name))
        }
        (status, ..) if is_momentary(status) => Err(PreflightError::Busy { who, status }),
        // Some catalogs give the configuration of any warehouse (Unity Catalog).
        (404, ..) => Err(strange(who, 404)),
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
