//! The storage of saves: S3, or a folder.

use std::{fmt, path::Path as FilePath, pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use chrono::Utc;
use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::{
    ClientOptions, ObjectStore, ObjectStoreExt, PutPayload, RetryConfig, WriteMultipart,
    aws::AmazonS3Builder,
    client::{HttpClient, HttpConnector},
    local::LocalFileSystem,
    path::Path,
};
use ring::digest::{Context, SHA256};
use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncWriteExt},
};
use uuid::Uuid;

use super::{
    FileName, Manifest, Place, SaveFailure, SaveFailureReason, SaveSummary, SavedFile, WorkKey,
    WorkLocation,
    key::hex,
    manifest::{MANIFEST, to_keep, to_list},
};
use crate::{
    catalog::values::S3Endpoint,
    s3_error::{self, S3Error},
    session::{OwnerId, Workspace},
};

/// Size of the parts of an upload. S3 requires at least 5 MiB.
const PART_BYTES: usize = 8 << 20;
/// Maximum number of parts that are sent at the same time.
const MAX_PARTS: usize = 2;
/// Maximum size of a manifest.
const MAX_MANIFEST_BYTES: u64 = 64 << 10;
/// Number of complete saves of a workspace after which no older ones are looked for.
const MAX_SAVES: usize = 12;
/// Maximum number of saves of a workspace that are looked at, also incomplete ones.
const MAX_LOOKED_AT: usize = 200;
/// Number of manifests that are read at the same time.
const MAX_READS: usize = 4;
/// Maximum number of a save. Nobody reaches it by saving.
const MAX_NUMBER: u32 = 1_000_000_000;
/// Maximum time to connect, and between two parts of an answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const READ_TIMEOUT: Duration = Duration::from_secs(20);
/// Maximum time for all attempts of one request.
const RETRY_TIMEOUT: Duration = Duration::from_secs(20);
const MAX_RETRIES: usize = 3;
/// Maximum length of an error to keep.
const MAX_ERROR_CHARS: usize = 1 << 10;

/// An S3 service, and the keys for it.
#[derive(Clone, Copy)]
pub struct S3Access<'a> {
    /// `None` for AWS.
    pub endpoint: Option<&'a S3Endpoint>,
    pub region: &'a str,
    /// True if the bucket is in the path of a URL instead of its host name.
    pub path_style: bool,
    pub key_id: &'a str,
    pub secret_key: &'a str,
    pub session_token: Option<&'a str>,
}

/// A request to the storage failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct StoreError {
    pub reason: SaveFailureReason,
    /// The storage's error, without secret values.
    pub error: String,
}

/// The storage of saves at one [`WorkLocation`].
pub struct WorkStore {
    store: Arc<dyn ObjectStore>,
    location: WorkLocation,
}

impl WorkStore {
    /// Opens a location. `client` makes the requests to S3.
    ///
    /// # Errors
    /// If the folder can't be created, or a value can't be part of a request.
    pub fn open(
        location: &WorkLocation,
        access: &S3Access<'_>,
        client: reqwest::ClientBuilder,
    ) -> Result<Self, StoreError> {
        let store: Arc<dyn ObjectStore> = match location {
            WorkLocation::Folder(folder) => {
                let made = std::fs::create_dir_all(folder);
                made.map_err(|why| {
                    StoreError::unavailable(format!("{}: {why}", folder.display()))
                })?;
                let files = LocalFileSystem::new_with_prefix(folder)?;
                Arc::new(files.with_automatic_cleanup(true))
            }
            WorkLocation::S3 { bucket, .. } => Arc::new(open_bucket(bucket, access, client)?),
        };
        Ok(Self {
            store,
            location: location.clone(),
        })
    }

    /// Returns the complete saves of a workspace, newest first.
    ///
    /// # Errors
    /// If the storage does not answer, or refuses a request.
    pub async fn saves(
        &self,
        owner: OwnerId,
        workspace: &Workspace,
        key: &WorkKey,
    ) -> Result<Vec<SaveSummary>, StoreError> {
        let (saves, _) = self.look(owner, workspace, key).await?;
        Ok(to_list(&saves).into_iter().map(Manifest::summary).collect())
    }

    /// Returns the workspaces in which a person has saved something, perhaps incompletely.
    ///
    /// # Errors
    /// Same as [`Self::saves`].
    pub async fn workspaces(&self, owner: OwnerId) -> Result<Vec<Workspace>, StoreError> {
        let path = Path::parse(self.location.path_of(owner))?;
        let names = self.folders(&path).await?;
        Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
    }

