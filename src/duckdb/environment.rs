//! Reads a session's configuration from its environment variables. Pure.

use std::{collections::HashMap, fmt, num::NonZeroU32, path::PathBuf, time::Duration};

use crate::{
    catalog::values::{S3Endpoint, ValueError, catalog_name, http_url, plain_text},
    outbound::CA_FILE_VARIABLE,
    session::{OwnerId, Restore, SessionId, Workspace},
    work::WorkLocation,
};

/// Default port of DuckDB's UI, which the UI's pages and the door expect.
pub const UI_PORT: u16 = 4213;
/// Folder in which an admin may mount SQL as `init.sql`.
pub const INIT_FOLDER: &str = "/etc/duckbot";

/// Variables with secret values. DuckDB reads them itself, with `getenv()`.
pub mod secret {
    /// S3 access key ID.
    pub const KEY_ID: &str = "S3_ACCESS_KEY_ID";
    /// S3 secret access key.
    pub const KEY: &str = "S3_SECRET_ACCESS_KEY";
    /// Session token of temporary S3 credentials.
    pub const SESSION_TOKEN: &str = "S3_SESSION_TOKEN";
    /// The owner's token for the catalog.
    pub const CATALOG_TOKEN: &str = "CATALOG_TOKEN";
    /// ID of the team's client at the catalog's authorization server.
    pub const CLIENT_ID: &str = "CATALOG_OAUTH2_CLIENT_ID";
    /// Secret of the team's client.
    pub const CLIENT_SECRET: &str = "CATALOG_OAUTH2_CLIENT_SECRET";
    /// Key that authenticates the owner's saved work, in hex digits.
    pub const WORK_KEY: &str = "WORK_KEY";
    /// The names of these variables.
    pub const ALL: [&str; 7] = [
        KEY_ID,
        KEY,
        SESSION_TOKEN,
        CATALOG_TOKEN,
        CLIENT_ID,
        CLIENT_SECRET,
        WORK_KEY,
    ];
}

/// Variable with the public key that verifies the bot's commands.
pub const CONTROL_KEY: &str = "CONTROL_KEY";

/// Variable that is `true` for a query runner.
pub const RUNNER: &str = "DUCKDB_RUNNER";

/// Variable that is `true` if DuckDB may list the namespaces in namespaces of the catalog.
pub const NESTED: &str = "CATALOG_NESTED";

/// Variable that is `true` if the owner's token is for other catalogs.
pub const IGNORES_TOKENS: &str = "CATALOG_IGNORES_TOKENS";

/// Variable that is `true` if the catalog hands out the credentials for its tables' files.
pub const VENDED: &str = "CATALOG_VENDED_CREDENTIALS";

/// Configuration of a session, without secret values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionConfig {
    /// True for a query runner, which has no UI.
    pub is_runner: bool,
    /// Memory of the container, in MiB.
    pub memory: NonZeroU32,
    /// Memory reserved for each of two concurrent queries from the chat, in MiB. `None` if the
    /// session reserves none.
    pub query_memory: Option<NonZeroU32>,
    /// Number of threads for a query.
    pub threads: NonZeroU32,
    /// Space for everything that the session writes, in MiB.
    pub disk: NonZeroU32,
    /// Path of the work folder.
    pub home: PathBuf,
    /// Path or name of DuckDB's command-line program.
    pub program: PathBuf,
    /// Folder of DuckDB's extensions. `None` for DuckDB's default.
    pub extensions: Option<String>,
    /// Names of extensions to load before the UI opens, besides the needed ones.
    pub further_extensions: Vec<String>,
    /// Port of the UI on `localhost`.
    pub ui_port: u16,
    /// Path of the admin's SQL, which is run if the file exists.
    pub init: PathBuf,
    /// Folders and URL prefixes that the owner may read and write, besides the catalog's tables.
    /// `None` for no restriction.
    pub folders: Option<Vec<String>>,
    /// True if the owner may install community extensions.
    pub community_extensions: bool,
    /// Path of the file of all CA certificates. `None` for those of the system.
    pub ca_file: Option<String>,
    /// Host and port of the proxy for fetching the UI's pages. `None` for a direct connection.
    pub http_proxy: Option<String>,
    /// Key of the bot's commands. `None` if the session takes none.
    pub control: Option<ControlKey>,
    pub s3: S3,
    pub catalog: Catalog,
    /// Rules for saving the work. `None` if nothing is saved.
    pub work: Option<WorkConfig>,
}

impl SessionConfig {
    /// Returns the maximum time for the last save. Zero if nothing is saved.
    pub fn saving_time(&self) -> Duration {
        self.work
            .as_ref()
            .map_or(Duration::ZERO, |work| work.deadline)
    }
}

