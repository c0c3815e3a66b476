//! Secrets of a session: its credentials, and the token of its private reply.

use k8s_openapi::{
    ByteString, api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use serde_json::{Value, json};

use super::{own_secret_name, owned_by, secret_name, stamp};
use crate::{
    session::{CredentialSource, Record},
    settings::Settings,
};

/// Name of the entry with the reply token.
pub const REPLY: &str = "reply";

/// Entry with the key of the owner's saved work, in a Secret with credentials.
pub(super) const WORK_KEY: &str = "work-key";

/// Name of the Secret with the credentials of `session`: its owner's or its own.
pub fn credentials_secret(session: &Record) -> String {
    match session.credentials {
        CredentialSource::Owner => secret_name(session.owner),
        CredentialSource::Awaited | CredentialSource::Session => own_secret_name(&session.id),
    }
}

/// Builds the change that adds the key of saved work to a Secret with credentials.
pub fn work_key_patch(key: &str) -> Value {
    json!({ "data": { WORK_KEY: ByteString(key.into()) } })
}

/// Builds the Secret with the reply token of `session`. `uid` is the UID of its record.
pub fn reply(settings: &Settings, session: &Record, uid: &str, value: &str) -> Secret {
    let name = session.id.object_name();
    Secret {
        metadata: stamp(settings, session, name, Some(owned_by(session, uid))),
        type_: Some("duckbot.dev/reply".into()),
        data: Some([(REPLY.to_owned(), ByteString(value.into()))].into()),
        ..Secret::default()
    }
}

/// Builds the metadata of the Secret with the own credentials of `session`. `uid` is the UID of its
/// record.
pub fn own_secret(settings: &Settings, session: &Record, uid: &str) -> ObjectMeta {
    let name = own_secret_name(&session.id);
    stamp(settings, session, name, Some(owned_by(session, uid)))
}
