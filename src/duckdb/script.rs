//! Translates a session's configuration into SQL. Pure.

pub mod fence;
pub mod query;
pub mod renewal;
pub mod tables;

use std::{fmt::Write, num::NonZeroU32};

use super::{
    environment::{Catalog, CatalogAuth, OwnKeys, S3, SessionConfig, secret},
    names::{identifier, literal},
};
use fence::{IGNORE_STORED_SECRETS, LOCK_SETTINGS, allow_folders};

/// Table that lists failed steps for the owner. The UI shows it first.
pub const PROBLEMS_TABLE: &str = "memory.main.problems";

/// Timeouts for the statements of the script only, not for the owner's. An endpoint that does not
/// answer is reported after 10 s, instead of the two minutes that DuckDB would try.
pub(super) const SHORT_TIMEOUTS: &str =
    "SET SESSION http_timeout = 5; SET SESSION http_retries = 1;";
const DEFAULT_TIMEOUTS: &str = "RESET SESSION http_timeout; RESET SESSION http_retries;";

/// A named list of statements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptStep {
    /// Description of the step, as the beginning of a sentence.
    pub what: String,
    /// Statements to run in order, until one fails.
    pub statements: Vec<String>,
    /// SQL that the owner can run in the UI to try again.
    pub try_again: String,
}

/// The steps that prepare a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// Required steps: if one fails, the session ends.
    pub essential: Vec<ScriptStep>,
    /// Optional steps, independent of each other, that load further extensions.
    pub extensions: Vec<ScriptStep>,
    /// Required steps before the optional ones that need time.
    pub first: Vec<ScriptStep>,
    /// Optional step that runs the admin's SQL.
    pub own: Vec<ScriptStep>,
    /// Required steps that run after all others.
    pub last: Vec<ScriptStep>,
}

impl Script {
    /// Builds the script for `config`. `own` is the admin's SQL, if there is any.
    pub fn new(config: &SessionConfig, own: Option<&str>) -> Self {
        let own = own.map(|text| ScriptStep {
            what: format!("Running {}", config.init.display()),
            // Read the file instead of pasting its text: an open quote or statement ends with it.
            // Run all of it, even if one statement fails.
            statements: vec![
                DEFAULT_TIMEOUTS.into(),
                ".bail off".into(),
                format!(".read '{}'", config.init.display()),
            ],
            try_again: text.to_owned(),
        });
        let (first, last) = match restrict_folders(config) {
            None => (vec![start_ui(config)], Vec::new()),
            // The UI starts last, so nobody gets in before the restriction is in force.
            Some(restriction) => (Vec::new(), vec![restriction, start_ui(config)]),
        };
        Self {
            essential: vec![set_limits(config), load_ui(config)],
            extensions: config
                .further_extensions
                .iter()
                .map(|it| load(it))
                .collect(),
            first,
            own: own.into_iter().collect(),
            last,
        }
    }
}

/// Function that returns the SQL expression of a secret value by its variable's name.
pub type Value<'a> = &'a (dyn Fn(&str) -> String + Sync);

fn from_environment(name: &str) -> String {
    format!("getenv('{name}')")
}

/// Returns the steps from the credentials to the catalog, each of which depends on the one before.
pub fn access_steps(config: &SessionConfig) -> [ScriptStep; 2] {
    [
        create_s3_secret(config, &from_environment),
        attach_catalog(&config.catalog, Access::ReadWrite, &from_environment),
    ]
}

/// Restricts the owner to the allowed folders. This step comes last, because DuckDB can't load
/// anything after it.
fn restrict_folders(config: &SessionConfig) -> Option<ScriptStep> {
    let folders = config.folders.as_ref()?.iter().map(String::as_str);
    let home = config.home.to_string_lossy();
    let statements = allow_folders(&literals(folders.chain([&*home])));
    Some(ScriptStep::new(
        "Restricting access to the allowed folders",
        statements.into(),
    ))
}

/// Sets DuckDB's folder of extensions, unless it is DuckDB's default.
fn set_extension_folder(config: &SessionConfig) -> Option<String> {
    let folder = literal(config.extensions.as_ref()?);
    Some(format!("SET extension_directory = {folder};"))
}

/// Returns the statements that store a failed step in the table `memory.problems`.
pub fn record_problem(step: &ScriptStep, error: &str) -> [String; 2] {
    let row = [&step.what, error, &step.try_again].map(literal).join(", ");
    [
        format!(
            "CREATE TABLE IF NOT EXISTS {PROBLEMS_TABLE} (what TEXT, error TEXT, try_again TEXT);"
        ),
        format!("INSERT INTO {PROBLEMS_TABLE} VALUES ({row});"),
    ]
}