/// Rules for saving a session's work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkConfig {
    pub location: WorkLocation,
    pub owner: OwnerId,
    pub workspace: Workspace,
    /// The session's ID.
    pub session: SessionId,
    /// The save with which the session begins.
    pub restore: Restore,
    /// Maximum time to restore it.
    pub restore_timeout: Duration,
    /// Interval of periodic saves.
    pub every: Duration,
    /// Maximum time for the last save.
    pub deadline: Duration,
    /// Maximum size of the saved database.
    pub max_bytes: u64,
}

/// Public key that verifies the bot's commands to a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlKey {
    /// The session's ID.
    pub session: String,
    /// The key, as in the door's environment.
    pub key: String,
}

/// An S3 service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3 {
    /// Endpoint, or `None` for AWS.
    pub endpoint: Option<S3Endpoint>,
    /// Region that requests are signed for.
    pub region: String,
    /// True if URLs have the bucket in the path instead of the host name.
    pub path_style: bool,
    /// The owner's keys in the environment.
    pub keys: OwnKeys,
}

/// Kinds of S3 keys that a session's owner has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnKeys {
    /// None: the catalog hands out credentials.
    None,
    Permanent,
    /// Keys with a session token.
    Temporary,
}

/// An Iceberg REST catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalog {
    /// Name of the catalog in SQL.
    pub name: String,
    /// URL of the catalog.
    pub endpoint: String,
    /// Warehouse; empty if the catalog has only one.
    pub warehouse: String,
    pub auth: CatalogAuth,
    /// True if DuckDB may list the namespaces in namespaces.
    pub nested: bool,
    /// True if the catalog hands out the credentials for its tables' files.
    pub vended: bool,
}

/// Methods by which DuckDB authenticates to a catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CatalogAuth {
    /// No authentication.
    None,
    /// The owner's token.
    Token,
    /// A token that DuckDB requests as the team's client.
    OAuth2 {
        /// URL that issues the token. `None` if the catalog itself does.
        server: Option<String>,
        /// Scope of the token. `None` for DuckDB's default.
        scope: Option<String>,
    },
    /// Requests signed with the owner's S3 credentials (AWS SigV4).
    Signature {
        /// Service in the signature's scope, such as `glue`.
        service: String,
        /// Region in the signature's scope.
        region: String,
    },
}

/// Errors in the environment, with one sentence for each.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError(Vec<String>);

impl ConfigError {
    pub(super) fn new(error: String) -> Self {
        Self(vec![error])
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the session's environment is not valid:")?;
        self.0.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

/// Reads a configuration. An empty variable counts as not set.
///
/// # Errors
/// Returns all errors, each with the variable's name. Secret values are not quoted.
pub fn read(variables: &HashMap<String, String>) -> Result<SessionConfig, ConfigError> {
    let mut reader = EnvironmentReader {
        variables,
        errors: Vec::new(),
    };
    let config = reader.config();
    match config {
        Ok(config) if reader.errors.is_empty() => Ok(config),
        _ => Err(ConfigError(reader.errors)),
    }
}

/// A variable is not valid, and the reader has its error.
struct Invalid;

struct EnvironmentReader<'a> {
    variables: &'a HashMap<String, String>,
    errors: Vec<String>,
}

impl EnvironmentReader<'_> {
    fn config(&mut self) -> Result<SessionConfig, Invalid> {
        // Read all variables before the first return, so that all errors are reported.
        let is_runner = self.flag(RUNNER);
        let memory = self.amount("DUCKDB_MEMORY");
        let query_memory = self.query_memory();
        let threads = self.amount("DUCKDB_THREADS");
        let disk = self.amount("DUCKDB_DISK");
        let home = self.required("HOME");
        let program = self.text("DUCKDB_PROGRAM");
        let extensions = self.text("DUCKDB_EXTENSIONS");
        let further_extensions = self.further_extensions();
        let ui_port = self.ui_port();
        let init = self.init();
        let folders = self.text("DUCKDB_FOLDERS");
        let community = self.flag("DUCKDB_COMMUNITY_EXTENSIONS");
        let ca_file = self.text(CA_FILE_VARIABLE);
        let http_proxy = self.text("DUCKDB_HTTP_PROXY");
        let control = self.control();
        let s3 = self.s3();
        let catalog = self.catalog();
        let work = self.work();
        Ok(SessionConfig {
            is_runner: is_runner?,
            memory: memory?,
            query_memory: query_memory?,
            threads: threads?,
            disk: disk?,
            home: home?.into(),
            program: program?.map_or("duckdb".into(), PathBuf::from),
            extensions: extensions?,
            further_extensions: further_extensions?,
            ui_port: ui_port?,
            init: init?,
            folders: folders?.map(|list| list.split(',').map(str::to_owned).collect()),
            community_extensions: community?,
            ca_file: ca_file?,
            http_proxy: http_proxy?,
            control: control?,
            s3: s3?,
            catalog: catalog?,
            work: work?,
        })
    }

