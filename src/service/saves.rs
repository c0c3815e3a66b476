//! The use cases of saves: make one, and find those that can be restored.

use std::time::Duration;

use super::{
    LookupRejection, Requester, Service, ServiceError, SessionAction, StartRejection,
    audit::audit,
    renewal::is_ready,
    saving,
    work::{open, within},
};
use crate::{
    credentials::CredentialPart,
    session::{Observed, OwnerId, SaveFailure, SaveSummary, WorkOutcome, Workspace},
    work::WorkStore,
};

/// Maximum time to read the list of saves.
const LIST_TIMEOUT: Duration = Duration::from_secs(10);

/// Saves of a workspace.
pub enum Saves {
    /// The complete saves, newest first.
    Found(Vec<SaveSummary>),
    /// Nothing is saved on this catalog.
    NotKept(String),
    /// The storage did not show them.
    Failed(SaveFailure),
}

impl Service {
    /// Finds the session whose work the caller wants to save.
    ///
    /// # Errors
    /// Returns a rejection if the session belongs to someone else, is not ready, does not exist or is
    /// ambiguous.
    pub fn find_to_save(
        &self,
        who: &Requester,
        given: Option<&str>,
    ) -> Result<Observed, LookupRejection> {
        let seen = self.find_own(who, given, SessionAction::Save)?;
        if is_ready(&seen) {
            Ok(seen)
        } else {
            Err(LookupRejection::NotReady(seen.record.id.clone()))
        }
    }

    /// Tells a session to save its work, and waits for the outcome. Returns `None` if its work is not
    /// saved.
    pub async fn save_work(&self, who: &Requester, seen: &Observed) -> Option<WorkOutcome> {
        if !seen.record.keeps_work {
            return None;
        }
        let id = &seen.record.id;
        audit(who, "saves the work of", &id.to_string());
        let deadline = self.settings.work.deadline;
        Some(saving::save_work(&*self.runtime, seen, deadline, &self.clock).await)
    }

    /// Returns true if a person's workspace has a session that is not ending.
    pub fn is_open(&self, owner: OwnerId, workspace: &Workspace) -> bool {
        let is_there = |seen: &Observed| seen.record.workspace == *workspace;
        self.live_sessions(owner).iter().any(is_there)
    }

    /// Returns the saves of a person's workspace on a catalog, by default `sessions.default_catalog`.
    ///
    /// # Errors
    /// Returns a rejection if there is no such catalog, or the person has no stored S3 keys. Returns an
    /// error if the credentials or the key of their work can't be read.
    pub async fn saves(
        &self,
        who: OwnerId,
        workspace: &Workspace,
        catalog: Option<&str>,
    ) -> Result<Saves, ServiceError> {
        let store = match self.work_store(who, catalog).await? {
            Ok(store) => store,
            Err(saves) => return Ok(saves),
        };
        let key = self.runtime.work_key(who).await?;
        let found = within(LIST_TIMEOUT, store.saves(who, workspace, &key)).await;
        Ok(found.map_or_else(Saves::Failed, Saves::Found))
    }

    /// Returns the workspaces in which a person has saved work on a catalog. None if that is not known.
    ///
    /// # Errors
    /// Same as [`Service::saves`].
    pub async fn saved_workspaces(
        &self,
        who: OwnerId,
        catalog: Option<&str>,
    ) -> Result<Vec<Workspace>, ServiceError> {
        let Ok(store) = self.work_store(who, catalog).await? else {
            return Ok(Vec::new());
        };
        let found = within(LIST_TIMEOUT, store.workspaces(who)).await;
        Ok(found.unwrap_or_default())
    }

    /// Opens the storage of a person's work on a catalog. Returns the answer if there is none.
    async fn work_store(
        &self,
        who: OwnerId,
        catalog: Option<&str>,
    ) -> Result<Result<WorkStore, Saves>, ServiceError> {
        let name = self.catalog(catalog)?;
        let settings = self.settings.named_catalog(&name);
        let Some(settings) = settings.filter(|settings| settings.work.is_some()) else {
            return Ok(Err(Saves::NotKept(name)));
        };
        let credentials = self.credentials.read(who).await?;
        let store = credentials.and_then(|it| open(&self.settings, settings, &it));
        let Some(store) = store else {
            let (part, catalog) = (CredentialPart::S3Keys, name);
            return Err(StartRejection::CredentialsLack { part, catalog }.into());
        };
        Ok(store.map_err(|error| Saves::Failed(error.now())))
    }
}
