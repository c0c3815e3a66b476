//! `duckbot sandbox`: a loopback Discord with its page, a demo lake, and the bot as in production,
//! on one machine.

mod duckdb;

use std::{
    collections::HashMap,
    fs, io,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::{Arc, Weak},
    time::Instant,
};

use anyhow::{Context, bail};
use demo_lake::{BUCKET, Lake};
use discord_loopback::{ADMINISTRATOR, Discord, DiscordConfig, FaultButton};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::serve_with;
use crate::{
    runtime::local::{DuckDb, Local, lock_folder},
    session::OwnerId,
    settings::Settings,
    telemetry,
};

/// Credentials for the demo lake. They are valid nowhere else, so they are no secret.
const KEY_ID: &str = "AKIAQUACKQUACKQUACK7";
const SECRET: &str = "quack/quack/quack/quack/quack/quack/2026";

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
    /// True if the bot logs at level info, otherwise warn.
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
        let folder = match &options.folder {
            Some(folder) => folder.clone(),
            None => cache_dir()?.join("sandbox"),
        };
        let made = fs::create_dir_all(&folder);
        made.with_context(|| format!("can't create the folder {}", folder.display()))?;
        let taken = lock_folder(&folder)?;
        let duckdb = duckdb::find(options.duckdb.as_deref()).await?;
        let lake = Lake::serve(&folder.join("lake"), &[(KEY_ID, SECRET)]).await?;
        if !lake.is_filled() {
            eprintln!("Creating the demo tables (first run only, takes a few seconds)…");
            lake.fill(&duckdb.program, Some(&duckdb.extensions)).await?;
        }
        let discord = start_discord(options.port).await?;
        // Each start has new people, so sessions and credentials of the last one are removed.
        let team = folder.join("team");
        match fs::remove_dir_all(&team) {
            Err(why) if why.kind() != io::ErrorKind::NotFound => {
                let what = format!("can't remove {}", team.display());
                return Err(why).context(what);
            }
            _ => {}
        }
        let settings = settings(&discord, &lake, &duckdb, &team, options);
        Ok(Self {
            settings: settings.context("the sandbox's own settings are invalid")?,
            discord,
            began,
            _lake: lake,
            _taken: taken,
        })
    }

    /// Runs the bot, and starts it again after each press of its restart button.
    async fn serve(self, options: &Options, shutdown: CancellationToken) -> anyhow::Result<()> {
        telemetry::start(&self.settings.log);
        let restart = Arc::new(Notify::new());
        let current = Arc::new(Mutex::new(Weak::<Local>::new()));
        self.add_fault_buttons(&restart, &current);
        let mut is_first = true;
        loop {
            let stop = shutdown.child_token();
            let tell = |local: Option<&Arc<Local>>| {
                *current.lock() = local.map(Arc::downgrade).unwrap_or_default();
            };
            let bot = serve_with(self.settings.clone(), stop.clone(), tell);
            let mut bot = std::pin::pin!(bot);
            tokio::select! {
                ended = &mut bot => return ended,
                () = self.print_welcome(options), if is_first => {}
            }
            is_first = false;
            tokio::select! {
                ended = &mut bot => return ended,
                () = restart.notified() => {}
            }
            stop.cancel();
            bot.await?;
        }
    }

    fn add_fault_buttons(&self, restart: &Arc<Notify>, current: &Arc<Mutex<Weak<Local>>>) {
        let current = current.clone();
        self.discord.add_fault_button(FaultButton {
            id: "kill",
            label: "Kill my DuckDB",
            help: "Kills DuckDB, as the system might do. Your sessions start again.",
            on_press: Arc::new(move |person| {
                if let Some(local) = current.lock().upgrade() {
                    local.kill(OwnerId::from(person));
                }
            }),
        });
        let restart = restart.clone();
        self.discord.add_fault_button(FaultButton {
            id: "restart",
            label: "Restart the bot",
            help: "Stops the bot and all sessions. The bot then continues from its records.",
            on_press: Arc::new(move |_| restart.notify_one()),
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
             \x20 /duck setup   and press the button in the direct message. Paste this line into the first field:\n\
             \x20               AWS_ACCESS_KEY_ID={KEY_ID} AWS_SECRET_ACCESS_KEY={SECRET}\n\
             \x20 /duck start   and press Open when the session is ready\n\n\
             Then run a query in your DuckDB, for example:\n\n\
             \x20 SELECT count(*) FROM lake.pond.sightings WHERE note = 'with ducklings';\n\n\
             Press Ctrl-C to stop everything."
        );
        if options.open {
            open(&url);
        }
    }
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
        .person("ben", &["analyst"])
        .person("ada", &["admin"])
        .listen(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let started = Discord::start(config).await;
    started.with_context(|| format!("can't listen on port {port}; choose another with --port"))
}

/// Settings for a bot with this Discord and this lake.
fn settings(
    discord: &Discord,
    lake: &Lake,
    duckdb: &DuckDb,
    team: &Path,
    options: &Options,
) -> anyhow::Result<Settings> {
    let path = |path: &Path| path.to_string_lossy().into_owned();
    let log = if options.verbose { "info" } else { "warn" };
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
        ("DUCKBOT_CATALOGS__LAKE__ENDPOINT", lake.catalog_url()),
        ("DUCKBOT_CATALOGS__LAKE__S3_ENDPOINT", lake.s3_url()),
        ("DUCKBOT_CATALOGS__LAKE__S3_PATH_STYLE", "true".into()),
        ("DUCKBOT_CATALOGS__LAKE__S3_BUCKET", BUCKET.into()),
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
        (None, None) => bail!("HOME is not set; name a folder with --folder"),
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
