//! The lake's catalog as AWS would serve it: every request must be signed (AWS Signature Version 4).
//! The server verifies each signature and passes the request on to Iceberg's own catalog.
//!
//! Algorithm: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

use std::{
    collections::HashMap,
    fmt::Write,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    body::to_bytes,
    extract::{Request, State},
    http::{StatusCode, request::Parts},
    response::{IntoResponse, Response},
};
use ring::{digest, hmac};
use serde_json::json;

use crate::{
    server::Server,
    token_catalog::{MAX_BODY_BYTES, forward},
};

struct Inner {
    client: reqwest::Client,
    /// Region and service in the scope of signatures.
    scope: String,
    /// Secrets by access key ID.
    keys: Mutex<HashMap<String, String>>,
}

/// Catalog server that stops on drop.
pub struct SignedCatalog {
    server: Server,
    inner: Arc<Inner>,
}

impl SignedCatalog {
    /// Starts a catalog that knows no key yet. Signatures must be for this region and service.
    pub async fn start(region: &str, service: &str) -> Self {
        let inner = Arc::new(Inner {
            client: reqwest::Client::default(),
            scope: format!("{region}/{service}/aws4_request"),
            keys: Mutex::default(),
        });
        let app = Router::new().fallback(answer).with_state(inner.clone());
        let server = Server::start(|_| app).await;
        Self { server, inner }
    }

    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Accepts signatures of this key pair.
    pub fn add_key(&self, id: &str, secret: &str) {
        self.inner
            .keys
            .lock()
            .unwrap()
            .insert(id.into(), secret.into());
    }
}

async fn answer(State(inner): State<Arc<Inner>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, MAX_BODY_BYTES).await.unwrap();
    match inner.verify(&head, &body) {
        Ok(()) => forward(&inner.client, head, body).await,
        Err((error, message)) => {
            let headers = [("x-amzn-errortype", error)];
            let body = Json(json!({ "message": message }));
            (StatusCode::FORBIDDEN, headers, body).into_response()
        }
    }
}

impl Inner {
    /// Verifies a signature. The error is the type and the message that AWS sends.
    fn verify(&self, head: &Parts, body: &[u8]) -> Result<(), (&'static str, &'static str)> {
        let unsigned = (
            "MissingAuthenticationTokenException",
            "Missing Authentication Token",
        );
        let header = |name: &str| Some(head.headers.get(name)?.to_str().unwrap());
        let signed = header("authorization").and_then(|it| it.strip_prefix("AWS4-HMAC-SHA256 "));
        let signed: HashMap<_, _> = signed
            .ok_or(unsigned)?
            .split(',')
            .filter_map(|part| part.trim().split_once('='))
            .collect();
        let (id, scope) = signed["Credential"].split_once('/').ok_or(unsigned)?;
        let (day, region) = scope.split_once('/').ok_or(unsigned)?;
        let unknown = (
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        );
        let secret = self.keys.lock().unwrap().get(id).cloned().ok_or(unknown)?;
        let mut canonical = format!("{}\n{}\n", head.method, encode_path(head.uri.path()));
        let mut query: Vec<_> = head.uri.query().unwrap_or_default().split('&').collect();
        query.sort_unstable();
        canonical += &query.join("&");
        for name in signed["SignedHeaders"].split(';') {
            write!(canonical, "\n{name}:{}", header(name).unwrap().trim()).unwrap();
        }
        let hash = header("x-amz-content-sha256").map_or_else(|| sha256(body), str::to_owned);
        write!(canonical, "\n\n{}\n{hash}", signed["SignedHeaders"]).unwrap();
        let time = header("x-amz-date").unwrap();
        let text = format!(
            "AWS4-HMAC-SHA256\n{time}\n{scope}\n{}",
            sha256(canonical.as_bytes())
        );
        let mut key = format!("AWS4{secret}").into_bytes();
        for part in [day].into_iter().chain(region.split('/')) {
            key = sign(&key, part);
        }
        if hex(&sign(&key, &text)) == signed["Signature"] && region == self.scope {
            return Ok(());
        }
        Err((
            "InvalidSignatureException",
            "The request signature we calculated does not match the signature you provided.",
        ))
    }
}

/// Encodes all but unreserved characters and slashes. The path was encoded before, so it is
/// now encoded twice.
fn encode_path(text: &str) -> String {
    let mut result = String::new();
    for byte in text.bytes() {
        let c = char::from(byte);
        if c.is_ascii_alphanumeric() || "-._~/".contains(c) {
            result.push(c);
        } else {
            write!(result, "%{byte:02X}").unwrap();
        }
    }
    result
}

fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn sign(key: &[u8], text: &str) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, text.as_bytes()).as_ref().to_owned()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}