    /// Writes a small object below the person's path, and deletes it again. Without the right to delete
    /// it stays.
    ///
    /// # Errors
    /// If it can't be written.
    pub async fn try_writing(&self, owner: OwnerId) -> Result<(), StoreError> {
        let path = format!(
            "{}/duckbot-test-{}",
            self.location.path_of(owner),
            Uuid::new_v4()
        );
        let path = Path::parse(path)?;
        let text = PutPayload::from_static(b"duckbot tried whether it may save work here.\n");
        self.store.put(&path, text).await?;
        let _ = self.store.delete(&path).await;
        Ok(())
    }

    /// Deletes everything that a person saved. Returns the number of objects.
    ///
    /// # Errors
    /// If an object can't be deleted. Those before it are gone.
    pub async fn delete_all(&self, owner: OwnerId) -> Result<usize, StoreError> {
        let path = Path::parse(self.location.path_of(owner))?;
        self.delete_below(&path).await
    }

    /// Returns the manifests of a workspace's newest complete saves, newest first.
    pub(crate) async fn manifests(
        &self,
        owner: OwnerId,
        workspace: &Workspace,
        key: &WorkKey,
    ) -> Result<Vec<Manifest>, StoreError> {
        Ok(self.look(owner, workspace, key).await?.0)
    }

    /// Returns the manifests of a workspace's newest complete saves, newest first, and the numbers of all
    /// saves that were looked at.
    async fn look(
        &self,
        owner: OwnerId,
        workspace: &Workspace,
        key: &WorkKey,
    ) -> Result<(Vec<Manifest>, Vec<u32>), StoreError> {
        let numbers = self.numbers(owner, workspace).await?;
        let read = |number| async move {
            let place = Place {
                owner,
                workspace,
                number,
            };
            let document = self.read_manifest(place).await?;
            let manifest = document.and_then(|it| Manifest::read(&it, place, key));
            Ok::<_, StoreError>((number, manifest))
        };
        let numbers = stream::iter(numbers.into_iter().take(MAX_LOOKED_AT));
        let mut read = pin!(numbers.map(read).buffered(MAX_READS));
        let (mut manifests, mut looked_at) = (Vec::new(), Vec::new());
        while manifests.len() < MAX_SAVES
            && let Some((number, manifest)) = read.try_next().await?
        {
            looked_at.push(number);
            manifests.extend(manifest);
        }
        Ok((manifests, looked_at))
    }

    /// Returns the numbers of a workspace's saves, also of incomplete ones, the newest first.
    pub(crate) async fn numbers(
        &self,
        owner: OwnerId,
        workspace: &Workspace,
    ) -> Result<Vec<u32>, StoreError> {
        let path = Path::parse(self.location.path_of_workspace(owner, workspace))?;
        let names = self.folders(&path).await?;
        let number = |name: &String| {
            let number: u32 = name.parse().ok()?;
            (number <= MAX_NUMBER && number.to_string() == *name).then_some(number)
        };
        let mut numbers: Vec<u32> = names.iter().filter_map(number).collect();
        numbers.sort_unstable_by(|a, b| b.cmp(a));
        Ok(numbers)
    }

    async fn read_manifest(&self, place: Place<'_>) -> Result<Option<Bytes>, StoreError> {
        let found = match self.store.get(&self.path(place, MANIFEST)?).await {
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            found => found?,
        };
        if found.meta.size > MAX_MANIFEST_BYTES {
            return Ok(None);
        }
        Ok(Some(found.bytes().await?))
    }

    /// Uploads a file of a save, in parts if it is large.
    pub(crate) async fn upload(
        &self,
        place: Place<'_>,
        name: FileName,
        file: &FilePath,
    ) -> Result<SavedFile, StoreError> {
        let path = self.path(place, name.as_str())?;
        let mut file = File::open(file).await.map_err(StoreError::from_disk)?;
        let mut hash = Context::new(&SHA256);
        let mut bytes = 0;
        let mut part = read_part(&mut file).await?;
        if part.len() < PART_BYTES {
            hash.update(&part);
            bytes += part.len() as u64;
            self.store.put(&path, part.into()).await?;
        } else {
            let upload = self.store.put_multipart(&path).await?;
            let mut upload = WriteMultipart::new_with_chunk_size(upload, PART_BYTES);
            while !part.is_empty() {
                hash.update(&part);
                bytes += part.len() as u64;
                if let Err(error) = upload.wait_for_capacity(MAX_PARTS).await {
                    let _ = upload.abort().await;
                    return Err(error.into());
                }
                upload.put(part);
                part = read_part(&mut file).await?;
            }
            upload.finish().await?;
        }
        Ok(SavedFile {
            name,
            number: place.number,
            bytes,
            sha256: hex(hash.finish().as_ref()),
        })
    }

