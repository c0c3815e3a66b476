//! The key from which the keys of people's saved work are derived, in a Secret in the bot's own namespace.
//!
//! The bot creates the key once, and makes the Secret immutable, so that not even the bot can replace it: with
//! another key, no earlier save could be restored. That is why it is not in the Secret of the signing keys,
//! which may be emptied at any time.

use k8s_openapi::{ByteString, api::core::v1::Secret};
use secrecy::zeroize::Zeroizing;
use tokio::sync::OnceCell;

use super::{own_secret::OwnSecret, request::ApiServer};
use crate::{
    error::Error,
    work::{MasterKey, WorkKey},
};

/// Name of the Secret.
pub(super) const WORK_MASTER: &str = "duckbot-work-key";
/// Entry with the key.
const ENTRY: &str = "key";

/// The Secret, and a cache of its key.
pub(super) struct WorkMaster {
    secret: OwnSecret,
    known: OnceCell<MasterKey>,
}

impl WorkMaster {
    /// Names the Secret. Its key is read or created when it is needed for the first time.
    pub(super) fn new(server: &ApiServer) -> Self {
        Self {
            secret: OwnSecret::new(server, WORK_MASTER),
            known: OnceCell::new(),
        }
    }

    /// Returns the key. Creates it if the Secret is empty.
    ///
    /// # Errors
    /// If it can't be read or stored, or somebody has changed it.
    pub(super) async fn get(&self) -> Result<MasterKey, Error> {
        let known = self.known.get_or_try_init(|| self.find_or_create()).await;
        known.cloned()
    }

    async fn find_or_create(&self) -> Result<MasterKey, Error> {
        let mut secret = self.secret.read().await?;
        if let Some(found) = self.key_in(&mut secret)? {
            return Ok(found);
        }
        match self.create(secret).await {
            // Another bot created it first.
            Err(Error::Conflict { .. }) => {
                let found = self.key_in(&mut self.secret.read().await?)?;
                found.ok_or_else(|| self.secret.unusable("somebody else changes it"))
            }
            created => created,
        }
    }

    /// Takes the key out of the Secret. `None`: the Secret is empty.
    fn key_in(&self, secret: &mut Secret) -> Result<Option<MasterKey>, Error> {
        let Some(stored) = secret.data.as_mut().and_then(|data| data.remove(ENTRY)) else {
            return Ok(None);
        };
        let stored = Zeroizing::new(stored.0);
        // A new one would make all earlier saves unusable, so that is for an admin to decide.
        let key = WorkKey::read_master(&stored);
        key.map(Some)
            .ok_or_else(|| self.secret.unusable("its entry `key` has not 32 bytes"))
    }

    async fn create(&self, mut secret: Secret) -> Result<MasterKey, Error> {
        let no_random = "the system has no random numbers for a new key";
        let master = WorkKey::generate_master().ok_or_else(|| self.secret.unusable(no_random))?;
        let data = secret.data.get_or_insert_default();
        data.insert(ENTRY.to_owned(), ByteString(master.to_vec()));
        secret.immutable = Some(true);
        self.secret.write(secret).await?;
        Ok(master)
    }
}
