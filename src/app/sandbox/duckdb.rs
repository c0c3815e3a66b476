//! Finds DuckDB's command line with the extensions that a session needs, or downloads it. Runs
//! programs.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, bail};
use tokio::process::Command;

/// Location of DuckDB's command line and its extensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DuckDb {
    pub program: PathBuf,
    /// Folder of the extensions; `None` for DuckDB's default folder.
    pub extensions: Option<PathBuf>,
}

/// Script that downloads DuckDB into the cache of the tests, verifies it, and prints its folder.
const DOWNLOAD_SCRIPT: &str = include_str!("../../../deploy/duckdb/get");
const LOAD_EXTENSIONS: &str =
    "SET autoinstall_known_extensions = false; LOAD ui; LOAD httpfs; LOAD avro; LOAD iceberg;";

impl DuckDb {
    /// Returns `configured`, else `duckdb` on the PATH if it has all extensions, else the DuckDB
    /// in the cache. Downloads it into the cache if it is not there.
    ///
    /// # Errors
    /// If `configured` can't load an extension, or if the download fails.
    pub(super) async fn find(configured: Option<&Path>) -> anyhow::Result<Self> {
        if let Some(program) = configured {
            return match check_extensions(program).await {
                Ok(()) => Ok(Self::with_own_extensions(program)),
                Err(why) => bail!(
                    "{} can't be used as DuckDB: {why}. Pass another program with --duckdb, or omit \
                     --duckdb to download DuckDB",
                    program.display()
                ),
            };
        }
        let on_path = Path::new("duckdb");
        if check_extensions(on_path).await.is_ok() {
            return Ok(Self::with_own_extensions(on_path));
        }
        let mut get = Command::new("bash");
        get.args(["-c", DOWNLOAD_SCRIPT, "get"])
            .stdin(Stdio::null())
            .stderr(Stdio::inherit());
        let downloaded = get.kill_on_drop(true).output().await;
        let downloaded =
            downloaded.context("Can't run bash, which the script that downloads DuckDB needs")?;
        if !downloaded.status.success() {
            bail!(
                "DuckDB could not be downloaded. Check that Python 3 with pip is installed and that \
                 PyPI can be reached, or install DuckDB with its extensions ui, httpfs, avro and \
                 iceberg, and pass its path with --duckdb"
            );
        }
        let folder = PathBuf::from(String::from_utf8_lossy(&downloaded.stdout).trim());
        Ok(Self {
            program: folder.join("duckdb"),
            extensions: Some(folder.join("extensions")),
        })
    }

    fn with_own_extensions(program: &Path) -> Self {
        Self {
            program: program.to_owned(),
            extensions: None,
        }
    }
}

/// Checks that `program` runs and loads the extensions that a session needs.
///
/// # Errors
/// DuckDB's error message, or the reason why it can't be run.
async fn check_extensions(program: &Path) -> Result<(), String> {
    let mut ask = Command::new(program);
    ask.args([
        "-batch",
        "-bail",
        "-init",
        "/dev/null",
        "-c",
        LOAD_EXTENSIONS,
    ])
    .stdin(Stdio::null());
    match ask.output().await {
        Ok(asked) if asked.status.success() => Ok(()),
        Ok(asked) => Err(String::from_utf8_lossy(&asked.stderr).trim().to_owned()),
        Err(why) => Err(why.to_string()),
    }
}
