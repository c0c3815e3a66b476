//! Client of a catalog's REST API, for lists. Does I/O.
//!
//! Follows no redirect. Sends the login to the catalog's address in the settings
//! only, or to its authorization server.

use std::time::Duration;

use reqwest::{Client, RequestBuilder, Url, redirect::Policy};
use serde::{Deserialize, de::DeserializeOwned};

use super::config::CatalogConfig;
use crate::outbound::{CertificateProblem, Outbound};

/// Maximum time for one request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum size of an answer.
const MAX_RESPONSE_BYTES: usize = 8 << 20;
/// Maximum number of entries of a list.
const MAX_ENTRIES: usize = 50_000;
/// Scope that DuckDB requests by default.
const DEFAULT_SCOPE: &str = "PRINCIPAL_ROLE:ALL";
/// Requests, as errors name them.
const LOGIN: &str = "the request for a token";
const CONFIG: &str = "the request for its configuration";
const NAMESPACES: &str = "the request for namespaces";
const TABLES: &str = "the request for tables";

/// A catalog to list. It has no `Debug`, because it contains secrets.
pub struct ListedCatalog<'a> {
    pub endpoint: &'a str,
    /// Warehouse; empty if the catalog has only one.
    pub warehouse: &'a str,
    pub login: Login<'a>,
    pub outbound: &'a Outbound,
}

/// Login at a catalog.
pub enum Login<'a> {
    None,
    Token(&'a str),
    /// Login with a token that is requested first.
    OAuth2 {
        /// URL that issues the token. `None` if the catalog itself does.
        server: Option<&'a str>,
        scope: Option<&'a str>,
        id: &'a str,
        secret: &'a str,
    },
}

/// Reasons why no tables could be listed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListingError {
    #[error("the catalog did not answer in time, or can't be reached")]
    Unreachable,
    #[error(
        "{0}. An admin should set `tls.ca_file` to the certificates of the CAs that are in use"
    )]
    BadCertificate(CertificateProblem),
    #[error("the catalog requires signed requests, which only DuckDB can send")]
    Unsigned,
    #[error("the catalog answered {0} with status {1}")]
    Status(&'static str, u16),
    #[error("the catalog's answer to {0} is too large, or not a valid document")]
    Unusable(&'static str),
    #[error(
        "the catalog wants requests at {0} (`overrides.uri` of its configuration), and its address in \
         the settings does not list namespaces. DuckDB does not follow this. An admin should set \
         `endpoint` of this catalog to its new address"
    )]
    Moved(String),
}

/// Client of a catalog, logged in.
pub(super) struct CatalogClient {
    client: Client,
    base: Url,
    token: Option<String>,
    /// Address that the catalog names, if it is another one.
    pub(super) moved_to: Option<String>,
}

impl CatalogClient {
    /// Logs in, and reads the catalog's configuration.
    pub(super) async fn connect(catalog: &ListedCatalog<'_>) -> Result<Self, ListingError> {
        let client = catalog
            .outbound
            .client()
            .timeout(REQUEST_TIMEOUT)
            .redirect(Policy::none())
            .build()
            .map_err(|_| ListingError::Unreachable)?;
        let token = match &catalog.login {
            Login::None => None,
            Login::Token(token) => Some((*token).to_owned()),
            Login::OAuth2 {
                server,
                scope,
                id,
                secret,
            } => {
                let own = format!("{}/v1/oauth/tokens", catalog.endpoint);
                let form = [
                    ("grant_type", "client_credentials"),
                    ("scope", scope.unwrap_or(DEFAULT_SCOPE)),
                ];
                let asked = client.post(server.unwrap_or(&own)).form(&form);
                let issued = send(asked.basic_auth(id, Some(secret)), LOGIN).await?;
                Some(parse::<IssuedToken>(&issued, LOGIN)?.access_token)
            }
        };
        let mut asked = client.get(format!("{}/v1/config", catalog.endpoint));
        if !catalog.warehouse.is_empty() {
            asked = asked.query(&[("warehouse", catalog.warehouse)]);
        }
        let config = send(authorize(asked, token.as_deref()), CONFIG).await?;
        let config: CatalogConfig = parse(&config, CONFIG)?;
        let base = config.base(catalog.endpoint);
        Ok(Self {
            client,
            base: base.ok_or(ListingError::Unreachable)?,
            token,
            moved_to: config.moved_to(catalog.endpoint).map(str::to_owned),
        })
    }

