//! The Secret with what it takes to go on with a private reply.

use k8s_openapi::{ByteString, api::core::v1::Secret};

use super::{owned_by, stamp};
use crate::{session::Record, settings::Settings};

/// The entry of the Secret.
pub const REPLY: &str = "reply";

/// The Secret of `session`, whose record has the unique id `uid`.
pub fn reply(settings: &Settings, session: &Record, uid: &str, value: &str) -> Secret {
    let name = session.id.object_name();
    Secret {
        metadata: stamp(settings, session, name, Some(owned_by(session, uid))),
        type_: Some("duckbot.dev/reply".into()),
        data: Some([(REPLY.to_owned(), ByteString(value.into()))].into()),
        ..Secret::default()
    }
}
