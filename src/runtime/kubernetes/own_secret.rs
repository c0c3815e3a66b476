//! A Secret of the bot's own, in its own namespace. The installation creates it empty, so that the bot needs no
//! permission to create Secrets there.

use k8s_openapi::api::core::v1::Secret;
use kube::{Api, api::PostParams};
use secrecy::zeroize::Zeroize;

use super::request::{ApiAction, ApiServer};
use crate::error::Error;

/// Access to one Secret.
pub(super) struct OwnSecret {
    server: ApiServer,
    secrets: Api<Secret>,
    name: &'static str,
}

impl OwnSecret {
    /// Names the Secret. Nothing is read yet.
    pub(super) fn new(server: &ApiServer, name: &'static str) -> Self {
        Self {
            server: server.clone(),
            secrets: Api::default_namespaced(server.client()),
            name,
        }
    }

    /// Reads the Secret.
    ///
    /// # Errors
    /// If it can't be read, or does not exist.
    pub(super) async fn read(&self) -> Result<Secret, Error> {
        let found = self.secrets.get_opt(self.name);
        let found = self.server.call(self.action("get"), found).await?;
        found.ok_or_else(|| {
            self.unusable("it does not exist; apply deploy/ or the chart again, which creates it")
        })
    }

    /// Stores a changed Secret, and overwrites its values in memory.
    ///
    /// # Errors
    /// If it can't be stored. Returns [`Error::Conflict`] if it has changed since it was read.
    pub(super) async fn write(&self, mut secret: Secret) -> Result<(), Error> {
        let params = PostParams::default();
        let replaced = self.secrets.replace(self.name, &params, &secret);
        let outcome = self.server.call(self.action("update"), replaced).await;
        for value in secret.data.iter_mut().flat_map(|data| data.values_mut()) {
            value.0.zeroize();
        }
        outcome.map(|_| ())
    }

    /// Creates the error about a Secret that can't be used.
    pub(super) fn unusable(&self, why: &str) -> Error {
        Error::Unavailable {
            action: self.action("get").to_string(),
            why: format!("the Secret {} can't be used: {why}", self.name),
        }
    }

    fn action(&self, verb: &'static str) -> ApiAction<'_> {
        ApiAction::new(verb, "secrets", self.server.default_namespace()).sensitive()
    }
}
