//! The command line.

use std::{collections::HashMap, net::SocketAddr, path::PathBuf, process::ExitCode};

use anyhow::Context;
use clap::{CommandFactory, Parser, Subcommand};
use secrecy::ExposeSecret;
use tokio_util::sync::CancellationToken;

use duckbot::{
    api, app,
    diagnostics::Diagnostic,
    discord, door, duckdb, metrics,
    session::OwnerId,
    settings::{self, AuditPlace, Log, Settings},
    telemetry,
};

/// Gives each person of a team their own DuckDB UI, started with /duck start in Discord.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the bot: connect to Discord and the cluster, and serve until SIGTERM or Ctrl-C.
    ///
    /// Uses the cluster from KUBECONFIG, or the cluster that the bot runs in. Exit codes: 0 after
    /// a signal, 1 on an error, 2 if the settings or the command line are invalid.
    Serve {
        /// Settings file: TOML, or JSON if its name ends in .json. DUCKBOT_... variables override it.
        /// Default: no file.
        #[arg(long, env = "DUCKBOT_CONFIG", value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Try everything on this machine: the bot, a loopback Discord as a web page, a demo lake.
    ///
    /// Downloads DuckDB on the first run if none is found. Press Ctrl-C to stop.
    #[cfg(feature = "sandbox")]
    Sandbox {
        /// Port of the web page with the chat.
        #[arg(long, default_value_t = 4200)]
        port: u16,
        /// Port of all sessions.
        #[arg(long, value_name = "PORT", default_value_t = 4201)]
        sessions_port: u16,
        /// Folder for all data. Default: ~/.cache/duckbot/sandbox.
        #[arg(long)]
        folder: Option<PathBuf>,
        /// DuckDB's command line (CLI), with the extensions ui, httpfs, avro and iceberg. Default:
        /// the one on the PATH, or a download.
        #[arg(long, value_name = "PROGRAM")]
        duckdb: Option<PathBuf>,
        /// Open the page in a browser.
        #[arg(long)]
        open: bool,
        /// Log at level info, with the audit log. Default: only warnings and errors.
        #[arg(short, long)]
        verbose: bool,
    },
    /// Run the door of one session: the authenticating reverse proxy beside DuckDB in its Pod.
    Door {
        /// Address for browsers. Default: port 8080 on all addresses.
        #[arg(long, value_name = "ADDRESS:PORT")]
        listen: Option<SocketAddr>,
        /// Address for the kubelet and the bot. Default: port 8081 on all addresses.
        #[arg(long, value_name = "ADDRESS:PORT")]
        admin: Option<SocketAddr>,
        /// Port of DuckDB's UI server on this machine.
        #[arg(long, value_name = "PORT", default_value_t = duckdb::environment::UI_PORT)]
        duckdb: u16,
    },
    /// Run DuckDB with its UI and attach the catalog. This is the session image's entry point.
    ///
    /// Reads its configuration from environment variables. Exit codes: 0 after a signal, DuckDB's
    /// own code if DuckDB ends, 1 if the UI can't be started, 2 if the environment is invalid.
    Duckdb {
        /// Stop when standard input closes, which happens when the program that started this one
        /// ends.
        #[arg(long)]
        attached: bool,
        /// Answer a single query instead, in a separate DuckDB: read the request as JSON from
        /// standard input, and write the response as JSON to standard output. Cancel the query
        /// when the input closes.
        #[arg(long, conflicts_with = "attached")]
        ask: bool,
        /// Send a command of the bot to the running session instead: read it, signed, from standard
        /// input, and write the answer as JSON to standard output.
        #[arg(long, conflicts_with_all = ["attached", "ask"])]
        control: bool,
    },
    /// Write a Helm values file or a Kustomize overlay for an installation.
    ///
    /// Asks for what it can't know, and checks the answers live. Needs no secret. Run it again to
    /// change answers: it offers the earlier ones, and keeps your edits of the file. Exit codes: 0 if
    /// the file has all answers, 1 if it can't be written, 2 if a flag is missing or invalid.
    Init(app::init::Options),
    /// Check everything that the bot needs. Report what is wrong and how to fix it.
    ///
    /// Changes nothing, except with --session. Exit codes: 0 if everything is fine, 1 if a check failed, 2 if the
    /// settings or the command line are invalid.
    Check {
        /// Settings file, as for serve.
        #[arg(long, env = "DUCKBOT_CONFIG", value_name = "FILE")]
        config: Option<PathBuf>,
        /// Print JSON: a list of objects with "what", "state" ("fine", "warning" or "wrong") and "says".
        #[arg(long)]
        json: bool,
        /// Also start a session, ask it a query through its URL, and remove it.
        #[arg(long)]
        session: bool,
        /// Discord ID of the person whose stored credentials the session gets. Without it, the session
        /// has nobody's, and its catalog is not tried.
        #[arg(long = "as", value_name = "ID", requires = "session")]
        owner: Option<u64>,
    },
    /// Print the URL that adds the bot to a Discord server. Needs no settings.
    Invite {
        /// Application ID: in the developer portal, under General Information.
        #[arg(value_name = "APPLICATION_ID")]
        application: String,
    },
    /// Create a token for the HTTP API.
    ///
    /// Prints the line for the file api.tokens_file to standard output, and the token itself to
    /// standard error. The token is shown only once and stored nowhere.
    Token {
        /// Name of the token in the log: one word that does not start with #.
        name: String,
        /// Discord ID of the person that the token acts for.
        #[arg(long, value_name = "ID")]
        owner: u64,
        /// Allow the token to use this person's stored credentials.
        #[arg(long)]
        stored_keys: bool,
        /// Allow the token to see and stop everyone's sessions.
        #[arg(long)]
        admin: bool,
    },
    /// Print a shell completion script.
    Completions {
        /// Shell that the script is for.
        shell: clap_complete::Shell,
    },
    /// Print the reference of all chat commands (commands.md).
    Commands,
    /// Print the reference of all metrics (docs/metrics.md).
    Metrics,
    /// Print the reference of all settings, with their defaults (docs/settings.md).
    Settings,
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Serve { config } => serve(config),
        #[cfg(feature = "sandbox")]
        Command::Sandbox {
            port,
            sessions_port,
            folder,
            duckdb,
            open,
            verbose,
        } => {
            let options = app::sandbox::Options {
                port,
                sessions_port,
                folder,
                duckdb,
                open,
                verbose,
            };
            let limit = app::sandbox::SHUTDOWN_TIMEOUT;
            finish(app::run_within(limit, |shutdown| {
                app::sandbox::run(options, shutdown)
            }))
        }
        Command::Door {
            listen,
            admin,
            duckdb,
        } => run_door(listen, admin, duckdb),
        Command::Duckdb { ask: true, .. } => answer_queries(),
        Command::Duckdb { control: true, .. } => send_command(),
        Command::Duckdb { attached, .. } => duckdb(attached),
        Command::Init(options) => match app::init::run(&options) {
            Err(error) if error.is::<app::init::UsageError>() => usage_error(&error),
            outcome => finish(outcome),
        },
        Command::Check {
            config,
            json,
            session,
            owner,
        } => check(config, json, session, owner),
        Command::Invite { application } => invite(&application),
        Command::Token {
            name,
            owner,
            stored_keys,
            admin,
        } => token(&api::NewToken {
            name,
            owner,
            stored_keys,
            admin,
        }),
        Command::Completions { shell } => {
            let mut command = Cli::command();
            clap_complete::generate(shell, &mut command, "duckbot", &mut std::io::stdout());
            ExitCode::SUCCESS
        }
        Command::Metrics => {
            print!("{}", metrics::reference());
            ExitCode::SUCCESS
        }
        Command::Settings => {
            print!("{}", settings::reference());
            ExitCode::SUCCESS
        }
        Command::Commands => {
            print!("{}", discord::reference());
            ExitCode::SUCCESS
        }
    }
}

