//! Checks credentials before they are stored, with one signed request to the S3 service and one
//! request to the catalog.
//!
//! Does I/O, but only with endpoints from the settings. It follows no redirect and uses no
//! proxy. Each request has 5 s, and at most 64 KiB of an answer are used.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::{Client, Method, RequestBuilder, StatusCode, Url, redirect::Policy};
use secrecy::ExposeSecret;

use super::{Credentials, sign::sign};
use crate::settings::Catalog;

const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// Maximum size of an answer. Error documents have a few hundred bytes.
const MAX_RESPONSE_BYTES: usize = 64 * 1024;

/// Errors in the credentials, or in the services that they were checked against.
///
/// S3's codes: <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList>
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PreflightError {
    /// No connection, or no answer within the time limit.
    Unreachable(CheckedService),
    /// `InvalidAccessKeyId`
    UnknownKey,
    /// `SignatureDoesNotMatch`
    WrongSecret,
    /// `ExpiredToken`
    ExpiredToken,
    /// `InvalidToken`
    WrongToken,
    /// `RequestTimeTooSkewed`
    ClockSkew,
    /// 401 without a known code.
    Refused,
    /// `AccessDenied`
    NoPermission {
        /// Permission, as in an IAM policy.
        action: &'static str,
        /// Bucket from the settings.
        bucket: String,
    },
    /// `NoSuchBucket`, with the bucket from the settings.
    NoBucket(String),
    /// The settings name another region.
    OtherRegion,
    /// The storage's address or region in the settings is not valid.
    InvalidStorageSettings,
    /// 401 or 403 from the catalog, without a token.
    CatalogWantsToken(String),
    /// 401, 403 or 419 from the catalog, with a token.
    CatalogRefuses(String),
    /// Any other answer.
    Strange {
        who: CheckedService,
        status: u16,
        /// Code of the S3 error. Empty if there is none.
        code: String,
    },
}

/// A service that credentials are checked with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckedService {
    Storage,
    /// The catalog with this name.
    Catalog(String),
}

/// Client that checks credentials.
pub struct Preflight {
    client: Client,
}

/// The kinds of endpoints in a catalog's settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndpointKind {
    /// The Iceberg REST catalog.
    Catalog,
    /// The S3 service.
    Storage,
}

impl EndpointKind {
    /// Key of the setting that holds the endpoint.
    pub fn setting(self) -> &'static str {
        match self {
            Self::Catalog => "endpoint",
            Self::Storage => "s3_endpoint",
        }
    }
}

impl std::fmt::Display for EndpointKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Catalog => "catalog",
            Self::Storage => "storage",
        })
    }
}

/// Status and beginning of an answer.
struct HttpResponse {
    status: StatusCode,
    text: String,
}

/// Causes of an error. Of several causes, only the last one in this order is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ErrorOrigin {
    /// The credentials are wrong.
    Credentials,
    /// The settings or a clock are wrong, and an admin has to correct them.
    Settings,
    /// A temporary failure.
    Transient,
}

impl PreflightError {
    pub fn origin(&self) -> ErrorOrigin {
        match self {
            Self::Unreachable(_) => ErrorOrigin::Transient,
            Self::ClockSkew
            | Self::NoBucket(_)
            | Self::OtherRegion
            | Self::InvalidStorageSettings
            | Self::Strange { .. } => ErrorOrigin::Settings,
            _ => ErrorOrigin::Credentials,
        }
    }
}

impl Preflight {
    /// Creates the HTTP client.
    ///
    /// # Errors
    /// If TLS can't be set up on this machine.
    pub fn new() -> reqwest::Result<Self> {
        let client = Client::builder()
            .timeout(REQUEST_TIMEOUT)
            .redirect(Policy::none())
            .no_proxy()
            .build()?;
        Ok(Self { client })
    }

    /// Returns the endpoints in a catalog's settings.
    pub fn endpoints(catalog: &Catalog) -> [(EndpointKind, String); 2] {
        [
            (EndpointKind::Catalog, catalog.endpoint.clone()),
            (EndpointKind::Storage, storage_endpoint(catalog)),
        ]
    }

    /// Checks that `endpoint` answers, with any status. Returns the time in the `Date` header, if
    /// there is one.
    ///
    /// # Errors
    /// If there is no answer; the text says why.
    pub async fn probe(&self, endpoint: &str) -> Result<Option<DateTime<Utc>>, String> {
        let answer = self.client.get(endpoint).send().await;
        let answer = answer.map_err(|error| {
            if error.is_timeout() {
                "no answer in time".to_owned()
            } else {
                "no connection".to_owned()
            }
        })?;
        let date = answer
            .headers()
            .get("date")
            .and_then(|date| date.to_str().ok());
        let date = date.and_then(|date| DateTime::parse_from_rfc2822(date).ok());
        Ok(date.map(|date| date.to_utc()))
    }

