//! The Pod security standard *restricted*, which the sessions namespace enforces, for additions to Pods.
//! Pure.
//!
//! Source: <https://kubernetes.io/docs/concepts/security/pod-security-standards/>

use k8s_openapi::api::core::v1::{Container, SecurityContext, Volume};

/// Types of volumes that the standard allows.
const VOLUME_TYPES: [&str; 8] = [
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
];

/// SELinux types that the standard allows:
/// <https://kubernetes.io/docs/concepts/security/pod-security-standards/>
const SELINUX_TYPES: [&str; 5] = [
    "",
    "container_t",
    "container_init_t",
    "container_kvm_t",
    "container_engine_t",
];

/// Checks the type of a volume. Returns the rest of a sentence about it.
pub(super) fn volume_error(volume: &Volume) -> Option<String> {
    let fields = serde_json::to_value(volume).expect("a volume serializes to JSON");
    let fields = fields.as_object().into_iter().flat_map(|all| all.keys());
    let types: Vec<_> = fields.filter(|field| *field != "name").collect();
    let allowed = VOLUME_TYPES.join(", ");
    match types[..] {
        [one] if VOLUME_TYPES.contains(&one.as_str()) => None,
        [one] => Some(format!(
            "has the type {one}, which the Pod security standard \"restricted\" forbids; use \
             {allowed}"
        )),
        _ => Some(format!("must have exactly one type; use {allowed}")),
    }
}

/// Checks the rights of a container. Returns the rest of a sentence about it.
pub(super) fn container_error(container: &Container) -> Option<String> {
    let context = container.security_context.as_ref();
    let field = context.and_then(forbidden_right).or_else(|| {
        let mut ports = container.ports.iter().flatten();
        let has_host_port = ports.any(|port| port.host_port.is_some_and(|it| it != 0));
        has_host_port.then_some("ports.hostPort")
    })?;
    Some(format!(
        "sets {field} to a value that the Pod security standard \"restricted\" forbids; remove it"
    ))
}

fn forbidden_right(context: &SecurityContext) -> Option<&'static str> {
    let added = context.capabilities.as_ref().and_then(|it| it.add.as_ref());
    let seccomp = context.seccomp_profile.as_ref();
    let rights = [
        ("privileged", context.privileged == Some(true)),
        (
            "allowPrivilegeEscalation",
            context.allow_privilege_escalation == Some(true),
        ),
        ("runAsNonRoot", context.run_as_non_root == Some(false)),
        ("runAsUser", context.run_as_user == Some(0)),
        (
            "capabilities.add",
            added.is_some_and(|all| all.iter().any(|one| one != "NET_BIND_SERVICE")),
        ),
        (
            "seccompProfile",
            seccomp.is_some_and(|profile| profile.type_ == "Unconfined"),
        ),
        (
            "appArmorProfile",
            context
                .app_armor_profile
                .as_ref()
                .is_some_and(|profile| profile.type_ == "Unconfined"),
        ),
        (
            "seLinuxOptions",
            context.se_linux_options.as_ref().is_some_and(|options| {
                let is_free = |type_: &str| SELINUX_TYPES.contains(&type_);
                let has_other_type = options.type_.as_deref().is_some_and(|it| !is_free(it));
                has_other_type || options.user.is_some() || options.role.is_some()
            }),
        ),
        (
            "windowsOptions.hostProcess",
            context
                .windows_options
                .as_ref()
                .is_some_and(|options| options.host_process == Some(true)),
        ),
        (
            "procMount",
            context
                .proc_mount
                .as_deref()
                .is_some_and(|it| it != "Default"),
        ),
    ];
    let found = rights.into_iter().find(|(_, is_forbidden)| *is_forbidden)?;
    Some(found.0)
}
