//! Starts the session's DuckDB on its database.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::{
    environment::SessionConfig,
    shell::Shell,
    work::{Work, files, is_temporary},
};

/// Attaches the database that is never saved: the table `memory.problems`, and the results that DuckDB's UI
/// keeps (it requires this name).
pub(crate) const ATTACH_MEMORY: &str = "ATTACH IF NOT EXISTS ':memory:' AS memory;";
/// Time to wait until the database can be opened, besides the time in which the session's earlier process may
/// save, which has it open.
const OPEN_TIMEOUT: Duration = Duration::from_secs(30);
const OPEN_PAUSE: Duration = Duration::from_millis(200);
/// Exit code of a DuckDB that was killed.
const KILLED: u8 = 128 + 9;

/// Starts DuckDB on the session's database. If something is missing that may come, such as room on the disk, it
/// waits. Puts a database aside that DuckDB can't open.
pub(super) async fn open(config: &SessionConfig, work: &mut Work) -> anyhow::Result<Shell> {
    let database = work.files().database();
    let deadline = Instant::now() + OPEN_TIMEOUT + config.saving_time();
    loop {
        let is_new = !work.files().has_database();
        let shell = Shell::start(&config.program, &config.home, &database);
        let mut shell =
            shell.with_context(|| format!("can't start {}", config.program.display()))?;
        if shell.execute(ATTACH_MEMORY).await.is_ok() {
            return Ok(shell);
        }
        // The kernel kills it if the container has too little memory. The file is not to blame.
        if shell.exit_code().await? == KILLED {
            bail!("DuckDB was killed while it opened its database");
        }
        let error = shell.last_words().trim();
        if is_new {
            // It may be half a database.
            files::remove(&database).context("can't remove a new database")?;
        }
        if is_temporary(error) {
            if Instant::now() > deadline {
                bail!("the session's database could not be opened in time: {error}");
            }
            tokio::time::sleep(OPEN_PAUSE).await;
        } else if is_new {
            return Ok(shell);
        } else {
            let aside = work.files().put_aside(&database);
            let aside = aside.context("can't put the unreadable database aside")?;
            work.note_put_aside(false, &aside);
        }
    }
}
