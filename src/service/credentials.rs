//! The use cases of credentials: store, show, check, forget.

use chrono::{DateTime, Utc};
use futures_util::future::join_all;
use tracing::warn;

use super::{
    CredentialsRejection, Rejection, Requester, Service, ServiceError, StartRejection,
    UnknownCatalog,
    audit::audit,
    renewal::{is_ready, renew},
    work::{SaveTrial, try_saving},
};
use crate::{
    credentials::{CredentialMetadata, CredentialPart, Credentials},
    error::Error,
    runtime::rewrite,
    schedule::PauseReason,
    session::{Cause, Observed, OwnerId, Record, Renewal, SessionId},
};

/// The result of storing credentials.
pub struct SetupOutcome {
    /// Metadata of the entered credentials.
    pub entered: CredentialMetadata,
    /// True if the preflight has confirmed that the credentials work.
    pub is_tried: bool,
    /// Outcome of the attempt to save work with them. `None` if it was not made.
    pub saves_work: Option<SaveTrial>,
    /// Number of schedules that were paused, because they ran with the previous credentials.
    pub paused_schedules: usize,
    /// The person's live sessions that use the stored credentials, each with its outcome of the new
    /// ones.
    pub renewals: Vec<(Observed, Renewal)>,
}

impl Service {
    /// Checks that a catalog with this name exists.
    ///
    /// # Errors
    /// Returns a rejection if the settings have no such name.
    pub fn check_catalog(&self, name: Option<&str>) -> Result<(), UnknownCatalog> {
        match name {
            // A URL is not accepted here, because it may not fit into a button's custom ID.
            Some(name) if self.settings.named_catalog(name).is_none() => {
                Err(self.unknown_catalog(name))
            }
            _ => Ok(()),
        }
    }

    /// Returns the part of the credentials that a catalog requires, by default
    /// `sessions.default_catalog`.
    pub fn required_credentials(&self, catalog: Option<&str>) -> CredentialPart {
        let catalog = catalog.unwrap_or(&self.settings.sessions.default_catalog);
        CredentialPart::required_for(&self.settings, catalog)
    }

    /// Checks a person's credentials against a catalog, by default `sessions.default_catalog`, and
    /// stores them in place of the previous ones. If a catalog vends credentials, people may need the
    /// S3 keys for one catalog and the token for another: a part that was not entered stays as it is.
    ///
    /// # Errors
    /// Returns [`ServiceError::UnusableCredentials`] if they don't work; then nothing is changed.
    pub async fn set_up(
        &self,
        who: OwnerId,
        mut credentials: Credentials,
        catalog: Option<&str>,
    ) -> Result<SetupOutcome, ServiceError> {
        let name = self.catalog(catalog)?;
        let _guard = self.lock_owner(who).await;
        let (is_tried, saves_work) = if self.settings.credentials.preflight {
            let (tried, saves_work) = tokio::join!(
                self.try_credentials(&credentials, &name),
                try_saving(&self.settings, who, &credentials, &name)
            );
            (tried?, saves_work)
        } else {
            (false, None)
        };
        let checked = is_tried.then(|| self.now());
        let entered = credentials.metadata(self.now(), checked);
        let may_lack_token = self
            .settings
            .catalogs
            .iter()
            .any(|it| it.vended_credentials);
        let lacks_token = may_lack_token && credentials.catalog_token.is_none();
        if (credentials.s3.is_none() || lacks_token)
            && let Some(stored) = self.credentials.read(who).await?
        {
            credentials.s3 = credentials.s3.or(stored.s3);
            credentials.catalog_token = credentials.catalog_token.or(stored.catalog_token);
        }
        let credentials = &credentials;
        self.credentials
            .put(who, credentials, self.now(), checked)
            .await?;
        self.remember_owner(who).await;
        self.retire_runners(who).await?;
        let why = PauseReason::CredentialsReplaced;
        let paused_schedules = self.pause_schedules_of(who, &why).await;
        let live = self.sessions_with_stored_credentials(who);
        // These may have read the previous credentials already, so they get the new ones later.
        for seen in live.iter().filter(|seen| !is_ready(seen)) {
            let id = &seen.record.id;
            rewrite(&*self.runtime, id, Record::with_replaced_credentials).await?;
        }
        let renewals = live.into_iter().map(async |seen| {
            let renewal = self.renew_credentials(&seen, credentials).await;
            (seen, renewal)
        });
        Ok(SetupOutcome {
            entered,
            is_tried,
            saves_work,
            paused_schedules,
            renewals: join_all(renewals).await,
        })
    }

