//! What is wanted of a session, as its environment says. Pure.

use std::{collections::HashMap, fmt, num::NonZeroU32, path::PathBuf};

/// The port of DuckDB's UI that browsers' pages and the door expect.
pub const UI_PORT: u16 = 4213;
/// Where an admin may mount SQL of their own, as `init.sql`.
pub const INIT_FOLDER: &str = "/etc/duckbot";

/// Variables with secret values. DuckDB reads them itself, with `getenv()`.
pub mod secret {
    /// The S3 key's id.
    pub const KEY_ID: &str = "S3_ACCESS_KEY_ID";
    /// The S3 key.
    pub const KEY: &str = "S3_SECRET_ACCESS_KEY";
    /// Goes with temporary S3 keys.
    pub const SESSION_TOKEN: &str = "S3_SESSION_TOKEN";
    /// The person's own token for the catalog.
    pub const CATALOG_TOKEN: &str = "CATALOG_TOKEN";
    /// The team's client at the catalog's authorization server.
    pub const CLIENT_ID: &str = "CATALOG_OAUTH2_CLIENT_ID";
    /// Its secret.
    pub const CLIENT_SECRET: &str = "CATALOG_OAUTH2_CLIENT_SECRET";
    /// All of them.
    pub const ALL: [&str; 6] = [
        KEY_ID,
        KEY,
        SESSION_TOKEN,
        CATALOG_TOKEN,
        CLIENT_ID,
        CLIENT_SECRET,
    ];
}

/// What is wanted. Secret values are not in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionConfig {
    /// The container's memory in MiB.
    pub memory: NonZeroU32,
    /// What of that each of two questions from the chat may take, in MiB; none: nobody asks.
    pub query_memory: Option<NonZeroU32>,
    /// How many threads work on a query.
    pub threads: NonZeroU32,
    /// Room in the work folder, in MiB.
    pub disk: NonZeroU32,
    /// The work folder.
    pub home: PathBuf,
    /// DuckDB's command line.
    pub program: PathBuf,
    /// Where its extensions are; none: where DuckDB itself keeps them.
    pub extensions: Option<String>,
    /// The port of the UI, on `localhost`.
    pub ui_port: u16,
    /// An admin's SQL, run if it is there.
    pub init: PathBuf,
    /// Where the person may read and write besides the catalog's tables; none: anywhere.
    pub folders: Option<Vec<String>>,
    /// Whether the person may install extensions that others than DuckDB's makers publish.
    pub community_extensions: bool,
    /// Host and port of the proxy through which the UI's pages are fetched; none: straight.
    pub http_proxy: Option<String>,
    /// Where the data is.
    pub s3: S3,
    /// Where it says what is there.
    pub catalog: Catalog,
}

/// The storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3 {
    /// None: AWS.
    pub endpoint: Option<Endpoint>,
    /// The region that requests are signed for.
    pub region: String,
    /// Whether buckets are in the path instead of the host name.
    pub path_style: bool,
    /// Whether the keys come with a session token.
    pub session_token: bool,
}

/// Where S3 is, in the parts that DuckDB wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Host and port.
    pub authority: String,
    /// Whether it is `https`.
    pub tls: bool,
}

/// An Iceberg REST catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalog {
    /// What it is called in SQL.
    pub name: String,
    /// Its URL.
    pub endpoint: String,
    /// Empty where the catalog has only one.
    pub warehouse: String,
    /// How DuckDB shows who it is.
    pub auth: CatalogAuth,
}

/// How DuckDB shows a catalog who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CatalogAuth {
    /// Not at all.
    None,
    /// With the person's token.
    Token,
    /// With a token that it gets for the team's client.
    OAuth2 {
        /// Where it gets that; none: from the catalog itself.
        server: Option<String>,
        /// None: DuckDB's default.
        scope: Option<String>,
    },
}

/// What is wrong with the environment, a sentence for each variable.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError(Vec<String>);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the session's environment needs a change:")?;
        self.0.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

/// Reads `variables`; an empty one is as good as none.
///
/// # Errors
/// Everything that is wrong, each with its variable's name. Secret values are not quoted.
pub fn read(variables: &HashMap<String, String>) -> Result<SessionConfig, ConfigError> {
    let mut reader = EnvironmentReader {
        variables,
        errors: Vec::new(),
    };
    let config = reader.config();
    match config {
        Some(config) if reader.errors.is_empty() => Ok(config),
        _ => Err(ConfigError(reader.errors)),
    }
}

struct EnvironmentReader<'a> {
    variables: &'a HashMap<String, String>,
    errors: Vec<String>,
}

