//! `duckbot sandbox`: a loopback Discord with its page, a demo lake, and the bot as in production,
//! on one machine.

mod duckdb;
mod editor;
mod supervisor;

use std::{
    collections::HashMap,
    fs, io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow, bail};
use demo_lake::{BUCKET, Lake};
use discord_loopback::{ADMINISTRATOR, Discord, DiscordConfig, FaultButton};
use tokio_util::sync::CancellationToken;

use crate::{
    runtime::local::{DuckDb, WORK_KEY_FILE, lock_folder},
    session::OwnerId,
    settings::Settings,
    telemetry,
};
use supervisor::Supervisor;

/// Credentials for the demo lake. They are valid nowhere else, so they are no secret.
const KEY_ID: &str = "AKIAQUACKQUACKQUACK7";
const SECRET: &str = "quack/quack/quack/quack/quack/quack/2026";

/// IDs of the people, who find their saved work again at each start.
const PEOPLE: [u64; 3] = [
    175_928_847_299_117_001,
    175_928_847_299_117_002,
    175_928_847_299_117_003,
];

/// Time to finish after a signal. Sessions save their work in the lake before they end.
pub const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(90);

/// Options of `duckbot sandbox`.
#[derive(Debug, Clone)]
pub struct Options {
    /// Port of the web page with the chat.
    pub port: u16,
    /// Port of all sessions.
    pub sessions_port: u16,
    /// Folder for all data. `None`: `sandbox` in `cache_dir`.
    pub folder: Option<PathBuf>,
    /// DuckDB's command line. `None`: the one on the PATH, or a download.
    pub duckdb: Option<PathBuf>,
    /// True if the page is opened in a browser.
    pub open: bool,
    /// True if the bot logs at level info, with the audit log. Otherwise at level warn.
    pub verbose: bool,
}

/// Runs the sandbox until `shutdown`.
///
/// # Errors
/// If DuckDB can't be found or downloaded, or a folder or a port can't be used.
pub async fn run(options: Options, shutdown: CancellationToken) -> anyhow::Result<()> {
    let prepared = tokio::select! {
        prepared = Sandbox::prepare(&options) => prepared?,
        () = shutdown.cancelled() => return Ok(()),
    };
    prepared.serve(&options, shutdown).await
}

/// The environment that the bot runs in.
struct Sandbox {
    discord: Discord,
    settings: Settings,
    began: Instant,
    _lake: Lake,
    _taken: fs::File,
}

impl Sandbox {
    async fn prepare(options: &Options) -> anyhow::Result<Self> {
        let began = Instant::now();
        let (folder, taken) = open_folder(options)?;
        // Ports come first: finding DuckDB and creating the tables takes much longer.
        let discord = start_discord(options.port).await?;
        check_sessions_port(options.sessions_port)?;
        eprintln!("Looking for DuckDB…");
        let duckdb = duckdb::find(options.duckdb.as_deref()).await?;
        let editor = editor::find(&folder.join("editor")).await;
        let lake = Lake::serve(&folder.join("lake"), &[(KEY_ID, SECRET)]).await?;
        if !lake.is_filled() {
            eprintln!("Creating the demo tables (first run only, takes a few seconds)…");
            lake.fill(&duckdb.program, Some(&duckdb.extensions)).await?;
        }
        eprintln!("Starting the bot…");
        let team = folder.join("team");
        remove_team(&team).with_context(|| format!("can't remove {}", team.display()))?;
        let programs = (&duckdb, editor.as_deref());
        let settings = settings(&discord, &lake, programs, &team, options);
        Ok(Self {
            settings: settings.context("the sandbox's own settings are invalid")?,
            discord,
            began,
            _lake: lake,
            _taken: taken,
        })
    }

    async fn serve(self, options: &Options, shutdown: CancellationToken) -> anyhow::Result<()> {
        let _logging = if options.verbose {
            Some(telemetry::start(&self.settings.log)?)
        } else {
            telemetry::start_without_audit(&self.settings.log);
            None
        };
        let supervisor = Supervisor::default();
        self.add_fault_buttons(&supervisor);
        let welcome = self.print_welcome(options);
        supervisor.run(&self.settings, welcome, shutdown).await
    }