    /// Lists the namespaces directly below `parent`.
    pub(super) async fn namespaces(
        &self,
        parent: &[String],
    ) -> Result<Vec<Vec<String>>, ListingError> {
        let mut url = self.url(&["namespaces"]);
        if !parent.is_empty() {
            // The form encoding of a space, `+`, is not understood everywhere.
            let query = format!("parent={}", encoded(&joined(parent)));
            url.set_query(Some(&query));
        }
        self.pages(url, NAMESPACES, |page: NamespacesPage| {
            (page.namespaces, page.next_page_token)
        })
        .await
    }

    /// Lists the tables directly in `namespace`.
    pub(super) async fn tables(&self, namespace: &[String]) -> Result<Vec<String>, ListingError> {
        let url = self.url(&["namespaces", &joined(namespace), "tables"]);
        let of_page = |page: TablesPage| {
            let names = page.identifiers.into_iter().map(|table| table.name);
            (names.collect(), page.next_page_token)
        };
        self.pages(url, TABLES, of_page).await
    }

    async fn pages<P: DeserializeOwned, T>(
        &self,
        url: Url,
        what: &'static str,
        of_page: impl Fn(P) -> (Vec<T>, Option<String>),
    ) -> Result<Vec<T>, ListingError> {
        let mut all = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let mut asked = url.clone();
            if let Some(token) = &token {
                let query = asked.query().map(|query| format!("{query}&"));
                let query = query.unwrap_or_default() + "pageToken=" + &encoded(token);
                asked.set_query(Some(&query));
            }
            let asked = authorize(self.client.get(asked), self.token.as_deref());
            let (items, next) = of_page(parse(&send(asked, what).await?, what)?);
            all.extend(items);
            // A catalog that repeats its token would never end.
            match next.filter(|next| !next.is_empty() && token.as_ref() != Some(next)) {
                Some(next) if all.len() < MAX_ENTRIES => token = Some(next),
                _ => return Ok(all),
            }
        }
    }

    /// Returns the URL of a part of the catalog. Iceberg's catalogs read `+` in a path as a space, so it is
    /// encoded, as DuckDB does.
    fn url(&self, parts: &[&str]) -> Url {
        let mut url = self.base.clone();
        let parts: Vec<_> = parts.iter().map(|part| encoded(part)).collect();
        let path = format!("{}/{}", url.path().trim_end_matches('/'), parts.join("/"));
        url.set_path(&path);
        url
    }
}

#[derive(Deserialize)]
struct IssuedToken {
    access_token: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct NamespacesPage {
    #[serde(default)]
    namespaces: Vec<Vec<String>>,
    next_page_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct TablesPage {
    #[serde(default)]
    identifiers: Vec<TableIdentifier>,
    next_page_token: Option<String>,
}

#[derive(Deserialize)]
struct TableIdentifier {
    name: String,
}

/// Joins the levels of a namespace as the specification does in URLs.
fn joined(levels: &[String]) -> String {
    levels.join("\u{1f}")
}

/// Encodes a text for a URL's path or query.
fn encoded(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let encode = |byte: u8| {
        if is_plain(byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    text.bytes().map(encode).collect()
}

fn authorize(request: RequestBuilder, token: Option<&str>) -> RequestBuilder {
    match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    }
}

/// Sends a request and reads the answer.
async fn send(request: RequestBuilder, what: &'static str) -> Result<Vec<u8>, ListingError> {
    let answer = request.send().await;
    let mut answer = answer.map_err(|error| match CertificateProblem::find(&error) {
        Some(problem) => ListingError::BadCertificate(problem),
        None => ListingError::Unreachable,
    })?;
    let status = answer.status();
    if !status.is_success() {
        return Err(ListingError::Status(what, status.as_u16()));
    }
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = answer.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_RESPONSE_BYTES {
            return Err(ListingError::Unusable(what));
        }
    }
    Ok(body)
}

fn parse<T: DeserializeOwned>(body: &[u8], what: &'static str) -> Result<T, ListingError> {
    // The answer itself is not repeated: it may be a token.
    serde_json::from_slice(body).map_err(|_| ListingError::Unusable(what))
}
