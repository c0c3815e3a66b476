//! Checks credentials before they are stored, with one signed request to the S3 service and one
//! request to the catalog.
//!
//! Does I/O, but only with endpoints from the settings. It follows no redirect. Each request has 5 s, and at most 64 KiB of an answer are used.

mod catalog;
mod catalog_error;
mod error;
mod http;
mod storage;

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::{Client, redirect::Policy};

pub use error::{CheckedService, ErrorOrigin, PreflightError};

use super::{CredentialPart, Credentials};
use crate::{
    outbound::{CertificateProblem, Outbound},
    settings::Catalog,
};

const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

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

impl Preflight {
    /// Creates the HTTP client.
    ///
    /// # Errors
    /// If TLS can't be set up on this machine.
    pub fn new(outbound: &Outbound) -> reqwest::Result<Self> {
        let client = outbound
            .client()
            .timeout(REQUEST_TIMEOUT)
            .redirect(Policy::none())
            .build()?;
        Ok(Self { client })
    }

    /// Returns the endpoints in a catalog's settings.
    pub fn endpoints(catalog: &Catalog) -> [(EndpointKind, String); 2] {
        [
            (EndpointKind::Catalog, catalog.endpoint.clone()),
            (EndpointKind::Storage, storage::endpoint(catalog)),
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
            if let Some(problem) = CertificateProblem::find(&error) {
                problem.to_string()
            } else if error.is_timeout() {
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
    /// which shows neither that they work nor that they don't. Doesn't ask the storage if the catalog
    /// hands out its credentials.
    ///
    /// # Errors
    /// Returns the storage's error and the catalog's, whichever there are.
    pub async fn check(
        &self,
        credentials: &Credentials,
        catalog: &Catalog,
        now: DateTime<Utc>,
    ) -> Result<bool, Vec<PreflightError>> {
        let needs_keys = CredentialPart::required_by(catalog) == CredentialPart::S3Keys;
        let storage = async {
            match &credentials.s3 {
                Some(keys) if needs_keys => storage::check(&self.client, keys, catalog, now).await,
                _ => Ok(true),
            }
        };
        let (storage, tables) = tokio::join!(
            storage,
            catalog::check(&self.client, credentials, catalog, now)
        );
        match (storage, tables) {
            (Ok(works), Ok(())) => Ok(works),
            (storage, tables) => {
                // A catalog that verifies signatures reports the same mistake.
                let mut errors: Vec<_> = storage.err().into_iter().chain(tables.err()).collect();
                errors.dedup();
                Err(errors)
            }
        }
    }
}
