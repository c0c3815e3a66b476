//! Additions to the Pods of sessions and query runners: `[pod]`. What the cluster would refuse at each
//! start, or what would replace a part of duckbot's own, is an error in the settings.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{Affinity, Container, Toleration, Volume, VolumeMount};

use super::{
    reader::{Invalid, SettingsReader},
    restricted::{container_error, volume_error},
    values::{TEXTS, domain_name, label, parse},
};

/// Additions to every session's Pod, with the fields of a Pod spec.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Pod {
    /// `Always`, `IfNotPresent` or `Never`. `None`: Kubernetes' default for the image's tag.
    pub image_pull_policy: Option<String>,
    /// Names of Secrets for the registry.
    pub image_pull_secrets: Vec<String>,
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
    /// User ID and group ID of the containers. `None`: those that the cluster or the image assigns.
    pub run_as_user: Option<i32>,
    /// Environment variables for DuckDB, besides those that the bot sets.
    pub environment: BTreeMap<String, String>,
    pub node_selector: BTreeMap<String, String>,
    pub affinity: Option<Affinity>,
    pub tolerations: Vec<Toleration>,
    /// Name of a PriorityClass.
    pub priority_class: Option<String>,
    /// Name of a RuntimeClass.
    pub runtime_class: Option<String>,
    /// True if a Pod has a user namespace of its own.
    pub user_namespace: bool,
    /// Name of a ServiceAccount. Its token for the API server is not mounted.
    pub service_account: Option<String>,
    /// True if autoscalers are asked to leave a session on its node.
    pub block_scale_down: bool,
    /// Volumes for DuckDB's container and the init containers.
    pub volumes: Vec<Volume>,
    /// Mounts of these volumes in DuckDB's container.
    pub volume_mounts: Vec<VolumeMount>,
    /// Containers that run before DuckDB.
    pub init_containers: Vec<Container>,
    /// Name of a ConfigMap. DuckDB runs its entry `init.sql` at startup.
    pub init_sql: Option<String>,
}

/// Names of the containers of a session.
const CONTAINERS: [&str; 2] = ["duckdb", "door"];
/// Names of the volumes of a session, which init containers may mount.
const VOLUMES: [&str; 4] = ["work", "tmp", INIT_SQL, "duckbot-ca"];
/// Name of the volume that a session has only with `pod.init_sql`.
const INIT_SQL: &str = "init-sql";
/// Variables that the bot sets, in any configuration. The home is a volume of the bot's.
const VARIABLES: [&str; 30] = [
    "CATALOG_ENDPOINT",
    "CATALOG_IGNORES_TOKENS",
    "CATALOG_NAME",
    "CATALOG_OAUTH2_CLIENT_ID",
    "CATALOG_OAUTH2_CLIENT_SECRET",
    "CATALOG_OAUTH2_SCOPE",
    "CATALOG_OAUTH2_SERVER_URI",
    "CATALOG_SIGV4_SERVICE",
    "CATALOG_TOKEN",
    "CATALOG_VENDED_CREDENTIALS",
    "CATALOG_WAREHOUSE",
    "CONTROL_KEY",
    "DUCKDB_COMMUNITY_EXTENSIONS",
    "DUCKDB_DISK",
    "DUCKDB_FOLDERS",
    "DUCKDB_FURTHER_EXTENSIONS",
    "DUCKDB_HTTP_PROXY",
    "DUCKDB_MEMORY",
    "DUCKDB_QUESTION_MEMORY",
    "DUCKDB_RUNNER",
    "DUCKDB_THREADS",
    "HOME",
    "S3_ACCESS_KEY_ID",
    "S3_ENDPOINT",
    "S3_PATH_STYLE",
    "S3_REGION",
    "S3_SECRET_ACCESS_KEY",
    "S3_SESSION_TOKEN",
    "SESSION_ID",
    "USERNAME",
];
/// Folders that no mount may cover: the bot's volumes, and what the programs in the images need.
const FOLDERS: [&str; 12] = [
    "/home/duck",
    "/tmp",
    "/etc/duckbot",
    "/etc/duckbot-ca",
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib64",
    "/proc",
    "/sys",
    "/dev",
];

