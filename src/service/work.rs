//! The use cases of saved work: may a person's keys save it, and deleting it.

use std::time::Duration;

use secrecy::ExposeSecret;
use tokio::time::timeout;

use super::{Requester, Service, ServiceError, audit::audit};
use crate::{
    credentials::Credentials,
    session::{Observed, OwnerId, SaveFailure, SaveFailureReason},
    settings::{Catalog, Settings},
    work::{S3Access, StoreError, WorkStore},
};

/// Maximum time to try to save, as for a request of the preflight.
const TRY_TIMEOUT: Duration = Duration::from_secs(5);
/// Maximum time to delete a person's work on a catalog.
const DELETE_TIMEOUT: Duration = Duration::from_secs(120);

/// Outcome of the attempt to write to the place for saved work.
pub type SaveTrial = Result<(), SaveFailure>;

/// Outcome of a request to delete all saved work.
pub enum WorkDeletion {
    /// Number of objects that were deleted: all of them.
    Deleted(usize),
    /// Nothing was deleted, because these sessions would save again.
    InUse(Vec<Observed>),
    /// Nothing was deleted, because no S3 keys are stored, which are needed for it.
    NoKeys,
    /// Some of it is still there.
    Failed(SaveFailure),
}

/// Tries whether a person's keys may write to the place for saved work on a catalog. Returns `None` if
/// there is no place, or there are no keys.
pub async fn try_saving(
    settings: &Settings,
    owner: OwnerId,
    credentials: &Credentials,
    catalog: &str,
) -> Option<SaveTrial> {
    let store = open(settings, settings.named_catalog(catalog)?, credentials)?;
    Some(within(TRY_TIMEOUT, async { store?.try_writing(owner).await }).await)
}

/// Opens the storage of saved work on a catalog. Returns `None` if it has no place for it, or there are no
/// S3 keys.
pub(super) fn open(
    settings: &Settings,
    catalog: &Catalog,
    credentials: &Credentials,
) -> Option<Result<WorkStore, StoreError>> {
    let (location, keys) = catalog.work.as_ref().zip(credentials.s3.as_ref())?;
    let token = keys.session_token.as_ref();
    let access = S3Access {
        endpoint: catalog.s3_endpoint.as_ref(),
        region: &catalog.s3_region,
        path_style: catalog.s3_path_style,
        key_id: keys.key_id.expose_secret(),
        secret_key: keys.secret_key.expose_secret(),
        session_token: token.map(ExposeSecret::expose_secret),
    };
    Some(WorkStore::open(
        location,
        &access,
        settings.outbound.client(),
    ))
}

pub(super) async fn within<T>(
    limit: Duration,
    doing: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, SaveFailure> {
    let done = timeout(limit, doing).await.unwrap_or_else(|_| {
        Err(StoreError {
            reason: SaveFailureReason::Unavailable,
            error: format!("no answer within {limit:?}"),
        })
    });
    done.map_err(StoreError::now)
}

impl Service {
    /// Tries whether a person's stored keys may save work on a catalog, by default
    /// `sessions.default_catalog`. Returns `None` if nothing is saved there, or no keys are stored.
    ///
    /// # Errors
    /// If there is no such catalog, or the credentials can't be read.
    pub async fn try_saving(
        &self,
        who: OwnerId,
        catalog: Option<&str>,
    ) -> Result<Option<SaveTrial>, ServiceError> {
        let name = self.catalog(catalog)?;
        let has_place = self.settings.named_catalog(&name);
        if has_place.is_none_or(|catalog| catalog.work.is_none()) {
            return Ok(None);
        }
        let Some(credentials) = self.credentials.read(who).await? else {
            return Ok(None);
        };
        Ok(try_saving(&self.settings, who, &credentials, &name).await)
    }

    /// Returns true if work is saved on any catalog.
    pub fn saves_work(&self) -> bool {
        self.settings.saves_work()
    }

    /// Deletes everything that a person has saved, on all catalogs, with their stored keys.
    ///
    /// # Errors
    /// If the credentials can't be read.
    pub async fn delete_saved_work(&self, who: &Requester) -> Result<WorkDeletion, ServiceError> {
        let _guard = self.lock_owner(who.id).await;
        let mut saving = self.sessions_of(who.id);
        saving.retain(|seen| seen.record.keeps_work);
        if !saving.is_empty() {
            return Ok(WorkDeletion::InUse(saving));
        }
        let credentials = self.credentials.read(who.id).await?;
        let Some(credentials) = credentials.filter(|it| it.s3.is_some()) else {
            return Ok(WorkDeletion::NoKeys);
        };
        audit(who, "deletes", "their saved work");
        let mut count = 0;
        for catalog in &self.settings.catalogs {
            let Some(store) = open(&self.settings, catalog, &credentials) else {
                continue;
            };
            let deleted = async { store?.delete_all(who.id).await };
            match within(DELETE_TIMEOUT, deleted).await {
                Ok(more) => count += more,
                Err(failure) => return Ok(WorkDeletion::Failed(failure)),
            }
        }
        Ok(WorkDeletion::Deleted(count))
    }
}
