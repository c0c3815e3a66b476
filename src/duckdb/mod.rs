//! DuckDB of one session: the program in the session image (`duckbot duckdb`).
//!
//! [`environment`] reads the configuration, and [`script`] translates it into SQL (both are pure).
//! [`shell`] sends the SQL to DuckDB's command line, one statement at a time, and detects errors.
//!
//! The UI starts first, because it depends on nothing else. The steps after it (the credentials,
//! the catalog, an admin's SQL) may fail. The owner then finds the error in the table `memory.problems`,
//! next to the statement that tries again.
//!
//! [`control_socket`] takes the bot's commands, which [`control`] defines, and `commands` renews credentials.
//!
//! [`query_worker`] answers each [`query`] from the chat in a second DuckDB beside that one.
//! [`request_failure`] tells which server failed, if DuckDB reports a failed request.
//!
//! [`exchange`] is the folder that DuckDB shares with the door.
//!
//! [`confine`] restricts this process and DuckDB with Landlock, in the local runtime.
//!
//! Credentials reach the session's DuckDB through its environment, as `getenv('…')` in SQL, or through
//! its input if they are renewed. A DuckDB for queries from the chat gets them only through its input. They are
//! removed from DuckDB's output before it is printed or stored.

mod access;
mod answer;
mod commands;
pub mod confine;
pub mod control;
pub mod control_socket;
mod decision;
pub mod environment;
mod error_text;
mod examine;
pub mod exchange;
pub mod names;
pub mod open;
mod parquet;
pub mod query;
pub mod query_loop;
mod query_tree;
pub mod query_worker;
pub mod request_failure;
pub mod script;
mod secrets;
pub mod shell;
mod statement_text;
mod steps;
mod table_text;
mod work;

use std::{
    collections::HashMap,
    fs, io,
    path::Path,
    time::{Duration, Instant},
};

use access::prepare_access;
use anyhow::{Context, anyhow, bail};
use tokio::{
    task::JoinHandle,
    time::{MissedTickBehavior, timeout_at},
};
use tokio_util::sync::CancellationToken;

use commands::Control;
use control::{ControlCommand, ControlResponse};
use control_socket::Pending;
use environment::SessionConfig;
use open::open;
use script::Script;
use shell::{Exited, Shell};
use steps::{Unprepared, run_optional, run_required};
use work::{Work, state::State};

/// Interval of the checks whether DuckDB is still usable.
const CHECK_INTERVAL: Duration = Duration::from_secs(10);

/// Runs DuckDB until it ends or `shutdown`. Returns its exit code as a shell would, or 0 after
/// `shutdown`. A query runner only waits for `shutdown`. `variables` are those that `config` was read from.
///
/// # Errors
/// If DuckDB or its UI can't be started, or a required step fails. Other failures are shown to
/// the owner in the UI.
pub async fn run(
    config: SessionConfig,
    variables: HashMap<String, String>,
    shutdown: CancellationToken,
) -> anyhow::Result<u8> {
    let folder = config.home.join(".duckdb");
    // The extension `ui` requires this folder, and the volume is empty at first.
    fs::create_dir_all(&folder)
        .with_context(|| format!("can't create the folder {}", folder.display()))?;
    if config.is_runner {
        // Each query brings its own DuckDB (`query_worker`).
        shutdown.cancelled().await;
        return Ok(0);
    }
    // Without it, the console has no downloads.
    if let Err(why) = exchange::clear(&config.home) {
        eprintln!("duckbot: can't clear the folder for downloads and uploads: {why}");
    }
    let own = read_init_sql(&config.init);
    let script = Script::new(&config, own.as_deref());
    let state = State::default();
    let mut control = Control::start(&config, variables, state.clone());
    let restoring = Work::begin(&config, &control.variables, state);
    let Some(mut work) = shutdown.run_until_cancelled(restoring).await else {
        return Ok(0);
    };
    let opening = open(&config, &mut work);
    let Some(shell) = shutdown.run_until_cancelled(opening).await else {
        return Ok(0);
    };
    let shell = shell?;
    let mut session = Session { shell, work };
    let outcome = session
        .serve(&config, &script, &mut control, &shutdown)
        .await;
    match outcome {
        Ok(Ended::ByItself) => Ok(session.shell.exit_code().await?),
        Ok(Ended::ByShutdown) => {
            session.shell.end().await.context("can't stop DuckDB")?;
            Ok(0)
        }
        Err(error) => {
            session.shell.end().await.context("can't stop DuckDB")?;
            Err(error)
        }
    }
}

/// Reasons why a session ends.
enum Ended {
    ByItself,
    ByShutdown,
}

/// DuckDB and the work in it.
struct Session {
    shell: Shell,
    work: Work,
}