    /// Checks `credentials` with the storage and the catalog in parallel. Returns true if they were
    /// seen to work. Returns false if no bucket is set and the storage denies listing the buckets,
    /// which shows neither that they work nor that they don't.
    ///
    /// # Errors
    /// Returns the storage's error and the catalog's, whichever there are.
    pub async fn check(
        &self,
        credentials: &Credentials,
        catalog: &Catalog,
        now: DateTime<Utc>,
    ) -> Result<bool, Vec<PreflightError>> {
        let (storage, tables) = tokio::join!(
            self.storage(credentials, catalog, now),
            self.catalog(credentials, catalog)
        );
        match (storage, tables) {
            (Ok(works), Ok(())) => Ok(works),
            (storage, tables) => Err(storage.err().into_iter().chain(tables.err()).collect()),
        }
    }

    async fn storage(
        &self,
        credentials: &Credentials,
        catalog: &Catalog,
        now: DateTime<Utc>,
    ) -> Result<bool, PreflightError> {
        let unusable = PreflightError::InvalidStorageSettings;
        let url = listing_url(catalog).map_err(|()| unusable.clone())?;
        let headers = sign(&Method::GET, &url, credentials, &catalog.s3_region, now);
        let headers = headers.map_err(|_| unusable)?;
        let asked = self.client.get(url).headers(headers);
        match send(asked).await {
            None => Err(PreflightError::Unreachable(CheckedService::Storage)),
            Some(answer) if is_listing(&answer) => Ok(true),
            Some(answer) => storage_error(&answer, catalog).map_or(Ok(false), Err),
        }
    }

    async fn catalog(
        &self,
        credentials: &Credentials,
        catalog: &Catalog,
    ) -> Result<(), PreflightError> {
        if catalog.oauth2.is_some() && credentials.catalog_token.is_none() {
            // Sessions log in as the team's client, which is not part of these credentials.
            return Ok(());
        }
        let who = CheckedService::Catalog(catalog.name.clone());
        let mut asked = self.client.get(format!("{}/v1/config", catalog.endpoint));
        if let Some(warehouse) = &catalog.warehouse {
            asked = asked.query(&[("warehouse", warehouse)]);
        }
        if let Some(token) = &credentials.catalog_token {
            asked = asked.bearer_auth(token.expose_secret());
        }
        let Some(answer) = send(asked).await else {
            return Err(PreflightError::Unreachable(who));
        };
        let is_config = serde_json::from_str::<serde_json::Map<_, _>>(&answer.text).is_ok();
        match (answer.status.as_u16(), &credentials.catalog_token) {
            (200, _) if is_config => Ok(()),
            (401 | 403, None) => Err(PreflightError::CatalogWantsToken(catalog.name.clone())),
            // Iceberg's specification uses 419 for an expired token.
            (401 | 403 | 419, Some(_)) => Err(PreflightError::CatalogRefuses(catalog.name.clone())),
            (status, _) => Err(PreflightError::Strange {
                who,
                status,
                code: String::new(),
            }),
        }
    }
}

/// Returns the storage's endpoint. The default is AWS in the configured region.
fn storage_endpoint(catalog: &Catalog) -> String {
    let aws = || format!("https://s3.{}.amazonaws.com", catalog.s3_region);
    catalog.s3_endpoint.clone().unwrap_or_else(aws)
}

/// Returns the URL that lists the bucket in the settings, or the buckets if none is set.
fn listing_url(catalog: &Catalog) -> Result<Url, ()> {
    let mut url = Url::parse(&storage_endpoint(catalog)).map_err(|_| ())?;
    let Some(bucket) = &catalog.s3_bucket else {
        return Ok(url);
    };
    if catalog.s3_path_style {
        // Some services serve S3 below a path.
        url.set_path(&format!("{}/{bucket}", url.path().trim_end_matches('/')))
    } else {
        let host = format!("{bucket}.{}", url.host_str().ok_or(())?);
        url.set_host(Some(&host)).map_err(|_| ())?;
    }
    url.query_pairs_mut()
        .append_pair("list-type", "2")
        .append_pair("max-keys", "1")
        .append_pair("prefix", catalog.s3_prefix.as_deref().unwrap_or_default());
    // Servers disagree about the signature of `+`, but all agree about `%20`.
    let query = url.query().map(|query| query.replace('+', "%20"));
    url.set_query(query.as_deref());
    Ok(url)
}

fn is_listing(answer: &HttpResponse) -> bool {
    let listings = ["<ListBucketResult", "<ListAllMyBucketsResult"];
    answer.status.is_success() && listings.iter().any(|listing| answer.text.contains(listing))
}

