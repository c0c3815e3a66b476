//! Signing keys of tickets, in one Secret in the bot's own namespace. The bot creates the Secret at
//! its first start, and adds a key every 30 days. A door knows only the key that was the newest
//! when its Pod was created, so the last twelve keys are kept.
//!
//! The Secret also has the key from which the keys of people's saved work are derived. It stays the same,
//! because no older save could be read with another one.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{Api, api::PostParams};
use parking_lot::{Mutex, MutexGuard};
use ring::rand::{SecureRandom, SystemRandom};
use secrecy::zeroize::{Zeroize, Zeroizing};
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::{
    build::{DUCKBOT, MANAGED_BY},
    request::{ApiAction, ApiServer},
};
use crate::{door::ticket::SigningKey, error::Error, work::WorkKey};

/// Name of the Secret.
pub const DOOR_KEYS: &str = "duckbot-door-keys";
const ROTATION_INTERVAL: TimeDelta = TimeDelta::days(30);
const MAX_KEYS: usize = 12;

/// Entry with the key of saved work.
const WORK: &str = "work";

/// Key from which those of people's saved work are derived.
type WorkMaster = Zeroizing<[u8; WorkKey::BYTES]>;

/// Keys by ID. An ID starts with the date of the key's creation.
type KeysById = BTreeMap<String, Arc<SigningKey>>;

/// The Secret with the signing keys, and a cache of them.
pub(super) struct SigningKeys {
    server: ApiServer,
    secrets: Api<Secret>,
    namespace: String,
    known: Mutex<KeysById>,
    work: OnceCell<WorkMaster>,
}

impl SigningKeys {
    /// Reads the keys in the bot's own namespace. Creates the first one if there is none.
    ///
    /// # Errors
    /// If the Secret can't be read or written.
    pub(super) async fn start(server: &ApiServer, now: DateTime<Utc>) -> Result<Self, Error> {
        let this = Self {
            server: server.clone(),
            secrets: Api::default_namespaced(server.client()),
            namespace: server.default_namespace().to_owned(),
            known: Mutex::default(),
            work: OnceCell::new(),
        };
        this.newest(now).await?;
        Ok(this)
    }

    /// Returns the key for the next session. Creates a new one if the newest is 30 days old.
    ///
    /// # Errors
    /// If a new key is due and can't be stored.
    pub(super) async fn newest(&self, now: DateTime<Utc>) -> Result<Arc<SigningKey>, Error> {
        if let Some(key) = current_key(&self.known(), now) {
            return Ok(key);
        }
        let stored = self.read().await?;
        if let Some(key) = current_key(&self.known(), now) {
            return Ok(key);
        }
        match self.add(stored, now).await {
            Ok(()) => {}
            // Another bot stored a key first.
            Err(Error::Exists { .. } | Error::Conflict { .. }) => {
                self.read().await?;
            }
            Err(error) => return Err(error),
        }
        current_key(&self.known(), now).ok_or_else(|| Error::Unavailable {
            action: self.action("get").to_string(),
            why: format!("the Secret {DOOR_KEYS} holds no current signing key"),
        })
    }

    /// Returns the key with this ID, if it still exists.
    ///
    /// # Errors
    /// If the key is not cached and the Secret can't be read.
    pub(super) async fn find(&self, id: &str) -> Result<Option<Arc<SigningKey>>, Error> {
        if let Some(key) = self.known().get(id) {
            return Ok(Some(key.clone()));
        }
        // Another bot may have created it.
        self.read().await?;
        Ok(self.known().get(id).cloned())
    }

    /// Returns the key from which those of people's saved work are derived. Creates it if there is none.
    ///
    /// # Errors
    /// If it can't be read or stored, or somebody has changed it.
    pub(super) async fn work_master(&self) -> Result<WorkMaster, Error> {
        let found = self.work.get_or_try_init(|| self.find_work_master()).await;
        found.cloned()
    }

    async fn find_work_master(&self) -> Result<WorkMaster, Error> {
        let stored = self.read().await?;
        if let Some(found) = stored.as_ref().and_then(|it| it.data.as_ref()?.get(WORK)) {
            return self.checked_work_master(found);
        }
        let mut master = Zeroizing::new([0; WorkKey::BYTES]);
        // The random numbers are those of the operating system.
        let random = SystemRandom::new().fill(&mut *master);
        random.map_err(|_| self.no_work_master("the system has no random numbers"))?;
        match self.store(stored, WORK, master.to_vec()).await {
            Ok(()) => Ok(master),
            // Another bot stored one first.
            Err(Error::Exists { .. } | Error::Conflict { .. }) => {
                let stored = self.read().await?;
                match stored.as_ref().and_then(|it| it.data.as_ref()?.get(WORK)) {
                    Some(found) => self.checked_work_master(found),
                    None => Err(self.no_work_master("it was changed just now")),
                }
            }
            Err(error) => Err(error),
        }
    }

