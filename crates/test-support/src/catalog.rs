//! Stand-in for an Iceberg REST catalog that implements only `GET <base>/v1/config` and an empty
//! `GET <base>/v1/namespaces`. Any base path works, so a test may put the catalog below a path.

use std::{
    collections::HashSet,
    ops::Deref,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    extract::{Request, State},
    http::{Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use crate::server::Server;

#[derive(Default)]
struct Inner {
    tokens: Mutex<HashSet<String>>,
    open: Mutex<bool>,
    status: Mutex<Option<StatusCode>>,
}

/// Catalog server that stops on drop. [`Server`] lists the faults that it can inject.
pub struct Catalog {
    server: Server,
    inner: Arc<Inner>,
}

impl Deref for Catalog {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

impl Catalog {
    /// Starts a catalog that accepts nobody yet.
    pub async fn start() -> Self {
        let inner = Arc::<Inner>::default();
        let app = Router::new().fallback(answer).with_state(inner.clone());
        let server = Server::start(|_| app).await;
        Self { server, inner }
    }

    /// Accepts this bearer token.
    pub fn accept(&self, token: &str) {
        self.inner.tokens.lock().unwrap().insert(token.into());
    }

    /// Accepts everyone, with or without a token.
    pub fn accept_everyone(&self) {
        *self.inner.open.lock().unwrap() = true;
    }

    /// Stops accepting this bearer token.
    pub fn forget(&self, token: &str) {
        self.inner.tokens.lock().unwrap().remove(token);
    }

    /// Answers accepted requests with this error: 400, 403, 404, 500 or 503.
    pub fn answer_with(&self, status: u16) {
        *self.inner.status.lock().unwrap() = Some(StatusCode::from_u16(status).unwrap());
    }

    /// Redirects all requests to `url`, with a status such as 301 or 307.
    pub fn redirect_to(&self, status: u16, url: &str) {
        self.redirect_with(status, url, String::new());
    }
}

async fn answer(State(inner): State<Arc<Inner>>, request: Request) -> Response {
    let path = request.uri().path();
    let is_config = path.ends_with("/v1/config");
    let is_known = is_config || path.ends_with("/v1/namespaces");
    if request.method() != Method::GET || !is_known {
        return error(StatusCode::NOT_FOUND);
    }
    let authorization = request.headers().get(header::AUTHORIZATION);
    let token = authorization
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    let known = token.is_some_and(|token| inner.tokens.lock().unwrap().contains(token));
    if !known && !*inner.open.lock().unwrap() {
        return error(StatusCode::UNAUTHORIZED);
    }
    match *inner.status.lock().unwrap() {
        Some(status) => error(status),
        None if !is_config => reply(StatusCode::OK, &json!({ "namespaces": [] })),
        None => reply(StatusCode::OK, &json!({ "defaults": {}, "overrides": {} })),
    }
}

/// Error response of the catalog's specification (`IcebergErrorResponse`).
fn error(status: StatusCode) -> Response {
    let (kind, message) = match status.as_u16() {
        400 => ("BadRequestException", "Malformed request"),
        401 => ("NotAuthorizedException", "Not authorized"),
        403 => ("ForbiddenException", "Not authorized to make this request"),
        404 => ("NoSuchWarehouseException", "The warehouse does not exist"),
        503 => ("SlowDownException", "Slow down"),
        _ => ("InternalServerError", "Internal server error"),
    };
    let error = json!({ "message": message, "type": kind, "code": status.as_u16() });
    reply(status, &json!({ "error": error }))
}

fn reply(status: StatusCode, body: &Value) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (status, kind, body.to_string()).into_response()
}
