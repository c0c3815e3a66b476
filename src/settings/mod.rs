//! The settings: typed, strict, and checked as a whole before anything connects.
//!
//! `config/default.toml` (built in), then the file named by `--config`, then
//! `DUCKBOT_<SECTION>__<KEY>` variables; the last one wins. Reads that file,
//! the token file and nothing else.

mod api;
mod read;
mod reader;
mod reference;
mod schedule;
#[cfg(test)]
mod tests;

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    fmt,
    net::SocketAddr,
    num::NonZeroU32,
    path::{Path, PathBuf},
};

use chrono::TimeDelta;
use config::{Config, Environment, File, FileFormat};
use k8s_openapi::api::core::v1::{Container, Toleration};
use reader::{SettingError, SettingsReader};
use secrecy::SecretString;
use serde_json::{Map, Value};

pub use api::token;
pub use read::{MAX_NAME_BYTES, duration};
pub use reference::reference;
pub use schedule::Schedule;

use crate::session::{ChannelId, Failure, Limits, Mebibytes, OwnerId, Size};

const DEFAULTS: &str = include_str!("../../config/default.toml");

/// Variables with our prefix that are no settings.
const IGNORED_VARIABLES: [&str; 2] = ["DUCKBOT_CONFIG", TOKEN_VARIABLE];
const TOKEN_VARIABLE: &str = "DUCKBOT_DISCORD_TOKEN";
/// The prefix of what only the tests read.
const TEST_PREFIX: &str = "DUCKBOT_TEST_";

/// Everything that can be set.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `[discord]`
    pub discord: Discord,
    /// `[kubernetes]`
    pub kubernetes: Kubernetes,
    /// `[local]`, where sessions run on this machine; none: they run on Kubernetes.
    pub local: Option<Local>,
    /// `[routing]`
    pub routing: Routing,
    /// `[sessions]`
    pub sessions: Sessions,
    /// `[duckdb]`
    pub duckdb: DuckDb,
    /// `[sql]`; none: nobody asks in the chat.
    pub sql: Option<Sql>,
    /// `[pod]`
    pub pod: Pod,
    /// `[sizes.<name>]`, smallest first.
    pub sizes: Vec<Size>,
    /// `[catalogs.<name>]`, by name.
    pub catalogs: Vec<Catalog>,
    /// `[credentials]`
    pub credentials: CredentialSettings,
    /// `[reaper]`
    pub reaper: Reaper,
    /// `[report]`
    pub report: Report,
    /// `[api]`; none: there is no API.
    pub api: Option<Api>,
    /// `[admin]`: where health and metrics are; none: nowhere.
    pub admin: Option<SocketAddr>,
    /// `[log]`
    pub log: Log,
}

/// How sessions are taken down that nobody takes down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reaper {
    /// The rules.
    pub limits: Limits,
    /// Whether a session ends that can't run.
    pub failed: bool,
    /// Whether one ends that is not ready in time.
    pub late: bool,
    /// How often it is looked.
    pub every: TimeDelta,
    /// By how much a session is extended if nobody says.
    pub extend_by: TimeDelta,
    /// Whether it only says what it would do.
    pub dry_run: bool,
}

/// What is told of all sessions together, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Where; none: nowhere.
    pub channel: Option<u64>,
    /// When.
    pub schedule: Schedule,
    /// Whether it is posted when there is nothing to say.
    pub when_quiet: bool,
}

/// The HTTP API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Api {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Who may use it.
    pub tokens: Vec<ApiToken>,
    /// For whom requests without a token act; none: nobody may.
    pub anonymous: Option<OwnerId>,
    /// Whether a catalog may be anywhere.
    pub any_catalog: bool,
    /// Where sessions are announced that were asked for here; none: nowhere.
    pub channel: Option<ChannelId>,
    /// How many requests a token may make in a minute.
    pub requests_per_minute: NonZeroU32,
}

