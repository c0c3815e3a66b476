//! Stand-in for an Iceberg REST catalog with any namespaces. Each of its tables is the table
//! `zoo.ducks` of the lake, with the metadata of Iceberg's own catalog, or can't be loaded.

use std::{
    collections::BTreeMap,
    ops::Deref,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    extract::{Path, State},
    http::{StatusCode, Uri, header},
    response::{IntoResponse, Response},
    routing::get,
};
use reqwest::Url;
use serde_json::{Value, json};

use crate::{lake::lake, server::Server};

/// Character between the levels of a namespace in a URL.
const SEPARATOR: char = '\u{1f}';

/// Reaction of a [`TreeCatalog`] to the parameter `parent`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Nesting {
    /// Lists the children.
    #[default]
    Supported,
    /// Lists all namespaces below the parent, as SeaweedFS does.
    WholeTree,
    /// Lists the top level again.
    Ignored,
    /// Answers with this status.
    Refused(u16),
}

/// Answer of a [`TreeCatalog`] to a request for one table.
#[derive(Debug, Clone, PartialEq)]
pub enum TreeTable {
    Ducks,
    /// An error with this status.
    Status(u16),
    /// A type of Iceberg that DuckDB can't read.
    UnknownType,
    /// No snapshot, so no rows.
    Empty,
}

#[derive(Default)]
struct Inner {
    client: reqwest::Client,
    /// Tables by namespace, whose levels [`SEPARATOR`] joins.
    tree: BTreeMap<String, BTreeMap<String, TreeTable>>,
    delay: Mutex<Duration>,
    nesting: Mutex<Nesting>,
    config: Mutex<Option<Value>>,
    /// Number of entries of a page. 0: no pages.
    page: Mutex<usize>,
}

/// Catalog server that stops on drop. [`Server`] lists the faults that it can inject.
pub struct TreeCatalog {
    server: Server,
    inner: Arc<Inner>,
}

impl Deref for TreeCatalog {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

impl TreeCatalog {
    /// Starts a catalog with these tables: namespace, name, and the answer.
    pub async fn start<'a>(
        tables: impl IntoIterator<Item = (Vec<&'a str>, &'a str, TreeTable)>,
    ) -> Self {
        let mut inner = Inner::default();
        for (namespace, name, table) in tables {
            let namespace = namespace.join(&SEPARATOR.to_string());
            let tables = inner.tree.entry(namespace).or_default();
            tables.insert(name.to_owned(), table);
        }
        let inner = Arc::new(inner);
        let app = Router::new()
            .route("/v1/config", get(config))
            .route("/v1/namespaces", get(list_namespaces))
            .route("/v1/namespaces/{namespace}", get(load_namespace))
            .route("/v1/namespaces/{namespace}/tables", get(list_tables))
            .route("/v1/namespaces/{namespace}/tables/{table}", get(load_table))
            .with_state(inner.clone());
        let server = Server::start(|_| app).await;
        Self { server, inner }
    }

    /// Delays each answer to a listing.
    pub fn delay(&self, delay: Duration) {
        *self.inner.delay.lock().unwrap() = delay;
    }

    pub fn set_nesting(&self, nesting: Nesting) {
        *self.inner.nesting.lock().unwrap() = nesting;
    }

    /// Answers `/v1/config` with this document.
    pub fn set_config(&self, config: Value) {
        *self.inner.config.lock().unwrap() = Some(config);
    }

    /// Answers listings with pages of this size.
    pub fn set_page(&self, entries: usize) {
        *self.inner.page.lock().unwrap() = entries;
    }
}

impl Inner {
    async fn wait(&self) {
        let delay = *self.delay.lock().unwrap();
        tokio::time::sleep(delay).await;
    }

    /// Answers with one page of `entries`.
    fn page(&self, url: &Url, key: &str, entries: Vec<Value>) -> Response {
        let size = *self.page.lock().unwrap();
        let begin = parameter(url, "pageToken").and_then(|token| token.parse().ok());
        let begin = begin.unwrap_or(0);
        let end = match size {
            0 => entries.len(),
            size => entries.len().min(begin + size),
        };
        let next = (end < entries.len()).then(|| end.to_string());
        reply(json!({ key: entries[begin..end], "next-page-token": next }))
    }
}

type Shared = State<Arc<Inner>>;