    fn work(&mut self) -> Result<Option<WorkConfig>, Invalid> {
        const LOCATION: &str = "WORK_LOCATION";
        if !self.is_set(LOCATION) {
            return Ok(None);
        }
        let location = self.required_as(LOCATION, WorkLocation::parse);
        let owner = self.required_as("WORK_OWNER", |text| {
            text.parse().map_err(|_| "is not a Discord ID")
        });
        let workspace = self.required_as("WORK_WORKSPACE", |text| {
            // Names that the bot reserves are valid here.
            Workspace::try_from(text.to_owned()).map_err(|_| "is not the name of a workspace")
        });
        let session = self.required_as("SESSION_ID", |text| {
            text.parse().map_err(|_| "is not a session ID")
        });
        let restore = self.parsed("WORK_RESTORE", |text| {
            text.parse()
                .map_err(|_| "must be latest, nothing or a number")
        });
        let seconds = |amount: NonZeroU32| Duration::from_secs(amount.get().into());
        let restore_timeout = self.amount("WORK_RESTORE_TIMEOUT");
        let every = self.amount("WORK_EVERY");
        let deadline = self.amount("WORK_DEADLINE");
        let most = self.amount("WORK_MAX_MIB");
        Ok(Some(WorkConfig {
            location: location?,
            owner: owner?,
            workspace: workspace?,
            session: session?,
            restore: restore?.unwrap_or_default(),
            restore_timeout: seconds(restore_timeout?),
            every: seconds(every?),
            deadline: seconds(deadline?),
            max_bytes: u64::from(most?.get()) << 20,
        }))
    }

    fn control(&mut self) -> Result<Option<ControlKey>, Invalid> {
        let session = self.text("SESSION_ID");
        let key = self.text(CONTROL_KEY)?;
        let control = session?.zip(key);
        Ok(control.map(|(session, key)| ControlKey { session, key }))
    }

    fn s3(&mut self) -> Result<S3, Invalid> {
        let keys = self.own_keys();
        let endpoint = self.parsed("S3_ENDPOINT", S3Endpoint::parse);
        let region = self.required("S3_REGION");
        let path_style = self.flag("S3_PATH_STYLE");
        let (endpoint, path_style) = (endpoint?, path_style?);
        if let Some(Err(why)) = endpoint.as_ref().map(|it| it.check_style(path_style, None)) {
            self.errors.push(format!("S3_PATH_STYLE {why}."));
            return Err(Invalid);
        }
        Ok(S3 {
            endpoint,
            region: region?,
            path_style,
            keys: keys?,
        })
    }

    /// Keys may only be missing if the catalog hands out credentials.
    fn own_keys(&mut self) -> Result<OwnKeys, Invalid> {
        let names = [secret::KEY_ID, secret::KEY];
        let is_any = names.iter().any(|name| self.is_set(name));
        if !is_any && self.flag(VENDED)? {
            return Ok(OwnKeys::None);
        }
        for name in names {
            if !self.is_set(name) {
                self.errors.push(format!("{name} is missing."));
            }
        }
        Ok(if self.is_set(secret::SESSION_TOKEN) {
            OwnKeys::Temporary
        } else {
            OwnKeys::Permanent
        })
    }

    /// Reads a flag, which is false if the variable is not set.
    fn flag(&mut self, name: &str) -> Result<bool, Invalid> {
        match self.text(name)?.as_deref() {
            Some("true") => Ok(true),
            None | Some("false") => Ok(false),
            Some(other) => self.reject(name, "must be true or false", other),
        }
    }

    fn catalog(&mut self) -> Result<Catalog, Invalid> {
        let name = self.required_as("CATALOG_NAME", catalog_name);
        let endpoint = self.required_as("CATALOG_ENDPOINT", http_url);
        let warehouse = self.text("CATALOG_WAREHOUSE");
        let auth = self.auth();
        let nested = self.flag(NESTED);
        let vended = self.flag(VENDED)?;
        if vended && !self.is_set(secret::CATALOG_TOKEN) {
            self.errors
                .push(format!("{} is missing.", secret::CATALOG_TOKEN));
        }
        Ok(Catalog {
            name: name?,
            endpoint: endpoint?,
            warehouse: warehouse?.unwrap_or_default(),
            auth: auth?,
            nested: nested?,
            vended,
        })
    }