fn serve(config: Option<PathBuf>) -> ExitCode {
    let settings = match Settings::load(config.as_deref(), variables()) {
        Ok(settings) => settings,
        Err(invalid) => return usage_error(&invalid),
    };
    let limit = app::shutdown_timeout(&settings);
    finish(
        start_logging(&settings.log)
            .and_then(|_logging| app::run_within(limit, |shutdown| app::serve(settings, shutdown))),
    )
}

/// Starts logging until the result is dropped.
fn start_logging(log: &Log) -> anyhow::Result<telemetry::Logging> {
    telemetry::start(log).context("the file of log.audit can't be opened")
}

fn run_door(listen: Option<SocketAddr>, admin: Option<SocketAddr>, duckdb: u16) -> ExitCode {
    let read = |name: &str| std::env::var(name).ok();
    let log = match door_log(read) {
        Ok(log) => log,
        Err(mistake) => return usage_error(&mistake),
    };
    finish(start_logging(&log).and_then(|_logging| {
        let door = door::Door::read(read, duckdb)?;
        app::run(|shutdown| door::serve(door, listen, admin, shutdown))
    }))
}

/// Reads how a door logs.
fn door_log(read: impl Fn(&str) -> Option<String>) -> Result<Log, String> {
    let [filter, format] = [door::variable::LOG_FILTER, door::variable::LOG_FORMAT];
    let wanted = read(filter).unwrap_or_else(|| "info".to_owned());
    let invalid = || format!("{filter} must be a filter, like info or duckbot=debug");
    let valid = Log::parse_filter(&wanted).ok_or_else(invalid)?;
    let json = match read(format) {
        None => false,
        Some(text) => {
            Log::parse_format(&text).ok_or_else(|| format!("{format} must be text or json"))?
        }
    };
    Ok(Log {
        filter: valid,
        json,
        // A door does nothing that is audited.
        audit: AuditPlace::StandardError,
    })
}

