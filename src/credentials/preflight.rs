//! Tries credentials out before they are kept: one signed request to the S3
//! service and one to the catalog.
//!
//! Does I/O, but only with endpoints from the settings: no redirect is
//! followed, no proxy is used, each request has 5 s, and of an answer no more than
//! 64 KiB is read.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::{Client, Method, RequestBuilder, StatusCode, Url, redirect::Policy};
use secrecy::ExposeSecret;

use super::{Credentials, sign::sign};
use crate::settings::Catalog;

const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// In bytes. Error documents have a few hundred.
const MAX_RESPONSE_BYTES: usize = 64 * 1024;

/// What is wrong with credentials, or with what they were tried against.
///
/// S3's codes: <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList>
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PreflightError {
    /// No connection, or no answer in time.
    #[error("I can't reach {0}. Your keys were not tried; an admin should look at it.")]
    Unreachable(String),
    /// `InvalidAccessKeyId`
    #[error(
        "The storage doesn't know this **access key ID**. Is it complete, and for this storage? \
         (One that begins with `ASIA` works only together with its session token.)"
    )]
    UnknownKey,
    /// `SignatureDoesNotMatch`
    #[error("The **secret access key** doesn't belong to this access key ID.")]
    WrongSecret,
    /// `ExpiredToken`
    #[error("The **session token** has expired. Please get new keys.")]
    ExpiredToken,
    /// `InvalidToken`
    #[error("The **session token** isn't one that the storage gave out with this key.")]
    WrongToken,
    /// `RequestTimeTooSkewed`
    #[error(
        "My clock and the storage's differ by more than a quarter of an hour, so your keys could \
         not be tried. An admin has to set one of the clocks right."
    )]
    ClockSkew,
    /// 401, by storages that don't say more
    #[error("The storage doesn't accept these keys.")]
    Refused,
    /// `AccessDenied`
    #[error(
        "The storage doesn't let these keys list bucket `{bucket}` (permission `{action}`). \
         Please ask whoever gave you the keys."
    )]
    NoPermission {
        /// The permission, as in an IAM policy.
        action: &'static str,
        /// The bucket from the settings.
        bucket: String,
    },
    /// `NoSuchBucket`
    #[error("There is no bucket `{0}`. An admin has to correct my settings.")]
    NoBucket(String),
    /// The settings name another region.
    #[error("The storage is in another region than my settings say. An admin has to correct them.")]
    OtherRegion,
    /// 401 or 403 from the catalog, without a token.
    #[error("The catalog `{0}` wants a **catalog token**. Please enter one.")]
    CatalogWantsToken(String),
    /// 401 or 403 from the catalog.
    #[error("The catalog `{0}` doesn't accept this **catalog token**.")]
    CatalogRefuses(String),
    /// Anything else.
    #[error(
        "{who} answered something that I don't understand ({what}). An admin should look at it."
    )]
    Strange {
        /// Who.
        who: String,
        /// The status, and the error's code if it has one.
        what: String,
    },
}

/// Tries credentials out.
pub struct Preflight {
    client: Client,
}

/// What an endpoint is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndpointKind {
    /// The tables.
    Catalog,
    /// The files.
    Storage,
}

impl EndpointKind {
    /// The setting that names it.
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

/// The part of an answer that matters here.
struct HttpResponse {
    status: StatusCode,
    text: String,
}

/// What is to blame that keys don't work: what is later here hides what is before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ErrorOrigin {
    /// The keys.
    Credentials,
    /// The settings, or a clock: somebody has to mend them.
    Settings,
    /// The moment: it may pass.
    Transient,
}

impl PreflightError {
    /// What is to blame.
    pub fn origin(&self) -> ErrorOrigin {
        match self {
            Self::Unreachable(_) => ErrorOrigin::Transient,
            Self::ClockSkew | Self::NoBucket(_) | Self::OtherRegion | Self::Strange { .. } => {
                ErrorOrigin::Settings
            }
            _ => ErrorOrigin::Credentials,
        }
    }
}

impl Preflight {
    /// Makes the client.
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

    /// What a catalog's settings name.
    pub fn endpoints(catalog: &Catalog) -> [(EndpointKind, String); 2] {
        [
            (EndpointKind::Catalog, catalog.endpoint.clone()),
            (EndpointKind::Storage, storage_endpoint(catalog)),
        ]
    }

    /// Whether somebody answers there, whatever they say; what time it is there, if they
    /// say that.
    ///
    /// # Errors
    /// Why not.
    pub async fn probe(&self, endpoint: &str) -> Result<Option<DateTime<Utc>>, String> {
        let answer = self.client.get(endpoint).send().await;
        let answer = answer.map_err(|error| match error.is_timeout() {
            true => "no answer in time".to_owned(),
            false => "no connection".to_owned(),
        })?;
        let date = answer
            .headers()
            .get("date")
            .and_then(|date| date.to_str().ok());
        let date = date.and_then(|date| DateTime::parse_from_rfc2822(date).ok());
        Ok(date.map(|date| date.to_utc()))
    }

