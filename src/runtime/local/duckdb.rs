//! Checks that DuckDB and its extensions can be used on this machine. Runs programs.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::process::Command;
use uuid::Uuid;

/// Maximum time to load the extensions.
const LOAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Extensions that every session needs. Load avro before iceberg, which would try to download it.
const EXTENSIONS: [&str; 4] = ["ui", "httpfs", "avro", "iceberg"];
/// Versions that duckbot works with. Queries from the chat fail with 1.4, and the UI with 2.
const VERSIONS: &str = "v1.5.";

/// DuckDB's command line, with the extensions that sessions need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DuckDb {
    pub program: PathBuf,
    /// Folder of its extensions.
    pub extensions: PathBuf,
}

/// The reason why a DuckDB can't be used.
#[derive(Debug, thiserror::Error)]
pub enum UnusableDuckDb {
    /// The program can't be run.
    #[error("it can't be run: {0}")]
    Program(io::Error),
    /// The temporary folder that it needs can't be created.
    #[error("the folder {0} can't be created; set TMPDIR to one that can be written to: {1}")]
    Folder(PathBuf, io::Error),
    /// Its version, which is not among the supported ones.
    #[error("it is DuckDB {0}, and duckbot needs 1.5")]
    Version(String),
    /// An extension can't be loaded, with the first line of DuckDB's error.
    #[error("it can't load its extensions: {0}")]
    Extensions(String),
}

impl DuckDb {
    /// Finds the extensions of `program` in `folder`, by default in the folder of the user who runs
    /// the bot. Loads the needed ones and `further` ones to check them.
    ///
    /// # Errors
    /// If the program can't be run, has another version, or can't load an extension.
    pub async fn find(
        program: &Path,
        folder: Option<&Path>,
        further: &[String],
    ) -> Result<Self, UnusableDuckDb> {
        // Name DuckDB's default folder explicitly: it depends on HOME, and sessions have their own.
        let extensions = folder.map_or_else(
            || {
                let home = std::env::home_dir().unwrap_or_default();
                home.join(".duckdb/extensions")
            },
            Path::to_owned,
        );
        let home = std::env::temp_dir().join(format!("duckbot-check-{}", Uuid::new_v4()));
        // The extension `ui` requires this folder.
        let made = fs::create_dir_all(home.join(".duckdb"));
        made.map_err(|why| UnusableDuckDb::Folder(home.clone(), why))?;
        let loaded = load(program, &extensions, &home, further).await;
        let _ = fs::remove_dir_all(&home);
        loaded.map(|()| Self {
            program: program.to_owned(),
            extensions,
        })
    }
}

async fn load(
    program: &Path,
    extensions: &Path,
    home: &Path,
    further: &[String],
) -> Result<(), UnusableDuckDb> {
    let folder = extensions.to_string_lossy().replace('\'', "''");
    let mut sql = format!(
        "SELECT version(); SET autoinstall_known_extensions = false; \
         SET extension_directory = '{folder}';"
    );
    for name in EXTENSIONS
        .into_iter()
        .chain(further.iter().map(String::as_str))
    {
        sql += &format!(" LOAD {name};");
    }
    let mut asked = Command::new(program);
    asked
        .args([
            "-batch",
            "-bail",
            "-csv",
            "-noheader",
            "-init",
            "/dev/null",
            "-c",
            &sql,
        ])
        // The bot's own environment has secrets.
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .env("HOME", home)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let answer = tokio::time::timeout(LOAD_TIMEOUT, asked.output()).await;
    let answer = answer.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    let answer = answer.map_err(UnusableDuckDb::Program)?;
    let said = String::from_utf8_lossy(&answer.stdout);
    let version = said.lines().next().unwrap_or_default();
    // The first line of a program that is no DuckDB says nothing about a version.
    if version.starts_with('v') && !version.starts_with(VERSIONS) {
        return Err(UnusableDuckDb::Version(version.to_owned()));
    }
    if answer.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&answer.stderr);
    let first = said.lines().find(|line| !line.trim().is_empty());
    Err(UnusableDuckDb::Extensions(first.map_or_else(
        || format!("it ended with {}", answer.status),
        str::to_owned,
    )))
}
