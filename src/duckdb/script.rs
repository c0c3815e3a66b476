//! From what is wanted to the SQL that does it. Pure.

use std::{fmt::Write, num::NonZeroU32};

use super::environment::{Catalog, CatalogAuth, S3, SessionConfig, secret};

/// The table in which the person finds what failed: the first thing that the UI shows.
pub const PROBLEMS_TABLE: &str = "memory.main.problems";

/// For the statements here only, not for the person's: an endpoint that does not answer is
/// told after 10 s, instead of the two minutes that DuckDB would try.
const SHORT_TIMEOUTS: &str = "SET SESSION http_timeout = 5; SET SESSION http_retries = 1;";
const DEFAULT_TIMEOUTS: &str = "RESET SESSION http_timeout; RESET SESSION http_retries;";

/// Where a DuckDB reads that is kept from this machine, if nothing else is said: anywhere else.
pub const REMOTE_PREFIXES: &str = "s3://,https://,http://";
/// What a question gets of memory if nothing is said, in MiB.
const DEFAULT_QUERY_MEMORY_MIB: u32 = 256;

/// Something to do, and what to call it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptStep {
    /// What it does, as the beginning of a sentence.
    pub what: String,
    /// One after the other, up to the first that fails.
    pub statements: Vec<String>,
    /// What a person pastes into the UI to try again.
    pub try_again: String,
}

/// All that is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// Without these there is no session.
    pub essential: Vec<ScriptStep>,
    /// From the keys to the tables; each rests on the one before.
    pub access: Vec<ScriptStep>,
    /// An admin's.
    pub own: Vec<ScriptStep>,
    /// Without these there is no session, either; but they come after all others.
    pub last: Vec<ScriptStep>,
}

impl Script {
    /// The script for `config`; `own` is what stands in the admin's file, if there is one.
    pub fn new(config: &SessionConfig, own: Option<&str>) -> Self {
        let SessionConfig { s3, catalog, .. } = config;
        let own = own.map(|text| ScriptStep {
            what: format!("Running {}", config.init.display()),
            // Not its text: what it leaves open (a quote, a statement) ends with the file.
            statements: vec![
                DEFAULT_TIMEOUTS.into(),
                format!(".read '{}'", config.init.display()),
            ],
            try_again: text.to_owned(),
        });
        let (first, last) = match restrict_folders(config) {
            None => (vec![start_ui(config)], Vec::new()),
            // Nobody gets in before it is closed.
            Some(restriction) => (Vec::new(), vec![restriction, start_ui(config)]),
        };
        Self {
            essential: [set_limits(config), load_ui(config)]
                .into_iter()
                .chain(first)
                .collect(),
            access: vec![
                create_s3_secret(s3, &from_environment),
                attach_catalog(catalog, &from_environment),
                read_table(catalog),
            ],
            own: own.into_iter().collect(),
            last,
        }
    }
}

/// What stands for a secret value in SQL, by its variable's name.
pub type Value<'a> = &'a (dyn Fn(&str) -> String + Sync);

fn from_environment(name: &str) -> String {
    format!("getenv('{name}')")
}

/// What comes before a question to a DuckDB that is there for nothing else. Afterwards it reads
/// what can be read from elsewhere, and nothing of this machine, and nothing can be set.
pub fn query_steps(config: &SessionConfig, value: Value<'_>) -> Vec<ScriptStep> {
    let SessionConfig { s3, catalog, .. } = config;
    let slice = config
        .query_memory
        .map_or(DEFAULT_QUERY_MEMORY_MIB, NonZeroU32::get);
    let room = (slice / 4).max(128).min(slice / 2);
    let limits = [
        format!("SET memory_limit = '{}MiB';", slice - room),
        format!("SET threads = {};", config.threads),
        // A Pod's disk is the session's.
        "SET temp_directory = '';".into(),
        "SET autoinstall_known_extensions = false;".into(),
        "SET errors_as_json = true;".into(),
        ".mode list".into(),
        ".headers off".into(),
    ];
    let [allowed, closed] = allow_folders(match &config.folders {
        Some(folders) => folders.iter().map(String::as_str).collect(),
        None => REMOTE_PREFIXES.split(',').collect(),
    });
    let close = [
        DEFAULT_TIMEOUTS.to_owned(),
        allowed,
        closed,
        // Or a SELECT of a function that writes a log could write it elsewhere.
        "SET disabled_filesystems = 'LocalFileSystem';".into(),
        "SET autoload_known_extensions = false;".into(),
        "SET lock_configuration = true;".into(),
        ".safe_mode".into(),
    ];
    vec![
        ScriptStep::new(
            "Setting DuckDB's limits",
            set_extension_folder(config)
                .into_iter()
                .chain(limits)
                .collect(),
        ),
        create_s3_secret(s3, value),
        attach_catalog(catalog, value),
        ScriptStep::new("Closing DuckDB to this machine", close.into()),
    ]
}