/// A token of the API. What it is, nobody keeps: only its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiToken {
    /// What it is called in the log.
    pub name: String,
    /// SHA-256 of the token.
    pub digest: [u8; 32],
    /// Whose sessions it is about.
    pub owner: OwnerId,
    /// Whether it may use the keys that the owner has handed in.
    pub stored_keys: bool,
    /// Whether it sees and stops everybody's.
    pub admin: bool,
}

/// What is done with credentials that people hand in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialSettings {
    /// Whether they are tried out before they are kept.
    pub preflight: bool,
    /// How long before they expire the owner of a running session is warned.
    pub warn_before: TimeDelta,
}

/// Who the bot is on Discord and whom it serves.
#[derive(Debug, Clone)]
pub struct Discord {
    /// The bot's token.
    pub token: SecretString,
    /// The one guild that it serves.
    pub guild: u64,
    /// Channels in which it answers; empty means all.
    pub allowed_channels: Vec<u64>,
    /// Roles of which a person needs one; empty means everyone.
    pub allowed_roles: Vec<u64>,
    /// Roles whose people may see and stop every session.
    pub admin_roles: Vec<u64>,
    /// Where admins are told what is not for everybody; none: nowhere.
    pub admin_channel: Option<u64>,
    /// Base URL of a proxy in front of Discord's API, which then keeps the rate limits.
    pub api_proxy: Option<String>,
}

/// Where sessions live on the cluster.
#[derive(Debug, Clone)]
pub struct Kubernetes {
    /// The namespace of records, Pods, Services, routes and users' Secrets.
    pub namespace: String,
    /// How long a watch may be silent until it is begun anew.
    pub watch_silence: std::time::Duration,
}

/// Sessions as processes on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Local {
    /// Holds everything: records, people's keys, the sessions' own folders.
    pub folder: PathBuf,
    /// Sessions are at `http://duckui-<id>.localhost:<port>/`; 0: any that is free.
    pub port: u16,
    /// DuckDB's command line.
    pub duckdb: PathBuf,
    /// Where its extensions are; none: where DuckDB itself keeps them.
    pub extensions: Option<String>,
}

/// How a session is reached from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routing {
    /// Which kind of object routes to it.
    pub kind: RouteKind,
    /// Sessions are at `duckui-<id>.<domain>`.
    pub domain: String,
    /// The Secret with the wildcard certificate; none: the controller's default.
    pub tls_secret: Option<String>,
    /// Traefik's entry points.
    pub entry_points: Vec<String>,
    /// The Ingress class; none: the cluster's default.
    pub ingress_class: Option<String>,
    /// What stands on each route, for the controller.
    pub annotations: BTreeMap<String, String>,
}

/// The kind of object that routes to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteKind {
    /// `traefik.io/v1alpha1` IngressRoute
    Traefik,
    /// `networking.k8s.io/v1` Ingress
    Ingress,
}

/// What every session is made like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sessions {
    /// The session image.
    pub image: String,
    /// The bot's own image, which the door runs from.
    pub door_image: String,
    /// How many sessions one person may have.
    pub per_user: u8,
    /// How long a session may take until it is ready.
    pub start_timeout: TimeDelta,
    /// The size where none is asked for.
    pub default_size: String,
    /// The catalog where none is asked for.
    pub default_catalog: String,
}

/// What people may do in their DuckDB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DuckDb {
    /// Where they may read and write besides the catalog's tables; empty: anywhere.
    pub folders: Vec<String>,
    /// Whether they may install extensions that others than DuckDB's makers publish.
    pub community_extensions: bool,
    /// Host and port of the proxy through which the UI's pages are fetched; none: straight.
    pub http_proxy: Option<String>,
}

/// How questions from the chat are answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sql {
    /// How long one may take.
    pub timeout: std::time::Duration,
    /// The most rows that are fetched.
    pub rows: u32,
    /// What one may take of the session's memory, at most an eighth of that.
    pub memory: Mebibytes,
    /// Roles whose people may run other statements than SELECT.
    pub write_roles: Vec<u64>,
    /// Whether the audit log has what was asked.
    pub log_queries: bool,
}

