//! The key from which the keys of people's saved work are derived, in a Secret in the bot's own namespace.
//!
//! The bot creates it once, and never replaces it: with another key, no earlier save could be restored.
//! That is why it is not in the Secret of the signing keys, which may be deleted at any time.

use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{Api, api::PostParams};
use secrecy::zeroize::{Zeroize, Zeroizing};
use tokio::sync::OnceCell;

use super::{
    build::{DUCKBOT, MANAGED_BY},
    request::{ApiAction, ApiServer},
};
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
    server: ApiServer,
    secrets: Api<Secret>,
    namespace: String,
    known: OnceCell<MasterKey>,
}

impl WorkMaster {
    /// Names the Secret. It is read or created when the key is needed for the first time.
    pub(super) fn new(server: &ApiServer) -> Self {
        Self {
            server: server.clone(),
            secrets: Api::default_namespaced(server.client()),
            namespace: server.default_namespace().to_owned(),
            known: OnceCell::new(),
        }
    }

    /// Returns the key. Creates it if there is none.
    ///
    /// # Errors
    /// If it can't be read or stored, or somebody has changed it.
    pub(super) async fn get(&self) -> Result<MasterKey, Error> {
        let known = self.known.get_or_try_init(|| self.find_or_create()).await;
        known.cloned()
    }

    async fn find_or_create(&self) -> Result<MasterKey, Error> {
        if let Some(found) = self.find().await? {
            return Ok(found);
        }
        match self.create().await {
            // Another bot created it first.
            Err(Error::Exists { .. }) => {
                let found = self.find().await?;
                found.ok_or_else(|| self.unusable("it disappeared"))
            }
            created => created,
        }
    }

    async fn find(&self) -> Result<Option<MasterKey>, Error> {
        let found = self.secrets.get_opt(WORK_MASTER);
        let Some(secret) = self.server.call(self.action("get"), found).await? else {
            return Ok(None);
        };
        let stored = secret.data.unwrap_or_default().remove(ENTRY);
        let stored = Zeroizing::new(stored.unwrap_or_default().0);
        // A new one would make all earlier saves unusable, so that is for an admin to decide.
        let key = WorkKey::read_master(&stored);
        key.map(Some)
            .ok_or_else(|| self.unusable("its entry `key` has not 32 bytes"))
    }

    async fn create(&self) -> Result<MasterKey, Error> {
        let master = WorkKey::generate_master()
            .ok_or_else(|| self.unusable("the system has no random numbers for a new one"))?;
        let mut secret = Secret {
            data: Some([(ENTRY.to_owned(), ByteString(master.to_vec()))].into()),
            ..Secret::default()
        };
        secret.metadata.name = Some(WORK_MASTER.into());
        secret.metadata.labels = Some([(MANAGED_BY.to_owned(), DUCKBOT.to_owned())].into());
        let params = PostParams::default();
        let created = self.secrets.create(&params, &secret);
        let created = self.server.call(self.action("create"), created).await;
        for value in secret.data.iter_mut().flat_map(|data| data.values_mut()) {
            value.0.zeroize();
        }
        created.map(|_| master)
    }

    fn unusable(&self, why: &str) -> Error {
        Error::Unavailable {
            action: self.action("get").to_string(),
            why: format!(
                "the Secret {WORK_MASTER} with the key of saved work can't be used: {why}"
            ),
        }
    }

    fn action(&self, verb: &'static str) -> ApiAction<'_> {
        ApiAction::new(verb, "secrets", &self.namespace).sensitive()
    }
}
