//! The door's container.

use k8s_openapi::{
    api::core::v1::{Container, ContainerPort, HTTPGetAction, Probe, VolumeMount},
    apimachinery::pkg::util::intstr::IntOrString,
};

use super::{
    DOOR, HTTP,
    container::{HOME, container_security, literal, mount},
    origin, resources,
};
use crate::{
    door,
    duckdb::exchange::EXCHANGE,
    session::{Record, Size},
    settings::Settings,
};

/// Path of the console's editor in the bot's image (`deploy/images/Dockerfile`).
const EDITOR: &str = "/usr/lib/duckbot/editor/editor.js";

/// Builds the door's container.
pub(super) fn door(settings: &Settings, session: &Record, size: &Size, key: &str) -> Container {
    let exchange = exchange_mount();
    Container {
        name: DOOR.into(),
        image: Some(settings.sessions.door_image.clone()),
        image_pull_policy: settings.pod.image_pull_policy.clone(),
        args: Some(vec!["door".into()]),
        env: Some(vec![
            literal(door::variable::SESSION, session.id.to_string()),
            literal(door::variable::ORIGIN, origin(settings, &session.id)),
            literal(door::variable::KEY, key.to_owned()),
            literal(door::variable::OWNER, session.display_name.clone()),
            literal(door::variable::UI, settings.duckdb.ui.name().to_owned()),
            literal(door::variable::FILES, exchange.mount_path.clone()),
            literal(door::variable::EDITOR, EDITOR.to_owned()),
            literal(door::variable::LOG_FILTER, settings.log.filter.clone()),
            literal(door::variable::LOG_FORMAT, settings.log.format().to_owned()),
        ]),
        ports: Some(vec![
            port(HTTP, door::PORT),
            port("admin", door::ADMIN_PORT),
        ]),
        // No readiness probe: the kubelet may make its first one before it has noted that the
        // container runs, and the next one a second later. The door ends if it can't listen, so the
        // Pod is ready when its containers run. The bot itself asks whether DuckDB answers.
        liveness_probe: Some(Probe {
            http_get: Some(HTTPGetAction {
                path: Some(door::HEALTH_PATH.into()),
                port: IntOrString::Int(door::ADMIN_PORT.into()),
                ..HTTPGetAction::default()
            }),
            // A query that keeps every core of the node busy must not restart the door.
            period_seconds: Some(10),
            timeout_seconds: Some(5),
            failure_threshold: Some(6),
            ..Probe::default()
        }),
        resources: Some(resources::door(size)),
        // Everything else is read-only. The door sees nothing else of the session's home.
        volume_mounts: Some(vec![exchange]),
        security_context: Some(container_security()),
        ..Container::default()
    }
}

/// Mount of the folder that DuckDB and the door share. Both containers have it, so that the kubelet makes the
/// folder before DuckDB starts: a folder that DuckDB makes at the same moment fails the door's container.
pub(super) fn exchange_mount() -> VolumeMount {
    let (home, path) = HOME;
    VolumeMount {
        sub_path: Some(EXCHANGE.into()),
        ..mount(home, &format!("{path}/{EXCHANGE}"))
    }
}

fn port(name: &str, number: u16) -> ContainerPort {
    ContainerPort {
        name: Some(name.into()),
        container_port: number.into(),
        ..ContainerPort::default()
    }
}