/// Translates an error of the storage. Returns `None` if it says nothing about the credentials.
fn storage_error(answer: &HttpResponse, catalog: &Catalog) -> Option<PreflightError> {
    let code = error_code(&answer.text);
    Some(match (code, &catalog.s3_bucket) {
        ("InvalidAccessKeyId", _) => PreflightError::UnknownKey,
        ("SignatureDoesNotMatch", _) => PreflightError::WrongSecret,
        ("ExpiredToken", _) => PreflightError::ExpiredToken,
        ("InvalidToken" | "InvalidTokenId", _) => PreflightError::WrongToken,
        ("RequestTimeTooSkewed", _) => PreflightError::ClockSkew,
        // AWS answers this if a known key may not list the buckets. Other services (Garage)
        // answer it for unknown keys too.
        ("AccessDenied", None) => return None,
        ("AccessDenied", Some(bucket)) => PreflightError::NoPermission {
            action: "s3:ListBucket",
            bucket: bucket.clone(),
        },
        ("NoSuchBucket", Some(bucket)) => PreflightError::NoBucket(bucket.clone()),
        ("PermanentRedirect" | "IllegalLocationConstraintException", _) => {
            PreflightError::OtherRegion
        }
        // Without `<Region>` in the answer, AWS could not parse the key ID.
        ("AuthorizationHeaderMalformed", _) if answer.text.contains("<Region>") => {
            PreflightError::OtherRegion
        }
        ("AuthorizationHeaderMalformed", _) => PreflightError::UnknownKey,
        _ if answer.status == StatusCode::UNAUTHORIZED => PreflightError::Refused,
        (code, _) => PreflightError::Strange {
            who: CheckedService::Storage,
            status: answer.status.as_u16(),
            code: code.to_owned(),
        },
    })
}

/// Returns the code of an S3 error document. It is empty if there is no plausible code.
fn error_code(document: &str) -> &str {
    let inside = document
        .split_once("<Code>")
        .and_then(|(_, rest)| rest.split_once("</Code>"));
    let is_code = |code: &&str| code.len() <= 64 && code.chars().all(|c| c.is_ascii_alphanumeric());
    inside
        .map(|(code, _)| code)
        .filter(is_code)
        .unwrap_or_default()
}

/// Sends a request and reads the beginning of the answer. Returns `None` if there is no answer
/// within the time limit.
async fn send(request: RequestBuilder) -> Option<HttpResponse> {
    let mut response = request.send().await.ok()?;
    let mut read = Vec::new();
    while read.len() < MAX_RESPONSE_BYTES {
        match response.chunk().await.ok()? {
            Some(chunk) => read.extend_from_slice(&chunk),
            None => break,
        }
    }
    read.truncate(MAX_RESPONSE_BYTES);
    Some(HttpResponse {
        status: response.status(),
        text: String::from_utf8_lossy(&read).into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lake() -> Catalog {
        Catalog {
            name: "lake".into(),
            oauth2: None,
            endpoint: "http://catalog".into(),
            warehouse: None,
            s3_endpoint: Some("https://s3.example.com:9000".into()),
            s3_region: "eu-central-1".into(),
            s3_path_style: true,
            s3_bucket: Some("lake".into()),
            s3_prefix: Some("team a/".into()),
        }
    }

    #[test]
    fn the_listing_url_follows_the_settings() {
        let url = |change: fn(&mut Catalog)| {
            let mut catalog = lake();
            change(&mut catalog);
            listing_url(&catalog).expect("a URL").to_string()
        };
        let query = "?list-type=2&max-keys=1&prefix=team%20a%2F";
        assert_eq!(
            url(|_| {}),
            format!("https://s3.example.com:9000/lake{query}")
        );
        let virtual_host = url(|it| it.s3_path_style = false);
        assert_eq!(
            virtual_host,
            format!("https://lake.s3.example.com:9000/{query}")
        );
        assert_eq!(
            url(|it| it.s3_bucket = None),
            "https://s3.example.com:9000/"
        );
        let below = url(|it| it.s3_endpoint = Some("https://host/storage/s3".into()));
        assert_eq!(below, format!("https://host/storage/s3/lake{query}"));
        let aws = url(|it| (it.s3_endpoint, it.s3_bucket) = (None, None));
        assert_eq!(aws, "https://s3.eu-central-1.amazonaws.com/");
    }

    #[test]
    fn only_plausible_error_codes_are_repeated() {
        assert_eq!(
            error_code("<Error><Code>SlowDown</Code></Error>"),
            "SlowDown"
        );
        for document in ["", "<Code>", "<Code>@everyone</Code>", "<Code>a b</Code>"] {
            assert_eq!(error_code(document), "", "{document}");
        }
    }
}
