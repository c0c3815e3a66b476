//! Texts of scheduled queries as Secrets, one for each person. Each text is an entry of its own.

use async_trait::async_trait;

use super::{build::schedules_name, owner_entries::OwnerEntries, request::ApiServer};
use crate::{
    error::Error,
    schedule::{ScheduleId, ScheduleText, ScheduleTexts},
    session::OwnerId,
};

/// Type of the Secrets.
const KIND: &str = "duckbot.dev/schedules";

/// Texts as Secrets in the sessions namespace.
pub struct ScheduleSecrets(OwnerEntries);

impl ScheduleSecrets {
    pub fn new(server: &ApiServer, namespace: &str) -> Self {
        Self(OwnerEntries::new(server, namespace, KIND, schedules_name))
    }
}

#[async_trait]
impl ScheduleTexts for ScheduleSecrets {
    async fn read(&self, owner: OwnerId, id: &ScheduleId) -> Result<Option<ScheduleText>, Error> {
        let mut entries = self.0.read(owner).await?;
        let text = entries.remove(&id.to_string());
        Ok(text.and_then(|text| ScheduleText::read(&text)))
    }

    async fn put(&self, owner: OwnerId, id: &ScheduleId, text: &ScheduleText) -> Result<(), Error> {
        let (id, text) = (id.to_string(), text.write());
        self.0.put(owner, &id, &text).await.map(|_| ())
    }

    async fn retain(&self, owner: OwnerId, keep: &[ScheduleId]) -> Result<(), Error> {
        if keep.is_empty() {
            return self.0.delete(owner).await;
        }
        let mut entries = self.0.read(owner).await?;
        entries.retain(|id, _| !keep.iter().any(|kept| kept.to_string() == *id));
        if entries.is_empty() {
            return Ok(());
        }
        self.0
            .remove(owner, entries.into_keys().collect(), None)
            .await
    }
}
