//! S3 for the lake: [`s3s`] verifies the signatures and speaks the protocol, [`s3s_fs`] keeps
//! a bucket as a folder. As no host name is set, buckets are found by path style only.

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

/// What serves the buckets in `folder`, to who signs with one of `credentials` (id and secret).
///
/// # Errors
/// If the folder can't be read.
pub fn routes(folder: &Path, credentials: &[(&str, &str)]) -> anyhow::Result<Router> {
    let objects = FileSystem::new(folder)
        // It is no error of the standard library's kind.
        .map_err(|error| anyhow!("{error:?}"))
        .with_context(|| format!("Can't serve {} as S3", folder.display()))?;
    let mut builder = S3ServiceBuilder::new(objects);
    // From here on s3s also refuses what is not signed at all.
    builder.set_auth(Credentials(
        credentials
            .iter()
            .map(|&(id, key)| (id.into(), key.into()))
            .collect(),
    ));
    Ok(Router::new().fallback_service(HandleError::new(builder.build(), internal_error)))
}

/// The secrets, by key id. [`s3s::auth::SimpleAuth`] would say `NotSignedUp` of an unknown key,
/// which AWS doesn't and clients don't know.
struct Credentials(HashMap<String, SecretKey>);

#[async_trait]
impl S3Auth for Credentials {
    async fn get_secret_key(&self, id: &str) -> S3Result<SecretKey> {
        let key = self.0.get(id).cloned();
        key.ok_or_else(|| s3_error!(InvalidAccessKeyId))
    }
}

/// A request that not even an error of S3 answers.
async fn internal_error(error: HttpError) -> (StatusCode, String) {
    let message = format!("The storage can't answer: {error:?}");
    (StatusCode::INTERNAL_SERVER_ERROR, message)
}
