//! The command line.

use std::{collections::HashMap, net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::{CommandFactory, Parser, Subcommand};
use secrecy::ExposeSecret;
use tokio_util::sync::CancellationToken;

use duckbot::{
    api, app,
    diagnostics::Diagnostic,
    discord, door,
    duckdb::{self, query::QueryRequest},
    settings::{self, Settings},
    telemetry,
};

/// Everyone in a team gets their own DuckDB UI, by typing /duck start in Discord.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Connect to Discord and the cluster, and serve until told to stop (SIGTERM or Ctrl-C).
    ///
    /// The cluster is the one of KUBECONFIG, or the one that this runs in. Ends with 0 when
    /// told to stop, 1 when something failed, 2 when the settings or the command line are wrong.
    Serve {
        /// The settings' file (TOML). Without one: the defaults and DUCKBOT_... variables.
        #[arg(long, env = "DUCKBOT_CONFIG", value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Try everything on this machine: a stand-in for Discord as a web page, a lake, the bot.
    ///
    /// Gets DuckDB from PyPI the first time, if there is none. Ends with Ctrl-C.
    #[cfg(feature = "sandbox")]
    Sandbox {
        /// The port of the chat's page.
        #[arg(long, default_value_t = 4200)]
        port: u16,
        /// The port of all sessions.
        #[arg(long, value_name = "PORT", default_value_t = 4201)]
        sessions_port: u16,
        /// Where everything is kept. Without one: ~/.cache/duckbot/sandbox.
        #[arg(long)]
        folder: Option<PathBuf>,
        /// DuckDB's command line, with the extensions ui, httpfs, avro and iceberg.
        #[arg(long, value_name = "PROGRAM")]
        duckdb: Option<PathBuf>,
        /// Open the page in a browser.
        #[arg(long)]
        open: bool,
        /// Show the bot's log.
        #[arg(short, long)]
        verbose: bool,
    },
    /// Guard one session: runs beside DuckDB in the session's Pod.
    Door {
        /// The address to listen on. Without one: port 8080 on all addresses.
        #[arg(long, value_name = "ADDRESS:PORT")]
        listen: Option<SocketAddr>,
        /// The address for the cluster's own questions. Without one: port 8081 on all addresses.
        #[arg(long, value_name = "ADDRESS:PORT")]
        admin: Option<SocketAddr>,
        /// The port of DuckDB's UI server on this machine.
        #[arg(long, value_name = "PORT", default_value_t = duckdb::environment::UI_PORT)]
        duckdb: u16,
    },
    /// Run DuckDB with its UI, ready for the team's tables: what the session image starts.
    ///
    /// All that it needs to know is in its environment. Ends with 0 when told to stop, as DuckDB
    /// ends when that ends, 1 when the UI can't be started, 2 when the environment is wrong.
    Duckdb {
        /// End when the standard input ends, and so with the program that holds it open.
        #[arg(long)]
        attached: bool,
        /// Answer one question instead, in a DuckDB of its own: JSON from the standard input to
        /// the standard output. Ends early when the input ends.
        #[arg(long, conflicts_with = "attached")]
        ask: bool,
    },
    /// Look at everything that the bot needs, and say what is wrong and what to do.
    ///
    /// Changes nothing. Ends with 0 if all is well, 1 if something is wrong, 2 when the
    /// settings or the command line are.
    Check {
        /// The settings' file (TOML), as for serve.
        #[arg(long, env = "DUCKBOT_CONFIG", value_name = "FILE")]
        config: Option<PathBuf>,
        /// As JSON: a list of objects with what, state (fine or wrong) and says.
        #[arg(long)]
        json: bool,
    },
    /// Print the address that adds the bot to a Discord server.
    Invite {
        /// The application's id, from the developer portal. Without it, Discord is asked whose
        /// token it is.
        application: Option<u64>,
        /// The settings' file (TOML), as for serve.
        #[arg(long, env = "DUCKBOT_CONFIG", value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Make a token for the HTTP API.
    ///
    /// Its line for the settings' file api.tokens_file goes to the standard output, the token itself
    /// to standard error. It is shown once, and kept nowhere.
    Token {
        /// What it is called in the log.
        name: String,
        /// The Discord id of the person whose sessions it is about.
        #[arg(long, value_name = "ID")]
        owner: u64,
        /// It may use the keys that this person has handed in.
        #[arg(long)]
        stored_keys: bool,
        /// It sees and stops everybody's sessions.
        #[arg(long)]
        admin: bool,
    },
    /// Print what makes a shell complete these commands.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Print the reference of all chat commands (commands.md).
    Commands,
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
            finish(app::run(|shutdown| app::sandbox::run(options, shutdown)))
        }
        Command::Door {
            listen,
            admin,
            duckdb,
        } => finish(
            door::Door::read(|name| std::env::var(name).ok(), duckdb)
                .and_then(|door| app::run(|shutdown| door::serve(door, listen, admin, shutdown))),
        ),
        Command::Duckdb { ask: true, .. } => answer_query(),
        Command::Duckdb { attached, .. } => duckdb(attached),
        Command::Check { config, json } => check(config, json),
        Command::Invite {
            application,
            config,
        } => invite(application, config),
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
    telemetry::start(&settings.log);
    finish(app::run(|shutdown| app::serve(settings, shutdown)))
}

fn invite(application: Option<u64>, config: Option<PathBuf>) -> ExitCode {
    if let Some(application) = application {
        println!("{}", discord::invitation(application));
        return ExitCode::SUCCESS;
    }
    match Settings::load(config.as_deref(), variables()) {
        Ok(settings) => finish(app::run(|_| async move {
            let application = discord::application(&settings.discord).await?;
            println!("{}", discord::invitation(application));
            Ok(())
        })),
        Err(invalid) => usage_error(&invalid),
    }
}

fn token(ask: &api::NewToken) -> ExitCode {
    if !ask.is_valid() {
        return usage_error(
            &"a token has a name of one word that does not begin with #, and the Discord id of \
              an owner",
        );
    }
    match api::new_token(ask) {
        Ok((token, line)) => {
            println!("{line}");
            eprintln!("The token, shown this once: {}", token.expose_secret());
            ExitCode::SUCCESS
        }
        Err(error) => finish(Err(error)),
    }
}

fn check(config: Option<PathBuf>, json: bool) -> ExitCode {
    let settings = match Settings::load(config.as_deref(), variables()) {
        Ok(settings) => settings,
        Err(invalid) if json => {
            let diagnostics = [Diagnostic::failed("settings", invalid.to_string())];
            println!(
                "{}",
                serde_json::to_string_pretty(&diagnostics).expect("it is plain text")
            );
            return ExitCode::from(2);
        }
        Err(invalid) => return usage_error(&invalid),
    };
    let looked = app::run(|_| async move { Ok(app::check::diagnose(&settings).await) });
    let diagnostics = match looked {
        Ok(diagnostics) => diagnostics,
        Err(error) => return finish(Err(error)),
    };
    if json {
        let text = serde_json::to_string_pretty(&diagnostics);
        println!("{}", text.expect("it is plain text"));
    } else {
        diagnostics
            .iter()
            .for_each(|diagnostic| println!("{diagnostic}"));
    }
    match app::check::is_fine(&diagnostics) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

fn duckdb(attached: bool) -> ExitCode {
    let wanted = match duckdb::environment::read(&variables()) {
        Ok(wanted) => wanted,
        Err(mistakes) => return usage_error(&mistakes),
    };
    let body = |shutdown: CancellationToken| {
        if attached {
            end_with_input(shutdown.clone());
        }
        duckdb::run(wanted, shutdown)
    };
    match app::run(body) {
        Ok(code) => ExitCode::from(code),
        Err(error) => finish(Err(error)),
    }
}

/// Shuts down when the standard input ends, and so with the program that holds it open.
fn end_with_input(shutdown: CancellationToken) {
    // A thread, because nothing can take a read of the standard input back.
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        shutdown.cancel();
    });
}

fn answer_query() -> ExitCode {
    let mut variables = variables();
    let mut line = String::new();
    let read = std::io::stdin().read_line(&mut line);
    let asked = read.map(|_| serde_json::from_str::<QueryRequest>(&line));
    let Ok(Ok(question)) = asked else {
        // Its words may be in what is wrong with it.
        eprintln!("duckbot: the standard input is no question");
        return ExitCode::from(2);
    };
    variables.extend(question.variables.clone());
    let answered = app::run(|shutdown| async move {
        end_with_input(shutdown.clone());
        let answer = shutdown.run_until_cancelled(duckdb::query_worker::run(&question, &variables));
        answer.await.transpose()
    });
    match answered {
        Ok(Some(answer)) => {
            let text = serde_json::to_string(&answer).expect("it is plain text");
            println!("{text}");
            ExitCode::SUCCESS
        }
        Ok(None) => ExitCode::FAILURE,
        Err(error) => finish(Err(error)),
    }
}

/// The environment. Lossy: a variable that is not UTF-8 is shown as a mistake, not a panic.
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