    async fn renew_credentials(&self, seen: &Observed, credentials: &Credentials) -> Renewal {
        let part = CredentialPart::required_for(&self.settings, &seen.record.catalog);
        let renewal = renew(&*self.runtime, seen, credentials, part).await;
        if renewal == Renewal::Pending {
            return renewal;
        }
        let id = &seen.record.id;
        let now = self.now();
        let note = |record: &Record| {
            if renewal.is_taken() {
                record.with_renewed_credentials(credentials.expiry(part), now)
            } else {
                // The owner is told now, so the reconciler does not try again.
                record.with_kept_credentials()
            }
        };
        // The outcome is the same, whatever the record says.
        if let Err(error) = rewrite(&*self.runtime, id, note).await {
            warn!(session = %id, %error, "the record of session {id} does not show its renewal");
        }
        renewal
    }

    /// Returns the metadata of a person's stored credentials.
    ///
    /// # Errors
    /// If the store can't be read.
    pub async fn credentials_info(
        &self,
        who: OwnerId,
    ) -> Result<Option<CredentialMetadata>, Error> {
        self.credentials.metadata(who).await
    }

    /// Checks the stored credentials against a catalog.
    ///
    /// # Errors
    /// If checks are turned off, no credentials are stored, or they don't work.
    pub async fn check_credentials(
        &self,
        who: OwnerId,
        catalog: Option<&str>,
    ) -> Result<CredentialMetadata, ServiceError> {
        if !self.settings.credentials.preflight {
            return Err(CredentialsRejection::PreflightDisabled.into());
        }
        let name = self.catalog(catalog)?;
        let _guard = self.lock_owner(who).await;
        let credentials = self.credentials.read(who).await?;
        let credentials = credentials.ok_or(CredentialsRejection::NoneStored)?;
        if self.try_credentials(&credentials, &name).await? {
            self.credentials.mark_checked(who, self.now()).await?;
        }
        let about = self.credentials.metadata(who).await?;
        about.ok_or_else(|| CredentialsRejection::NoneStored.into())
    }

    /// Deletes a person's stored credentials and past queries. Running sessions keep the credentials
    /// that they were started with, and are returned. Starting sessions are stopped, because they need
    /// them. Query runners are ended.
    ///
    /// # Errors
    /// If the credentials can't be deleted, or a session can't be stopped.
    pub async fn forget_credentials(&self, who: &Requester) -> Result<Vec<Observed>, ServiceError> {
        let _guard = self.lock_owner(who.id).await;
        self.credentials.forget(who.id).await?;
        self.clear_history(who.id).await?;
        self.pause_schedules_of(who.id, &PauseReason::CredentialsGone)
            .await;
        audit(who, "forgot", "their credentials and past queries");
        let told = |id: &SessionId| audit(who, "stopped query runner", &id.to_string());
        self.end_runners(who.id, Cause::Stopped { by: who.id }, told)
            .await?;
        let (starting, running): (Vec<_>, Vec<_>) = self
            .sessions_with_stored_credentials(who.id)
            .into_iter()
            .partition(|seen| seen.record.is_to_start());
        for seen in starting {
            self.stop(who, &seen.record.id).await?;
        }
        Ok(running)
    }

    /// Returns a person's sessions that are not stopping.
    pub(super) fn live_sessions(&self, who: OwnerId) -> Vec<Observed> {
        let mut sessions = self.sessions_of(who);
        sessions.retain(|seen| !seen.record.is_stopping());
        sessions
    }

