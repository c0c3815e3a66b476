//! The use cases around credentials: set up, look, check, forget.

use chrono::{DateTime, Utc};

use super::{Problem, Refusal, Service};
use crate::{
    credentials::{About, Credentials},
    fault::Fault,
    session::{Observed, OwnerId},
};

impl Service {
    /// Tries a person's credentials against a catalog (none: the default one),
    /// and keeps them in place of those they had. Returns the sessions that
    /// still hold the old ones.
    ///
    /// # Errors
    /// If they don't work, nothing is changed.
    pub async fn set_up(
        &self,
        who: OwnerId,
        keys: &Credentials,
        catalog: Option<&str>,
    ) -> Result<Vec<Observed>, Problem> {
        let checked = self.checked(keys, catalog).await?;
        self.credentials.put(who, keys, self.now(), checked).await?;
        Ok(self.live(who))
    }

    /// What is known of a person's credentials.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn about_keys(&self, who: OwnerId) -> Result<Option<About>, Fault> {
        self.credentials.about(who).await
    }

    /// Tries the credentials that are kept.
    ///
    /// # Errors
    /// If there are none, or they don't work.
    pub async fn check_keys(&self, who: OwnerId, catalog: Option<&str>) -> Result<About, Problem> {
        let keys = self
            .credentials
            .read(who)
            .await?
            .ok_or(Refusal::NothingKept)?;
        let name = self.catalog(catalog)?;
        self.tried(&keys, &name).await?;
        self.credentials.mark_checked(who, self.now()).await?;
        let about = self.credentials.about(who).await?;
        about.ok_or_else(|| Refusal::NothingKept.into())
    }

    /// Removes a person's credentials. Sessions keep what they were started with.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn forget_keys(&self, who: OwnerId) -> Result<(), Fault> {
        self.credentials.forget(who).await
    }

    /// A person's sessions that are not ending: those hold the person's keys.
    pub fn live(&self, who: OwnerId) -> Vec<Observed> {
        let mut sessions = self.of(who);
        sessions.retain(|seen| !seen.record.is_stopping());
        sessions
    }

    /// When the keys were seen to work: now, or never if trying is turned off.
    async fn checked(
        &self,
        keys: &Credentials,
        catalog: Option<&str>,
    ) -> Result<Option<DateTime<Utc>>, Problem> {
        let name = self.catalog(catalog)?;
        if !self.settings.credentials.preflight {
            return Ok(None);
        }
        self.tried(keys, &name).await?;
        Ok(Some(self.now()))
    }

    async fn tried(&self, keys: &Credentials, catalog: &str) -> Result<(), Problem> {
        let catalog = self
            .settings
            .catalog(catalog)
            .expect("it was looked up by this name");
        let tried = self.preflight.check(keys, catalog, self.now()).await;
        tried.map_err(Problem::Unusable)
    }

    /// A person's sessions that were started before the keys that are kept now.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn with_old_keys(&self, who: OwnerId) -> Result<Vec<Observed>, Fault> {
        let about = self.credentials.about(who).await?;
        let stored = about.and_then(|about| about.stored);
        let mut sessions = self.live(who);
        sessions.retain(|seen| stored.is_some_and(|stored| seen.record.created < stored));
        Ok(sessions)
    }
}
