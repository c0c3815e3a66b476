//! Secrets of a session: its own credentials, and the token of its private reply.

use k8s_openapi::{
    ByteString, api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::{own_secret_name, owned_by, stamp};
use crate::{session::Record, settings::Settings};

/// Name of the entry with the reply token.
pub const REPLY: &str = "reply";

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