/// Keeps the person to the folders that they may use. It comes last, because DuckDB
/// attaches nothing and loads nothing any more after that.
fn restrict_folders(config: &SessionConfig) -> Option<ScriptStep> {
    let folders = config.folders.as_ref()?;
    let home = config.home.to_string_lossy();
    let folders = folders.iter().map(String::as_str).chain([&*home]);
    let statements = allow_folders(folders.collect()).into();
    Some(ScriptStep::new(
        "Keeping to the folders that are allowed",
        statements,
    ))
}

/// Lets DuckDB read and write there, and nowhere else.
fn allow_folders(folders: Vec<&str>) -> [String; 2] {
    let folders: Vec<_> = folders.into_iter().map(literal).collect();
    [
        format!("SET allowed_directories = [{}];", folders.join(", ")),
        "SET enable_external_access = false;".to_owned(),
    ]
}

/// Where DuckDB finds its extensions, if not where it keeps them itself.
fn set_extension_folder(config: &SessionConfig) -> Option<String> {
    let folder = literal(config.extensions.as_ref()?);
    Some(format!("SET extension_directory = {folder};"))
}

/// The statements that tell the person that `step` failed, with `error`.
pub fn record_problem(step: &ScriptStep, error: &str) -> [String; 2] {
    let row = [&step.what, error, &step.try_again].map(literal).join(", ");
    [
        format!(
            "CREATE TABLE IF NOT EXISTS {PROBLEMS_TABLE} (what TEXT, error TEXT, try_again TEXT);"
        ),
        format!("INSERT INTO {PROBLEMS_TABLE} VALUES ({row});"),
    ]
}

/// A string in SQL.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A name in SQL.
pub fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl ScriptStep {
    fn new(what: impl Into<String>, statements: Vec<String>) -> Self {
        Self {
            what: what.into(),
            try_again: statements.join("\n"),
            statements,
        }
    }
}

fn set_limits(config: &SessionConfig) -> ScriptStep {
    // Two questions at a time have their own.
    let all = config.memory.get();
    let questions = config.query_memory.map_or(0, NonZeroU32::get) * 2;
    let memory = memory_limit(all.saturating_sub(questions).max(all / 2));
    // The UI keeps its notebooks in the same folder, and a Pod that fills it is taken away.
    let spill = u64::from(config.disk.get()) * 9 / 10;
    let folder = config.home.join("spill");
    let folder = literal(&folder.to_string_lossy());
    ScriptStep::new(
        "Setting DuckDB's limits",
        vec![
            format!("SET memory_limit = '{memory}MiB';"),
            // By default up to 512 MB of what it has freed stay with the process: a sort and then
            // a large list took twice the limit (seen with 1.4.4), which the kernel punishes.
            "SET allocator_bulk_deallocation_flush_threshold = '1MiB';".to_owned(),
            format!("SET threads = {};", config.threads),
            format!("SET temp_directory = {folder};"),
            format!("SET max_temp_directory_size = '{spill}MiB';"),
        ],
    )
}

/// DuckDB's limit is on its buffers. The rest of the process (program, threads, what HTTP,
/// Parquet and sorting hold, what the allocator keeps) needs room too: 200 to 300 MiB over the
/// limit were seen, at any limit. A quarter is left, but at least 384 MiB, though never more
/// than half: who is stopped by DuckDB loses a query, by the kernel the session.
pub fn memory_limit(container: u32) -> u32 {
    let room = (container / 4).max(384).min(container / 2);
    container - room
}

