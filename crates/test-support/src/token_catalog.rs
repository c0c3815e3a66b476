//! The lake's catalog behind tokens: a server that passes requests with an accepted token on to
//! Iceberg's own catalog. It issues tokens that expire (OAuth2 client credentials), and can hand out
//! credentials for the storage.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    body::{Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
    routing::post,
};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{lake::lake, server::Server};

/// Path below which the catalogs may be used, too.
pub(crate) const BASE_PATH: &str = "/forbid";
/// Maximum size of a request's body.
pub(crate) const MAX_BODY_BYTES: usize = 1 << 20;
/// Beginnings of the access key IDs, secrets and session tokens that are handed out.
pub const VENDED_CREDENTIALS: [&str; 3] = [
    "ASIAVENDED",
    "vended-secret-of-the-storage",
    "vended-session-token",
];

#[derive(Default)]
struct Inner {
    client: reqwest::Client,
    lifetime: Duration,
    /// Accepted tokens, with their expiry.
    tokens: Mutex<HashMap<String, Option<Instant>>>,
    /// Number of requests that are still accepted, if it is limited.
    left: Mutex<Option<usize>>,
    /// Tokens of the requests that were passed on, in order.
    used: Mutex<Vec<String>>,
    /// Statuses of denied paths.
    denied: Mutex<HashMap<String, u16>>,
    /// Lifetime of credentials for the storage, if they are handed out.
    vending: Mutex<Option<Duration>>,
    /// Times at which the handed out credentials expire, in order.
    vended: Mutex<Vec<DateTime<Utc>>>,
}

impl Inner {
    /// Counts a request. Returns false if the limit is reached.
    fn take_request(&self) -> bool {
        let mut left = self.left.lock().unwrap();
        match &mut *left {
            None => true,
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
        }
    }
}

/// Catalog server that stops on drop.
pub struct TokenCatalog {
    server: Server,
    inner: Arc<Inner>,
}

impl TokenCatalog {
    /// Starts a catalog that accepts no token yet. Those that it issues are valid for `lifetime`.
    pub async fn start(lifetime: Duration) -> Self {
        let inner = Arc::new(Inner {
            lifetime,
            ..Inner::default()
        });
        let app = Router::new()
            .route("/v1/oauth/tokens", post(issue))
            .fallback(pass_on)
            .with_state(inner.clone());
        let server = Server::start(|_| app).await;
        Self { server, inner }
    }

    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Accepts only this token from now on.
    pub fn accept_only(&self, token: &str) {
        *self.inner.tokens.lock().unwrap() = HashMap::from([(token.to_owned(), None)]);
    }

    /// Accepts no token after this number of further requests. `None` removes the limit.
    pub fn limit_requests(&self, left: Option<usize>) {
        *self.inner.left.lock().unwrap() = left;
    }

    /// Answers requests with a token for `path` with this error. The path has no base path.
    pub fn deny(&self, path: &str, status: u16) {
        self.inner
            .denied
            .lock()
            .unwrap()
            .insert(path.into(), status);
    }

    /// Answers all requests with a token again.
    pub fn allow_all(&self) {
        self.inner.denied.lock().unwrap().clear();
    }

    /// Tokens that were used, each once, in order.
    pub fn used_tokens(&self) -> Vec<String> {
        let mut used = self.inner.used.lock().unwrap().clone();
        used.dedup();
        used
    }

    /// Hands out credentials for the storage with each table from now on, as Iceberg's REST
    /// specification says. They are temporary keys, which the storage refuses after `lifetime`.
    pub fn vend_credentials(&self, lifetime: Duration) {
        *self.inner.vending.lock().unwrap() = Some(lifetime);
    }

    /// Number of credentials that were handed out.
    pub fn vended_count(&self) -> usize {
        self.inner.vended.lock().unwrap().len()
    }

    /// True if all credentials that were handed out have expired.
    pub fn are_vended_expired(&self) -> bool {
        let vended = self.inner.vended.lock().unwrap();
        vended.iter().all(|expires| *expires < Utc::now())
    }

    /// True if none of the issued tokens is accepted any more.
    pub fn is_expired(&self) -> bool {
        let tokens = self.inner.tokens.lock().unwrap();
        tokens.values().all(|expiry| !is_valid(*expiry))
    }
}