    /// Returns a person's live sessions that use their stored credentials.
    pub fn sessions_with_stored_credentials(&self, who: OwnerId) -> Vec<Observed> {
        let mut sessions = self.live_sessions(who);
        sessions.retain(|seen| seen.record.uses_owner_credentials());
        sessions
    }

    /// Returns a person's sessions that use older credentials than the stored ones, and keep them.
    ///
    /// # Errors
    /// Returns [`CredentialsRejection::NoneStored`] if no credentials are stored to restart them with.
    pub async fn sessions_with_old_credentials(
        &self,
        who: OwnerId,
    ) -> Result<Vec<Observed>, ServiceError> {
        let about = self.credentials.metadata(who).await?;
        let about = about.ok_or(CredentialsRejection::NoneStored)?;
        let mut sessions = self.sessions_with_stored_credentials(who);
        let is_older = |record: &Record| {
            let stored = about.stored;
            stored.is_some_and(|stored| record.keeps_credentials_from_before(stored))
        };
        // A session without what its catalog requires could not start again.
        let has_part = |record: &Record| {
            about.has(CredentialPart::required_for(
                &self.settings,
                &record.catalog,
            ))
        };
        sessions.retain(|seen| is_older(&seen.record) && has_part(&seen.record));
        Ok(sessions)
    }

    /// Replaces a session by a new one with the same options and the present credentials. Returns
    /// when the old session is gone. The record says that a new one follows, so a restart of the
    /// bot loses nothing.
    ///
    /// # Errors
    /// If no credentials are stored or they have expired, nothing is changed.
    pub async fn restart(&self, who: &Requester, old: &Record) -> Result<(), ServiceError> {
        let credentials_expire = self.usable_credentials(who.id, &old.catalog).await?;
        let cause = Cause::Restarted {
            by: who.id,
            credentials_expire,
        };
        self.end(who, &old.id, cause).await?;
        Ok(self.wait_until_gone(&old.id).await?)
    }

    /// Returns the time at which the stored credentials for a catalog expire, if it is known.
    ///
    /// # Errors
    /// Returns a rejection if there are none, or if they have expired.
    pub(super) async fn usable_credentials(
        &self,
        who: OwnerId,
        catalog: &str,
    ) -> Result<Option<DateTime<Utc>>, ServiceError> {
        let about = self.credentials.metadata(who).await?;
        let part = CredentialPart::required_for(&self.settings, catalog);
        let catalog = catalog.to_owned();
        let Some(about) = about.filter(|about| about.has(part)) else {
            return Err(StartRejection::CredentialsLack { part, catalog }.into());
        };
        match about.expiry(part) {
            Some(at) if at <= self.now() => {
                Err(StartRejection::CredentialsExpired { part, catalog, at }.into())
            }
            expires => Ok(expires),
        }
    }

    /// Returns true if a person has not entered what a catalog requires, by default
    /// `sessions.default_catalog`. False if that is not known.
    pub(super) async fn lacks_credentials(&self, who: OwnerId, catalog: Option<&str>) -> bool {
        let catalog = catalog.unwrap_or(&self.settings.sessions.default_catalog);
        matches!(
            self.usable_credentials(who, catalog).await,
            Err(ServiceError::Rejected(Rejection::Start(
                StartRejection::CredentialsLack { .. }
            )))
        )
    }

    /// Checks credentials against a catalog. Returns false if that proves nothing, for example
    /// because the catalog is a URL that is not in the settings.
    pub(super) async fn try_credentials(
        &self,
        credentials: &Credentials,
        catalog: &str,
    ) -> Result<bool, ServiceError> {
        // Connect only to endpoints from the settings.
        let Some(catalog) = self.settings.named_catalog(catalog) else {
            return Ok(false);
        };
        let tried = self.preflight.check(credentials, catalog, self.now()).await;
        tried.map_err(ServiceError::UnusableCredentials)
    }
}