    fn add_fault_buttons(&self, supervisor: &Supervisor) {
        let supervised = supervisor.clone();
        self.discord.add_fault_button(FaultButton {
            id: "kill",
            label: "Kill my DuckDB",
            help: "Kills DuckDB, as the system might do. Your sessions start again.",
            on_press: Arc::new(move |person| {
                if let Some(local) = supervised.runtime() {
                    local.kill(OwnerId::from(person));
                }
            }),
        });
        let supervised = supervisor.clone();
        self.discord.add_fault_button(FaultButton {
            id: "restart",
            label: "Restart the bot",
            help: "Stops the bot and all sessions. The bot then continues from its records.",
            on_press: Arc::new(move |_| supervised.restart()),
        });
    }

    /// Waits until the bot has registered its commands, then prints the first steps.
    async fn print_welcome(&self, options: &Options) {
        self.discord.wait_for_commands_forever().await;
        let url = format!("{}/", self.discord.url());
        let startup_time = self.began.elapsed().as_secs_f32();
        println!(
            "\nThe sandbox is ready after {startup_time:.1} s: {url}\n\n\
             You are ana, an analyst. In #data, type:\n\n\
             \x20 /duck sql query:SELECT count(*) FROM lake.pond.sightings WHERE note = 'with ducklings'\n\n\
             A form opens. Paste this line into its first field:\n\n\
             \x20 AWS_ACCESS_KEY_ID={KEY_ID} AWS_SECRET_ACCESS_KEY={SECRET}\n\n\
             The query runs as soon as the credentials are checked. To work in the browser, type /duck start.\n\n\
             Press Ctrl-C to stop everything."
        );
        if options.open {
            open(&url);
        }
    }
}

/// Creates the folder for all data, and locks it until the returned file is dropped.
fn open_folder(options: &Options) -> anyhow::Result<(PathBuf, fs::File)> {
    let (folder, advice) = match &options.folder {
        Some(folder) => (folder.clone(), "Choose another folder with --folder"),
        None => (
            cache_dir()?.join("sandbox"),
            "Set XDG_CACHE_HOME to a folder that you can write to",
        ),
    };
    let locked = fs::create_dir_all(&folder)
        .with_context(|| format!("can't create the folder {}", folder.display()))
        .and_then(|()| lock_folder(&folder));
    match locked {
        Ok(taken) => Ok((folder, taken)),
        Err(why) if why.root_cause().is::<io::Error>() => Err(anyhow!("{why:#}. {advice}")),
        Err(why) => Err(why),
    }
}

/// Removes the sessions and the credentials of the last start: its messages are gone with Discord. The key of
/// saved work stays, because the lake has the work.
fn remove_team(team: &Path) -> io::Result<()> {
    let files = match fs::read_dir(team) {
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(()),
        files => files?,
    };
    for file in files {
        let file = file?;
        if file.file_type()?.is_dir() {
            fs::remove_dir_all(file.path())?;
        } else if file.file_name() != WORK_KEY_FILE {
            fs::remove_file(file.path())?;
        }
    }
    Ok(())
}

/// Checks that the bot can listen on the port of the sessions, which it does much later.
fn check_sessions_port(port: u16) -> anyhow::Result<()> {
    let listened = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map(drop);
    listened.with_context(|| {
        format!(
            "can't listen on port {port}, for the sessions; choose another with --sessions-port"
        )
    })
}

