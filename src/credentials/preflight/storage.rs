//! The request to the storage, and the meaning of its answer.

use chrono::{DateTime, Utc};
use reqwest::{Client, Method, Url};

use super::{
    error::{CheckedService, PreflightError},
    http::{HttpResponse, send},
};
use crate::{
    credentials::{S3Keys, sign::sign},
    s3_error::{self, S3Error},
    settings::Catalog,
};

/// Lists the bucket in the settings, or the buckets if none is set. Returns false if the storage
/// denies the latter, which says nothing about the credentials.
pub(super) async fn check(
    client: &Client,
    keys: &S3Keys,
    catalog: &Catalog,
    now: DateTime<Utc>,
) -> Result<bool, PreflightError> {
    let unusable = PreflightError::InvalidStorageSettings;
    let url = listing_url(catalog).map_err(|()| unusable.clone())?;
    let scope = ("s3", &*catalog.s3_region);
    let headers = sign(&Method::GET, &url, keys, scope, now);
    let headers = headers.map_err(|_| unusable)?;
    let request = client.get(url).headers(headers);
    let answer = send(request, &CheckedService::Storage).await?;
    match listing(&answer) {
        // The endpoint is a bucket's, where DuckDB would look for a bucket in the bucket.
        Some(Listing::Files) if catalog.s3_bucket.is_none() => {
            Err(PreflightError::BucketInEndpoint)
        }
        Some(_) => Ok(true),
        None => error(&answer, catalog).map_or(Ok(false), Err),
    }
}

/// Returns the storage's endpoint. The default is AWS in the configured region.
pub(super) fn endpoint(catalog: &Catalog) -> String {
    let aws = || format!("https://s3.{}.amazonaws.com", catalog.s3_region);
    let endpoint = catalog.s3_endpoint.as_ref().map(ToString::to_string);
    endpoint.unwrap_or_else(aws)
}

/// Returns the URL that lists the bucket in the settings, or the buckets if none is set.
fn listing_url(catalog: &Catalog) -> Result<Url, ()> {
    let mut url = Url::parse(&endpoint(catalog)).map_err(|_| ())?;
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

/// A list of a storage.
enum Listing {
    Buckets,
    Files,
}

fn listing(answer: &HttpResponse) -> Option<Listing> {
    let lists = |element: &str| answer.status.is_success() && answer.text.contains(element);
    if lists("<ListAllMyBucketsResult") {
        return Some(Listing::Buckets);
    }
    lists("<ListBucketResult").then_some(Listing::Files)
}

/// Translates an error of the storage. Returns `None` if it says nothing about the credentials.
fn error(answer: &HttpResponse, catalog: &Catalog) -> Option<PreflightError> {
    let who = CheckedService::Storage;
    let status = answer.status.as_u16();
    let meaning = s3_error::meaning(status, &answer.text);
    Some(match (meaning, &catalog.s3_bucket) {
        (S3Error::UnknownKey, _) => PreflightError::UnknownKey,
        (S3Error::WrongSecret, _) => PreflightError::WrongSecret,
        (S3Error::ExpiredToken, _) => PreflightError::ExpiredToken,
        (S3Error::WrongToken, _) => PreflightError::WrongToken,
        (S3Error::Suspended, _) => PreflightError::Suspended,
        (S3Error::Refused | S3Error::Denied, _) => PreflightError::Refused,
        // AWS answers this if a known key may not list the buckets. Other services (Garage)
        // answer it for unknown keys too.
        (S3Error::NoPermission | S3Error::QuotaExceeded | S3Error::Archived, None) => return None,
        (S3Error::NoPermission | S3Error::QuotaExceeded | S3Error::Archived, Some(bucket)) => {
            PreflightError::NoPermission {
                action: "s3:ListBucket",
                bucket: bucket.clone(),
            }
        }
        (S3Error::ClockSkew, _) => PreflightError::ClockSkew,
        (S3Error::NoBucket, Some(bucket)) => PreflightError::NoBucket(bucket.clone()),
        (S3Error::OtherRegion, _) => PreflightError::OtherRegion,
        (S3Error::OtherStyle, _) => PreflightError::OtherStyle,
        (S3Error::OtherAddress, _) => PreflightError::InvalidStorageSettings,
        (S3Error::Busy, _) => PreflightError::Busy { who, status },
        (S3Error::NotS3, _) => PreflightError::WrongEndpoint { who, status },
        (S3Error::NoBucket | S3Error::Strange, _) => PreflightError::Strange {
            who,
            status,
            code: s3_error::code(&answer.text),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::values::S3Endpoint;

    fn endpoint(url: &str) -> Option<S3Endpoint> {
        Some(S3Endpoint::parse(url).expect("a URL"))
    }

    fn lake() -> Catalog {
        Catalog {
            name: "lake".into(),
            oauth2: None,
            sigv4_service: None,
            vended_credentials: false,
            ignores_tokens: false,
            endpoint: "http://catalog".into(),
            warehouse: None,
            s3_endpoint: endpoint("https://s3.example.com:9000"),
            s3_region: "eu-central-1".into(),
            s3_path_style: true,
            s3_bucket: Some("lake".into()),
            s3_prefix: Some("team a/".into()),
            work: None,
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
        let below = url(|it| it.s3_endpoint = endpoint("https://host/storage/s3"));
        assert_eq!(below, format!("https://host/storage/s3/lake{query}"));
        let aws = url(|it| (it.s3_endpoint, it.s3_bucket) = (None, None));
        assert_eq!(aws, "https://s3.eu-central-1.amazonaws.com/");
    }
}
