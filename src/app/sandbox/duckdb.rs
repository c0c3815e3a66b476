//! Finds DuckDB's command line with the extensions that a session needs, or downloads it. Runs
//! programs.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, bail};
use tokio::process::Command;

use crate::runtime::local::{DuckDb, UnusableDuckDb};

/// Script that downloads DuckDB into the cache of the tests, verifies it, and prints its folder.
const DOWNLOAD_SCRIPT: &str = include_str!("../../../deploy/duckdb/get");

/// Returns `configured`, else `duckdb` on the PATH if it has all extensions, else the DuckDB in the
/// cache. Downloads it into the cache if it is not there.
///
/// # Errors
/// If `configured` can't load an extension, or if the download fails.
pub(super) async fn find(configured: Option<&Path>) -> anyhow::Result<DuckDb> {
    if let Some(program) = configured {
        return match DuckDb::find(program, None, &[]).await {
            Ok(found) => Ok(found),
            Err(why @ (UnusableDuckDb::Program(_) | UnusableDuckDb::Version(_))) => bail!(
                "{} can't be used: {why}. Pass the path of DuckDB 1.5, or omit --duckdb to download it",
                program.display()
            ),
            Err(why @ UnusableDuckDb::Folder(..)) => bail!("DuckDB can't be tried: {why}"),
            Err(why @ UnusableDuckDb::Extensions(_)) => bail!(
                "{0} can't be used as DuckDB: {why}. Install the extensions with `{0} -c 'INSTALL ui; \
                 INSTALL httpfs; INSTALL avro; INSTALL iceberg'`, or omit --duckdb to download DuckDB",
                program.display()
            ),
        };
    }
    if let Ok(found) = DuckDb::find(Path::new("duckdb"), None, &[]).await {
        return Ok(found);
    }
    let mut get = Command::new("bash");
    get.args(["-c", DOWNLOAD_SCRIPT, "get"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        // Its messages are for the person. `output` would capture them.
        .stderr(Stdio::inherit());
    let downloaded = get.kill_on_drop(true).spawn().context(
        "can't run bash, which downloads DuckDB; install bash, or pass the path of DuckDB with \
         --duckdb",
    )?;
    let downloaded = downloaded.wait_with_output().await?;
    if !downloaded.status.success() {
        bail!(
            "DuckDB could not be downloaded; the lines above say why. Correct that and start the \
             sandbox again, or install DuckDB 1.5 with its extensions ui, httpfs, avro and iceberg, \
             and pass its path with --duckdb"
        );
    }
    let folder = PathBuf::from(String::from_utf8_lossy(&downloaded.stdout).trim());
    Ok(DuckDb {
        program: folder.join("duckdb"),
        extensions: folder.join("extensions"),
    })
}
