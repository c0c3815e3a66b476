//! An Iceberg REST catalog: the part of [the specification](https://github.com/apache/iceberg/blob/main/open-api/rest-catalog-open-api.yaml)
//! that DuckDB needs to create, fill, read, list and drop tables. It has no authentication; only
//! the storage checks credentials. Namespaces have one level.

mod commit;
mod error;
mod store;
mod table;

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, RawQuery, State},
    http::{Method, StatusCode, Uri},
    routing::{get, post},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};
use uuid::Uuid;

pub(super) use self::store::{Store, replace_file};

use self::{
    commit::{Requirement, Update},
    error::{CatalogError, CatalogResult},
    store::{StoredTable, TableChange, TableName},
};

type Shared = State<Arc<Store>>;

/// Endpoints that the catalog lists for clients; axum answers `HEAD` with the `GET` handlers.
const ENDPOINTS: [&str; 13] = [
    "GET /v1/{prefix}/namespaces",
    "POST /v1/{prefix}/namespaces",
    "GET /v1/{prefix}/namespaces/{namespace}",
    "HEAD /v1/{prefix}/namespaces/{namespace}",
    "DELETE /v1/{prefix}/namespaces/{namespace}",
    "GET /v1/{prefix}/namespaces/{namespace}/tables",
    "POST /v1/{prefix}/namespaces/{namespace}/tables",
    "GET /v1/{prefix}/namespaces/{namespace}/tables/{table}",
    "HEAD /v1/{prefix}/namespaces/{namespace}/tables/{table}",
    "POST /v1/{prefix}/namespaces/{namespace}/tables/{table}",
    "DELETE /v1/{prefix}/namespaces/{namespace}/tables/{table}",
    "POST /v1/{prefix}/namespaces/{namespace}/tables/{table}/metrics",
    "POST /v1/{prefix}/transactions/commit",
];

/// Routes of the catalog in `store`.
pub(super) fn routes(store: Arc<Store>) -> Router {
    let table = get(load_table).post(commit_table).delete(drop_table);
    let namespace = get(load_namespace).delete(drop_namespace);
    Router::new()
        .route("/v1/config", get(config))
        .route("/v1/namespaces", get(namespaces).post(create_namespace))
        .route("/v1/namespaces/{namespace}", namespace)
        .route(
            "/v1/namespaces/{namespace}/tables",
            get(tables).post(create_table),
        )
        .route("/v1/namespaces/{namespace}/tables/{table}", table)
        .route(
            "/v1/namespaces/{namespace}/tables/{table}/metrics",
            post(metrics),
        )
        .route("/v1/transactions/commit", post(commit_transaction))
        .fallback(no_route)
        .method_not_allowed_fallback(no_route)
        .with_state(store)
}

async fn no_route(method: Method, uri: Uri) -> CatalogError {
    CatalogError::no_route(format!("{method} {} is not supported", uri.path()))
}

async fn config() -> Json<Value> {
    Json(json!({ "defaults": {}, "overrides": {}, "endpoints": ENDPOINTS }))
}

async fn namespaces(State(store): Shared, RawQuery(query): RawQuery) -> Json<Value> {
    let found = match query.as_deref().and_then(|query| value(query, "parent")) {
        None | Some("") => store.namespaces(),
        // Namespaces have one level, so none has a parent.
        Some(_) => Vec::new(),
    };
    let found: Vec<_> = found.into_iter().map(|name| [name]).collect();
    Json(json!({ "namespaces": found }))
}

#[derive(Deserialize)]
struct NewNamespace {
    namespace: Vec<String>,
    #[serde(default)]
    properties: BTreeMap<String, String>,
}

async fn create_namespace(State(store): Shared, body: Bytes) -> CatalogResult<Json<Value>> {
    let new: NewNamespace = read(&body)?;
    let name = one_level(&new.namespace)?;
    store.create(name, new.properties.clone())?;
    Ok(Json(
        json!({ "namespace": [name], "properties": new.properties }),
    ))
}

async fn load_namespace(
    State(store): Shared,
    Path(name): Path<String>,
) -> CatalogResult<Json<Value>> {
    let properties = store.properties(&name)?;
    Ok(Json(
        json!({ "namespace": [name], "properties": properties }),
    ))
}

