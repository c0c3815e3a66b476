//! Environment variables of a session, for every runtime. Pure.

use std::collections::HashMap;

use secrecy::ExposeSecret;

use crate::{
    credentials::{CredentialField, Credentials},
    duckdb::environment::{IGNORES_TOKENS, RUNNER, VENDED, secret},
    session::{Record, Size},
    settings::{Catalog, Interface, Settings, Work},
};

/// Extension with DuckDB's protocol for clients.
const QUACK: &str = "quack";

/// Name of the variable that holds one of the session's credentials.
pub(super) fn variable(field: CredentialField) -> &'static str {
    match field {
        CredentialField::KeyId => secret::KEY_ID,
        CredentialField::SecretKey => secret::KEY,
        CredentialField::SessionToken => secret::SESSION_TOKEN,
        CredentialField::CatalogToken => secret::CATALOG_TOKEN,
    }
}

/// Returns the variables with the values of `credentials`.
pub fn credential_variables(credentials: &Credentials) -> HashMap<String, String> {
    let value = |field: CredentialField| {
        let value = credentials.value(field)?.expose_secret();
        Some((variable(field).to_owned(), value.to_owned()))
    };
    CredentialField::ALL.into_iter().filter_map(value).collect()
}

/// Variables without secret values. [`crate::duckdb::environment`] reads them.
pub(super) fn plain(
    settings: &Settings,
    session: &Record,
    size: &Size,
    catalog: &Catalog,
) -> Vec<(&'static str, String)> {
    let optional = |text: &Option<String>| text.clone().unwrap_or_default();
    let endpoint = catalog.s3_endpoint.as_ref().map(ToString::to_string);
    let mut all = vec![
        ("SESSION_ID", session.id.to_string()),
        ("USERNAME", session.display_name.clone()),
        ("CATALOG_NAME", catalog.name.clone()),
        ("CATALOG_ENDPOINT", catalog.endpoint.clone()),
        ("CATALOG_WAREHOUSE", optional(&catalog.warehouse)),
        ("S3_ENDPOINT", endpoint.unwrap_or_default()),
        ("S3_REGION", catalog.s3_region.clone()),
        ("S3_PATH_STYLE", catalog.s3_path_style.to_string()),
        ("DUCKDB_MEMORY", size.memory.mebibytes().to_string()),
        ("DUCKDB_THREADS", size.cpu.cores().to_string()),
        ("DUCKDB_DISK", size.disk.mebibytes().to_string()),
        (
            "DUCKDB_COMMUNITY_EXTENSIONS",
            settings.duckdb.community_extensions.to_string(),
        ),
    ];
    if let Some(service) = &catalog.sigv4_service {
        all.push(("CATALOG_SIGV4_SERVICE", service.clone()));
    }
    if catalog.ignores_tokens {
        all.push((IGNORES_TOKENS, "true".to_owned()));
    }
    if catalog.vended_credentials {
        all.push((VENDED, "true".to_owned()));
    }
    if let Some(location) = settings.work_location(session) {
        let Work {
            every,
            deadline,
            max_size,
        } = &settings.work;
        // The rest of the time is for everything else.
        let restore_timeout = settings.sessions.start_timeout.num_seconds() * 3 / 5;
        all.extend([
            ("WORK_LOCATION", location.to_string()),
            ("WORK_OWNER", session.owner.to_string()),
            ("WORK_WORKSPACE", session.workspace.to_string()),
            ("WORK_RESTORE", session.restore.to_string()),
            ("WORK_RESTORE_TIMEOUT", restore_timeout.max(1).to_string()),
            ("WORK_EVERY", every.as_secs().to_string()),
            ("WORK_DEADLINE", deadline.as_secs().to_string()),
            ("WORK_MAX_MIB", max_size.mebibytes().to_string()),
        ]);
    }
    if session.is_runner() {
        all.push((RUNNER, "true".to_owned()));
        // Two queries at a time, and nothing else. A quarter stays free, because DuckDB's limit covers
        // only its buffers.
        let memory = size.memory.mebibytes() * 3 / 4 / 2;
        all.push(("DUCKDB_QUESTION_MEMORY", memory.to_string()));
    } else if let Some(sql) = &settings.sql {
        let memory = sql.memory.min(size.memory.eighth()).mebibytes();
        all.push(("DUCKDB_QUESTION_MEMORY", memory.to_string()));
    }
    if !settings.duckdb.folders.is_empty() {
        all.push(("DUCKDB_FOLDERS", settings.duckdb.folders.join(",")));
    }
    let mut extensions = settings.duckdb.extensions.clone();
    // Later, a session with folders can't load it.
    let is_wanted = settings.sessions.connect && !session.is_runner();
    if is_wanted && !extensions.iter().any(|it| it == QUACK) {
        extensions.push(QUACK.to_owned());
    }
    if !extensions.is_empty() {
        all.push(("DUCKDB_FURTHER_EXTENSIONS", extensions.join(",")));
    }
    let proxies = &settings.outbound.proxies;
    let pages = settings.duckdb.http_proxy.clone();
    let pages = pages.or_else(|| proxies.address_for_https());
    // The console's pages come from the door.
    if let Some(proxy) = pages.filter(|_| settings.duckdb.ui != Interface::Console) {
        all.push(("DUCKDB_HTTP_PROXY", proxy));
    }
    all.extend(proxies.session_variables());
    all
}