    /// Writes the manifest, which completes the save.
    pub(crate) async fn complete(
        &self,
        manifest: &Manifest,
        key: &WorkKey,
    ) -> Result<(), StoreError> {
        let path = self.path(manifest.place_of(manifest.number), MANIFEST)?;
        self.store.put(&path, manifest.write(key).into()).await?;
        Ok(())
    }

    /// Downloads a file of a save.
    ///
    /// # Errors
    /// Returns [`SaveFailureReason::NotGenuine`] if it is not the file that the manifest describes.
    pub(crate) async fn download(
        &self,
        manifest: &Manifest,
        saved: &SavedFile,
        to: &FilePath,
    ) -> Result<(), StoreError> {
        let place = manifest.place_of(saved.number);
        let damaged = || StoreError {
            reason: SaveFailureReason::NotGenuine,
            error: format!(
                "{} of save {} is damaged",
                saved.name.as_str(),
                saved.number
            ),
        };
        let found = match self
            .store
            .get(&self.path(place, saved.name.as_str())?)
            .await
        {
            Err(object_store::Error::NotFound { .. }) => return Err(damaged()),
            found => found?,
        };
        if found.meta.size != saved.bytes {
            return Err(damaged());
        }
        let mut file = File::create(to).await.map_err(StoreError::from_disk)?;
        let mut hash = Context::new(&SHA256);
        let mut parts = found.into_stream();
        while let Some(part) = parts.try_next().await? {
            hash.update(&part);
            file.write_all(&part).await.map_err(StoreError::from_disk)?;
        }
        file.flush().await.map_err(StoreError::from_disk)?;
        if hex(hash.finish().as_ref()) == saved.sha256 {
            Ok(())
        } else {
            Err(damaged())
        }
    }

    /// Deletes old and incomplete saves of the workspace, after `newest` was completed.
    pub(crate) async fn prune(&self, newest: &Manifest, key: &WorkKey) -> Result<(), StoreError> {
        let Manifest {
            owner, workspace, ..
        } = newest;
        let (saves, looked_at) = self.look(*owner, workspace, key).await?;
        let kept = to_keep(&saves);
        for number in looked_at {
            if number < newest.number && !kept.contains(&number) {
                self.delete(*owner, workspace, number).await?;
            }
        }
        Ok(())
    }

    /// Deletes a save, which may be incomplete.
    pub(crate) async fn delete(
        &self,
        owner: OwnerId,
        workspace: &Workspace,
        number: u32,
    ) -> Result<usize, StoreError> {
        let path = self.location.path_of_workspace(owner, workspace);
        self.delete_below(&Path::parse(format!("{path}/{number}"))?)
            .await
    }

    fn path(&self, place: Place<'_>, file: &str) -> Result<Path, StoreError> {
        let workspace = self
            .location
            .path_of_workspace(place.owner, place.workspace);
        Ok(Path::parse(format!("{workspace}/{}/{file}", place.number))?)
    }

    /// Returns the names of the folders in a folder.
    async fn folders(&self, path: &Path) -> Result<Vec<String>, StoreError> {
        let listed = self.store.list_with_delimiter(Some(path)).await?;
        let names = listed.common_prefixes.iter().filter_map(Path::filename);
        Ok(names.map(str::to_owned).collect())
    }

    /// Deletes all objects below a path. A manifest goes first, so that no save is complete without its
    /// files.
    async fn delete_below(&self, path: &Path) -> Result<usize, StoreError> {
        let listed = self.store.list(Some(path));
        let mut objects: Vec<_> = listed.map_ok(|it| it.location).try_collect().await?;
        objects.sort_by_key(|object| object.filename() != Some(MANIFEST));
        for object in &objects {
            match self.store.delete(object).await {
                Err(object_store::Error::NotFound { .. }) => {}
                deleted => deleted?,
            }
        }
        Ok(objects.len())
    }
}

/// Reads until a part is full or the file ends.
async fn read_part(file: &mut File) -> Result<Bytes, StoreError> {
    let mut part = Vec::with_capacity(PART_BYTES);
    let read = file.take(PART_BYTES as u64).read_to_end(&mut part).await;
    read.map_err(StoreError::from_disk)?;
    Ok(part.into())
}

