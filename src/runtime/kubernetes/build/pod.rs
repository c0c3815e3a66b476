//! The Pod of a session: DuckDB with its UI, and the door in front of it. The Pod of a query runner has
//! only the container of DuckDB.

use k8s_openapi::{
    api::core::v1::{
        ConfigMapVolumeSource, Container, EmptyDirVolumeSource, EnvVar, EnvVarSource,
        LocalObjectReference, Pod, PodSecurityContext, PodSpec, SeccompProfile, SecretKeySelector,
        Volume, VolumeMount,
    },
    apimachinery::pkg::api::resource::Quantity,
};

use super::{
    add,
    container::{HOME, container_security, literal, mount, restricted},
    credentials_secret,
    door::{door, exchange_mount},
    map, owned_by, resources,
    secrets::WORK_KEY,
    stamp,
};
use crate::{
    credentials::{CredentialField, CredentialPart},
    duckdb::environment::{CONTROL_KEY, INIT_FOLDER, secret as variable},
    outbound::{CA_FILE_VARIABLE, SESSION_PROXY_VARIABLES},
    runtime::environment,
    session::{Record, Size},
    settings::{Catalog, OAuth2, Settings},
};

/// Name of DuckDB's container.
pub const DUCKDB: &str = "duckdb";
/// Time for a Pod to end, in seconds. It is short, because there is nothing to save.
const GRACE_SECONDS: u32 = 5;
/// Time for a Pod to end after its work is saved, in seconds.
const GRACE_AFTER_SAVE_SECONDS: u32 = 10;
/// Volumes that DuckDB writes to, by name and path. Everything else is read-only.
const WRITABLE: [(&str, &str); 2] = [HOME, ("tmp", "/tmp")];

/// Annotations that keep a Pod on its node, for the Cluster Autoscaler
/// (<https://github.com/kubernetes/autoscaler/blob/master/cluster-autoscaler/FAQ.md>) and for Karpenter
/// (<https://karpenter.sh/docs/concepts/disruption/>). A query runner has none: it ends soon, and holds
/// nobody's work.
const BLOCK_SCALE_DOWN: [(&str, &str); 2] = [
    ("cluster-autoscaler.kubernetes.io/safe-to-evict", "false"),
    ("karpenter.sh/do-not-disrupt", "true"),
];

/// Annotation with the ID of the signing key whose tickets the door accepts.
pub const DOOR_KEY: &str = "duckbot.dev/door-key";
/// Name of the volume with the admin's `init.sql`.
const INIT_SQL: &str = "init-sql";
/// ConfigMap in the sessions namespace with all CA certificates that sessions trust, and the volume
/// with it.
pub const CA_MAP: &str = "duckbot-ca";
/// Entry of the ConfigMap with the certificates.
pub const CA_ENTRY: &str = "ca.crt";
/// Folder of the certificates in a session, which can't write there.
const CA_FOLDER: &str = "/etc/duckbot-ca";