fn is_valid(expiry: Option<Instant>) -> bool {
    expiry.is_none_or(|expiry| Instant::now() < expiry)
}

async fn issue(State(inner): State<Arc<Inner>>) -> Json<serde_json::Value> {
    let token = Uuid::new_v4().to_string();
    let expiry = Instant::now() + inner.lifetime;
    let mut tokens = inner.tokens.lock().unwrap();
    tokens.insert(token.clone(), Some(expiry));
    Json(json!({
        "access_token": token,
        "token_type": "bearer",
        "expires_in": inner.lifetime.as_secs(),
        "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
    }))
}

async fn pass_on(State(inner): State<Arc<Inner>>, request: Request) -> Response {
    let authorization = request.headers().get(header::AUTHORIZATION);
    let authorization = authorization.and_then(|value| value.to_str().ok());
    let token = authorization.and_then(|value| value.strip_prefix("Bearer "));
    let token = token.unwrap_or_default().to_owned();
    let expiry = inner.tokens.lock().unwrap().get(&token).copied();
    if !expiry.is_some_and(is_valid) || !inner.take_request() {
        let error = json!({
            "message": "The token is not accepted", "type": "NotAuthorizedException", "code": 401
        });
        return (StatusCode::UNAUTHORIZED, Json(json!({ "error": error }))).into_response();
    }
    inner.used.lock().unwrap().push(token);
    let path = request.uri().path();
    let path = path.strip_prefix(BASE_PATH).unwrap_or(path);
    let denied = inner.denied.lock().unwrap().get(path).copied();
    if let Some(status) = denied {
        let error = json!({ "message": "Denied", "type": "ForbiddenException", "code": status });
        let status = StatusCode::from_u16(status).unwrap();
        return (status, Json(json!({ "error": error }))).into_response();
    }
    let (head, body) = request.into_parts();
    let body = to_bytes(body, MAX_BODY_BYTES).await.unwrap();
    let is_delegating = head
        .headers
        .get("x-iceberg-access-delegation")
        .is_some_and(|how| how.to_str().unwrap().contains("vended-credentials"));
    let lifetime = inner.vending.lock().unwrap().filter(|_| is_delegating);
    let response = forward(&inner.client, head, body).await;
    match lifetime {
        Some(lifetime) => with_credentials(&inner, lifetime, response).await,
        None => response,
    }
}

/// Adds credentials to the answer if it is a `LoadTableResult`.
async fn with_credentials(inner: &Inner, lifetime: Duration, response: Response) -> Response {
    let (mut head, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let Ok(mut table) = serde_json::from_slice::<Value>(&body) else {
        return Response::from_parts(head, body.into());
    };
    let Some(location) = table["metadata"]["location"].as_str() else {
        return Response::from_parts(head, body.into());
    };
    let number = inner.vended.lock().unwrap().len();
    let [id, secret, token] = VENDED_CREDENTIALS.map(|it| format!("{it}{number}"));
    let expires = Utc::now() + lifetime;
    lake().s3.add_temporary_key(&id, &secret, &token, expires);
    inner.vended.lock().unwrap().push(expires);
    table["storage-credentials"] = json!([{
        "prefix": location,
        "config": {
            "s3.access-key-id": id,
            "s3.secret-access-key": secret,
            "s3.session-token": token,
            "s3.session-token-expires-at-ms": expires.timestamp_millis().to_string(),
        },
    }]);
    // The catalog's own answer names the storage in the same way.
    table["config"]["s3.endpoint"] = lake().s3.url().into();
    table["config"]["s3.path-style-access"] = "true".into();
    table["config"]["client.region"] = "us-east-1".into();
    head.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(head, table.to_string().into())
}

/// Passes a request on to the lake's catalog, without its credentials and its base path.
pub(crate) async fn forward(client: &reqwest::Client, head: Parts, body: Bytes) -> Response {
    let path = head.uri.path_and_query().unwrap().as_str();
    let path = path.strip_prefix(BASE_PATH).unwrap_or(path);
    let asked = client
        .request(head.method, format!("{}{path}", lake().catalog))
        .header(header::CONTENT_TYPE, "application/json")
        .body(body);
    let answer = asked.send().await.unwrap();
    let status = answer.status();
    let kind = HeaderValue::from_static("application/json");
    let body = answer.bytes().await.unwrap();
    (status, [(header::CONTENT_TYPE, kind)], body).into_response()
}