async fn drop_namespace(
    State(store): Shared,
    Path(name): Path<String>,
) -> CatalogResult<StatusCode> {
    store.drop_namespace(&name)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn tables(State(store): Shared, Path(namespace): Path<String>) -> CatalogResult<Json<Value>> {
    let found = store.tables(&namespace)?.into_iter();
    let found: Vec<_> = found
        .map(|name| json!({ "namespace": [&namespace], "name": name }))
        .collect();
    Ok(Json(json!({ "identifiers": found })))
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct NewTable {
    name: String,
    location: Option<String>,
    schema: Map<String, Value>,
    partition_spec: Option<Map<String, Value>>,
    write_order: Option<Map<String, Value>>,
    #[serde(default)]
    stage_create: bool,
    properties: Option<BTreeMap<String, String>>,
}

/// Creates a table. With `stage-create`, only returns its metadata; a commit creates it later.
async fn create_table(
    State(store): Shared,
    Path(namespace): Path<String>,
    body: Bytes,
) -> CatalogResult<Json<Value>> {
    let new: NewTable = read(&body)?;
    let name = TableName {
        namespace,
        table: new.name.clone(),
    };
    let staged = new.stage_create;
    let updates = initial_updates(new, store.location(&name));
    if staged {
        let table = store.stage(&name, updates)?;
        return Ok(Json(json!({ "metadata": table, "config": {} })));
    }
    store.create_table(name, updates).map(load_response)
}

fn initial_updates(new: NewTable, location: String) -> Vec<Update> {
    let nothing = || Map::from_iter([("fields".to_owned(), json!([]))]);
    let uuid = Uuid::new_v4().to_string();
    let mut properties = new.properties.unwrap_or_default();
    // Clients pass the requested format version as a property.
    let format = properties.remove("format-version");
    // An invalid number becomes 0, which is rejected as an unsupported version.
    let format_version = format.map_or(2, |format| format.parse().unwrap_or(0));
    vec![
        Update::AssignUuid { uuid },
        Update::UpgradeFormatVersion { format_version },
        Update::SetLocation {
            location: new.location.unwrap_or(location),
        },
        Update::AddSchema { schema: new.schema },
        Update::SetCurrentSchema { schema_id: -1 },
        Update::AddSpec {
            spec: new.partition_spec.unwrap_or_else(nothing),
        },
        Update::SetDefaultSpec { spec_id: -1 },
        Update::AddSortOrder {
            sort_order: new.write_order.unwrap_or_else(nothing),
        },
        Update::SetDefaultSortOrder { sort_order_id: -1 },
        Update::SetProperties {
            updates: properties,
        },
    ]
}

async fn load_table(
    State(store): Shared,
    Path((namespace, table)): Path<(String, String)>,
) -> CatalogResult<Json<Value>> {
    store
        .load(&TableName { namespace, table })
        .map(load_response)
}

async fn drop_table(
    State(store): Shared,
    Path((namespace, table)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> CatalogResult<StatusCode> {
    let purge = query
        .as_deref()
        .and_then(|query| value(query, "purgeRequested"));
    let purge = purge.is_some_and(|purge| purge.eq_ignore_ascii_case("true"));
    store.drop_table(&TableName { namespace, table }, purge)?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
struct Identifier {
    namespace: Vec<String>,
    name: String,
}

#[derive(Deserialize)]
struct Commit {
    identifier: Option<Identifier>,
    requirements: Vec<Requirement>,
    updates: Vec<Update>,
}

async fn commit_table(
    State(store): Shared,
    Path((namespace, table)): Path<(String, String)>,
    body: Bytes,
) -> CatalogResult<Json<Value>> {
    // The path names the table; the optional identifier only repeats it.
    let commit: Commit = read(&body)?;
    let change = TableChange {
        name: TableName { namespace, table },
        requirements: commit.requirements,
        updates: commit.updates,
    };
    store.commit_one(change).map(load_response)
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Transaction {
    table_changes: Vec<Commit>,
}

async fn commit_transaction(State(store): Shared, body: Bytes) -> CatalogResult<StatusCode> {
    let transaction: Transaction = read(&body)?;
    let changes = transaction.table_changes.into_iter().map(change);
    store.commit(changes.collect::<CatalogResult<_>>()?)?;
    Ok(StatusCode::NO_CONTENT)
}

fn change(commit: Commit) -> CatalogResult<TableChange> {
    let identifier = commit.identifier;
    let identifier =
        identifier.ok_or_else(|| CatalogError::bad_request("A table change has no identifier"))?;
    Ok(TableChange {
        name: TableName {
            namespace: one_level(&identifier.namespace)?.to_owned(),
            table: identifier.name,
        },
        requirements: commit.requirements,
        updates: commit.updates,
    })
}

/// Accepts a client's metrics report and discards it.
async fn metrics() -> StatusCode {
    StatusCode::NO_CONTENT
}

fn load_response(stored: StoredTable) -> Json<Value> {
    Json(json!({
        "metadata-location": stored.metadata_location,
        "metadata": stored.table,
        "config": {},
    }))
}

/// Returns the name of a namespace that has exactly one level.
fn one_level(namespace: &[String]) -> CatalogResult<&str> {
    match namespace {
        [name] => Ok(name),
        _ => Err(CatalogError::bad_request(
            "Only namespaces with one level are supported",
        )),
    }
}

/// Value of a query parameter, without percent-decoding.
fn value<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    let parameters = query.split('&').filter_map(|pair| pair.split_once('='));
    let mut found = parameters.filter(|(key, _)| *key == name);
    found.next().map(|(_, value)| value)
}

fn read<T: DeserializeOwned>(body: &[u8]) -> CatalogResult<T> {
    let read = serde_json::from_slice(body);
    read.map_err(|error| CatalogError::bad_request(format!("Can't read the request: {error}")))
}
