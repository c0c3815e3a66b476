//! DuckDB, made ready for one person: what runs in the session image (`duckbot duckdb`).
//!
//! [`environment`] says what is wanted, [`script`] turns that into SQL (both pure), [`shell`]
//! gives it to DuckDB's command line, statement by statement, and hears what failed.
//!
//! The UI comes first and needs nobody else. What comes after it (the keys, the catalog, an
//! admin's own SQL) may fail: the person finds it in the table `problems`, beside the
//! statement that tries again.
//!
//! [`query_worker`] has another DuckDB answer one [`query`] from the chat, beside that.
//!
//! Key values reach DuckDB through its environment only (a DuckDB that is asked has none: through
//! its input). In SQL they are `getenv('…')`, and
//! from whatever DuckDB says they are taken out before it is printed or stored.

pub mod environment;
pub mod query;
pub mod query_worker;
pub mod script;
mod secrets;
pub mod shell;

use std::{fs, io, path::Path, time::Instant};

use anyhow::{Context, bail};
use tokio_util::sync::CancellationToken;

use environment::SessionConfig;
use script::{Script, ScriptStep};
use shell::{Exited, Shell};

/// Runs DuckDB until it ends or `shutdown`. Its exit code, as a shell would give it; 0 after
/// `shutdown`.
///
/// # Errors
/// If DuckDB or its UI can't be started. Everything else is the person's to see, in the UI.
pub async fn run(config: SessionConfig, shutdown: CancellationToken) -> anyhow::Result<u8> {
    let folder = config.home.join(".duckdb");
    // The ui extension wants it to be there, and the volume comes empty.
    fs::create_dir_all(&folder).with_context(|| format!("{} can't be made", folder.display()))?;
    let own = read_init_sql(&config.init);
    let script = Script::new(&config, own.as_deref());
    let mut shell = Shell::start(&config.program)
        .with_context(|| format!("{} can't be started", config.program.display()))?;
    let outcome = tokio::select! {
        outcome = serve(&mut shell, &script) => outcome,
        () = shutdown.cancelled() => {
            shell.end().await.context("DuckDB can't be ended")?;
            return Ok(0);
        }
    };
    match outcome {
        Ok(Exited) => Ok(shell.exit_code().await?),
        Err(error) => {
            shell.end().await.context("DuckDB can't be ended")?;
            Err(error)
        }
    }
}

/// Prepares the session, then passes on what DuckDB says until it ends.
async fn serve(shell: &mut Shell, script: &Script) -> anyhow::Result<Exited> {
    let begin = Instant::now();
    if let Err(ended) = run_required(shell, &script.essential).await? {
        return Ok(ended);
    }
    let problems = match run_optional(shell, script).await {
        Ok(problems) => problems,
        Err(ended) => return Ok(ended),
    };
    if let Err(ended) = run_required(shell, &script.last).await? {
        return Ok(ended);
    }
    let took = begin.elapsed().as_secs_f32();
    eprintln!("duckbot: the session is prepared after {took:.1} s, problems: {problems}");
    Ok(shell.forward_errors().await)
}

/// Does what must not fail.
async fn run_required(
    shell: &mut Shell,
    steps: &[ScriptStep],
) -> anyhow::Result<Result<(), Exited>> {
    for step in steps {
        match run_step(shell, step).await {
            Ok(None) => eprintln!("duckbot: {}: done", step.what),
            Ok(Some(error)) => bail!("{} failed: {error}", step.what),
            Err(ended) => return Ok(Err(ended)),
        }
    }
    Ok(Ok(()))
}

/// Does what may fail; how often it did.
async fn run_optional(shell: &mut Shell, script: &Script) -> Result<usize, Exited> {
    let mut problems = 0;
    for chain in [&script.access, &script.own] {
        for step in chain {
            let Some(error) = run_step(shell, step).await? else {
                continue;
            };
            eprintln!("duckbot: {} failed: {error}", step.what);
            problems += 1;
            for statement in script::record_problem(step, &error) {
                if let Err(error) = shell.execute(&statement).await? {
                    eprintln!("duckbot: the problem can't be shown in the UI: {error}");
                }
            }
            // What follows rests on this: it could only fail too, and later.
            break;
        }
    }
    Ok(problems)
}

/// Runs the statements of `step` up to the first that fails: its error, if any.
async fn run_step(shell: &mut Shell, step: &ScriptStep) -> Result<Option<String>, Exited> {
    for statement in &step.statements {
        if let Err(error) = shell.execute(statement).await? {
            return Ok(Some(error));
        }
    }
    Ok(None)
}

/// What stands in the admin's file, if there is one. Where it can't be read, DuckDB can't
/// either, and says so to the person.
fn read_init_sql(path: &Path) -> Option<String> {
    match fs::read_to_string(path) {
        Ok(text) => Some(text),
        Err(why) if why.kind() == io::ErrorKind::NotFound => None,
        Err(_) => Some(String::new()),
    }
}