/// Builds the Pod of `session`. `uid` is the UID of its record. The door accepts tickets that are
/// signed with `key` ([`SigningKey::public`]).
///
/// [`SigningKey::public`]: crate::door::ticket::SigningKey::public
pub fn pod(
    settings: &Settings,
    session: &Record,
    uid: &str,
    size: &Size,
    catalog: &Catalog,
    key: &str,
) -> Pod {
    let extra = &settings.pod;
    let name = session.id.object_name();
    let mut metadata = stamp(settings, session, name, Some(owned_by(session, uid)));
    add(&mut metadata.labels, &extra.labels);
    if extra.block_scale_down && !session.is_runner() {
        let annotations = metadata.annotations.get_or_insert_default();
        annotations.extend(map(
            BLOCK_SCALE_DOWN.map(|(name, value)| (name, value.to_owned()))
        ));
    }
    add(&mut metadata.annotations, &extra.annotations);
    let mut containers = vec![duckdb(settings, session, size, catalog, key)];
    if !session.is_runner() {
        containers.push(door(settings, session, size, key));
        let id = key.split(':').next().unwrap_or_default();
        let annotations = metadata.annotations.get_or_insert_default();
        annotations.insert(DOOR_KEY.into(), id.to_owned());
    }
    let mut volumes: Vec<_> = WRITABLE.map(|(name, _)| scratch(name, size)).into();
    volumes.extend(
        extra
            .init_sql
            .as_ref()
            .map(|name| config_map(INIT_SQL, name)),
    );
    if settings.has_own_authorities() {
        volumes.push(config_map(CA_MAP, CA_MAP));
    }
    volumes.extend(extra.volumes.iter().cloned());
    let init = extra.init_containers.iter().cloned().map(restricted);
    let secrets = extra.image_pull_secrets.iter();
    let secrets = secrets.map(|name| LocalObjectReference { name: name.clone() });
    Pod {
        metadata,
        spec: Some(PodSpec {
            containers,
            init_containers: some(init.collect()),
            volumes: Some(volumes),
            image_pull_secrets: some(secrets.collect()),
            node_selector: (!extra.node_selector.is_empty()).then(|| extra.node_selector.clone()),
            affinity: extra.affinity.clone(),
            tolerations: some(extra.tolerations.clone()),
            priority_class_name: extra.priority_class.clone(),
            runtime_class_name: extra.runtime_class.clone(),
            host_users: extra.user_namespace.then_some(false),
            service_account_name: extra.service_account.clone(),
            // After running out of memory, DuckDB is back within seconds, with the same URL.
            restart_policy: Some("Always".into()),
            termination_grace_period_seconds: Some(grace_seconds(settings, session).into()),
            // Also with an account of the settings: DuckDB needs no API server. The webhooks of clouds
            // mount their tokens by themselves.
            automount_service_account_token: Some(false),
            enable_service_links: Some(false),
            security_context: Some(pod_security(extra.run_as_user)),
            ..PodSpec::default()
        }),
        status: None,
    }
}

/// Time for the Pod of `session` to end, in seconds. It saves its work when it is told to end, unless that
/// was tried already.
pub fn grace_seconds(settings: &Settings, session: &Record) -> u32 {
    if session.has_tried_to_save() || settings.work_location(session).is_none() {
        return GRACE_SECONDS;
    }
    let deadline = u32::try_from(settings.work.deadline.as_secs()).unwrap_or_default();
    deadline + GRACE_AFTER_SAVE_SECONDS
}

/// Turns an empty list into None, because Kubernetes does not store empty lists.
fn some<T>(items: Vec<T>) -> Option<Vec<T>> {
    (!items.is_empty()).then_some(items)
}

fn duckdb(
    settings: &Settings,
    session: &Record,
    size: &Size,
    catalog: &Catalog,
    key: &str,
) -> Container {
    let mut env = variables(settings, session, size, catalog);
    if !session.is_runner() {
        env.push(literal(CONTROL_KEY, key.to_owned()));
    }
    let mut mounts: Vec<_> = WRITABLE.map(|(name, path)| mount(name, path)).into();
    if !session.is_runner() {
        mounts.push(exchange_mount());
    }
    let read_only = |name, path| VolumeMount {
        read_only: Some(true),
        ..mount(name, path)
    };
    if settings.pod.init_sql.is_some() {
        mounts.push(read_only(INIT_SQL, INIT_FOLDER));
    }
    if settings.has_own_authorities() {
        mounts.push(read_only(CA_MAP, CA_FOLDER));
    }
    mounts.extend(settings.pod.volume_mounts.iter().cloned());
    Container {
        name: DUCKDB.into(),
        image: Some(settings.sessions.image.clone()),
        image_pull_policy: settings.pod.image_pull_policy.clone(),
        env: Some(env),
        resources: Some(resources::duckdb(session, size)),
        volume_mounts: Some(mounts),
        security_context: Some(container_security()),
        ..Container::default()
    }
}