/// What is added to every session's Pod, in Kubernetes' own words.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Pod {
    /// When images are fetched.
    pub image_pull_policy: Option<String>,
    /// Secrets for the registry, by name.
    pub image_pull_secrets: Vec<String>,
    /// More labels.
    pub labels: BTreeMap<String, String>,
    /// More annotations.
    pub annotations: BTreeMap<String, String>,
    /// More environment variables of DuckDB.
    pub environment: BTreeMap<String, String>,
    /// Labels that a node must have.
    pub node_selector: BTreeMap<String, String>,
    /// Taints of nodes that don't matter.
    pub tolerations: Vec<Toleration>,
    /// How important it is, by the name of a PriorityClass.
    pub priority_class: Option<String>,
    /// What runs before DuckDB.
    pub init_containers: Vec<Container>,
    /// A ConfigMap whose `init.sql` DuckDB runs when it starts.
    pub init_sql: Option<String>,
}

/// The team's client at a catalog's authorization server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OAuth2 {
    /// A Secret in the sessions namespace with `client-id` and `client-secret`.
    pub secret: String,
    /// Where tokens come from; none: the catalog itself.
    pub server: Option<String>,
    /// What they are for; none: DuckDB's default.
    pub scope: Option<String>,
}

/// A catalog that people choose by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalog {
    /// What people type.
    pub name: String,
    /// The Iceberg REST endpoint.
    pub endpoint: String,
    /// The warehouse, where the catalog has several.
    pub warehouse: Option<String>,
    /// How sessions show who they are, where people have no token of their own.
    pub oauth2: Option<OAuth2>,
    /// The S3 endpoint; none: AWS.
    pub s3_endpoint: Option<String>,
    /// The S3 region.
    pub s3_region: String,
    /// Whether buckets are in the path instead of the host name.
    pub s3_path_style: bool,
    /// The bucket that keys are tried against; none: any bucket will do.
    pub s3_bucket: Option<String>,
    /// What everybody may list in it; none: all.
    pub s3_prefix: Option<String>,
}

/// How the bot logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// A filter such as `info` or `duckbot=debug`.
    pub filter: String,
    /// JSON lines instead of text.
    pub json: bool,
}

/// The settings can't be used; says everything that is wrong.
#[derive(Debug, thiserror::Error)]
pub struct InvalidSettings(Vec<String>);

impl fmt::Display for InvalidSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "these settings need a change:")?;
        self.0.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

impl Settings {
    /// Reads the settings from the built-in defaults, `file` and `variables`.
    ///
    /// # Errors
    /// Everything that is wrong, each with its key and what would be right.
    pub fn load(
        file: Option<&Path>,
        variables: HashMap<String, String>,
    ) -> Result<Self, InvalidSettings> {
        let text = file.map(|path| match std::fs::read_to_string(path) {
            Ok(text) => Ok((path, text)),
            Err(why) => Err(format!("{}: can't be read: {why}", path.display())),
        });
        let text = text.transpose().map_err(|why| InvalidSettings(vec![why]))?;
        let text = text.as_ref().map(|(path, text)| (*path, text.as_str()));
        Self::read(text, variables)
    }

    /// The same with the text of the file, which stands at that path.
    ///
    /// # Errors
    /// Everything that is wrong, each with its key and what would be right.
    pub fn read(
        file: Option<(&Path, &str)>,
        variables: HashMap<String, String>,
    ) -> Result<Self, InvalidSettings> {
        let token = variables.get(TOKEN_VARIABLE).cloned();
        let mut reader =
            SettingsReader::new(merge(file, variables).map_err(|why| InvalidSettings(vec![why]))?);
        let settings = read::read(&mut reader, token);
        let errors = reader.finish();
        match settings {
            Some(settings) if errors.is_empty() => Ok(settings),
            _ => Err(InvalidSettings(
                errors.iter().map(SettingError::to_string).collect(),
            )),
        }
    }

