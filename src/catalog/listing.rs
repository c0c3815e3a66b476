//! Lists the tables of a catalog within a time limit, with several requests at a time. Does I/O.
//!
//! Follows no redirect and uses no proxy. Sends the login to the catalog's address in the settings
//! only, or to its authorization server.

use std::{
    collections::{HashSet, VecDeque},
    time::Duration,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use reqwest::{Client, RequestBuilder, Url, redirect::Policy};
use serde::{Deserialize, de::DeserializeOwned};
use tokio::time::{Instant, timeout_at};

use super::config::CatalogConfig;

/// Maximum time for one request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum number of requests at a time.
const MAX_CONCURRENT: usize = 16;
/// Maximum size of an answer.
const MAX_RESPONSE_BYTES: usize = 16 << 20;
/// Maximum number of namespaces and of tables to list.
const MAX_NAMESPACES: usize = 20_000;
const MAX_TABLES: usize = 50_000;
/// Maximum number of levels of a namespace.
const MAX_LEVELS: usize = 32;
/// Scope that DuckDB requests by default.
const DEFAULT_SCOPE: &str = "PRINCIPAL_ROLE:ALL";

/// A catalog to list. It has no `Debug`, because it contains secrets.
pub struct ListedCatalog<'a> {
    pub endpoint: &'a str,
    /// Warehouse; empty if the catalog has only one.
    pub warehouse: &'a str,
    pub login: Login<'a>,
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

/// Tables of a catalog.
#[derive(Debug, Default)]
pub struct Listing {
    /// Levels of the namespace, and name of each table. Sorted.
    pub tables: Vec<(Vec<String>, String)>,
    /// True if these are all tables that the person may list.
    pub is_complete: bool,
    /// True if DuckDB can list the namespaces in namespaces. If the catalog ignores or refuses the
    /// question, DuckDB would list none at all, or never end.
    pub nests: bool,
    /// Time that DuckDB would need to list the namespaces, one request after the other. It is
    /// computed from the fastest answer.
    pub namespaces_take: Duration,
}

/// Reasons why no tables could be listed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListingError {
    #[error("the catalog did not answer in time, or can't be reached")]
    Unreachable,
    #[error("the catalog requires signed requests, which only DuckDB can send")]
    Unsigned,
    #[error("the catalog answered {0} with status {1}")]
    Status(&'static str, u16),
    #[error(
        "the catalog wants requests at {0} (`overrides.uri` of its configuration), and its address in \
         the settings does not list namespaces. DuckDB does not follow this. An admin should set \
         `endpoint` of this catalog to its new address"
    )]
    Moved(String),
}

/// Lists the tables of `catalog`. After the time `within`, returns those found so far.
///
/// # Errors
/// If not even the first namespaces can be listed.
pub async fn list(catalog: &ListedCatalog<'_>, within: Duration) -> Result<Listing, ListingError> {
    let deadline = Instant::now() + within;
    let connected = timeout_at(deadline, CatalogClient::connect(catalog)).await;
    let client = connected.map_err(|_| ListingError::Unreachable)??;
    let begin = Instant::now();
    let first = timeout_at(deadline, client.namespaces(&[])).await;
    let first = match first.map_err(|_| ListingError::Unreachable)? {
        Ok(first) => first,
        Err(error) => match client.moved_to {
            Some(uri) => return Err(ListingError::Moved(uri)),
            None if is_hidden(&error) => Vec::new(),
            None => return Err(error),
        },
    };
    let mut search = Search {
        listing: Listing {
            is_complete: true,
            nests: true,
            ..Listing::default()
        },
        fastest: begin.elapsed(),
        seen: HashSet::new(),
        open: VecDeque::new(),
    };
    search.add_namespaces(&[], first);
    let mut running = FuturesUnordered::new();
    loop {
        while running.len() < MAX_CONCURRENT
            && let Some(task) = search.open.pop_front()
        {
            running.push(client.carry_out(task));
        }
        match timeout_at(deadline, running.next()).await {
            Ok(Some(done)) => search.add(done),
            Ok(None) => break,
            Err(_) => {
                search.listing.is_complete = false;
                break;
            }
        }
    }
    let namespaces = u32::try_from(search.seen.len()).unwrap_or(u32::MAX);
    let mut listing = search.listing;
    listing.namespaces_take = search.fastest.saturating_mul(namespaces.saturating_add(1));
    listing.tables.sort();
    Ok(listing)
}

/// Request for the children or the tables of a namespace.
enum Task {
    Children(Vec<String>),
    Tables(Vec<String>),
}

enum Done {
    Children(
        Vec<String>,
        Result<Vec<Vec<String>>, ListingError>,
        Duration,
    ),
    Tables(Vec<String>, Result<Vec<String>, ListingError>),
}

struct Search {
    listing: Listing,
    /// Time of the fastest answer about namespaces.
    fastest: Duration,
    seen: HashSet<Vec<String>>,
    open: VecDeque<Task>,
}

