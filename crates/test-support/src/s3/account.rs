//! Content and access rules of the S3 server. The checks before s3s are in the order of AWS, which
//! reads the token before the secret.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard},
};

use async_trait::async_trait;
use axum::{
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use s3s::{
    S3, S3Request, S3Response, S3Result,
    access::{S3Access, S3AccessContext},
    auth::{S3Auth, SecretKey},
    dto::{
        Bucket, ListBucketsInput, ListBucketsOutput, ListObjectsV2Input, ListObjectsV2Output,
        Object,
    },
    s3_error,
};

const OBJECT: &str = "some/object.parquet";

/// Key pair that signs requests.
pub struct Key {
    secret: String,
    session: Option<(String, DateTime<Utc>)>,
}

impl Key {
    /// Creates a key. Temporary keys have a session token and its expiry.
    pub fn new(secret: &str, session: Option<(String, DateTime<Utc>)>) -> Self {
        let secret = secret.into();
        Self { secret, session }
    }
}

/// State that tests set.
pub struct Inner {
    pub keys: HashMap<String, Key>,
    pub buckets: BTreeSet<String>,
    /// Key ID, action and bucket.
    pub denied: HashSet<(String, String, String)>,
    pub region: String,
    /// Offset of the server's clock; positive if it is ahead.
    pub clock: TimeDelta,
}

/// Account shared by the test, the checks before s3s, and s3s.
#[derive(Clone)]
pub struct Account(Arc<Mutex<Inner>>);

impl Default for Account {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Inner {
            keys: HashMap::new(),
            buckets: BTreeSet::new(),
            denied: HashSet::new(),
            region: "us-east-1".into(),
            clock: TimeDelta::zero(),
        })))
    }
}

impl Account {
    pub fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    /// Time of the server's clock.
    pub fn now(&self) -> DateTime<Utc> {
        Utc::now() + self.inner().clock
    }

    /// Checks what AWS checks but s3s does not: clock, region, session token, and that all headers
    /// are signed. Leaves unsigned requests and other kinds of signatures to s3s.
    pub fn rejection(&self, headers: &HeaderMap) -> Option<Response> {
        let text = |name| headers.get(name)?.to_str().ok();
        let authorization = text("authorization")?;
        let mut credential = field(authorization, "Credential")?.split('/');
        let (id, _date, region) = (credential.next()?, credential.next()?, credential.next()?);
        let signed: Vec<_> = field(authorization, "SignedHeaders")?.split(';').collect();
        let date = text("x-amz-date")?;
        let time = NaiveDateTime::parse_from_str(date, "%Y%m%dT%H%M%SZ").ok()?;
        let now = self.now();
        if (now - time.and_utc()).abs() > TimeDelta::minutes(15) {
            let message = "The difference between the request time and the current time is too \
                           large.";
            let now = now.format("%Y-%m-%dT%H:%M:%SZ").to_string();
            let details = [
                ("RequestTime", date),
                ("ServerTime", now.as_str()),
                ("MaxAllowedSkewMilliseconds", "900000"),
            ];
            return forbidden("RequestTimeTooSkewed", message, &details);
        }
        let inner = self.inner();
        if region != inner.region {
            let right = inner.region.as_str();
            let message = format!(
                "The authorization header is malformed; the region '{region}' is wrong; \
                 expecting '{right}'"
            );
            let code = "AuthorizationHeaderMalformed";
            return bad(code, &message, &[("Region", right)]);
        }
        let token = text("x-amz-security-token");
        let session = inner.keys.get(id).map(|key| key.session.as_ref());
        match (session, token) {
            (None, _) | (Some(Some(_)), None) => {
                let message = "The AWS Access Key Id you provided does not exist in our records.";
                forbidden("InvalidAccessKeyId", message, &[("AWSAccessKeyId", id)])
            }
            (Some(session), Some(token)) if session.is_none_or(|(right, _)| right != token) => {
                let message = "The provided token is malformed or otherwise invalid.";
                bad("InvalidToken", message, &[("Token-0", token)])
            }
            (Some(Some((_, expires))), Some(token)) if *expires <= now => {
                let message = "The provided token has expired.";
                bad("ExpiredToken", message, &[("Token-0", token)])
            }
            _ => {
                let message = "There were headers present in the request which were not signed";
                headers
                    .keys()
                    .map(header::HeaderName::as_str)
                    .filter(|name| *name == "host" || name.starts_with("x-amz-"))
                    .find(|name| !signed.contains(name))
                    .and_then(|name| {
                        forbidden("AccessDenied", message, &[("HeadersNotSigned", name)])
                    })
            }
        }
    }
}

