//! The Secrets that go with a session: its own credentials, and what it takes to go on with a
//! private reply.

use k8s_openapi::{
    ByteString, api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::{own_secret_name, owned_by, stamp};
use crate::{session::Record, settings::Settings};

/// The entry of the Secret.
pub const REPLY: &str = "reply";

/// The Secret of `session` for a reply; its record has the unique id `uid`.
pub fn reply(settings: &Settings, session: &Record, uid: &str, value: &str) -> Secret {
    let name = session.id.object_name();
    Secret {
        metadata: stamp(settings, session, name, Some(owned_by(session, uid))),
        type_: Some("duckbot.dev/reply".into()),
        data: Some([(REPLY.to_owned(), ByteString(value.into()))].into()),
        ..Secret::default()
    }
}

/// What the Secret with the own credentials of `session` carries beside them.
pub fn own_secret(settings: &Settings, session: &Record, uid: &str) -> ObjectMeta {
    let name = own_secret_name(&session.id);
    stamp(settings, session, name, Some(owned_by(session, uid)))
}
