//! The settings, section by section, and lookups in them. Pure.

use std::{borrow::Cow, net::SocketAddr, num::NonZeroU32, path::PathBuf, time::Duration};

use chrono::TimeDelta;
use secrecy::SecretString;
use tracing::level_filters::LevelFilter;

use super::{interface::Interface, pod::Pod, routing::Routing, values::url};
use crate::{
    catalog::values::S3Endpoint,
    outbound::Outbound,
    schedule::Recurrence,
    session::{ChannelId, Failure, Limits, Mebibytes, OwnerId, Record, RecordKind, Size},
    work::WorkLocation,
};

#[derive(Debug, Clone)]
pub struct Settings {
    /// `[discord]`
    pub discord: Discord,
    /// `[kubernetes]`
    pub kubernetes: Kubernetes,
    /// `[local]`. `None`: sessions run on Kubernetes.
    pub local: Option<Local>,
    /// `[routing]`
    pub routing: Routing,
    /// `[sessions]`
    pub sessions: Sessions,
    /// `[work]`
    pub work: Work,
    /// `[duckdb]`
    pub duckdb: DuckDb,
    /// `[sql]`. `None`: queries from the chat are off.
    pub sql: Option<Sql>,
    /// `[pod]`
    pub pod: Pod,
    /// `[sizes.<name>]`, by memory and then CPU, smallest first.
    pub sizes: Vec<Size>,
    /// `[catalogs.<name>]`, sorted by name.
    pub catalogs: Vec<Catalog>,
    /// `[credentials]`
    pub credentials: CredentialSettings,
    /// `[reaper]`
    pub reaper: Reaper,
    /// `[schedules]`
    pub schedules: Schedules,
    /// `[report]`
    pub report: Report,
    /// `[api]`. `None`: the API is off.
    pub api: Option<Api>,
    /// `[admin]`: address of health and metrics. `None`: they are off.
    pub admin: Option<SocketAddr>,
    /// `[tls]`, and the proxies of the environment.
    pub outbound: Outbound,
    /// `[log]`
    pub log: Log,
}

/// Rules that stop sessions and remove orphans.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reaper {
    pub limits: Limits,
    /// True if sessions that can't run are ended.
    pub failed: bool,
    /// True if sessions that are not ready in time are ended.
    pub late: bool,
    /// Interval between sweeps.
    pub every: TimeDelta,
    /// Default duration of an extension.
    pub extend_by: TimeDelta,
    /// True if the reaper only shows what it would take down.
    pub dry_run: bool,
}

/// Report about all sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Channel for the report. `None`: it is not posted.
    pub channel: Option<u64>,
    pub schedule: Recurrence,
    /// True if the report is posted even if there were no sessions.
    pub when_quiet: bool,
}

/// Schedules: queries at recurring times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedules {
    /// Maximum number per person. 0: nobody can make one, and none runs.
    pub per_user: u8,
    /// Minimum time between two runs of a schedule.
    pub shortest: TimeDelta,
    /// Maximum number of runs at a time.
    pub at_once: usize,
}

/// The HTTP API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Api {
    /// Address to listen on.
    pub listen: SocketAddr,
    /// Tokens of the file at the start.
    pub tokens: Vec<ApiToken>,
    /// File with the tokens, which may change.
    pub tokens_file: Option<PathBuf>,
    /// User that requests without a token act for. `None`: such requests are refused.
    pub anonymous: Option<OwnerId>,
    /// Hosts under which such requests are accepted, besides this machine's own names.
    pub hosts: Vec<String>,
    /// True if any URL is accepted as a catalog.
    pub any_catalog: bool,
    /// Channel for announcements of sessions that the API started. `None`: not announced.
    pub channel: Option<ChannelId>,
    /// Maximum number of requests per token and minute.
    pub requests_per_minute: NonZeroU32,
}

/// A token of the API. The settings hold its digest, not the token itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiToken {
    /// Name of the token in the log.
    pub name: String,
    /// SHA-256 of the token.
    pub digest: [u8; 32],
    /// Person that the token acts for.
    pub owner: OwnerId,
    /// True if it may use the credentials that the owner has stored.
    pub stored_keys: bool,
    /// True if it may see and stop everyone's sessions.
    pub admin: bool,
}

/// Handling of the credentials that people enter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialSettings {
    /// True if credentials are tested before they are stored.
    pub preflight: bool,
    /// Time before the expiry of credentials at which the owner of a running session is warned.
    pub warn_before: TimeDelta,
}

/// Discord account of the bot, and the people that it serves.
#[derive(Debug, Clone)]
pub struct Discord {
    pub token: SecretString,
    /// File that the token was read from. `None`: a variable contains it.
    pub token_file: Option<PathBuf>,
    /// ID of the one guild (server) that the bot serves.
    pub guild: u64,
    /// IDs of the channels in which the bot answers. Empty: all.
    pub allowed_channels: Vec<u64>,
    /// IDs of the roles of which a person needs one. Empty: everyone may use the bot.
    pub allowed_roles: Vec<u64>,
    /// IDs of the roles that may see and stop every session.
    pub admin_roles: Vec<u64>,
    /// ID of the channel for notices to admins. `None`: they are not posted.
    pub admin_channel: Option<u64>,
    /// Base URL of a proxy in front of Discord's API. The proxy must enforce the rate limits.
    pub api_proxy: Option<String>,
}