    fn checked_work_master(&self, stored: &ByteString) -> Result<WorkMaster, Error> {
        let bytes = stored.0.as_slice().try_into();
        // A new one would make all earlier saves unusable, so that is for an admin to decide.
        let bytes = bytes.map_err(|_| self.no_work_master("its entry `work` has not 32 bytes"))?;
        Ok(Zeroizing::new(bytes))
    }

    fn no_work_master(&self, why: &str) -> Error {
        Error::Unavailable {
            action: self.action("get").to_string(),
            why: format!("the Secret {DOOR_KEYS} has no key for saved work: {why}"),
        }
    }

    async fn read(&self) -> Result<Option<Secret>, Error> {
        let found = self
            .server
            .call(self.action("get"), self.secrets.get_opt(DOOR_KEYS))
            .await?;
        let data = found.iter().flat_map(|secret| secret.data.iter().flatten());
        let keys = data.filter_map(|(id, ByteString(bytes))| {
            let key = SigningKey::read(id, bytes)?;
            Some((id.clone(), Arc::new(key)))
        });
        *self.known() = keys.collect();
        Ok(found)
    }

    /// Creates a new key and stores it with the others.
    async fn add(&self, stored: Option<Secret>, now: DateTime<Utc>) -> Result<(), Error> {
        let random = &Uuid::new_v4().simple().to_string()[..8];
        let id = format!("{}-{random}", now.format("%Y-%m-%d"));
        let bytes = SigningKey::generate();
        let key = SigningKey::read(&id, &bytes).expect("a generated key is valid");
        self.store(stored, &id, bytes).await?;
        self.known().insert(id, Arc::new(key));
        Ok(())
    }

    /// Adds an entry to the stored Secret. Removes the oldest keys over the limit.
    async fn store(&self, stored: Option<Secret>, id: &str, bytes: Vec<u8>) -> Result<(), Error> {
        let is_first = stored.is_none();
        let mut secret = stored.unwrap_or_default();
        secret.metadata.name = Some(DOOR_KEYS.into());
        let labels = secret.metadata.labels.get_or_insert_default();
        labels.insert(MANAGED_BY.into(), DUCKBOT.into());
        let data = secret.data.get_or_insert_default();
        data.insert(id.to_owned(), ByteString(bytes));
        // Leave alone any entry that is not a signing key.
        let is_ours = |(id, key): &(&String, &ByteString)| SigningKey::read(id, &key.0).is_some();
        let ours: Vec<_> = data
            .iter()
            .filter(is_ours)
            .map(|(id, _)| id.clone())
            .collect();
        for oldest in ours.iter().take(ours.len().saturating_sub(MAX_KEYS)) {
            data.remove(oldest);
        }
        let params = PostParams::default();
        let outcome = if is_first {
            self.server
                .call(self.action("create"), self.secrets.create(&params, &secret))
                .await
        } else {
            let replaced = self.secrets.replace(DOOR_KEYS, &params, &secret);
            self.server.call(self.action("update"), replaced).await
        };
        for value in secret.data.iter_mut().flat_map(BTreeMap::values_mut) {
            value.0.zeroize();
        }
        outcome.map(|_| ())
    }

    fn known(&self) -> MutexGuard<'_, KeysById> {
        self.known.lock()
    }

    fn action(&self, verb: &'static str) -> ApiAction<'_> {
        ApiAction::new(verb, "secrets", &self.namespace).sensitive()
    }
}

/// Returns the newest key, or None if a new one is due.
fn current_key(keys: &KeysById, now: DateTime<Utc>) -> Option<Arc<SigningKey>> {
    let (id, key) = keys.last_key_value()?;
    let made: NaiveDate = id.get(..10)?.parse().ok()?;
    (now.date_naive() - made < ROTATION_INTERVAL).then(|| key.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(ids: &[&str]) -> KeysById {
        let key = |id: &&str| SigningKey::read(id, &SigningKey::generate()).expect("a key");
        let pair = |id: &&str| ((*id).to_owned(), Arc::new(key(id)));
        ids.iter().map(pair).collect()
    }

    #[test]
    fn the_newest_key_is_good_for_a_month() {
        let both = keys(&["2026-10-01-bbbbbbbb", "2026-11-01-aaaaaaaa"]);
        let at = |day: &str| format!("{day}T12:00:00Z").parse().expect("a time");
        let newest =
            |day: &str| current_key(&both, at(day)).map(|key| key.public()[..10].to_owned());
        assert_eq!(newest("2026-11-30").as_deref(), Some("2026-11-01"));
        assert_eq!(newest("2026-12-01"), None);
        assert!(current_key(&keys(&[]), at("2026-11-30")).is_none());
        assert!(current_key(&keys(&["theirs"]), at("2026-11-30")).is_none());
    }
}