/// Reads `[pod]`.
pub(super) fn read_pod(reader: &mut SettingsReader) -> Result<Pod, Invalid> {
    const POLICY: &str = "Always, IfNotPresent or Never";
    const BOOLEAN: &str = "true or false";
    let policies = ["Always", "IfNotPresent", "Never"];
    let policy = |text: &str| policies.contains(&text).then(|| text.to_owned());
    let image_pull_policy = reader.optional("pod.image_pull_policy", POLICY, policy);
    let image_pull_secrets = reader.list("pod.image_pull_secrets", "a Secret's name", domain_name);
    let labels = reader.manifest("pod.labels", TEXTS);
    let labels = checked(reader, "pod.labels", labels, label_error);
    let annotations = reader.manifest("pod.annotations", TEXTS);
    let annotations = checked(reader, "pod.annotations", annotations, |name, _| {
        key_error(name)
    });
    let user = |text: &str| text.parse().ok().filter(|user| *user > 0);
    let run_as_user = reader.optional("pod.run_as_user", "a user ID above 0", user);
    let environment = reader.manifest("pod.environment", TEXTS);
    let environment = checked(reader, "pod.environment", environment, variable_error);
    let node_selector = reader.manifest("pod.node_selector", TEXTS);
    let node_selector = checked(reader, "pod.node_selector", node_selector, label_error);
    let affinity = reader.manifest("pod.affinity", "an affinity, as in a Pod spec");
    let tolerations = reader.manifest("pod.tolerations", "a list of tolerations, as in a Pod spec");
    let priority_class =
        reader.optional("pod.priority_class", "a PriorityClass's name", domain_name);
    let runtime_class = reader.optional("pod.runtime_class", "a RuntimeClass's name", domain_name);
    let host_users = reader.required("pod.host_users", BOOLEAN, parse::<bool>);
    let service_account = reader.optional(
        "pod.service_account",
        "a ServiceAccount's name",
        domain_name,
    );
    let block_scale_down = reader.required("pod.block_scale_down", BOOLEAN, parse);
    let volumes = read_volumes(reader);
    let known = volumes.as_deref().unwrap_or_default();
    let volume_mounts = read_mounts(reader, known);
    let init_sql = reader.optional("pod.init_sql", "a ConfigMap's name", domain_name);
    let has_init_sql = !matches!(init_sql, Ok(None));
    let init_containers = read_init_containers(reader, known, has_init_sql);
    Ok(Pod {
        image_pull_policy: image_pull_policy?,
        image_pull_secrets: image_pull_secrets?,
        labels: labels?,
        annotations: annotations?,
        run_as_user: run_as_user?,
        environment: environment?,
        node_selector: node_selector?,
        affinity: Some(affinity?).filter(|it| *it != Affinity::default()),
        tolerations: tolerations?,
        priority_class: priority_class?,
        runtime_class: runtime_class?,
        user_namespace: !host_users?,
        service_account: service_account?,
        block_scale_down: block_scale_down?,
        volumes: volumes?,
        volume_mounts: volume_mounts?,
        init_containers: init_containers?,
        init_sql: init_sql?,
    })
}

type Texts = BTreeMap<String, String>;

/// Checks each entry of a table with `error`, which returns the rest of a sentence about the entry.
fn checked(
    reader: &mut SettingsReader,
    key: &str,
    table: Result<Texts, Invalid>,
    error: impl Fn(&str, &str) -> Option<&'static str>,
) -> Result<Texts, Invalid> {
    let table = table?;
    let errors = table.iter().filter_map(|(name, value)| {
        let error = error(name, value)?;
        Some(format!("{name:?} {error}"))
    });
    none(reader, key, errors.collect())?;
    Ok(table)
}

/// Rejects a setting that has errors.
fn none(reader: &mut SettingsReader, key: &str, errors: Vec<String>) -> Result<(), Invalid> {
    let is_valid = errors.is_empty();
    for error in errors {
        reader.add_error(key, error);
    }
    if is_valid { Ok(()) } else { Err(Invalid) }
}

fn variable_error(name: &str, value: &str) -> Option<&'static str> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let is_name = name.bytes().all(is_allowed)
        && name
            .bytes()
            .next()
            .is_some_and(|first| !first.is_ascii_digit());
    if !is_name {
        Some(
            "is not a variable's name; use letters, digits, hyphens, dots and underscores, and no \
             digit at the beginning",
        )
    } else if VARIABLES.contains(&name) {
        Some("is a variable of duckbot's own; remove it")
    } else if value.contains('\0') {
        Some("has a NUL character in its value; remove it")
    } else {
        None
    }
}

/// Checks a label, by
/// <https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set>.
fn label_error(name: &str, value: &str) -> Option<&'static str> {
    key_error(name).or_else(|| {
        let is_value = value.is_empty() || is_label_name(value);
        (!is_value).then_some(
            "has a value that is no label's; use up to 63 letters, digits, hyphens, dots and \
             underscores, with a letter or digit at both ends",
        )
    })
}

fn key_error(key: &str) -> Option<&'static str> {
    let (prefix, name) = match key.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, key),
    };
    let is_key = prefix.is_none_or(|prefix| domain_name(prefix).is_some()) && is_label_name(name);
    (!is_key).then_some("is not a name like team or example.com/team")
}

fn is_label_name(text: &str) -> bool {
    let is_end = |byte: Option<u8>| byte.is_some_and(|it| it.is_ascii_alphanumeric());
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let (mut first, mut last) = (text.bytes(), text.bytes());
    text.len() <= 63
        && is_end(first.next())
        && is_end(last.next_back())
        && text.bytes().all(is_inner)
}

