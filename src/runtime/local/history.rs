//! Histories of queries as files, one for each person.

use async_trait::async_trait;
use tokio::sync::Mutex;

use super::files::Folder;
use crate::{
    error::Error,
    history::{HistoryStore, PastQuery, StoredHistory, decode, encode, surplus},
    session::OwnerId,
};

/// Histories in a folder that this bot has locked. There is no other writer, so a lock in memory
/// keeps concurrent changes apart.
pub struct HistoryFiles {
    folder: Folder,
    lock: Mutex<()>,
}

impl HistoryFiles {
    pub(super) fn new(folder: Folder) -> Self {
        Self {
            folder,
            lock: Mutex::default(),
        }
    }

    /// Reads a file. A damaged one counts as empty: the next query replaces it.
    fn load(&self, owner: OwnerId) -> Result<StoredHistory, Error> {
        let found = self.folder.read(&owner.to_string())?;
        let read = found.and_then(|text| serde_json::from_slice(&text).ok());
        Ok(read.unwrap_or_default())
    }
}

#[async_trait]
impl HistoryStore for HistoryFiles {
    async fn read(&self, owner: OwnerId) -> Result<Vec<PastQuery>, Error> {
        Ok(decode(&self.load(owner)?))
    }

    async fn add(&self, owner: OwnerId, query: &PastQuery) -> Result<bool, Error> {
        let _guard = self.lock.lock().await;
        let mut all = self.load(owner)?;
        let is_first = all.is_empty();
        all.insert(query.id().to_string(), encode(query));
        for id in surplus(&all) {
            all.remove(&id);
        }
        let text = serde_json::to_vec(&all).expect("a history serializes to JSON");
        self.folder.write(&owner.to_string(), &text)?;
        Ok(is_first)
    }

    async fn delete(&self, owner: OwnerId) -> Result<(), Error> {
        let _guard = self.lock.lock().await;
        self.folder.remove(&owner.to_string())
    }
}
