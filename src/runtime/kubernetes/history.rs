//! Histories of queries as Secrets, one for each person. Each query is an entry of its own.

use async_trait::async_trait;

use super::{
    build::history_name,
    owner_entries::{OwnerEntries, Put},
    request::ApiServer,
};
use crate::{
    error::Error,
    history::{HistoryStore, PastQuery, decode, encode, surplus},
    session::OwnerId,
};

/// Type of the Secrets.
const KIND: &str = "duckbot.dev/history";

/// Histories as Secrets in the sessions namespace.
pub struct HistorySecrets(OwnerEntries);

impl HistorySecrets {
    pub fn new(server: &ApiServer, namespace: &str) -> Self {
        Self(OwnerEntries::new(server, namespace, KIND, history_name))
    }
}

#[async_trait]
impl HistoryStore for HistorySecrets {
    async fn read(&self, owner: OwnerId) -> Result<Vec<PastQuery>, Error> {
        Ok(decode(&self.0.read(owner).await?))
    }

    async fn add(&self, owner: OwnerId, query: &PastQuery) -> Result<bool, Error> {
        let id = query.id().to_string();
        let Put {
            entries,
            revision,
            is_first,
        } = self.0.put(owner, &id, &encode(query)).await?;
        let surplus = surplus(&entries);
        if surplus.is_empty() {
            return Ok(is_first);
        }
        match self.0.remove(owner, surplus, revision).await {
            // Another writer came first. They saw these entries, too, and remove them.
            Ok(()) | Err(Error::Conflict { .. }) => Ok(is_first),
            Err(error) => Err(error),
        }
    }

    async fn delete(&self, owner: OwnerId) -> Result<(), Error> {
        self.0.delete(owner).await
    }
}
