//! DuckDB of one session: the program in the session image (`duckbot duckdb`).
//!
//! [`environment`] reads the configuration, and [`script`] translates it into SQL (both are pure).
//! [`shell`] sends the SQL to DuckDB's command line, one statement at a time, and detects errors.
//!
//! The UI starts first, because it depends on nothing else. The steps after it (the credentials,
//! the catalog, an admin's SQL) may fail. The owner then finds the error in the table `memory.problems`,
//! next to the statement that tries again.
//!
//! [`control_socket`] takes the bot's commands, which [`control`] defines.
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
pub mod confine;
pub mod control;
pub mod control_socket;
mod decision;
pub mod environment;
mod error_text;
pub mod exchange;
pub mod names;
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
use anyhow::{Context, bail};
use chrono::Utc;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use control::{ControlCommand, ControlGate, ControlResponse};
use control_socket::{Pending, Renewed};
use environment::{CONTROL_KEY, CatalogAuth, SessionConfig, secret};
use names::literal;
use script::{SHORT_TIMEOUTS, Script, ScriptStep, renewal};
use shell::{Answer, Exited, Shell};
use steps::{Unprepared, run_optional, run_required, run_step};
use work::{Work, state::State};

/// Attaches the database that is never saved: the table `memory.problems`, and the results that DuckDB's UI
/// keeps (it requires this name).
const OPEN_MEMORY: &str = "ATTACH IF NOT EXISTS ':memory:' AS memory;";
/// Part of DuckDB's error if another process has the database open.
const LOCKED: &str = "Could not set lock on file";
/// Time to wait for that process, besides the time in which it may save.
const LOCK_TIMEOUT: Duration = Duration::from_secs(30);
const LOCK_PAUSE: Duration = Duration::from_millis(200);
/// Exit code of a DuckDB that was killed.
const KILLED: u8 = 128 + 9;
/// Pauses before a detached catalog is attached again.
const ATTACH_PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(2)];

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
    let Some(work) = shutdown.run_until_cancelled(restoring).await else {
        return Ok(0);
    };
    let mut session = Session::start(&config, work).await?;
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
    /// Starts DuckDB on the session's database. Waits for a process that still has it open: the session's
    /// earlier one, which may be saving. Puts a database aside that DuckDB can't open.
    async fn start(config: &SessionConfig, mut work: Work) -> anyhow::Result<Self> {
        let database = work.files().database();
        let deadline = Instant::now() + LOCK_TIMEOUT + config.saving_time();
        loop {
            let shell = Shell::start(&config.program, &config.home, &database);
            let mut shell =
                shell.with_context(|| format!("can't start {}", config.program.display()))?;
            let is_open = shell.execute(OPEN_MEMORY).await.is_ok();
            if is_open || !database.exists() {
                return Ok(Self { shell, work });
            }
            // The kernel kills it if the container has too little memory. The file is not to blame.
            if shell.exit_code().await? == KILLED {
                bail!("DuckDB was killed while it opened its database");
            }
            if shell.last_words().contains(LOCKED) {
                if Instant::now() > deadline {
                    bail!("another process still has the session's database open");
                }
                tokio::time::sleep(LOCK_PAUSE).await;
                continue;
            }
            let aside = work.files().put_aside(&database);
            let aside = aside.context("can't put the unreadable database aside")?;
            work.note_put_aside(false, &aside);
        }
    }

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
        loop {
            let taken = tokio::select! {
                Exited = self.shell.forward_errors() => return Ok(Ended::ByItself),
                () = shutdown.cancelled() => {
                    let signalled = signalled.await.unwrap_or_else(|_| tokio::time::Instant::now());
                    let deadline = signalled + config.saving_time();
                    let (shell, variables) = (&mut self.shell, &control.variables);
                    self.work.finish(deadline, shell, config, variables).await;
                    return Ok(Ended::ByShutdown);
                }
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
                return Ok(Ended::ByItself);
            }
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

/// The bot's commands to a session.
struct Control {
    /// `None` if the session takes no commands.
    commands: Option<mpsc::Receiver<Pending>>,
    renewed: Renewed,
    /// Environment of the session, with the present credentials.
    variables: HashMap<String, String>,
    /// True if the last renewal could not attach the catalog again.
    is_detached: bool,
}

impl Control {
    fn start(config: &SessionConfig, variables: HashMap<String, String>, work: State) -> Self {
        let renewed = Renewed::default();
        let gate = ControlGate::new(config, Utc::now());
        if gate.is_none() && config.control.is_some() {
            eprintln!("duckbot: {CONTROL_KEY} is not a key, so the bot's commands are refused");
        }
        let listening =
            gate.map(|gate| control_socket::listen(&config.home, gate, renewed.clone(), work));
        let commands = listening.and_then(|listening| {
            let failed = |why| eprintln!("duckbot: can't take commands of the bot: {why}");
            listening.map_err(failed).ok()
        });
        Self {
            commands,
            renewed,
            variables,
            is_detached: false,
        }
    }

    /// Waits for the next command.
    async fn next(&mut self) -> Pending {
        if let Some(commands) = &mut self.commands
            && let Some(pending) = commands.recv().await
        {
            return pending;
        }
        std::future::pending().await
    }

    /// Replaces the credentials in DuckDB's secrets. Attaches the catalog again if its token is
    /// another one, or if it is detached. A running query keeps the catalog that it began with.
    async fn renew(
        &mut self,
        shell: &mut Shell,
        renewed: &HashMap<String, String>,
    ) -> Result<ControlResponse, Exited> {
        let variables = control::with_credentials(&self.variables, renewed);
        let config = match control::renewed_config(&variables) {
            Ok(config) => config,
            Err(error) => return Ok(ControlResponse::Refused(error.to_string())),
        };
        shell.add_secrets(renewed);
        let token = |variables: &HashMap<_, _>| variables.get(secret::CATALOG_TOKEN).cloned();
        let is_signed = matches!(config.catalog.auth, CatalogAuth::Signature { .. });
        let is_new_token = !is_signed && token(&variables) != token(&self.variables);
        let is_to_attach = self.is_detached || is_new_token;
        let value = |name: &str| literal_of(&variables, name);
        // An admin's SQL may have locked the configuration.
        let _ = shell.execute(SHORT_TIMEOUTS).await?;
        if is_to_attach {
            // Nothing is changed if the catalog refuses the new token.
            let step = renewal::try_token(&config, &value);
            let tried = run_step(shell, &step).await?;
            let _ = shell.execute(&renewal::forget_token()).await?;
            if let Answer::Failed(error) = tried {
                let what = step.what;
                return Ok(ControlResponse::Failed { what, error });
            }
        }
        let step = renewal::replace_s3_secret(&config, &value);
        if let Answer::Failed(error) = run_step(shell, &step).await? {
            let what = step.what;
            return Ok(ControlResponse::Failed { what, error });
        }
        if is_to_attach {
            let step = renewal::detach(&config, &value);
            if let Answer::Failed(error) = run_step(shell, &step).await? {
                self.restore_secrets(shell).await?;
                let what = step.what;
                return Ok(ControlResponse::Failed { what, error });
            }
        }
        // Landlock does not keep other sessions from this one's socket, and the local runtime sends
        // the credentials with each query.
        if !confine::is_demanded(&variables) {
            (*self.renewed.lock()).clone_from(renewed);
        }
        self.variables = variables;
        let answer = if is_to_attach {
            attach_again(shell, &renewal::attach(&config.catalog)).await?
        } else {
            ControlResponse::Done
        };
        self.is_detached = answer != ControlResponse::Done;
        Ok(answer)
    }

    /// Puts the present credentials back into DuckDB's secrets.
    async fn restore_secrets(&self, shell: &mut Shell) -> Result<(), Exited> {
        // The session uses these variables already.
        let Ok(config) = control::renewed_config(&self.variables) else {
            return Ok(());
        };
        let step = renewal::restore_secrets(&config, &|name| literal_of(&self.variables, name));
        if let Answer::Failed(error) = run_step(shell, &step).await? {
            eprintln!("duckbot: {} failed: {error}", step.what);
        }
        Ok(())
    }
}

/// Returns the value of a variable as an SQL literal.
fn literal_of(variables: &HashMap<String, String>, name: &str) -> String {
    literal(variables.get(name).map_or("", String::as_str))
}

/// Attaches the catalog that was just detached. A failure that lasts is shown to the owner.
async fn attach_again(shell: &mut Shell, step: &ScriptStep) -> Result<ControlResponse, Exited> {
    let mut error = String::new();
    for pause in ATTACH_PAUSES {
        match run_step(shell, step).await? {
            Answer::Done(()) => return Ok(ControlResponse::Done),
            Answer::Failed(why) => error = why,
        }
        tokio::time::sleep(pause).await;
    }
    let problems = run_optional(shell, [std::slice::from_ref(step)]).await?;
    Ok(match problems {
        0 => ControlResponse::Done,
        _ => ControlResponse::Detached(error),
    })
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
