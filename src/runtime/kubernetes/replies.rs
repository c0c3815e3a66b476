//! Reply tokens, which let the bot continue editing private replies after a restart. Each is in a
//! Secret that the session's record owns.

use std::sync::Arc;

use async_trait::async_trait;
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams},
};
use secrecy::{ExposeSecret, SecretString};

use super::{
    build,
    request::{ApiAction, ApiServer},
};
use crate::{error::Error, runtime::ReplyStore, session::Observed, settings::Settings};

/// Reply tokens as Secrets in the sessions namespace.
pub struct ReplySecrets {
    server: ApiServer,
    secrets: Api<Secret>,
    settings: Arc<Settings>,
}

impl ReplySecrets {
    pub fn new(server: &ApiServer, settings: Arc<Settings>) -> Self {
        Self {
            server: server.clone(),
            secrets: Api::namespaced(server.client(), &settings.kubernetes.namespace),
            settings,
        }
    }

    fn action(&self, verb: &'static str) -> ApiAction<'_> {
        ApiAction::new(verb, "secrets", &self.settings.kubernetes.namespace).sensitive()
    }
}

#[async_trait]
impl ReplyStore for ReplySecrets {
    async fn store(&self, session: &Observed, reply: &SecretString) -> Result<(), Error> {
        let (record, uid) = (&session.record, &session.uid);
        let secret = build::reply(&self.settings, record, uid, reply.expose_secret());
        let name = record.id.object_name();
        // Apply instead of create: a repeated command replaces the token of the session.
        let params = PatchParams::apply(build::DUCKBOT).force();
        let patch = Patch::Apply(&secret);
        let kept = self.secrets.patch_metadata(&name, &params, &patch);
        self.server
            .call(self.action("patch"), kept)
            .await
            .map(|_| ())
    }

    async fn load(&self, session: &Observed) -> Result<Option<SecretString>, Error> {
        let name = session.record.id.object_name();
        let found = self
            .server
            .call(self.action("get"), self.secrets.get_opt(&name))
            .await?;
        let value = found.and_then(|secret| secret.data?.remove(build::REPLY));
        let text = value.and_then(|value| String::from_utf8(value.0).ok());
        Ok(text.map(SecretString::from))
    }

    async fn forget(&self, session: &Observed) -> Result<(), Error> {
        let name = session.record.id.object_name();
        let params = DeleteParams::default();
        let deleted = self.secrets.delete(&name, &params);
        match self.server.call(self.action("delete"), deleted).await {
            Ok(_) | Err(Error::Unknown { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