fn read_volumes(reader: &mut SettingsReader) -> Result<Vec<Volume>, Invalid> {
    const KEY: &str = "pod.volumes";
    let volumes: Vec<Volume> = reader.manifest(KEY, "a list of volumes, as in a Pod spec")?;
    let mut names = BTreeSet::new();
    let errors = volumes.iter().filter_map(|volume| {
        let error = name_error(&volume.name, &VOLUMES, &mut names);
        let error = error.or_else(|| volume_error(volume).or_else(|| token_error(volume)))?;
        Some(format!("the volume {:?} {error}", volume.name))
    });
    none(reader, KEY, errors.collect())?;
    Ok(volumes)
}

/// Checks the name of a volume or container. `own` are those of the bot, `others` the earlier ones.
fn name_error<'a>(name: &'a str, own: &[&str], others: &mut BTreeSet<&'a str>) -> Option<String> {
    let error = if label(name).is_none() {
        "needs a name of up to 63 lower-case letters, digits and hyphens"
    } else if own.contains(&name) {
        "has a name of duckbot's own; choose another name"
    } else if !others.insert(name) {
        "is there twice; choose another name for one of them"
    } else {
        return None;
    };
    Some(error.to_owned())
}

/// Refuses tokens for the API server: no session needs it, and everybody could use them.
fn token_error(volume: &Volume) -> Option<String> {
    let sources = volume.projected.as_ref()?.sources.iter().flatten();
    let mut tokens = sources.filter_map(|source| source.service_account_token.as_ref());
    let is_for_api = |audience: Option<&str>| {
        audience.is_none_or(|it| it.is_empty() || it.contains("kubernetes.default"))
    };
    tokens
        .any(|token| is_for_api(token.audience.as_deref()))
        .then(|| {
            "would give everybody a token for the Kubernetes API; name another audience in its \
             serviceAccountToken"
                .to_owned()
        })
}

fn read_mounts(
    reader: &mut SettingsReader,
    volumes: &[Volume],
) -> Result<Vec<VolumeMount>, Invalid> {
    const KEY: &str = "pod.volume_mounts";
    let mounts: Vec<VolumeMount> = reader.manifest(KEY, "a list of mounts, as in a Pod spec")?;
    let mut paths = BTreeSet::new();
    let errors = mounts.iter().filter_map(|mount| {
        let path = mount.mount_path.trim_end_matches('/');
        let error = if !volumes.iter().any(|volume| volume.name == mount.name) {
            format!(
                "names the volume {:?}, which is not in pod.volumes",
                mount.name
            )
        } else if !is_clean_path(path) {
            "must be an absolute path without a colon, \".\" or \"..\", like /mnt/data".to_owned()
        } else if let Some(own) = FOLDERS.iter().find(|own| overlap(path, own)) {
            format!("covers or is in {own}, which a session needs; use a path like /mnt/data")
        } else if !paths.insert(path) {
            "is there twice; choose another path for one of them".to_owned()
        } else {
            return None;
        };
        Some(format!("the mount {:?} {error}", mount.mount_path))
    });
    none(reader, KEY, errors.collect())?;
    Ok(mounts)
}

fn is_clean_path(path: &str) -> bool {
    let mut names = path.split('/');
    let is_name = |name: &str| !["", ".", ".."].contains(&name) && !name.contains(':');
    names.next() == Some("") && names.all(is_name)
}

/// Returns true if one of two paths is the other one, or in it.
fn overlap(one: &str, other: &str) -> bool {
    let is_in = |inner: &str, outer: &str| {
        let rest = inner.strip_prefix(outer);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    is_in(one, other) || is_in(other, one)
}

fn read_init_containers(
    reader: &mut SettingsReader,
    volumes: &[Volume],
    has_init_sql: bool,
) -> Result<Vec<Container>, Invalid> {
    const KEY: &str = "pod.init_containers";
    let containers: Vec<Container> =
        reader.manifest(KEY, "a list of containers, as in a Pod spec")?;
    let mut names = BTreeSet::new();
    let errors = containers.iter().filter_map(|container| {
        let error = name_error(&container.name, &CONTAINERS, &mut names);
        let error = error.or_else(|| container_error(container)).or_else(|| {
            let mut mounts = container.volume_mounts.iter().flatten();
            let is_known = |name: &str| {
                let is_ours = VOLUMES.contains(&name) && (has_init_sql || name != INIT_SQL);
                is_ours || volumes.iter().any(|volume| volume.name == name)
            };
            let missing = &mounts.find(|mount| !is_known(&mount.name))?.name;
            Some(format!(
                "mounts the volume {missing:?}, which is not in pod.volumes"
            ))
        })?;
        Some(format!("the container {:?} {error}", container.name))
    });
    none(reader, KEY, errors.collect())?;
    Ok(containers)
}
