//! Parts that containers have in common.

use k8s_openapi::api::core::v1::{Capabilities, Container, EnvVar, SecurityContext, VolumeMount};

/// Volume of the session's home, and its path.
pub(super) const HOME: (&str, &str) = ("work", "/home/duck");

/// Gives an admin's container the security context of duckbot's own. Of one with a context of its own,
/// only what the Pod security standard *restricted* requires is added.
pub(super) fn restricted(container: Container) -> Container {
    let ours = container_security();
    let context = match container.security_context {
        None => ours,
        Some(own) => {
            let added = own.capabilities.and_then(|it| it.add);
            SecurityContext {
                allow_privilege_escalation: ours.allow_privilege_escalation,
                capabilities: ours
                    .capabilities
                    .map(|it| Capabilities { add: added, ..it }),
                ..own
            }
        }
    };
    Container {
        security_context: Some(context),
        ..container
    }
}

pub(super) fn container_security() -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        read_only_root_filesystem: Some(true),
        capabilities: Some(Capabilities {
            drop: Some(vec!["ALL".into()]),
            add: None,
        }),
        ..SecurityContext::default()
    }
}

pub(super) fn literal(name: &str, value: String) -> EnvVar {
    EnvVar {
        name: name.into(),
        // Escape `$`, or the kubelet would expand $(NAME) in a display name or a warehouse.
        value: Some(value.replace('$', "$$")),
        value_from: None,
    }
}

pub(super) fn mount(name: &str, path: &str) -> VolumeMount {
    VolumeMount {
        name: name.into(),
        mount_path: path.into(),
        ..VolumeMount::default()
    }
}