fn invite(application: &str) -> ExitCode {
    // The text is not repeated: it may be the bot's token, pasted by mistake.
    let Some(application) = discord::read_application_id(application) else {
        return usage_error(
            &"this is no application ID, which is a number of 17 to 20 digits; copy it from the \
              developer portal (General Information, Application ID)",
        );
    };
    println!("{}", discord::invitation(application));
    ExitCode::SUCCESS
}

fn token(ask: &api::NewToken) -> ExitCode {
    if !ask.is_valid() {
        return usage_error(
            &"the token can't be created: NAME must be one word that does not start with #, and \
              --owner must be a Discord ID",
        );
    }
    match api::new_token(ask) {
        Ok((token, line)) => {
            println!("{line}");
            eprintln!("The token (shown only once): {}", token.expose_secret());
            ExitCode::SUCCESS
        }
        Err(error) => finish(Err(error)),
    }
}

fn check(config: Option<PathBuf>, json: bool, session: bool, owner: Option<u64>) -> ExitCode {
    let settings = match Settings::load(config.as_deref(), variables()) {
        Ok(settings) => settings,
        Err(invalid) if json => {
            let diagnostics = [Diagnostic::failed("settings", invalid.to_string())];
            println!(
                "{}",
                serde_json::to_string_pretty(&diagnostics).expect("diagnostics serialize to JSON")
            );
            return ExitCode::from(2);
        }
        Err(invalid) => return usage_error(&invalid),
    };
    let looked = app::run(|shutdown| async move {
        let looked = app::check::diagnose(&settings);
        let Some(mut diagnostics) = shutdown.run_until_cancelled(looked).await else {
            return Ok(Vec::new());
        };
        if session {
            let owner = owner.map(OwnerId::from);
            let tried = app::check::diagnose_session(settings, owner, &shutdown);
            diagnostics.extend(tried.await);
        }
        Ok(diagnostics)
    });
    let diagnostics = match looked {
        Ok(diagnostics) => diagnostics,
        Err(error) => return finish(Err(error)),
    };
    if json {
        let text = serde_json::to_string_pretty(&diagnostics);
        println!("{}", text.expect("diagnostics serialize to JSON"));
    } else {
        diagnostics
            .iter()
            .for_each(|diagnostic| println!("{diagnostic}"));
    }
    if app::check::is_fine(&diagnostics) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn duckdb(attached: bool) -> ExitCode {
    let variables = variables();
    let wanted = match duckdb::environment::read(&variables) {
        Ok(wanted) => wanted,
        Err(mistakes) => return usage_error(&mistakes),
    };
    // The last save has its own time limit.
    let limit = app::SHUTDOWN_TIMEOUT + wanted.saving_time();
    // Before any thread is started, because only this one and its descendants are confined.
    if let Err(error) = duckdb::confine::confine(&variables) {
        return finish(Err(error));
    }
    let body = |shutdown: CancellationToken| {
        if attached {
            end_with_input(shutdown.clone());
        }
        duckdb::run(wanted, variables, shutdown)
    };
    match app::run_within(limit, body) {
        Ok(code) => ExitCode::from(code),
        Err(error) => finish(Err(error)),
    }
}

/// Cancels `shutdown` when standard input closes, for example because the parent process ended.
fn end_with_input(shutdown: CancellationToken) {
    // A thread of its own, because a blocking read of standard input can't be cancelled.
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        shutdown.cancel();
    });
}