    /// Tries `credentials` against the storage and the catalog, side by side. True when
    /// they were seen to work; false when nothing speaks against them, but the
    /// storage, asked without a bucket, lets nobody see that.
    ///
    /// # Errors
    /// Everything that is wrong.
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
        let who = "the storage".to_owned();
        let unusable = |_| PreflightError::Strange {
            who: "The storage".into(),
            what: "its address or region in my settings can't be used".into(),
        };
        let url = listing_url(catalog).map_err(|()| unusable(()))?;
        let headers = sign(&Method::GET, &url, credentials, &catalog.s3_region, now);
        let headers = headers.map_err(|_| unusable(()))?;
        let asked = self.client.get(url).headers(headers);
        match send(asked).await {
            None => Err(PreflightError::Unreachable(who)),
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
            // Sessions log in as the team's client; that is not this person's to try.
            return Ok(());
        }
        let who = format!("the catalog `{}`", catalog.name);
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
            // 419 is Iceberg's own for a token that has expired.
            (401 | 403 | 419, Some(_)) => Err(PreflightError::CatalogRefuses(catalog.name.clone())),
            (status, _) => Err(PreflightError::Strange {
                who: format!("The catalog `{}`", catalog.name),
                what: status.to_string(),
            }),
        }
    }
}

/// Where the storage is; AWS has one in each region.
fn storage_endpoint(catalog: &Catalog) -> String {
    let aws = || format!("https://s3.{}.amazonaws.com", catalog.s3_region);
    catalog.s3_endpoint.clone().unwrap_or_else(aws)
}

/// Where one may list: the bucket of the settings, else the buckets.
fn listing_url(catalog: &Catalog) -> Result<Url, ()> {
    let mut url = Url::parse(&storage_endpoint(catalog)).map_err(|_| ())?;
    let Some(bucket) = &catalog.s3_bucket else {
        return Ok(url);
    };
    match catalog.s3_path_style {
        // Some services have their S3 below a path.
        true => url.set_path(&format!("{}/{bucket}", url.path().trim_end_matches('/'))),
        false => {
            let host = format!("{bucket}.{}", url.host_str().ok_or(())?);
            url.set_host(Some(&host)).map_err(|_| ())?;
        }
    }
    url.query_pairs_mut()
        .append_pair("list-type", "2")
        .append_pair("max-keys", "1")
        .append_pair("prefix", catalog.s3_prefix.as_deref().unwrap_or_default());
    // Some servers sign for `%20` what others sign for `+`; nobody mistakes `%20`.
    let query = url.query().map(|query| query.replace('+', "%20"));
    url.set_query(query.as_deref());
    Ok(url)
}

fn is_listing(answer: &HttpResponse) -> bool {
    let listings = ["<ListBucketResult", "<ListAllMyBucketsResult"];
    answer.status.is_success() && listings.iter().any(|listing| answer.text.contains(listing))
}

/// What an error of the storage means; `None` if it says nothing about the keys.
fn storage_error(answer: &HttpResponse, catalog: &Catalog) -> Option<PreflightError> {
    let code = error_code(&answer.text);
    Some(match (code, &catalog.s3_bucket) {
        ("InvalidAccessKeyId", _) => PreflightError::UnknownKey,
        ("SignatureDoesNotMatch", _) => PreflightError::WrongSecret,
        ("ExpiredToken", _) => PreflightError::ExpiredToken,
        ("InvalidToken" | "InvalidTokenId", _) => PreflightError::WrongToken,
        ("RequestTimeTooSkewed", _) => PreflightError::ClockSkew,
        // AWS says that of known keys that may not list all buckets, others
        // (Garage) of unknown ones as well.
        ("AccessDenied", None) => return None,
        ("AccessDenied", Some(bucket)) => PreflightError::NoPermission {
            action: "s3:ListBucket",
            bucket: bucket.clone(),
        },
        ("NoSuchBucket", Some(bucket)) => PreflightError::NoBucket(bucket.clone()),
        ("PermanentRedirect" | "IllegalLocationConstraintException", _) => {
            PreflightError::OtherRegion
        }
        // Without a region it is the key ID that AWS can't make sense of.
        ("AuthorizationHeaderMalformed", _) if answer.text.contains("<Region>") => {
            PreflightError::OtherRegion
        }
        ("AuthorizationHeaderMalformed", _) => PreflightError::UnknownKey,
        _ if answer.status == StatusCode::UNAUTHORIZED => PreflightError::Refused,
        (code, _) => PreflightError::Strange {
            who: "The storage".into(),
            what: format!("{} {code}", answer.status.as_u16())
                .trim()
                .to_owned(),
        },
    })
}

/// The code of an S3 error document; empty if there is none that looks like one.
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

/// Sends a request and reads the beginning of the answer; `None` if there is
/// none in time.
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
    fn a_listing_is_asked_for_where_the_settings_say() {
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
    fn only_what_looks_like_a_code_is_repeated() {
        assert_eq!(
            error_code("<Error><Code>SlowDown</Code></Error>"),
            "SlowDown"
        );
        for document in ["", "<Code>", "<Code>@everyone</Code>", "<Code>a b</Code>"] {
            assert_eq!(error_code(document), "", "{document}");
        }
    }
}