fn open_bucket(
    bucket: &str,
    access: &S3Access<'_>,
    client: reqwest::ClientBuilder,
) -> Result<object_store::aws::AmazonS3, StoreError> {
    let client = client
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT);
    let client = client
        .build()
        .map_err(|why| StoreError::other(why.to_string()))?;
    let retry = RetryConfig {
        max_retries: MAX_RETRIES,
        retry_timeout: RETRY_TIMEOUT,
        ..RetryConfig::default()
    };
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_region(access.region)
        .with_access_key_id(access.key_id)
        .with_secret_access_key(access.secret_key)
        .with_virtual_hosted_style_request(!access.path_style)
        .with_http_connector(OwnClient(client))
        .with_client_options(ClientOptions::new().with_allow_http(true))
        .with_retry(retry);
    if let Some(token) = access.session_token {
        builder = builder.with_token(token);
    }
    if let Some(endpoint) = access.endpoint {
        let scheme = if endpoint.tls() { "https" } else { "http" };
        let rest = endpoint.without_scheme();
        builder = builder.with_endpoint(if access.path_style {
            format!("{scheme}://{rest}")
        } else {
            format!("{scheme}://{bucket}.{rest}")
        });
    }
    Ok(builder.build()?)
}

/// Gives object_store a client with our CA certificates and proxies.
#[derive(Debug)]
struct OwnClient(reqwest::Client);

impl HttpConnector for OwnClient {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.0.clone()))
    }
}

impl StoreError {
    /// Returns the failure, as one of now.
    pub(crate) fn now(self) -> SaveFailure {
        // Reports travel through a channel of 64 KiB, and outcomes are in the record.
        let error = self.error.chars().take(MAX_ERROR_CHARS).collect();
        SaveFailure {
            at: Utc::now(),
            reason: self.reason,
            error,
        }
    }

    fn other(error: String) -> Self {
        Self {
            reason: SaveFailureReason::Other,
            error,
        }
    }

    fn unavailable(error: String) -> Self {
        Self {
            reason: SaveFailureReason::Unavailable,
            error,
        }
    }

    /// Failure to read or write a file of the session.
    pub(crate) fn from_disk(why: std::io::Error) -> Self {
        let reason = match why.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                SaveFailureReason::NoRoom
            }
            _ => SaveFailureReason::Other,
        };
        Self {
            reason,
            error: why.to_string(),
        }
    }
}

impl From<object_store::Error> for StoreError {
    fn from(error: object_store::Error) -> Self {
        let text = Chain(&error).to_string();
        // The crate keeps status and body of an answer only in its text.
        let status = text
            .split_once("status code: ")
            .and_then(|(_, rest)| rest.get(..3)?.parse().ok());
        let status = match &error {
            object_store::Error::PermissionDenied { .. } => Some(403),
            object_store::Error::Unauthenticated { .. } => Some(401),
            object_store::Error::NotFound { .. } => Some(404),
            _ => status,
        };
        let reason = match status.map(|status| s3_error::meaning(status, &text)) {
            Some(
                S3Error::UnknownKey
                | S3Error::WrongSecret
                | S3Error::ExpiredToken
                | S3Error::WrongToken
                | S3Error::Suspended
                | S3Error::Refused
                | S3Error::Denied
                | S3Error::ClockSkew,
            ) => SaveFailureReason::KeysRefused,
            Some(S3Error::NoPermission) => SaveFailureReason::NotAllowed,
            Some(S3Error::Busy) | None => SaveFailureReason::Unavailable,
            Some(
                S3Error::NoBucket
                | S3Error::OtherRegion
                | S3Error::OtherStyle
                | S3Error::OtherAddress
                | S3Error::QuotaExceeded
                | S3Error::Archived
                | S3Error::NotS3
                | S3Error::Strange,
            ) => SaveFailureReason::Other,
        };
        let code = s3_error::code(&text);
        let error = match (status, &*code) {
            (Some(status), "") => format!("the storage answered with status {status}"),
            (Some(status), code) => format!("the storage answered with {code} (status {status})"),
            (None, _) => text,
        };
        Self { reason, error }
    }
}

impl From<object_store::path::Error> for StoreError {
    fn from(error: object_store::path::Error) -> Self {
        Self::other(error.to_string())
    }
}

/// An error with all its causes.
struct Chain<'a>(&'a (dyn std::error::Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut error = Some(self.0);
        let mut separator = "";
        while let Some(next) = error {
            write!(f, "{separator}{next}")?;
            separator = ": ";
            error = next.source();
        }
        Ok(())
    }
}
