//! S3 server in this process. [`s3s`] verifies signatures and implements the protocol. `account`
//! serves the content, and adds checks of AWS that s3s leaves out.

mod account;

use std::{ops::Deref, path::Path, sync::Arc};

use account::{Account, Key, error, xml};
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::Request,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use chrono::{DateTime, TimeDelta, Utc};
use s3s::{
    S3Result,
    config::{S3Config, StaticConfigProvider},
    host::{S3Host, SingleDomain, VirtualHost},
    service::{S3Service, S3ServiceBuilder},
};
use s3s_fs::FileSystem;

use crate::server::Server;

/// S3 server that stops on drop. [`Server`] lists the faults that it can inject.
pub struct S3 {
    server: Server,
    account: Account,
}

impl Deref for S3 {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

impl S3 {
    /// Starts a server in `us-east-1` without keys or buckets. Each bucket holds one fixed object.
    pub async fn start() -> Self {
        let account = Account::default();
        Self::serve(account.clone(), account).await
    }

    /// Starts a server that stores objects. A bucket is a folder in `folder`.
    pub async fn start_in(folder: &Path) -> Self {
        Self::serve(FileSystem::new(folder).unwrap(), Account::default()).await
    }

    async fn serve(objects: impl s3s::S3, account: Account) -> Self {
        let inner = account.clone();
        let server = Server::start(|address| {
            let s3 = service(objects, &inner, address.port());
            Router::new().fallback(move |request| answer(inner.clone(), s3.clone(), request))
        })
        .await;
        Self { server, account }
    }

    /// Adds a permanent key pair.
    pub fn add_key(&self, key_id: &str, secret: &str) {
        let key = Key::new(secret, None);
        self.account.inner().keys.insert(key_id.into(), key);
    }

    /// Adds temporary credentials: a key pair with a session token, valid until `expires`.
    pub fn add_temporary_key(
        &self,
        key_id: &str,
        secret: &str,
        session_token: &str,
        expires: DateTime<Utc>,
    ) {
        let key = Key::new(secret, Some((session_token.into(), expires)));
        self.account.inner().keys.insert(key_id.into(), key);
    }

    /// Removes a key pair.
    pub fn forget(&self, key_id: &str) {
        self.account.inner().keys.remove(key_id);
    }

    /// Creates a bucket with the object `some/object.parquet`.
    pub fn add_bucket(&self, name: &str) {
        self.account.inner().buckets.insert(name.into());
    }

    /// Denies an action to a key pair: `s3:ListBucket` in a bucket, or `s3:ListAllMyBuckets` with
    /// the bucket `*`.
    pub fn deny(&self, key_id: &str, action: &str, bucket: &str) {
        let denied = (key_id.into(), action.into(), bucket.into());
        self.account.inner().denied.insert(denied);
    }

    /// Moves the server to another region. It then accepts signatures for that region only.
    pub fn set_region(&self, region: &str) {
        self.account.inner().region = region.into();
    }

    /// Sets the server's clock ahead, or back if `delta` is negative.
    pub fn set_clock_offset(&self, delta: TimeDelta) {
        self.account.inner().clock = delta;
    }

    /// Redirects all requests to `url`. S3 sends 301 (or 308) if a bucket is in another region, and
    /// 307 (or 302) if it is new.
    pub fn redirect_to(&self, status: u16, url: &str) {
        let code = match status {
            301 | 308 => "PermanentRedirect",
            _ => "TemporaryRedirect",
        };
        let message = "Please send all future requests to this endpoint.";
        self.redirect_with(status, url, xml(code, message, &[("Endpoint", url)]));
    }
}

fn service(objects: impl s3s::S3, account: &Account, port: u16) -> S3Service {
    let mut config = S3Config::default();
    // s3s compares with the real time. `account` compares with the clock of the test instead.
    config.presigned_url_max_skew_time_secs = u32::MAX;
    let mut builder = S3ServiceBuilder::new(objects);
    builder.set_auth(account.clone());
    builder.set_access(account.clone());
    builder.set_config(Arc::new(StaticConfigProvider::new(config.into())));
    builder.set_host(Host(
        SingleDomain::new(&format!("localhost:{port}")).unwrap(),
    ));
    builder.build()
}

/// Names of the server: its own, of which a bucket may be the first part, and those of proxies in front
/// of it.
struct Host(SingleDomain);

impl S3Host for Host {
    fn parse_host_header<'a>(&'a self, host: &'a str) -> S3Result<VirtualHost<'a>> {
        if host.starts_with("lake.test:") {
            return Ok(VirtualHost::new(host));
        }
        self.0.parse_host_header(host)
    }
}

async fn answer(account: Account, s3: S3Service, request: Request) -> Response {
    let mut response = match account.rejection(request.headers()) {
        Some(refusal) => refusal,
        None => {
            let headers = request.headers().clone();
            let request = request.map(s3s::Body::http_body_unsync);
            let response = s3.call(request).await.unwrap().map(Body::new);
            quoted(response, &headers).await
        }
    };
    let now = account.now().format("%a, %d %b %Y %H:%M:%S GMT");
    let now = HeaderValue::from_str(&now.to_string()).unwrap();
    response.headers_mut().insert(header::DATE, now);
    response
}

/// Adds the canonical request to the error about a wrong signature. AWS quotes it with the session
/// token, so a test can check that the bot does not pass it on. Only the headers are quoted here.
async fn quoted(response: Response, headers: &HeaderMap) -> Response {
    if response.status() != StatusCode::FORBIDDEN {
        return response;
    }
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let code = "SignatureDoesNotMatch";
    if !String::from_utf8_lossy(&body).contains(code) {
        return Response::from_parts(parts, body.into());
    }
    let canonical = headers
        .iter()
        .filter(|(name, _)| name.as_str() == "host" || name.as_str().starts_with("x-amz-"))
        .map(|(name, value)| format!("{name}:{}\n", String::from_utf8_lossy(value.as_bytes())))
        .collect::<String>();
    let message = "The request signature we calculated does not match the signature you \
                   provided. Check your key and signing method.";
    let details = [("CanonicalRequest", canonical.as_str())];
    error(StatusCode::FORBIDDEN, code, message, &details)
}
