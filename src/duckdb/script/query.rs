//! The SQL that prepares a DuckDB for queries from the chat. Pure.

use std::{num::NonZeroU32, path::Path};

use super::{
    Access, DEFAULT_TIMEOUTS, ScriptStep, Value, attach_catalog, create_s3_secret,
    fence::{IGNORE_STORED_SECRETS, REMOTE_PREFIXES, allow_folders},
    literals, set_extension_folder,
};
use crate::duckdb::{
    environment::SessionConfig,
    names::{identifier, literal},
};

/// Default memory for a query from the chat.
const DEFAULT_QUERY_MEMORY_MIB: u32 = 256;
/// Memory that each of DuckDB's threads needs to sort and to join.
const THREAD_MEMORY_MIB: u32 = 64;

/// Returns the step that comes first. It contacts nobody. `spill` is the folder for what does not fit
/// into memory.
pub fn set_limits(config: &SessionConfig, spill: &Path) -> ScriptStep {
    let slice = config
        .query_memory
        .map_or(DEFAULT_QUERY_MEMORY_MIB, NonZeroU32::get);
    let room = (slice / 4).max(128).min(slice / 2);
    let memory = slice - room;
    let threads = config.threads.get().min(memory / THREAD_MEMORY_MIB).max(1);
    // Two queries at a time share a tenth of a session's disk, or three quarters of a runner's.
    let disk = config.disk.get();
    let share = if config.is_runner {
        disk / 8 * 3
    } else {
        disk / 20
    };
    let disk = share.max(1);
    let spill = literal(&spill.to_string_lossy());
    let limits = [
        format!("SET memory_limit = '{memory}MiB';"),
        format!("SET threads = {threads};"),
        "SET allocator_bulk_deallocation_flush_threshold = '1MiB';".into(),
        format!("SET temp_directory = {spill};"),
        format!("SET max_temp_directory_size = '{disk}MiB';"),
        "SET autoinstall_known_extensions = false;".into(),
        "SET errors_as_json = true;".into(),
        // Otherwise DuckDB lists a hundred namespaces to suggest a name, as the bot does.
        "SET catalog_error_max_schemas = 0;".into(),
        ".mode list".into(),
        ".headers off".into(),
        ".maxrows 1".into(),
    ];
    ScriptStep::new(
        "Setting DuckDB's limits",
        [IGNORE_STORED_SECRETS.to_owned()]
            .into_iter()
            .chain(set_extension_folder(config))
            .chain(limits)
            .collect(),
    )
}

/// Returns the steps that attach the catalog. Afterwards DuckDB can read remote data, but no file of
/// this machine except its own spill, and no setting can be changed.
pub fn attach(config: &SessionConfig, access: Access, value: Value<'_>) -> [ScriptStep; 3] {
    let [allowed, closed] = allow_folders(&match &config.folders {
        Some(folders) => literals(folders.iter().map(String::as_str)),
        None => literals(REMOTE_PREFIXES.split(',')),
    });
    let close = [
        DEFAULT_TIMEOUTS.to_owned(),
        allowed,
        closed,
        "SET autoload_known_extensions = false;".into(),
        // It also locks the configuration, from DuckDB 1.5 on.
        ".safe_mode".into(),
        "SELECT error('the configuration is not locked') \
         WHERE NOT current_setting('lock_configuration');"
            .into(),
    ];
    [
        create_s3_secret(config, value),
        attach_catalog(&config.catalog, access, value),
        ScriptStep::new("Blocking access to this machine", close.into()),
    ]
}

/// Returns the query for the first two schemas of a catalog.
pub fn first_schemas(catalog: &str) -> String {
    let catalog = literal(catalog);
    format!(
        "SELECT json_array(schema_name) FROM duckdb_schemas() WHERE database_name = {catalog} \
         ORDER BY schema_name LIMIT 2;"
    )
}

/// Returns the statement that makes a schema of the catalog the default one.
pub fn set_default(catalog: &str, schema: &str) -> String {
    format!("USE {}.{};", identifier(catalog), identifier(schema))
}
