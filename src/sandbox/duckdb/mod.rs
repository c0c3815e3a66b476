//! DuckDB's command line with the extensions that a session needs: found, or got from PyPI.
//! Runs programs.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, bail};
use tokio::process::Command;

/// Where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DuckDb {
    /// The program.
    pub program: PathBuf,
    /// Its extensions; none: where DuckDB itself keeps them.
    pub extensions: Option<PathBuf>,
}

/// Gets it from PyPI, into a cache that the tests share; prints the folder.
const DOWNLOAD_SCRIPT: &str = include_str!("get");
const LOAD_EXTENSIONS: &str =
    "SET autoinstall_known_extensions = false; LOAD ui; LOAD httpfs; LOAD avro; LOAD iceberg;";

impl DuckDb {
    /// `configured`, or the one on the PATH if it has all extensions, or the one in the cache,
    /// which is filled first if need be.
    ///
    /// # Errors
    /// If `configured` lacks something, or there is none and it can't be got.
    pub async fn find(configured: Option<&Path>) -> anyhow::Result<Self> {
        if let Some(program) = configured {
            return match check_extensions(program).await {
                Ok(()) => Ok(Self::with_own_extensions(program)),
                Err(why) => bail!("{} can't be used: {why}", program.display()),
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
            downloaded.context("DuckDB is got by a script, and there is no bash to run it")?;
        if !downloaded.status.success() {
            bail!(
                "DuckDB could not be got from PyPI (that takes Python 3 with pip, and the network \
                 once). Install DuckDB with its extensions ui, httpfs, avro and iceberg, and name it \
                 with --duckdb"
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

/// Whether it has what a session needs; if not, in its own words.
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
