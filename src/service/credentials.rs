//! The use cases around credentials: set up, look, check, forget.

use super::{Rejection, Requester, Service, ServiceError, audit::audit};
use crate::{
    credentials::{CredentialMetadata, Credentials},
    error::Error,
    runtime::rewrite,
    session::{Cause, Observed, OwnerId, Record, Stage},
};

/// What came of handing in keys.
pub struct SetupOutcome {
    /// Whether they were seen to work.
    pub is_tried: bool,
    /// The person's sessions, which were started with the keys of before.
    pub old: Vec<Observed>,
}

impl Service {
    /// Looks a catalog up by its name.
    ///
    /// # Errors
    /// If there is none of that name.
    pub fn check_catalog(&self, name: Option<&str>) -> Result<(), Rejection> {
        match name {
            // An address is no name; buttons would not hold it.
            Some(name) if self.settings.named_catalog(name).is_none() => {
                Err(self.unknown_catalog(name))
            }
            _ => Ok(()),
        }
    }

    /// Tries a person's credentials against a catalog (none: the default one),
    /// and keeps them in place of those they had.
    ///
    /// # Errors
    /// If they don't work, nothing is changed.
    pub async fn set_up(
        &self,
        who: OwnerId,
        credentials: &Credentials,
        catalog: Option<&str>,
    ) -> Result<SetupOutcome, ServiceError> {
        let name = self.catalog(catalog)?;
        let _guard = self.lock_owner(who).await;
        let is_tried =
            self.settings.credentials.preflight && self.try_credentials(credentials, &name).await?;
        let checked = is_tried.then(|| self.now());
        self.credentials
            .put(who, credentials, self.now(), checked)
            .await?;
        self.remember_owner(who).await;
        let live = self.sessions_with_stored_credentials(who);
        // Their Pods read the keys when they start, which is still to come.
        let starting = live.iter().filter(|seen| seen.record.is_to_start());
        for seen in starting {
            let renew = |record: &Record| Record {
                credentials_expire: credentials.expires,
                ..record.clone()
            };
            rewrite(&*self.runtime, &seen.record.id, renew).await?;
        }
        Ok(SetupOutcome {
            is_tried,
            old: live,
        })
    }

    /// What is known of a person's credentials.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn credentials_info(
        &self,
        who: OwnerId,
    ) -> Result<Option<CredentialMetadata>, Error> {
        self.credentials.metadata(who).await
    }

    /// Tries the credentials that are kept.
    ///
    /// # Errors
    /// If there are none, or they don't work.
    pub async fn check_credentials(
        &self,
        who: OwnerId,
        catalog: Option<&str>,
    ) -> Result<CredentialMetadata, ServiceError> {
        if !self.settings.credentials.preflight {
            return Err(Rejection::CheckingIsOff.into());
        }
        let name = self.catalog(catalog)?;
        let _guard = self.lock_owner(who).await;
        let credentials = self.credentials.read(who).await?;
        let credentials = credentials.ok_or(Rejection::NothingKept)?;
        if self.try_credentials(&credentials, &name).await? {
            self.credentials.mark_checked(who, self.now()).await?;
        }
        let about = self.credentials.metadata(who).await?;
        about.ok_or_else(|| Rejection::NothingKept.into())
    }

    /// Removes a person's credentials. Sessions that run keep what they were
    /// started with, and are returned; those that are starting can't start
    /// without, and are stopped.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn forget_credentials(&self, who: &Requester) -> Result<Vec<Observed>, ServiceError> {
        let _guard = self.lock_owner(who.id).await;
        self.credentials.forget(who.id).await?;
        audit(who, "forgot", "their keys");
        let (starting, running): (Vec<_>, Vec<_>) = self
            .sessions_with_stored_credentials(who.id)
            .into_iter()
            .partition(|seen| seen.record.is_to_start());
        for seen in starting {
            self.stop(who, &seen.record.id).await?;
        }
        Ok(running)
    }

    /// A person's sessions that are not ending.
    pub(super) fn live_sessions(&self, who: OwnerId) -> Vec<Observed> {
        let mut sessions = self.sessions_of(who);
        sessions.retain(|seen| !seen.record.is_stopping());
        sessions
    }

    /// Those of them that hold the keys that the person has handed in.
    pub fn sessions_with_stored_credentials(&self, who: OwnerId) -> Vec<Observed> {
        let mut sessions = self.live_sessions(who);
        sessions.retain(|seen| seen.record.uses_owner_credentials());
        sessions
    }

    /// A person's sessions that were started before the keys that are kept now.
    ///
    /// # Errors
    /// If there are no keys to start them again with.
    pub async fn sessions_with_old_credentials(
        &self,
        who: OwnerId,
    ) -> Result<Vec<Observed>, ServiceError> {
        let about = self.credentials.metadata(who).await?;
        let stored = about.ok_or(Rejection::NothingKept)?.stored;
        let mut sessions = self.sessions_with_stored_credentials(who);
        let is_older = |record: &Record| {
            !matches!(record.stage, Stage::Rescheduling(_))
                && stored.is_some_and(|stored| record.start_began() < stored)
        };
        sessions.retain(|seen| is_older(&seen.record));
        Ok(sessions)
    }

    /// Has a session's place taken by one like it, with the keys that are kept
    /// now; returns when the old one is gone. The wish stands in the record, so
    /// it outlives the bot.
    ///
    /// # Errors
    /// If there are no keys that work, nothing is changed.
    pub async fn restart(&self, who: &Requester, old: &Record) -> Result<(), ServiceError> {
        let credentials_expire = self.usable_credentials(who.id).await?.expires;
        let cause = Cause::Restarted {
            by: who.id,
            credentials_expire,
        };
        self.end(who, &old.id, cause).await?;
        self.wait_until_gone(&old.id).await
    }

    /// What is known of keys that a session can be started with.
    pub(super) async fn usable_credentials(
        &self,
        who: OwnerId,
    ) -> Result<CredentialMetadata, ServiceError> {
        let about = self.credentials.metadata(who).await?;
        let about = about.ok_or(Rejection::NoCredentials)?;
        match about.expires {
            Some(expired) if expired <= self.now() => {
                Err(Rejection::CredentialsExpired(expired).into())
            }
            _ => Ok(about),
        }
    }

    /// Whether keys were seen to work.
    pub(super) async fn try_credentials(
        &self,
        credentials: &Credentials,
        catalog: &str,
    ) -> Result<bool, ServiceError> {
        // Nothing is dialled that the settings don't name.
        let Some(catalog) = self.settings.named_catalog(catalog) else {
            return Ok(false);
        };
        let tried = self.preflight.check(credentials, catalog, self.now()).await;
        tried.map_err(ServiceError::UnusableCredentials)
    }
}