/// Cluster that sessions run on.
#[derive(Debug, Clone)]
pub struct Kubernetes {
    /// Namespace of records, Pods, Services, routes and people's Secrets.
    pub namespace: String,
    /// Time without traffic after which a watch is restarted.
    pub watch_silence: Duration,
    /// Name of the Lease in the bot's own namespace. `None`: this bot is alone.
    pub lease: Option<String>,
}

/// Sessions as processes on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Local {
    /// Folder for records, people's credentials, and the sessions' own folders.
    pub folder: PathBuf,
    /// Port of all sessions, at `http://duckui-<id>.localhost:<port>/`. 0: any free port.
    pub port: u16,
    /// DuckDB's command line.
    pub duckdb: PathBuf,
    /// Folder of its extensions. `None`: the folder of the user who runs the bot.
    pub extensions: Option<String>,
    /// File with the console's editor. `None`: cells are plain text fields.
    pub editor: Option<PathBuf>,
}

/// Properties that all sessions share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sessions {
    /// The session image.
    pub image: String,
    /// The bot's own image. Doors run from it.
    pub door_image: String,
    /// Maximum number of sessions per person.
    pub per_user: u8,
    /// Maximum number of sessions of all people. `None`: no maximum.
    pub total: Option<NonZeroU32>,
    /// True if DuckDB clients of the owner may connect to a session.
    pub connect: bool,
    /// Maximum time until a session is ready.
    pub start_timeout: TimeDelta,
    /// Size of a session if the request names none.
    pub default_size: String,
    /// Catalog of a session if the request names none.
    pub default_catalog: String,
}

/// Saving of people's work, on catalogs that have a place for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    /// Interval between saves of a session whose work has changed.
    pub every: Duration,
    /// Maximum time for a save before a session ends.
    pub deadline: Duration,
    /// Maximum size of a session's database that is saved.
    pub max_size: Mebibytes,
}

/// Limits on what people can do in their DuckDB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DuckDb {
    /// Interface that a session's URL opens.
    pub ui: Interface,
    /// Locations to read and write besides the catalog's tables. Empty: any location.
    pub folders: Vec<String>,
    /// True if extensions from the community repository are allowed. DuckDB's makers don't publish
    /// them.
    pub community_extensions: bool,
    /// Extensions to load in each session, besides the ones that it needs.
    pub extensions: Vec<String>,
    /// Host and port of the proxy for the UI's pages. `None`: no proxy.
    pub http_proxy: Option<String>,
}

/// Queries from the chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sql {
    /// Maximum time per query.
    pub timeout: Duration,
    /// Maximum number of rows per result.
    pub rows: u32,
    /// Time for which the DuckDB that answered a query waits for the next one. Zero: it does not.
    pub linger: Duration,
    /// Memory of each query. The runtime caps it at an eighth of the session's memory.
    pub memory: Mebibytes,
    /// IDs of the roles that may run statements other than SELECT.
    pub write_roles: Vec<u64>,
    /// True if the audit log contains the text of each query.
    pub log_queries: bool,
    /// True if people's past queries are stored for them.
    pub history: bool,
    /// Maximum number of query runners per person. 0: queries need a session.
    pub runners: u8,
    /// Resources of a query runner.
    pub runner_size: Size,
}

/// The team's OAuth 2 client at a catalog's authorization server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OAuth2 {
    /// Name of a Secret in the sessions namespace, with `client-id` and `client-secret`.
    pub secret: String,
    /// URL of the authorization server. `None`: the catalog itself.
    pub server: Option<String>,
    /// Scope of the tokens. `None`: DuckDB's default.
    pub scope: Option<String>,
}

/// A catalog that people choose by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalog {
    pub name: String,
    /// URL of the Iceberg REST API, without a slash at its end.
    pub endpoint: String,
    /// Warehouse, if the catalog has several.
    pub warehouse: Option<String>,
    /// Login for people without a catalog token of their own. `None`: DuckDB does not log in.
    pub oauth2: Option<OAuth2>,
    /// AWS service whose requests DuckDB signs with the person's S3 credentials, such as `glue`.
    /// `None`: requests to the catalog are not signed.
    pub sigv4_service: Option<String>,
    /// True if the catalog hands out the credentials for its tables' files (vended credentials). A
    /// person then needs a catalog token and no S3 keys.
    pub vended_credentials: bool,
    /// True if people's catalog tokens are for other catalogs: this one has the team's login, and
    /// another one vends credentials.
    pub ignores_tokens: bool,
    /// URL of the S3 storage. `None`: AWS.
    pub s3_endpoint: Option<S3Endpoint>,
    pub s3_region: String,
    /// True if the bucket is in the path of an S3 URL instead of its host name.
    pub s3_path_style: bool,
    /// Bucket for the preflight check. `None`: it only verifies that the storage knows the
    /// credentials.
    pub s3_bucket: Option<String>,
    /// Prefix in that bucket which everyone may list. `None`: the whole bucket.
    pub s3_prefix: Option<String>,
    /// Place where the work of sessions is saved. `None`: it ends with its session.
    pub work: Option<WorkLocation>,
}

