//! The Service of a session, in front of the Pod's door.

use k8s_openapi::{
    api::core::v1::{Service, ServicePort, ServiceSpec},
    apimachinery::pkg::util::intstr::IntOrString,
};

use super::{HTTP, HTTP_PORT, SESSION, map, owned_by, stamp};
use crate::{session::Record, settings::Settings};

/// Builds the Service of `session`. `uid` is the UID of its record.
pub fn service(settings: &Settings, session: &Record, uid: &str) -> Service {
    Service {
        metadata: stamp(
            settings,
            session,
            session.id.object_name(),
            Some(owned_by(session, uid)),
        ),
        spec: Some(ServiceSpec {
            selector: Some(map([(SESSION, session.id.to_string())])),
            ports: Some(vec![ServicePort {
                name: Some(HTTP.into()),
                port: HTTP_PORT,
                target_port: Some(IntOrString::String(HTTP.into())),
                ..ServicePort::default()
            }]),
            ..ServiceSpec::default()
        }),
        status: None,
    }
}