    /// The owner's token takes precedence over the team's client, because it names the person.
    fn auth(&mut self) -> Result<CatalogAuth, Invalid> {
        if let Some(service) = self.text("CATALOG_SIGV4_SERVICE")? {
            let region = self.text("S3_REGION")?.unwrap_or_default();
            return Ok(CatalogAuth::Signature { service, region });
        }
        if self.is_set(secret::CATALOG_TOKEN) && !self.flag(IGNORES_TOKENS)? {
            return Ok(CatalogAuth::Token);
        }
        let names = [secret::CLIENT_ID, secret::CLIENT_SECRET];
        match names.map(|name| self.is_set(name)) {
            [false, false] => Ok(CatalogAuth::None),
            [true, true] => {
                let server = self.parsed("CATALOG_OAUTH2_SERVER_URI", http_url);
                let scope = self.text("CATALOG_OAUTH2_SCOPE");
                Ok(CatalogAuth::OAuth2 {
                    server: server?,
                    scope: scope?,
                })
            }
            _ => {
                let [id, secret] = names;
                self.errors.push(format!(
                    "{id} and {secret} must be set together: one is missing."
                ));
                Err(Invalid)
            }
        }
    }

    fn query_memory(&mut self) -> Result<Option<NonZeroU32>, Invalid> {
        const NAME: &str = "DUCKDB_QUESTION_MEMORY";
        if self.is_set(NAME) {
            self.amount(NAME).map(Some)
        } else {
            Ok(None)
        }
    }

    fn further_extensions(&mut self) -> Result<Vec<String>, Invalid> {
        const NAME: &str = "DUCKDB_FURTHER_EXTENSIONS";
        let Some(text) = self.text(NAME)? else {
            return Ok(Vec::new());
        };
        let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if text
            .split(',')
            .all(|name| !name.is_empty() && name.bytes().all(is_name))
        {
            Ok(text.split(',').map(str::to_owned).collect())
        } else {
            self.reject(
                NAME,
                "must be names of extensions, separated by commas",
                &text,
            )
        }
    }

    fn ui_port(&mut self) -> Result<u16, Invalid> {
        const NAME: &str = "DUCKDB_UI_PORT";
        match self.text(NAME)? {
            None => Ok(UI_PORT),
            Some(text) => match text.parse() {
                Ok(port) if port > 0 => Ok(port),
                _ => self.reject(NAME, "must be a port from 1 to 65535", &text),
            },
        }
    }

    fn init(&mut self) -> Result<PathBuf, Invalid> {
        const NAME: &str = "DUCKDB_INIT";
        let path = self.text(NAME)?;
        let path = path.unwrap_or_else(|| format!("{INIT_FOLDER}/init.sql"));
        // DuckDB's command line can't quote an apostrophe.
        if path.contains('\'') {
            self.reject(NAME, "must be a path without an apostrophe", &path)
        } else {
            Ok(path.into())
        }
    }

    fn amount(&mut self, name: &str) -> Result<NonZeroU32, Invalid> {
        let text = self.required(name)?;
        match text.parse() {
            Ok(amount) => Ok(amount),
            Err(_) => self.reject(name, "must be a whole number, at least 1", &text),
        }
    }

    fn required(&mut self, name: &str) -> Result<String, Invalid> {
        self.required_as(name, plain_text)
    }

    fn required_as<T>(
        &mut self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, ValueError>,
    ) -> Result<T, Invalid> {
        self.parsed(name, parse)?.ok_or_else(|| {
            self.errors.push(format!("{name} is missing."));
            Invalid
        })
    }

    fn text(&mut self, name: &str) -> Result<Option<String>, Invalid> {
        self.parsed(name, plain_text)
    }

    /// Reads a value by the rule that the settings have for it.
    fn parsed<T>(
        &mut self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, ValueError>,
    ) -> Result<Option<T>, Invalid> {
        let text = self.variables.get(name);
        let Some(text) = text.filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        let parsed = plain_text(text).and_then(|text| parse(&text));
        match parsed {
            Ok(value) => Ok(Some(value)),
            Err(why) => self.reject(name, why, text),
        }
    }

    fn is_set(&self, name: &str) -> bool {
        self.variables
            .get(name)
            .is_some_and(|text| !text.is_empty())
    }

    fn reject<T>(&mut self, name: &str, right: &str, found: &str) -> Result<T, Invalid> {
        self.errors
            .push(format!("{name} {right}; it is {found:?}."));
        Err(Invalid)
    }
}

#[cfg(test)]
mod tests;