fn load_ui(config: &SessionConfig) -> ScriptStep {
    let statements = [
        // What is not in the image is not fetched behind the person's back.
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

fn start_ui(config: &SessionConfig) -> ScriptStep {
    let mut statements = vec![
        format!("SET ui_local_port = {};", config.ui_port),
        "CALL start_ui_server();".to_owned(),
    ];
    if let Some(proxy) = &config.http_proxy {
        // The UI keeps what was set when it was started (seen with 1.4.4). The storage and the
        // catalog are nearer than the proxy.
        statements.insert(1, format!("SET http_proxy = {};", literal(proxy)));
        statements.push("RESET http_proxy;".to_owned());
    }
    ScriptStep::new("Starting DuckDB's UI", statements)
}

fn create_s3_secret(s3: &S3, value: Value<'_>) -> ScriptStep {
    let mut options = format!(
        "TYPE s3, KEY_ID {}, SECRET {}, REGION {}, URL_STYLE '{}'",
        value(secret::KEY_ID),
        value(secret::KEY),
        literal(&s3.region),
        if s3.path_style { "path" } else { "vhost" },
    );
    if s3.session_token {
        let token = value(secret::SESSION_TOKEN);
        let _ = write!(options, ", SESSION_TOKEN {token}");
    }
    if let Some(endpoint) = &s3.endpoint {
        let authority = literal(&endpoint.authority);
        let _ = write!(options, ", ENDPOINT {authority}, USE_SSL {}", endpoint.tls);
    }
    let statements = vec![
        "LOAD httpfs;".into(),
        format!("CREATE OR REPLACE SECRET s3 ({options});"),
    ];
    ScriptStep::new("Taking your S3 keys", statements)
}

fn attach_catalog(catalog: &Catalog, value: Value<'_>) -> ScriptStep {
    let auth = match &catalog.auth {
        CatalogAuth::None => None,
        CatalogAuth::Token => Some(format!("TOKEN {}", value(secret::CATALOG_TOKEN))),
        CatalogAuth::OAuth2 { server, scope } => Some(oauth2_options(
            catalog,
            server.as_deref(),
            scope.as_deref(),
            value,
        )),
    };
    let authorization = match auth {
        None => "AUTHORIZATION_TYPE 'none'",
        Some(_) => "SECRET catalog",
    };
    let auth =
        auth.map(|options| format!("CREATE OR REPLACE SECRET catalog (TYPE iceberg, {options});"));
    // Delegation would let the catalog's keys take the place of the person's own.
    let attach = format!(
        "ATTACH {} AS {} (TYPE iceberg, ENDPOINT {}, {authorization}, \
         ACCESS_DELEGATION_MODE 'none');",
        literal(&catalog.warehouse),
        identifier(&catalog.name),
        literal(&catalog.endpoint),
    );
    let again: Vec<_> = auth.into_iter().chain([attach]).collect();
    // avro first: iceberg would try to download it.
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

/// DuckDB gets the token when the secret is made, and not again.
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

/// A catalog is attached without S3 being asked. So one row of some table is read: whether
/// the keys are good, the person should not have to find out by a query that fails.
fn read_table(catalog: &Catalog) -> ScriptStep {
    let name = literal(&catalog.name);
    let statements = vec![
        format!(
            "SET VARIABLE some_table = (SELECT format('\"{{}}\".\"{{}}\".\"{{}}\"', \
             replace(database_name, '\"', '\"\"'), replace(schema_name, '\"', '\"\"'), \
             replace(table_name, '\"', '\"\"')) \
             FROM duckdb_tables() WHERE database_name = {name} \
             ORDER BY schema_name, table_name LIMIT 1);"
        ),
        "FROM query('FROM ' || coalesce(getvariable('some_table'), '(SELECT 1)') || ' LIMIT 1');"
            .into(),
    ];
    ScriptStep::new(
        format!("Reading a table of {} with your S3 keys", catalog.name),
        statements,
    )
}

#[cfg(test)]
mod tests;