impl EnvironmentReader<'_> {
    fn config(&mut self) -> Option<SessionConfig> {
        // All are read before any is missed, so that every mistake is told.
        let memory = self.amount("DUCKDB_MEMORY");
        let query_memory = self.query_memory();
        let threads = self.amount("DUCKDB_THREADS");
        let disk = self.amount("DUCKDB_DISK");
        let home = self.required("HOME");
        let ui_port = self.ui_port();
        let init = self.init();
        let folders = self.text("DUCKDB_FOLDERS");
        let community = self.flag("DUCKDB_COMMUNITY_EXTENSIONS");
        let s3 = self.s3();
        let catalog = self.catalog();
        Some(SessionConfig {
            memory: memory?,
            query_memory: query_memory?,
            threads: threads?,
            disk: disk?,
            home: home?.into(),
            program: self
                .text("DUCKDB_PROGRAM")
                .map_or("duckdb".into(), PathBuf::from),
            extensions: self.text("DUCKDB_EXTENSIONS"),
            ui_port: ui_port?,
            init: init?,
            folders: folders.map(|list| list.split(',').map(str::to_owned).collect()),
            community_extensions: community? == Some(true),
            http_proxy: self.text("DUCKDB_HTTP_PROXY"),
            s3: s3?,
            catalog: catalog?,
        })
    }

    fn s3(&mut self) -> Option<S3> {
        for name in [secret::KEY_ID, secret::KEY] {
            if !self.is_set(name) {
                self.errors.push(format!("{name} is missing."));
            }
        }
        let endpoint = self.endpoint();
        let region = self.required("S3_REGION");
        let path_style = self.flag("S3_PATH_STYLE");
        Some(S3 {
            endpoint: endpoint?,
            region: region?,
            path_style: path_style? == Some(true),
            session_token: self.is_set(secret::SESSION_TOKEN),
        })
    }

    /// The outer option: whether it can be used at all.
    fn endpoint(&mut self) -> Option<Option<Endpoint>> {
        const NAME: &str = "S3_ENDPOINT";
        let Some(text) = self.text(NAME) else {
            return Some(None);
        };
        let (authority, tls) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(rest), _) => (rest, true),
            (_, Some(rest)) => (rest, false),
            _ => return self.reject(NAME, "begins with https:// or http://", &text),
        };
        let authority = authority.trim_end_matches('/').to_owned();
        match authority.is_empty() || authority.contains(['/', '?', '#', '@']) {
            true => self.reject(NAME, "has a host, perhaps a port, and no path", &text),
            false => Some(Some(Endpoint { authority, tls })),
        }
    }

    /// The outer option: whether it can be used at all.
    fn flag(&mut self, name: &str) -> Option<Option<bool>> {
        match self.text(name).as_deref() {
            None => Some(None),
            Some("true") => Some(Some(true)),
            Some("false") => Some(Some(false)),
            Some(other) => self.reject(name, "is true or false", other),
        }
    }

    fn catalog(&mut self) -> Option<Catalog> {
        let name = self.required("CATALOG_NAME");
        let endpoint = self.required("CATALOG_ENDPOINT");
        let warehouse = self.text("CATALOG_WAREHOUSE");
        let auth = self.auth();
        Some(Catalog {
            name: name?,
            endpoint: endpoint?.trim_end_matches('/').to_owned(),
            warehouse: warehouse.unwrap_or_default(),
            auth: auth?,
        })
    }

    /// The person's own token says more about who it is than the team's client does.
    fn auth(&mut self) -> Option<CatalogAuth> {
        if self.is_set(secret::CATALOG_TOKEN) {
            return Some(CatalogAuth::Token);
        }
        let names = [secret::CLIENT_ID, secret::CLIENT_SECRET];
        match names.map(|name| self.is_set(name)) {
            [false, false] => Some(CatalogAuth::None),
            [true, true] => Some(CatalogAuth::OAuth2 {
                server: self.text("CATALOG_OAUTH2_SERVER_URI"),
                scope: self.text("CATALOG_OAUTH2_SCOPE"),
            }),
            _ => {
                let [id, secret] = names;
                self.errors
                    .push(format!("{id} and {secret} go together: one is missing."));
                None
            }
        }
    }

    /// The outer option: whether it can be used at all.
    fn query_memory(&mut self) -> Option<Option<NonZeroU32>> {
        const NAME: &str = "DUCKDB_QUESTION_MEMORY";
        match self.is_set(NAME) {
            true => self.amount(NAME).map(Some),
            false => Some(None),
        }
    }

    fn ui_port(&mut self) -> Option<u16> {
        const NAME: &str = "DUCKDB_UI_PORT";
        match self.text(NAME) {
            None => Some(UI_PORT),
            Some(text) => match text.parse() {
                Ok(port) if port > 0 => Some(port),
                _ => self.reject(NAME, "is a port, 1 to 65535", &text),
            },
        }
    }

    fn init(&mut self) -> Option<PathBuf> {
        const NAME: &str = "DUCKDB_INIT";
        let path = self.text(NAME);
        let path = path.unwrap_or_else(|| format!("{INIT_FOLDER}/init.sql"));
        // The command line has no way to quote one.
        match path.contains('\'') {
            true => self.reject(NAME, "is a path without an apostrophe", &path),
            false => Some(path.into()),
        }
    }

    fn amount(&mut self, name: &str) -> Option<NonZeroU32> {
        let text = self.required(name)?;
        match text.parse() {
            Ok(amount) => Some(amount),
            Err(_) => self.reject(name, "is a whole number, at least 1", &text),
        }
    }

    fn required(&mut self, name: &str) -> Option<String> {
        let known = self.errors.len();
        let text = self.text(name);
        if text.is_none() && self.errors.len() == known {
            self.errors.push(format!("{name} is missing."));
        }
        text
    }

    /// Nothing that goes into SQL holds a control character: the command line reads lines,
    /// and drops some of them even within quotes.
    fn text(&mut self, name: &str) -> Option<String> {
        let text = self.variables.get(name).filter(|text| !text.is_empty())?;
        match text.contains(char::is_control) {
            true => self.reject(name, "is text without control characters", text),
            false => Some(text.clone()),
        }
    }

    fn is_set(&self, name: &str) -> bool {
        self.variables
            .get(name)
            .is_some_and(|text| !text.is_empty())
    }

    fn reject<T>(&mut self, name: &str, right: &str, found: &str) -> Option<T> {
        self.errors
            .push(format!("{name} {right}; here it is {found:?}."));
        None
    }
}

#[cfg(test)]
mod tests;