/// Quotes texts as SQL strings, separated by commas.
fn literals<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    texts.map(literal).collect::<Vec<_>>().join(", ")
}

impl ScriptStep {
    pub(super) fn new(what: impl Into<String>, statements: Vec<String>) -> Self {
        Self {
            what: what.into(),
            try_again: statements.join("\n"),
            statements,
        }
    }
}

fn set_limits(config: &SessionConfig) -> ScriptStep {
    // Two concurrent queries from the chat have memory of their own.
    let all = config.memory.get();
    let questions = config.query_memory.map_or(0, NonZeroU32::get) * 2;
    let memory = memory_limit(all.saturating_sub(questions).max(all / 2));
    // The UI keeps its notebooks on the same disk, and a Pod that fills its disk is evicted. Queries
    // from the chat get a tenth.
    let spill = u64::from(config.disk.get()) * 8 / 10;
    let folder = config.home.join("spill");
    let folder = literal(&folder.to_string_lossy());
    ScriptStep::new(
        "Setting DuckDB's limits",
        vec![
            IGNORE_STORED_SECRETS.to_owned(),
            format!("SET memory_limit = '{memory}MiB';"),
            // By default, DuckDB keeps up to 512 MB of freed memory. A sort followed by a large
            // list used twice the limit (seen with 1.4.4), and the kernel killed the process.
            "SET allocator_bulk_deallocation_flush_threshold = '1MiB';".to_owned(),
            format!("SET threads = {};", config.threads),
            format!("SET temp_directory = {folder};"),
            format!("SET max_temp_directory_size = '{spill}MiB';"),
        ],
    )
}

/// Computes DuckDB's memory limit from the container's memory, both in MiB.
///
/// DuckDB's limit covers only its buffers. The rest of the process (program, threads, HTTP,
/// Parquet, sorting, the allocator) was seen to use 200 to 300 MiB more, at any limit. So a
/// quarter stays free: at least 384 MiB, and at most half. A query that reaches DuckDB's limit
/// fails, but a process that reaches the container's limit is killed with its session.
pub fn memory_limit(container: u32) -> u32 {
    let room = (container / 4).max(384).min(container / 2);
    container - room
}

fn load_ui(config: &SessionConfig) -> ScriptStep {
    let statements = [
        // Don't download extensions that are not in the image without being asked.
        "SET autoinstall_known_extensions = false;".to_owned(),
        format!(
            "SET allow_community_extensions = {};",
            config.community_extensions
        ),
        "LOAD ui;".to_owned(),
    ];
    let statements = set_extension_folder(config)
        .into_iter()
        .chain(statements)
        .collect();
    ScriptStep::new("Loading DuckDB's UI", statements)
}

fn load(extension: &str) -> ScriptStep {
    let statement = format!("LOAD {extension};");
    ScriptStep::new(
        format!("Loading the extension {extension}"),
        vec![statement],
    )
}

fn start_ui(config: &SessionConfig) -> ScriptStep {
    let port = format!("SET ui_local_port = {};", config.ui_port);
    let start = "CALL start_ui_server();".to_owned();
    // Lock the settings before anybody gets in.
    let lock = config.folders.as_ref().map(|_| LOCK_SETTINGS.to_owned());
    let statements = match &config.http_proxy {
        None => [port].into_iter().chain(lock).chain([start]).collect(),
        Some(proxy) => {
            // The UI keeps the proxy that was set at its start (seen with 1.4.4). The storage and
            // the catalog are reached directly.
            let proxy = format!("SET http_proxy = {};", literal(proxy));
            let reset = "RESET http_proxy;".to_owned();
            let all = [port, proxy, start, reset].into_iter();
            all.chain(lock).collect()
        }
    };
    ScriptStep::new("Starting DuckDB's UI", statements)
}

fn create_s3_secret(config: &SessionConfig, value: Value<'_>) -> ScriptStep {
    let s3 = &config.s3;
    let load = "LOAD httpfs;".to_owned();
    // httpfs and iceberg ignore OpenSSL's variable (seen with 1.5.5).
    let authorities = config.ca_file.as_ref();
    let authorities =
        authorities.map(|path| format!("SET GLOBAL ca_cert_file = {};", literal(path)));
    let before = [load].into_iter().chain(authorities);
    let statements = before.chain(s3_secret(s3, value)).collect();
    let what = match s3.keys {
        OwnKeys::None => "Loading the extension httpfs",
        OwnKeys::Permanent | OwnKeys::Temporary => "Loading your S3 credentials",
    };
    ScriptStep::new(what, statements)
}

