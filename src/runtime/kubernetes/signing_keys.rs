//! Signing keys of tickets, in one Secret in the bot's own namespace. The bot adds a key at its first
//! start, and then every 30 days. A door knows only the key that was the newest when its Pod was
//! created, so the last twelve keys are kept.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use k8s_openapi::{ByteString, api::core::v1::Secret};
use parking_lot::{Mutex, MutexGuard};
use uuid::Uuid;

use super::{own_secret::OwnSecret, request::ApiServer};
use crate::{door::ticket::SigningKey, error::Error};

/// Name of the Secret.
pub const DOOR_KEYS: &str = "duckbot-door-keys";
const ROTATION_INTERVAL: TimeDelta = TimeDelta::days(30);
const MAX_KEYS: usize = 12;

/// Keys by ID. An ID starts with the date of the key's creation.
type KeysById = BTreeMap<String, Arc<SigningKey>>;

/// The Secret with the signing keys, and a cache of them.
pub(super) struct SigningKeys {
    secret: OwnSecret,
    known: Mutex<KeysById>,
}

impl SigningKeys {
    /// Reads the keys in the bot's own namespace. Adds the first one if there is none.
    ///
    /// # Errors
    /// If the Secret does not exist, or can't be read or written.
    pub(super) async fn start(server: &ApiServer, now: DateTime<Utc>) -> Result<Self, Error> {
        let this = Self {
            secret: OwnSecret::new(server, DOOR_KEYS),
            known: Mutex::default(),
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
            Err(Error::Conflict { .. }) => {
                self.read().await?;
            }
            Err(error) => return Err(error),
        }
        let key = current_key(&self.known(), now);
        key.ok_or_else(|| self.secret.unusable("it holds no current signing key"))
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

    async fn read(&self) -> Result<Secret, Error> {
        let found = self.secret.read().await?;
        let keys = found.data.iter().flatten();
        let keys = keys.filter_map(|(id, ByteString(bytes))| {
            let key = SigningKey::read(id, bytes)?;
            Some((id.clone(), Arc::new(key)))
        });
        *self.known() = keys.collect();
        Ok(found)
    }

    /// Creates a new key and stores it with the others. Removes the oldest keys over the limit.
    async fn add(&self, mut secret: Secret, now: DateTime<Utc>) -> Result<(), Error> {
        let random = &Uuid::new_v4().simple().to_string()[..8];
        let id = format!("{}-{random}", now.format("%Y-%m-%d"));
        let bytes = SigningKey::generate();
        let key = SigningKey::read(&id, &bytes).expect("a generated key is valid");
        let data = secret.data.get_or_insert_default();
        data.insert(id.clone(), ByteString(bytes));
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
        self.secret.write(secret).await?;
        self.known().insert(id, Arc::new(key));
        Ok(())
    }

    fn known(&self) -> MutexGuard<'_, KeysById> {
        self.known.lock()
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