impl Search {
    fn add(&mut self, done: Done) {
        match done {
            Done::Children(parent, answer, took) => {
                self.fastest = self.fastest.min(took);
                match answer {
                    Ok(children) => self.add_namespaces(&parent, children),
                    Err(error) if is_hidden(&error) => {}
                    Err(_) => self.listing.nests = false,
                }
            }
            Done::Tables(namespace, Ok(names)) => {
                let room = MAX_TABLES.saturating_sub(self.listing.tables.len());
                self.listing.is_complete &= names.len() <= room;
                let tables = names.into_iter().take(room);
                let tables = tables.map(|name| (namespace.clone(), name));
                self.listing.tables.extend(tables);
            }
            Done::Tables(_, Err(error)) if is_hidden(&error) => {}
            Done::Tables(_, Err(_)) => self.listing.is_complete = false,
        }
    }

    fn add_namespaces(&mut self, parent: &[String], children: Vec<Vec<String>>) {
        for levels in children {
            let is_child = levels.len() == parent.len() + 1 && levels.starts_with(parent);
            if !is_child || levels.len() > MAX_LEVELS {
                // The catalog ignored the question, so DuckDB would ask for ever.
                self.listing.nests = false;
            } else if self.seen.len() >= MAX_NAMESPACES {
                self.listing.is_complete = false;
            } else if self.seen.insert(levels.clone()) {
                self.open.push_back(Task::Tables(levels.clone()));
                self.open.push_back(Task::Children(levels));
            }
        }
    }
}

/// Returns true for errors that DuckDB takes for an empty list.
fn is_hidden(error: &ListingError) -> bool {
    matches!(error, ListingError::Status(_, 401 | 403 | 404))
}

struct CatalogClient {
    client: Client,
    base: Url,
    token: Option<String>,
    moved_to: Option<String>,
}

impl CatalogClient {
    /// Logs in, and reads the catalog's configuration.
    async fn connect(catalog: &ListedCatalog<'_>) -> Result<Self, ListingError> {
        let client = Client::builder()
            .timeout(REQUEST_TIMEOUT)
            .redirect(Policy::none())
            .no_proxy()
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
                let issued = send(asked.basic_auth(id, Some(secret)), "a login").await?;
                Some(parse::<IssuedToken>(&issued, "a login")?.access_token)
            }
        };
        let mut asked = client.get(format!("{}/v1/config", catalog.endpoint));
        if !catalog.warehouse.is_empty() {
            asked = asked.query(&[("warehouse", catalog.warehouse)]);
        }
        const CONFIG: &str = "the question about its configuration";
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

    async fn carry_out(&self, task: Task) -> Done {
        let begin = Instant::now();
        match task {
            Task::Children(parent) => {
                let children = self.namespaces(&parent).await;
                Done::Children(parent, children, begin.elapsed())
            }
            Task::Tables(namespace) => {
                let tables = self.tables(&namespace).await;
                Done::Tables(namespace, tables)
            }
        }
    }

    /// Lists the namespaces directly below `parent`.
    async fn namespaces(&self, parent: &[String]) -> Result<Vec<Vec<String>>, ListingError> {
        const WHAT: &str = "a list of namespaces";
        let mut url = self.url(&["namespaces"]);
        if !parent.is_empty() {
            // The form encoding of a space, `+`, is not understood everywhere.
            let query = format!("parent={}", encoded(&joined(parent)));
            url.set_query(Some(&query));
        }
        self.pages(url, WHAT, |page: NamespacesPage| {
            (page.namespaces, page.next_page_token)
        })
        .await
    }

    async fn tables(&self, namespace: &[String]) -> Result<Vec<String>, ListingError> {
        const WHAT: &str = "a list of tables";
        let url = self.url(&["namespaces", &joined(namespace), "tables"]);
        let of_page = |page: TablesPage| {
            let names = page.identifiers.into_iter().map(|table| table.name);
            (names.collect(), page.next_page_token)
        };
        self.pages(url, WHAT, of_page).await
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
                Some(next) if all.len() < MAX_TABLES => token = Some(next),
                _ => return Ok(all),
            }
        }
    }

    fn url(&self, parts: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.extend(parts);
        }
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

/// Encodes a text for a URL's query.
fn encoded(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let encode = |byte: u8| match is_plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
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
    let mut answer = answer.map_err(|_| ListingError::Unreachable)?;
    let status = answer.status();
    if !status.is_success() {
        return Err(ListingError::Status(what, status.as_u16()));
    }
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = answer.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_RESPONSE_BYTES {
            return Err(ListingError::Status(what, status.as_u16()));
        }
    }
    Ok(body)
}

fn parse<T: DeserializeOwned>(body: &[u8], what: &'static str) -> Result<T, ListingError> {
    // The answer itself is not repeated: it may be a token.
    serde_json::from_slice(body).map_err(|_| ListingError::Status(what, 200))
}