async fn start_discord(port: u16) -> anyhow::Result<Discord> {
    let config = DiscordConfig::default()
        .guild("The Pond")
        .bot("duckbot")
        .channel("data")
        .channel("random")
        .channel("ops")
        .role("analyst")
        .role_with("admin", ADMINISTRATOR)
        .person("ana", &["analyst"])
        .id(PEOPLE[0])
        .person("ben", &["analyst"])
        .id(PEOPLE[1])
        .person("ada", &["admin"])
        .id(PEOPLE[2])
        .listen(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let started = Discord::start(config).await;
    started.with_context(|| {
        format!("can't listen on port {port}, for the page; choose another with --port")
    })
}

/// Settings for a bot with this Discord and this lake.
fn settings(
    discord: &Discord,
    lake: &Lake,
    (duckdb, editor): (&DuckDb, Option<&Path>),
    team: &Path,
    options: &Options,
) -> anyhow::Result<Settings> {
    let path = |path: &Path| path.to_string_lossy().into_owned();
    // The lake's S3 server logs each wrong key as an error. The bot tells the person instead.
    let log = if options.verbose {
        "info"
    } else {
        "warn,s3s=off"
    };
    let variables = [
        ("DUCKBOT_DISCORD_TOKEN", discord.token()),
        ("DUCKBOT_DISCORD__API_PROXY", discord.url()),
        ("DUCKBOT_DISCORD__GUILD", discord.guild_id().to_string()),
        (
            "DUCKBOT_DISCORD__ALLOWED_CHANNELS",
            discord.channel("data").to_string(),
        ),
        (
            "DUCKBOT_DISCORD__ALLOWED_ROLES",
            discord.role("analyst").to_string(),
        ),
        (
            "DUCKBOT_DISCORD__ADMIN_ROLES",
            discord.role("admin").to_string(),
        ),
        (
            "DUCKBOT_DISCORD__ADMIN_CHANNEL",
            discord.channel("ops").to_string(),
        ),
        ("DUCKBOT_SESSIONS__RUNTIME", "local".into()),
        ("DUCKBOT_SESSIONS__DEFAULT_CATALOG", "lake".into()),
        ("DUCKBOT_LOCAL__FOLDER", path(team)),
        ("DUCKBOT_LOCAL__PORT", options.sessions_port.to_string()),
        ("DUCKBOT_LOCAL__DUCKDB", path(&duckdb.program)),
        ("DUCKBOT_LOCAL__EXTENSIONS", path(&duckdb.extensions)),
        (
            "DUCKBOT_LOCAL__EDITOR",
            editor.map(path).unwrap_or_default(),
        ),
        ("DUCKBOT_CATALOGS__LAKE__ENDPOINT", lake.catalog_url()),
        ("DUCKBOT_CATALOGS__LAKE__S3_ENDPOINT", lake.s3_url()),
        ("DUCKBOT_CATALOGS__LAKE__S3_PATH_STYLE", "true".into()),
        ("DUCKBOT_CATALOGS__LAKE__S3_BUCKET", BUCKET.into()),
        (
            "DUCKBOT_CATALOGS__LAKE__WORK",
            format!("s3://{BUCKET}/duckbot/"),
        ),
        // Small enough for any machine.
        ("DUCKBOT_SIZES__SMALL__MEMORY", "1Gi".into()),
        ("DUCKBOT_SIZES__LARGE__CPU", "2".into()),
        ("DUCKBOT_SIZES__LARGE__MEMORY", "2Gi".into()),
        ("DUCKBOT_LOG__FILTER", log.into()),
    ];
    let variables: HashMap<_, _> = variables
        .map(|(name, value)| (name.to_owned(), value))
        .into();
    Ok(Settings::load(None, variables)?)
}

/// Returns the folder `duckbot` in the user's cache folder.
fn cache_dir() -> anyhow::Result<PathBuf> {
    let set = |name: &str| {
        std::env::var_os(name)
            .filter(|it| !it.is_empty())
            .map(PathBuf::from)
    };
    match (set("XDG_CACHE_HOME"), set("HOME")) {
        (Some(cache), _) => Ok(cache.join("duckbot")),
        (None, Some(home)) => Ok(home.join(".cache/duckbot")),
        (None, None) => {
            bail!("HOME is not set; set it, or XDG_CACHE_HOME, to a folder for downloads")
        }
    }
}

/// Opens a page in the person's browser, if one is installed.
fn open(url: &str) {
    let program = if cfg!(target_os = "macos") {
        "open"
    } else {
        "xdg-open"
    };
    if let Err(why) = std::process::Command::new(program).arg(url).spawn() {
        eprintln!("Can't open the page with {program}: {why}. Open it by hand: {url}");
    }
}
