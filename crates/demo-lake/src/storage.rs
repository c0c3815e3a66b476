//! S3 for the lake: [`s3s`] implements the protocol and verifies signatures, [`s3s_fs`] stores each
//! bucket as a folder. No host name is set, so only path-style requests work.

use std::{collections::HashMap, path::Path};

use anyhow::{Context, anyhow};
use async_trait::async_trait;
use axum::{Router, error_handling::HandleError, http::StatusCode};
use s3s::{
    HttpError, S3Result,
    auth::{S3Auth, SecretKey},
    s3_error,
    service::S3ServiceBuilder,
};
use s3s_fs::FileSystem;

/// Routes that serve the buckets in `folder` to requests signed with one of `credentials` (access
/// key ID and secret).
///
/// # Errors
/// If the folder can't be read.
pub(super) fn routes(folder: &Path, credentials: &[(&str, &str)]) -> anyhow::Result<Router> {
    let objects = FileSystem::new(folder)
        // s3s_fs's error does not implement `std::error::Error`.
        .map_err(|error| anyhow!("{error:?}"))
        .with_context(|| format!("Can't serve {} as S3", folder.display()))?;
    let mut builder = S3ServiceBuilder::new(objects);
    // With authentication set, s3s also rejects unsigned requests.
    builder.set_auth(Credentials(
        credentials
            .iter()
            .map(|&(id, key)| (id.into(), key.into()))
            .collect(),
    ));
    Ok(Router::new().fallback_service(HandleError::new(builder.build(), internal_error)))
}

/// Secrets by access key ID. [`s3s::auth::SimpleAuth`] answers `NotSignedUp` for an unknown ID,
/// which AWS doesn't and clients don't know.
struct Credentials(HashMap<String, SecretKey>);

#[async_trait]
impl S3Auth for Credentials {
    async fn get_secret_key(&self, id: &str) -> S3Result<SecretKey> {
        let key = self.0.get(id).cloned();
        key.ok_or_else(|| s3_error!(InvalidAccessKeyId))
    }
}

/// Answers a failure that is not an S3 error.
async fn internal_error(error: HttpError) -> (StatusCode, String) {
    let message = format!("The storage can't process the request: {error:?}");
    (StatusCode::INTERNAL_SERVER_ERROR, message)
}