    /// The name of the next size that has more of what a session of that one lacked.
    pub fn larger_size(&self, name: &str, failure: Failure) -> Option<&str> {
        let amount = |size: &Size| match failure {
            Failure::OutOfMemory => Some(size.memory),
            Failure::DiskFull => Some(size.disk),
            _ => None,
        };
        let had = amount(self.size(name)?)?;
        let has_more = |size: &&Size| amount(size).is_some_and(|amount| amount > had);
        Some(&self.sizes.iter().find(has_more)?.name)
    }

    /// The size with this name.
    pub fn size(&self, name: &str) -> Option<&Size> {
        self.sizes.iter().find(|size| size.name == name)
    }

    /// The catalog with this name.
    pub fn named_catalog(&self, name: &str) -> Option<&Catalog> {
        self.catalogs.iter().find(|catalog| catalog.name == name)
    }

    /// What a session is attached to whose record says that: a catalog of that name; or, where
    /// any is allowed, one at that address, which is otherwise like the default one.
    pub fn catalog(&self, said: &str) -> Option<Cow<'_, Catalog>> {
        if let Some(catalog) = self.named_catalog(said) {
            return Some(Cow::Borrowed(catalog));
        }
        let default = self.named_catalog(&self.sessions.default_catalog)?;
        self.is_address(said).then(|| {
            Cow::Owned(Catalog {
                endpoint: said.to_owned(),
                // The team's client is for the team's catalogs.
                oauth2: None,
                ..default.clone()
            })
        })
    }

    /// What a record says of the catalog that somebody asks for, by its name or its address.
    pub fn resolve_catalog(&self, asked: &str) -> Option<String> {
        let address = asked.trim_end_matches('/');
        let is_it = |it: &&Catalog| it.name == asked || it.endpoint == address;
        // Where several are at one address, the default one is meant.
        let default = self.named_catalog(&self.sessions.default_catalog);
        match default.into_iter().chain(&self.catalogs).find(is_it) {
            Some(catalog) => Some(catalog.name.clone()),
            None => self.is_address(address).then(|| address.to_owned()),
        }
    }

    fn is_address(&self, text: &str) -> bool {
        let any = self.api.as_ref().is_some_and(|api| api.any_catalog);
        any && read::url(text).is_some()
    }
}

/// A Service named duckbot makes Kubernetes set DUCKBOT_PORT and the like in the
/// Pods beside it.
fn is_ignored_variable(name: &str) -> bool {
    let is_service_link = !name.contains("__")
        && (name == "DUCKBOT_PORT"
            || name.starts_with("DUCKBOT_PORT_")
            || name.starts_with("DUCKBOT_SERVICE_"));
    IGNORED_VARIABLES.contains(&name) || name.starts_with(TEST_PREFIX) || is_service_link
}

/// Without the lines that quote the file: one of them may be a token.
fn redact_source(error: &config::ConfigError) -> String {
    let text = error.to_string();
    let said = text
        .lines()
        .filter(|line| !line.contains('|') && !line.trim().is_empty());
    said.collect::<Vec<_>>().join(": ")
}

fn merge(
    file: Option<(&Path, &str)>,
    variables: HashMap<String, String>,
) -> Result<Map<String, Value>, String> {
    let ours = variables
        .into_iter()
        .filter(|(name, _)| !is_ignored_variable(name));
    let environment = Environment::with_prefix("DUCKBOT")
        .prefix_separator("_")
        .separator("__")
        .source(Some(ours.collect()));
    let mut builder = Config::builder().add_source(File::from_str(DEFAULTS, FileFormat::Toml));
    if let Some((_, text)) = file {
        builder = builder.add_source(File::from_str(text, FileFormat::Toml));
    }
    let merged = builder.add_source(environment).build();
    merged
        .and_then(Config::try_deserialize)
        .map_err(|why| match file {
            Some((path, _)) => format!("{}: {}", path.display(), redact_source(&why)),
            None => redact_source(&why),
        })
}