fn send_command() -> ExitCode {
    let mut line = String::new();
    if std::io::stdin().read_line(&mut line).is_err() {
        return usage_error(&"standard input is not a signed command (one line)");
    }
    let home = variables().remove("HOME").unwrap_or_default();
    let sent = app::run(|_| async move {
        let answer = duckdb::control_socket::send(home.as_ref(), line.trim_end()).await;
        Ok(Some(answer))
    });
    print_response(sent)
}

fn answer_queries() -> ExitCode {
    let mut variables = variables();
    let Some(request) = duckdb::query_loop::read_request() else {
        return usage_error(&"standard input is not a query request (one line of JSON)");
    };
    variables.extend(request.variables.clone());
    // Before any thread is started, because only this one and its descendants are confined.
    if let Err(error) = duckdb::confine::confine(&variables) {
        return finish(Err(error));
    }
    let answered = app::run(|shutdown| async move {
        if request.variables.is_empty() {
            variables = duckdb::present_variables(variables).await;
        }
        duckdb::query_loop::serve(request, variables, shutdown).await
    });
    match answered {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => finish(Err(error)),
    }
}

/// Prints a response as a line of JSON, if there is one.
fn print_response(outcome: anyhow::Result<Option<impl serde::Serialize>>) -> ExitCode {
    match outcome {
        Ok(Some(response)) => {
            let text = serde_json::to_string(&response).expect("a response serializes to JSON");
            println!("{text}");
            ExitCode::SUCCESS
        }
        Ok(None) => ExitCode::FAILURE,
        Err(error) => finish(Err(error)),
    }
}

/// Reads the environment, lossily: a variable that is not UTF-8 is reported as an error instead of
/// causing a panic.
fn variables() -> HashMap<String, String> {
    std::env::vars_os()
        .map(|(name, value)| [name, value].map(|it| it.to_string_lossy().into_owned()))
        .map(|[name, value]| (name, value))
        .collect()
}

fn usage_error(mistakes: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("duckbot: {mistakes}");
    ExitCode::from(2)
}

fn finish(outcome: anyhow::Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("duckbot: {error:#}");
            ExitCode::FAILURE
        }
    }
}