async fn config(State(inner): Shared) -> Response {
    let config = inner.config.lock().unwrap().clone();
    reply(config.unwrap_or_else(|| json!({ "defaults": {}, "overrides": {} })))
}

async fn list_namespaces(State(inner): Shared, uri: Uri) -> Response {
    inner.wait().await;
    let url = Url::parse(&format!("http://catalog{uri}")).unwrap();
    let parent = parameter(&url, "parent").filter(|parent| !parent.is_empty());
    let nesting = *inner.nesting.lock().unwrap();
    let parent = match (parent, nesting) {
        (None, _) | (_, Nesting::Ignored) => Vec::new(),
        (Some(_), Nesting::Refused(status)) => return error(status),
        (Some(parent), Nesting::Supported | Nesting::WholeTree) => {
            parent.split(SEPARATOR).map(str::to_owned).collect()
        }
    };
    let mut found: Vec<Vec<&str>> = Vec::new();
    for namespace in inner.tree.keys() {
        let levels: Vec<_> = namespace.split(SEPARATOR).collect();
        if levels.len() > parent.len() && levels[..parent.len()] == parent[..] {
            let deepest = match nesting {
                Nesting::WholeTree => levels.len(),
                _ => parent.len() + 1,
            };
            found.extend((parent.len() + 1..=deepest).map(|end| levels[..end].to_vec()));
        }
    }
    found.sort();
    found.dedup();
    let found = found.into_iter().map(|levels| json!(levels)).collect();
    inner.page(&url, "namespaces", found)
}

async fn load_namespace(State(inner): Shared, Path(name): Path<String>) -> Response {
    if is_known(&inner, &name) {
        reply(json!({ "namespace": name.split(SEPARATOR).collect::<Vec<_>>(), "properties": {} }))
    } else {
        error(404)
    }
}

async fn list_tables(State(inner): Shared, Path(name): Path<String>, uri: Uri) -> Response {
    inner.wait().await;
    // Iceberg's own catalog reads `+` in a path as a space (`RESTUtil.decodeString`).
    if uri.path().contains('+') || !is_known(&inner, &name) {
        return error(404);
    }
    let levels: Vec<_> = name.split(SEPARATOR).collect();
    let tables = inner.tree.get(&name).into_iter().flatten();
    let tables = tables.map(|(name, _)| json!({ "namespace": levels, "name": name }));
    let url = Url::parse(&format!("http://catalog{uri}")).unwrap();
    inner.page(&url, "identifiers", tables.collect())
}

async fn load_table(
    State(inner): Shared,
    Path((namespace, name)): Path<(String, String)>,
) -> Response {
    let found = inner.tree.get(&namespace);
    let Some(table) = found.and_then(|tables| tables.get(&name)) else {
        return error(404);
    };
    if let TreeTable::Status(status) = table {
        return error(*status);
    }
    let ducks = format!("{}/v1/namespaces/zoo/tables/ducks", lake().catalog);
    let answer = inner.client.get(ducks).send().await.unwrap();
    let mut loaded: Value = answer.json().await.unwrap();
    let metadata = &mut loaded["metadata"];
    match table {
        TreeTable::UnknownType => {
            for schema in metadata["schemas"].as_array_mut().unwrap() {
                schema["fields"][0]["type"] = json!("geography");
            }
        }
        TreeTable::Empty => {
            metadata["current-snapshot-id"] = Value::Null;
            metadata["snapshots"] = json!([]);
            metadata["refs"] = json!({});
        }
        TreeTable::Ducks | TreeTable::Status(_) => {}
    }
    reply(loaded)
}

/// True for a namespace with tables, and for each one above it.
fn is_known(inner: &Inner, name: &str) -> bool {
    let below = format!("{name}{SEPARATOR}");
    let mut known = inner.tree.keys();
    known.any(|namespace| namespace == name || namespace.starts_with(&below))
}

fn parameter(url: &Url, name: &str) -> Option<String> {
    let mut all = url.query_pairs();
    all.find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

fn error(status: u16) -> Response {
    let kind = match status {
        403 => "ForbiddenException",
        404 => "NoSuchTableException",
        _ => "InternalServerError",
    };
    let error = json!({ "message": "You may not", "type": kind, "code": status });
    let status = StatusCode::from_u16(status).unwrap();
    (status, reply(json!({ "error": error }))).into_response()
}

fn reply(body: Value) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (kind, body.to_string()).into_response()
}