/// Returns the statement that creates the secret with the owner's keys, if there are any.
fn s3_secret(s3: &S3, value: Value<'_>) -> Option<String> {
    if s3.keys == OwnKeys::None {
        return None;
    }
    let mut options = format!(
        "TYPE s3, KEY_ID {}, SECRET {}, REGION {}, URL_STYLE '{}'",
        value(secret::KEY_ID),
        value(secret::KEY),
        literal(&s3.region),
        if s3.path_style { "path" } else { "vhost" },
    );
    if s3.keys == OwnKeys::Temporary {
        let token = value(secret::SESSION_TOKEN);
        let _ = write!(options, ", SESSION_TOKEN {token}");
    }
    if let Some(endpoint) = &s3.endpoint {
        let rest = literal(&endpoint.without_scheme());
        let _ = write!(options, ", ENDPOINT {rest}, USE_SSL {}", endpoint.tls());
    }
    Some(format!("CREATE OR REPLACE SECRET s3 ({options});"))
}

fn attach_catalog(catalog: &Catalog, access: Access, value: Value<'_>) -> ScriptStep {
    let auth = catalog_secret(catalog, "catalog", value);
    let attach = attach_statement(catalog, &catalog.name, "catalog", access);
    let again: Vec<_> = auth.into_iter().chain([attach]).collect();
    // Load avro first, because iceberg would try to download it.
    let before = [
        "LOAD avro;".into(),
        "LOAD iceberg;".into(),
        SHORT_TIMEOUTS.into(),
    ];
    ScriptStep {
        what: format!("Attaching the catalog {}", catalog.name),
        try_again: again.join("\n"),
        statements: before.into_iter().chain(again).collect(),
    }
}

/// Returns the statement that creates the catalog's secret with this name, if the catalog needs one.
fn catalog_secret(catalog: &Catalog, name: &str, value: Value<'_>) -> Option<String> {
    let options = match &catalog.auth {
        CatalogAuth::None | CatalogAuth::Signature { .. } => return None,
        CatalogAuth::Token => format!("TOKEN {}", value(secret::CATALOG_TOKEN)),
        CatalogAuth::OAuth2 { server, scope } => {
            oauth2_options(catalog, server.as_deref(), scope.as_deref(), value)
        }
    };
    Some(format!(
        "CREATE OR REPLACE SECRET {name} (TYPE iceberg, {options});"
    ))
}

/// Access to the tables of an attached catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    ReadOnly,
    ReadWrite,
}

/// Returns the statement that attaches the catalog as `name`, with the secret of this name.
fn attach_statement(catalog: &Catalog, name: &str, secret: &str, access: Access) -> String {
    let authorization = match &catalog.auth {
        CatalogAuth::None => "AUTHORIZATION_TYPE 'none'".to_owned(),
        CatalogAuth::Token | CatalogAuth::OAuth2 { .. } => format!("SECRET {secret}"),
        CatalogAuth::Signature { service, region } => format!(
            "AUTHORIZATION_TYPE 'sigv4', SECRET s3, SIGV4_SERVICE {}, SIGV4_REGION {}",
            literal(service),
            literal(region)
        ),
    };
    let nested = if catalog.nested {
        ", SUPPORT_NESTED_NAMESPACES true"
    } else {
        ""
    };
    let is_read_only = access == Access::ReadOnly;
    // Without delegation, DuckDB uses the owner's keys only. DuckDB takes `main` for
    // the default schema, and would not find a namespace of this name. It takes a warehouse like `s3://…`
    // for a remote file, which it would attach as read-only.
    let delegation = if catalog.vended {
        "vended_credentials"
    } else {
        "none"
    };
    format!(
        "ATTACH {} AS {} (TYPE iceberg, ENDPOINT {}, {authorization}, \
         ACCESS_DELEGATION_MODE '{delegation}', DEFAULT_SCHEMA 'main', READ_ONLY {is_read_only}{nested});",
        literal(&catalog.warehouse),
        identifier(name),
        literal(&catalog.endpoint),
    )
}

/// Returns the secret's options for the team's client. DuckDB 1.5 requests a new token before the
/// present one expires; 1.4 requests one only when the secret is created.
fn oauth2_options(
    catalog: &Catalog,
    server: Option<&str>,
    scope: Option<&str>,
    value: Value<'_>,
) -> String {
    let [id, key] = [secret::CLIENT_ID, secret::CLIENT_SECRET].map(value);
    let mut options = format!("CLIENT_ID {id}, CLIENT_SECRET {key}");
    let _ = match server {
        Some(url) => write!(options, ", OAUTH2_SERVER_URI {}", literal(url)),
        None => write!(options, ", ENDPOINT {}", literal(&catalog.endpoint)),
    };
    if let Some(scope) = scope {
        let _ = write!(options, ", OAUTH2_SCOPE {}", literal(scope));
    }
    options
}

#[cfg(test)]
mod tests;
