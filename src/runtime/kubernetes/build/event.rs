//! Events of duckbot, about the record of a session or its Pod.

use k8s_openapi::{
    api::{core::v1::ObjectReference, events::v1::Event},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
};

use super::DUCKBOT;
use crate::runtime::kubernetes::facts::Fact;

/// Maximum length of a note, in bytes (`pkg/apis/core/validation/events.go`, Kubernetes 1.35).
const MAX_NOTE: usize = 1024;

/// Object that an Event is about.
#[derive(Debug, Clone)]
pub struct Subject {
    pub kind: &'static str,
    pub name: String,
    pub uid: String,
}

/// Builds the Event of a fact. Its name consists of the subject, `revision` of the record and the reason, so
/// the same fact is never told twice. `instance` is the bot's name, of at most 128 bytes.
pub fn event(
    namespace: &str,
    about: &Subject,
    fact: &Fact,
    revision: u64,
    instance: &str,
    at: MicroTime,
) -> Event {
    let reason = fact.reason.to_ascii_lowercase();
    let kind = if fact.is_warning { "Warning" } else { "Normal" };
    Event {
        metadata: ObjectMeta {
            name: Some(format!("{}.{revision:x}.{reason}", about.name)),
            namespace: Some(namespace.to_owned()),
            ..ObjectMeta::default()
        },
        regarding: Some(ObjectReference {
            api_version: Some("v1".into()),
            kind: Some(about.kind.into()),
            name: Some(about.name.clone()),
            namespace: Some(namespace.to_owned()),
            uid: Some(about.uid.clone()),
            ..ObjectReference::default()
        }),
        action: Some(fact.action.into()),
        reason: Some(fact.reason.into()),
        note: Some(cut(&fact.note).to_owned()),
        type_: Some(kind.into()),
        reporting_controller: Some(DUCKBOT.into()),
        reporting_instance: Some(instance.to_owned()),
        event_time: Some(at),
        ..Event::default()
    }
}

/// Returns the beginning of a note, as long as the API server accepts it.
fn cut(note: &str) -> &str {
    &note[..note.floor_char_boundary(MAX_NOTE)]
}