/// Environment of DuckDB's container. Secret values are references.
fn variables(settings: &Settings, session: &Record, size: &Size, catalog: &Catalog) -> Vec<EnvVar> {
    let plain = environment::plain(settings, session, size, catalog);
    let plain = plain.into_iter().map(|(name, value)| literal(name, value));
    let required = CredentialPart::required_by(catalog);
    let own = CredentialField::ALL.map(|field| from_secret(session, field, required));
    let mut all: Vec<_> = plain.chain(own).collect();
    if settings.work_location(session).is_some() {
        let secret = credentials_secret(session);
        // Optional, so that a session without it starts all the same, and says that it saves nothing.
        all.push(secret_value(variable::WORK_KEY, secret, WORK_KEY, true));
    }
    if let Some(OAuth2 {
        secret,
        server,
        scope,
    }) = &catalog.oauth2
    {
        let optional = |text: &Option<String>| text.clone().unwrap_or_default();
        all.push(team_secret(variable::CLIENT_ID, secret, "client-id"));
        all.push(team_secret(
            variable::CLIENT_SECRET,
            secret,
            "client-secret",
        ));
        all.push(literal("CATALOG_OAUTH2_SERVER_URI", optional(server)));
        all.push(literal("CATALOG_OAUTH2_SCOPE", optional(scope)));
    }
    if settings.has_own_authorities() {
        all.push(literal(CA_FILE_VARIABLE, format!("{CA_FOLDER}/{CA_ENTRY}")));
    }
    let own = &settings.pod.environment;
    all.retain(|it| !(is_of_outbound(&it.name) && own.contains_key(&it.name)));
    for (name, value) in own {
        if all.iter().all(|it| it.name != *name) {
            all.push(literal(name, value.clone()));
        }
    }
    all
}

/// Variable with a value from the owner's credentials or the session's own.
fn from_secret(session: &Record, field: CredentialField, required: CredentialPart) -> EnvVar {
    secret_value(
        environment::variable(field),
        credentials_secret(session),
        field.name(),
        !field.is_required(required),
    )
}

/// Variable with a value from one of the team's Secrets.
fn team_secret(name: &str, secret: &str, key: &str) -> EnvVar {
    secret_value(name, secret.to_owned(), key, false)
}

fn secret_value(name: &str, secret: String, key: &str, optional: bool) -> EnvVar {
    EnvVar {
        name: name.into(),
        value: None,
        value_from: Some(EnvVarSource {
            secret_key_ref: Some(SecretKeySelector {
                name: secret,
                key: key.into(),
                optional: Some(optional),
            }),
            ..EnvVarSource::default()
        }),
    }
}

fn pod_security(user: Option<i32>) -> PodSecurityContext {
    let user = user.map(i64::from);
    PodSecurityContext {
        run_as_non_root: Some(true),
        run_as_user: user,
        run_as_group: user,
        fs_group: user,
        seccomp_profile: Some(SeccompProfile {
            type_: "RuntimeDefault".into(),
            localhost_profile: None,
        }),
        ..PodSecurityContext::default()
    }
}

/// Returns true for a variable that `pod.environment` may replace.
fn is_of_outbound(name: &str) -> bool {
    name == CA_FILE_VARIABLE || SESSION_PROXY_VARIABLES.contains(&name)
}

/// Volume with the entries of a ConfigMap.
fn config_map(volume: &str, config_map: &str) -> Volume {
    Volume {
        name: volume.into(),
        config_map: Some(ConfigMapVolumeSource {
            name: config_map.into(),
            ..ConfigMapVolumeSource::default()
        }),
        ..Volume::default()
    }
}

/// Volume on the node's disk. The kubelet evicts a Pod whose volume exceeds this size, or whose volumes
/// and logs together do.
fn scratch(name: &str, size: &Size) -> Volume {
    Volume {
        name: name.into(),
        empty_dir: Some(EmptyDirVolumeSource {
            size_limit: Some(Quantity(size.disk.to_string())),
            ..EmptyDirVolumeSource::default()
        }),
        ..Volume::default()
    }
}
