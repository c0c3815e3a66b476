//! DuckDB of one session: the program in the session image (`duckbot duckdb`).
//!
//! [`environment`] reads the configuration, and [`script`] translates it into SQL (both are pure).
//! [`shell`] sends the SQL to DuckDB's command line, one statement at a time, and detects errors.
//!
//! The UI starts first, because it depends on nothing else. The steps after it (the credentials,
//! the catalog, an admin's SQL) may fail. The owner then finds the error in the table `problems`,
//! next to the statement that tries again.
//!
//! [`query_worker`] runs one [`query`] from the chat in a second DuckDB beside that one.
//!
//! Credentials reach the session's DuckDB only through its environment, as `getenv('…')` in SQL. A
//! DuckDB for one query gets them only through its input. They are removed from DuckDB's output
//! before it is printed or stored.

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
use shell::{Answer, Exited, Shell};

/// Runs DuckDB until it ends or `shutdown`. Returns its exit code as a shell would, or 0 after
/// `shutdown`.
///
/// # Errors
/// If DuckDB or its UI can't be started, or a required step fails. Other failures are shown to
/// the owner in the UI.
pub async fn run(config: SessionConfig, shutdown: CancellationToken) -> anyhow::Result<u8> {
    let folder = config.home.join(".duckdb");
    // The extension `ui` requires this folder, and the volume is empty at first.
    fs::create_dir_all(&folder)
        .with_context(|| format!("can't create the folder {}", folder.display()))?;
    let own = read_init_sql(&config.init);
    let script = Script::new(&config, own.as_deref());
    let mut shell = Shell::start(&config.program)
        .with_context(|| format!("can't start {}", config.program.display()))?;
    let outcome = tokio::select! {
        outcome = serve(&mut shell, &script) => outcome,
        () = shutdown.cancelled() => {
            shell.end().await.context("can't stop DuckDB")?;
            return Ok(0);
        }
    };
    match outcome {
        Ok(Exited) => Ok(shell.exit_code().await?),
        Err(error) => {
            shell.end().await.context("can't stop DuckDB")?;
            Err(error)
        }
    }
}

/// Prepares the session, then forwards DuckDB's error output until DuckDB ends.
async fn serve(shell: &mut Shell, script: &Script) -> anyhow::Result<Exited> {
    let begin = Instant::now();
    match prepare(shell, script).await {
        Ok(problems) => {
            let took = begin.elapsed().as_secs_f32();
            eprintln!("duckbot: the session is prepared after {took:.1} s, problems: {problems}");
            Ok(shell.forward_errors().await)
        }
        Err(Unprepared::Exited(ended)) => Ok(ended),
        Err(Unprepared::StepFailed { what, error }) => bail!("{what} failed: {error}"),
    }
}

/// The reason why a session could not be prepared.
enum Unprepared {
    Exited(Exited),
    /// A required step failed, with DuckDB's error.
    StepFailed {
        what: String,
        error: String,
    },
}

impl From<Exited> for Unprepared {
    fn from(ended: Exited) -> Self {
        Self::Exited(ended)
    }
}

/// Runs all steps. Returns the number of optional ones that failed.
async fn prepare(shell: &mut Shell, script: &Script) -> Result<usize, Unprepared> {
    run_required(shell, &script.essential).await?;
    let extensions = script.extensions.iter().map(std::slice::from_ref);
    let mut problems = run_optional(shell, extensions).await?;
    run_required(shell, &script.first).await?;
    problems += run_optional(shell, [&*script.access, &*script.own]).await?;
    run_required(shell, &script.last).await?;
    Ok(problems)
}

async fn run_required(shell: &mut Shell, steps: &[ScriptStep]) -> Result<(), Unprepared> {
    for step in steps {
        let what = step.what.clone();
        match run_step(shell, step).await? {
            Answer::Done(()) => eprintln!("duckbot: {what}: done"),
            Answer::Failed(error) => return Err(Unprepared::StepFailed { what, error }),
        }
    }
    Ok(())
}

/// Runs chains of optional steps, and stores failures in the table `problems`. Returns their number.
async fn run_optional(
    shell: &mut Shell,
    chains: impl IntoIterator<Item = &[ScriptStep]>,
) -> Result<usize, Exited> {
    let mut problems = 0;
    for chain in chains {
        for step in chain {
            let Answer::Failed(error) = run_step(shell, step).await? else {
                continue;
            };
            eprintln!("duckbot: {} failed: {error}", step.what);
            problems += 1;
            for statement in script::record_problem(step, &error) {
                if let Answer::Failed(error) = shell.execute(&statement).await? {
                    eprintln!("duckbot: can't store the problem in the table `problems`: {error}");
                }
            }
            // The next steps depend on this one, and would only fail later.
            break;
        }
    }
    Ok(problems)
}

/// Runs the statements of `step` until one fails.
async fn run_step(shell: &mut Shell, step: &ScriptStep) -> Result<Answer<()>, Exited> {
    for statement in &step.statements {
        let answer = shell.execute(statement).await?;
        if answer != Answer::Done(()) {
            return Ok(answer);
        }
    }
    Ok(Answer::Done(()))
}

/// Reads the admin's SQL. Returns `None` if there is no file. If the file can't be read, returns
/// an empty text: DuckDB then fails to read it too, and that error is shown to the owner.
fn read_init_sql(path: &Path) -> Option<String> {
    match fs::read_to_string(path) {
        Ok(text) => Some(text),
        Err(why) if why.kind() == io::ErrorKind::NotFound => None,
        Err(_) => Some(String::new()),
    }
}
