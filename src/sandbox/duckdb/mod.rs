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
const GET: &str = include_str!("get");
const NEEDED: &str =
    "SET autoinstall_known_extensions = false; LOAD ui; LOAD httpfs; LOAD avro; LOAD iceberg;";

impl DuckDb {
    /// `given`, or the one on the PATH if it has all extensions, or the one in the cache,
    /// which is filled first if need be.
    ///
    /// # Errors
    /// If `given` lacks something, or there is none and it can't be got.
    pub async fn find(given: Option<&Path>) -> anyhow::Result<Self> {
        if let Some(program) = given {
            return match is_complete(program).await {
                Ok(()) => Ok(Self::own(program)),
                Err(why) => bail!("{} can't be used: {why}", program.display()),
            };
        }
        let on_path = Path::new("duckdb");
        if is_complete(on_path).await.is_ok() {
            return Ok(Self::own(on_path));
        }
        let mut get = Command::new("bash");
        get.args(["-c", GET, "get"])
            .stdin(Stdio::null())
            .stderr(Stdio::inherit());
        let got = get.kill_on_drop(true).output().await;
        let got = got.context("DuckDB is got by a script, and there is no bash to run it")?;
        if !got.status.success() {
            bail!(
                "DuckDB could not be got from PyPI (that takes Python 3 with pip, and the network \
                 once). Install DuckDB with its extensions ui, httpfs, avro and iceberg, and name it \
                 with --duckdb"
            );
        }
        let folder = PathBuf::from(String::from_utf8_lossy(&got.stdout).trim());
        Ok(Self {
            program: folder.join("duckdb"),
            extensions: Some(folder.join("extensions")),
        })
    }

    fn own(program: &Path) -> Self {
        Self {
            program: program.to_owned(),
            extensions: None,
        }
    }
}

/// Whether it has what a session needs; if not, in its own words.
async fn is_complete(program: &Path) -> Result<(), String> {
    let mut ask = Command::new(program);
    ask.args(["-batch", "-bail", "-init", "/dev/null", "-c", NEEDED])
        .stdin(Stdio::null());
    match ask.output().await {
        Ok(asked) if asked.status.success() => Ok(()),
        Ok(asked) => Err(String::from_utf8_lossy(&asked.stderr).trim().to_owned()),
        Err(why) => Err(why.to_string()),
    }
}