impl Session {
    /// Prepares the session. Then forwards DuckDB's error output, saves the work and carries out the
    /// bot's commands, until DuckDB ends or `shutdown`.
    async fn serve(
        &mut self,
        config: &SessionConfig,
        script: &Script,
        control: &mut Control,
        shutdown: &CancellationToken,
    ) -> anyhow::Result<Ended> {
        // The present step may go on for a while after the signal.
        let token = shutdown.clone();
        let signalled = tokio::spawn(async move {
            token.cancelled().await;
            tokio::time::Instant::now()
        });
        let begin = Instant::now();
        let preparing = self.prepare(config, script, &mut control.variables);
        let Some(prepared) = shutdown.run_until_cancelled(preparing).await else {
            // An earlier process in the same folder may have ended without saving.
            if self.work.may_be_unsaved() {
                let deadline = deadline(config, signalled).await;
                let variables = &control.variables;
                self.save_with_another(deadline, config, script, variables)
                    .await;
            }
            return Ok(Ended::ByShutdown);
        };
        match prepared {
            Ok(problems) => {
                let took = begin.elapsed().as_secs_f32();
                eprintln!(
                    "duckbot: the session is prepared after {took:.1} s, problems: {problems}"
                );
            }
            Err(Unprepared::Exited(Exited)) => return Ok(Ended::ByItself),
            Err(Unprepared::StepFailed { what, error }) => bail!("{what} failed: {error}"),
        }
        let mut ticks = self.work.ticks(config);
        let mut checks = tokio::time::interval(CHECK_INTERVAL);
        checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let taken = tokio::select! {
                Exited = self.shell.forward_errors() => return Ok(Ended::ByItself),
                () = shutdown.cancelled() => {
                    let deadline = deadline(config, signalled).await;
                    self.finish(deadline, config, script, &control.variables).await;
                    return Ok(Ended::ByShutdown);
                }
                _ = checks.tick() => self.shell.execute("SELECT 1;").await.map(drop),
                pending = control.next() => self.carry_out(control, config, pending).await,
                () = ticks.due() => {
                    self.work.save(&mut self.shell, config, &control.variables).await
                }
                outcome = self.work.uploaded() => {
                    let variables = &control.variables;
                    self.work.conclude(outcome, &mut self.shell, config, variables).await
                }
            };
            if taken.is_err() {
                if self.work.is_awaited() {
                    let deadline = tokio::time::Instant::now() + config.saving_time();
                    let variables = &control.variables;
                    self.save_with_another(deadline, config, script, variables)
                        .await;
                }
                return Ok(Ended::ByItself);
            }
        }
    }

    /// Saves the work before the session ends, until `deadline`. If DuckDB ends, another one does it.
    async fn finish(
        &mut self,
        deadline: tokio::time::Instant,
        config: &SessionConfig,
        script: &Script,
        variables: &HashMap<String, String>,
    ) {
        let saving = self.work.finish(&mut self.shell, config, variables);
        match timeout_at(deadline, saving).await {
            Ok(Ok(())) => {}
            Ok(Err(Exited)) => {
                self.save_with_another(deadline, config, script, variables)
                    .await;
            }
            Err(_) => eprintln!("duckbot: the work was not saved in time"),
        }
    }

    /// Ends DuckDB, and saves the work with another one, until `deadline`.
    async fn save_with_another(
        &mut self,
        deadline: tokio::time::Instant,
        config: &SessionConfig,
        script: &Script,
        variables: &HashMap<String, String>,
    ) {
        let saving = async {
            self.shell.end().await.context("can't stop DuckDB")?;
            self.shell = open(config, &mut self.work).await?;
            let limited = run_required(&mut self.shell, &script.essential).await;
            let saved = match limited {
                Ok(()) => self.work.finish(&mut self.shell, config, variables).await,
                Err(_) => Err(Exited),
            };
            saved.map_err(|Exited| anyhow!("DuckDB ended"))
        };
        match timeout_at(deadline, saving).await {
            Ok(Ok(())) => {}
            Ok(Err(why)) => eprintln!("duckbot: the work was not saved: {why:#}"),
            Err(_) => eprintln!("duckbot: the work was not saved in time"),
        }
    }

    async fn carry_out(
        &mut self,
        control: &mut Control,
        config: &SessionConfig,
        (command, sender): Pending,
    ) -> Result<(), Exited> {
        // The bot gave up on the command while it waited.
        if sender.is_closed() {
            return Ok(());
        }
        let answer = match command {
            ControlCommand::RenewCredentials { variables } => {
                control.renew(&mut self.shell, &variables).await?
            }
            ControlCommand::SaveWork { .. } => {
                let (shell, variables) = (&mut self.shell, &control.variables);
                return self.work.save_for(sender, shell, config, variables).await;
            }
            // The socket answers the question.
            ControlCommand::DescribeWork | ControlCommand::Unknown => ControlResponse::NotSupported,
        };
        // The client may be gone.
        let _ = sender.send(answer);
        Ok(())
    }

    /// Runs all steps. Returns the number of problems.
    async fn prepare(
        &mut self,
        config: &SessionConfig,
        script: &Script,
        variables: &mut HashMap<String, String>,
    ) -> Result<usize, Unprepared> {
        let shell = &mut self.shell;
        run_required(shell, &script.essential).await?;
        let mut problems = self.work.report_problems(shell).await?;
        let extensions = script.extensions.iter().map(std::slice::from_ref);
        problems += run_optional(shell, extensions).await?;
        run_required(shell, &script.first).await?;
        problems += prepare_access(shell, config, variables).await?;
        problems += run_optional(shell, [&*script.own]).await?;
        run_required(shell, &script.last).await?;
        Ok(problems)
    }
}

/// Returns the end of the time for the last save of a session that was told to end, at the time in `signalled`.
async fn deadline(
    config: &SessionConfig,
    signalled: JoinHandle<tokio::time::Instant>,
) -> tokio::time::Instant {
    let now = || tokio::time::Instant::now();
    signalled.await.unwrap_or_else(|_| now()) + config.saving_time()
}

/// Returns the variables of a running session with its present credentials. `variables` are those
/// that it was started with.
pub async fn present_variables(variables: HashMap<String, String>) -> HashMap<String, String> {
    let Some(home) = variables.get("HOME") else {
        return variables;
    };
    let renewed = control_socket::renewed_credentials(home.as_ref()).await;
    if renewed.is_empty() {
        variables
    } else {
        control::with_credentials(&variables, &renewed)
    }
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