/// Logging of the bot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// Log filter, such as `info` or `duckbot=debug`.
    pub filter: String,
    /// True if each line is a JSON object, false if it is text.
    pub json: bool,
    pub audit: AuditPlace,
}

/// Place of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditPlace {
    StandardError,
    /// Path of a file.
    File(PathBuf),
    /// Path of a Unix socket.
    Socket(PathBuf),
}

impl Log {
    /// Name of the format, as in the settings.
    pub fn format(&self) -> &'static str {
        if self.json { "json" } else { "text" }
    }

    /// Parses the name of a format: true for JSON.
    pub fn parse_format(text: &str) -> Option<bool> {
        match text {
            "text" => Some(false),
            "json" => Some(true),
            _ => None,
        }
    }

    /// Returns a filter, if it is valid.
    pub fn parse_filter(text: &str) -> Option<String> {
        let valid = text.parse::<tracing_subscriber::filter::targets::Targets>();
        // tracing takes a bare word that is not a level, such as a misspelt one, for a target.
        let is_level = |it: &str| it.contains('=') || it.parse::<LevelFilter>().is_ok();
        let is_clear = text.split(',').all(|it| is_level(it.trim()));
        (valid.is_ok() && is_clear).then(|| text.to_owned())
    }
}

impl Settings {
    /// Name of the smallest size with more memory or disk than the size `name`, whichever
    /// `failure` was a lack of. `None` if there is no such size, or the failure was another one.
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

    /// Returns true if sessions need certificates besides those in their image.
    pub fn has_own_authorities(&self) -> bool {
        !self.outbound.authorities.is_empty()
    }

    /// Time for which the DuckDB that answered a query from the chat waits for the next one.
    pub fn linger(&self) -> Duration {
        self.sql.as_ref().map(|sql| sql.linger).unwrap_or_default()
    }

    /// Size of a session or query runner. `None` if the settings don't have it any more.
    pub fn size_of(&self, record: &Record) -> Option<&Size> {
        match record.kind {
            RecordKind::Session => self.size(&record.size),
            RecordKind::QueryRunner => self.sql.as_ref().map(|sql| &sql.runner_size),
        }
    }

    /// Returns true if work is saved on any catalog.
    pub fn saves_work(&self) -> bool {
        self.catalogs.iter().any(|it| it.work.is_some())
    }

    /// Place where the work of a session is saved. `None` if it ends with the session.
    pub fn work_location(&self, record: &Record) -> Option<WorkLocation> {
        let catalog = self.catalog(&record.catalog)?;
        catalog.work.clone().filter(|_| record.keeps_work)
    }

    /// Size with this name.
    pub fn size(&self, name: &str) -> Option<&Size> {
        self.sizes.iter().find(|size| size.name == name)
    }

    /// Catalog with this name.
    pub fn named_catalog(&self, name: &str) -> Option<&Catalog> {
        self.catalogs.iter().find(|catalog| catalog.name == name)
    }

    /// Catalog for the name or URL in a record, as returned by [`Settings::resolve_catalog`].
    ///
    /// A URL is accepted only with `api.any_catalog`. Such a catalog has the other settings of the
    /// default catalog, except its OAuth 2 client, `sigv4_service`, `vended_credentials` and `work`.
    pub fn catalog(&self, said: &str) -> Option<Cow<'_, Catalog>> {
        if let Some(catalog) = self.named_catalog(said) {
            return Some(Cow::Borrowed(catalog));
        }
        let default = self.named_catalog(&self.sessions.default_catalog)?;
        self.is_address(said).then(|| {
            Cow::Owned(Catalog {
                endpoint: said.to_owned(),
                // The team's client secret must only go to the team's catalogs.
                oauth2: None,
                // A signed request contains the person's session token.
                sigv4_service: None,
                // Only a catalog of the team's may name the storage that DuckDB writes to.
                vended_credentials: false,
                // The team has chosen no place for the work on this catalog.
                work: None,
                ..default.clone()
            })
        })
    }

    /// Resolves the catalog of a request, given by name or URL, to the value for the record.
    /// Returns `None` if the catalog is unknown and `api.any_catalog` is off.
    pub fn resolve_catalog(&self, asked: &str) -> Option<String> {
        let address = asked.trim_end_matches('/');
        let is_it = |it: &&Catalog| it.name == asked || it.endpoint == address;
        // If several catalogs have this URL, the default catalog wins.
        let default = self.named_catalog(&self.sessions.default_catalog);
        match default.into_iter().chain(&self.catalogs).find(is_it) {
            Some(catalog) => Some(catalog.name.clone()),
            None => self.is_address(address).then(|| address.to_owned()),
        }
    }

    fn is_address(&self, text: &str) -> bool {
        let any = self.api.as_ref().is_some_and(|api| api.any_catalog);
        any && url(text).is_some()
    }
}