/// Finds a field such as `Credential=…` in an `Authorization` header.
fn field<'a>(authorization: &'a str, name: &str) -> Option<&'a str> {
    authorization
        .split([' ', ','])
        .find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
}

fn bad(code: &str, message: &str, details: &[(&str, &str)]) -> Option<Response> {
    Some(error(StatusCode::BAD_REQUEST, code, message, details))
}

fn forbidden(code: &str, message: &str, details: &[(&str, &str)]) -> Option<Response> {
    Some(error(StatusCode::FORBIDDEN, code, message, details))
}

/// Error response in the format of AWS.
pub fn error(status: StatusCode, code: &str, message: &str, details: &[(&str, &str)]) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/xml")];
    (status, kind, xml(code, message, details)).into_response()
}

/// Body of an error response.
pub fn xml(code: &str, message: &str, details: &[(&str, &str)]) -> String {
    let mut elements = format!("<Code>{code}</Code><Message>{message}</Message>");
    for (name, value) in details {
        let value = value.replace('&', "&amp;").replace('<', "&lt;");
        elements += &format!("<{name}>{value}</{name}>");
    }
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>{elements}\
         <RequestId>4442587FB7D0A2F9</RequestId><HostId>c3RhbmQtaW4=</HostId></Error>"
    )
}

#[async_trait]
impl S3Auth for Account {
    async fn get_secret_key(&self, id: &str) -> S3Result<SecretKey> {
        let inner = self.inner();
        let key = inner.keys.get(id);
        key.map(|key| key.secret.as_str().into())
            .ok_or_else(|| s3_error!(InvalidAccessKeyId))
    }
}

#[async_trait]
impl S3Access for Account {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        let refused = || s3_error!(AccessDenied, "Access Denied");
        let id = &context.credentials().ok_or_else(refused)?.access_key;
        let action = match context.s3_op().name() {
            "ListBuckets" => "ListAllMyBuckets",
            "HeadBucket" | "ListObjects" | "ListObjectsV2" => "ListBucket",
            other => other,
        };
        let bucket = context.s3_path().get_bucket_name().unwrap_or("*");
        let asked = (id.clone(), format!("s3:{action}"), bucket.to_owned());
        if self.inner().denied.contains(&asked) {
            Err(refused())
        } else {
            Ok(())
        }
    }
}

#[async_trait]
impl S3 for Account {
    async fn list_buckets(
        &self,
        _: S3Request<ListBucketsInput>,
    ) -> S3Result<S3Response<ListBucketsOutput>> {
        let named = |name: &String| Bucket {
            name: Some(name.clone()),
            ..Bucket::default()
        };
        Ok(S3Response::new(ListBucketsOutput {
            buckets: Some(self.inner().buckets.iter().map(named).collect()),
            ..ListBucketsOutput::default()
        }))
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let ListObjectsV2Input { bucket, prefix, .. } = request.input;
        if !self.inner().buckets.contains(&bucket) {
            let message = "The specified bucket does not exist";
            return Err(s3_error!(NoSuchBucket, "{message}"));
        }
        let found = OBJECT.starts_with(prefix.as_deref().unwrap_or_default());
        let object = found.then(|| Object {
            key: Some(OBJECT.into()),
            size: Some(1),
            ..Object::default()
        });
        Ok(S3Response::new(ListObjectsV2Output {
            key_count: Some(object.iter().len() as i32),
            contents: Some(object.into_iter().collect()),
            name: Some(bucket),
            prefix,
            ..ListObjectsV2Output::default()
        }))
    }
}
