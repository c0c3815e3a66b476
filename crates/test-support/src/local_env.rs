//! Sessions on this machine: a bot with the local runtime, and the sandbox.

use std::{collections::HashMap, fs, path::PathBuf, time::Duration};

use chrono::TimeDelta;
use discord_loopback::{Discord, DiscordConfig, MessageView, Person};
use tempfile::TempDir;
use tokio::io::AsyncBufReadExt;

use crate::{
    bot::{Bot, command},
    catalog::Catalog,
    credentials::PERMANENT_CREDENTIALS,
    end_check::EndCheck,
    fake_clock,
    s3::S3,
    test_env::assert_says,
    tools,
    wait::{ACK_TIMEOUT, wait_until},
};

/// Guild whose bot runs sessions on this machine.
pub struct LocalEnv {
    pub discord: Discord,
    pub ana: Person,
    pub bot: Bot,
    pub variables: HashMap<String, String>,
    folder: TempDir,
    /// Logs of bots that have ended.
    logs: String,
    end_check: EndCheck,
    /// The storage of the catalog `lake`.
    pub s3: S3,
    _catalog: Catalog,
}

impl LocalEnv {
    /// Starts the environment, and waits until the bot is connected.
    pub async fn start() -> Self {
        let config = DiscordConfig::default()
            .channel("data")
            .role("analyst")
            .person("ana", &["analyst"])
            .person("ben", &["analyst"])
            .first_response_timeout(ACK_TIMEOUT)
            .wait_timeout(Duration::from_secs(60));
        let discord = Discord::start(config).await.unwrap();
        let (s3, catalog) = (S3::start().await, Catalog::start().await);
        s3.add_bucket("lake");
        s3.add_key(PERMANENT_CREDENTIALS[0].1, PERMANENT_CREDENTIALS[1].1);
        catalog.accept_everyone();
        let folder = TempDir::new().unwrap();
        let duckdb = tools::duckdb();
        let path = |path: PathBuf| path.to_str().unwrap().to_owned();
        let variables = [
            ("DUCKBOT_DISCORD_TOKEN", discord.token()),
            ("DUCKBOT_DISCORD__API_PROXY", discord.url()),
            ("DUCKBOT_DISCORD__GUILD", discord.guild_id().to_string()),
            ("DUCKBOT_SESSIONS__RUNTIME", "local".into()),
            ("DUCKBOT_SESSIONS__DEFAULT_CATALOG", "lake".into()),
            ("DUCKBOT_LOCAL__FOLDER", path(folder.path().join("bot"))),
            ("DUCKBOT_LOCAL__PORT", "0".into()),
            ("DUCKBOT_LOCAL__DUCKDB", path(duckdb.join("duckdb"))),
            ("DUCKBOT_LOCAL__EXTENSIONS", path(duckdb.join("extensions"))),
            ("DUCKBOT_CATALOGS__LAKE__ENDPOINT", catalog.url()),
            ("DUCKBOT_CATALOGS__LAKE__S3_ENDPOINT", s3.url()),
            ("DUCKBOT_CATALOGS__LAKE__S3_PATH_STYLE", "true".into()),
            ("DUCKBOT_CATALOGS__LAKE__S3_BUCKET", "lake".into()),
            ("DUCKBOT_SIZES__SMALL__MEMORY", "512Mi".into()),
            ("DUCKBOT_LOG__FILTER", "trace".into()),
        ];
        let variables: HashMap<_, _> = variables.map(|(name, it)| (name.to_owned(), it)).into();
        let bot = Bot::start(&variables);
        discord.wait_connected().await;
        Self {
            ana: discord.person("ana"),
            discord,
            bot,
            variables,
            folder,
            logs: String::new(),
            end_check: EndCheck::default(),
            s3,
            _catalog: catalog,
        }
    }

    /// Starts the environment with a clock for the bot that [`Self::set_clock`] moves. Timers stay real.
    pub async fn start_with_clock() -> Self {
        let mut env = Self::start().await;
        fake_clock::enable(env.folder.path(), &mut env.variables);
        env.restart_bot().await;
        env
    }

    /// Sets the bot's clock to this much after the real time.
    pub fn set_clock(&self, ahead: TimeDelta) {
        fake_clock::set(self.folder.path(), ahead);
    }

    /// Folder with the bot's data.
    pub fn folder(&self) -> PathBuf {
        self.folder.path().join("bot")
    }

    /// Enters valid credentials through `/duck setup`.
    pub async fn enter_credentials(&self, person: &Person) {
        let [(_, id), (_, secret)] = PERMANENT_CREDENTIALS;
        self.enter_key_pair(person, id, secret).await;
    }

    /// Enters this key pair through `/duck setup`.
    pub async fn enter_key_pair(&self, person: &Person, id: &str, secret: &str) {
        let reply = self.try_key_pair(person, id, secret).await;
        assert_says(&reply, "were checked and saved");
    }

    /// Enters this key pair through `/duck setup`, and returns the reply.
    pub async fn try_key_pair(&self, person: &Person, id: &str, secret: &str) -> MessageView {
        let asked = person.run_command("#data", "/duck setup").await.unwrap();
        asked.reply().await;
        let invitation = person.read_dm().await;
        let pressed = person.press(&invitation, "Enter credentials").await;
        let form = pressed.unwrap().modal().await;
        let typed = [
            (PERMANENT_CREDENTIALS[0].0, id),
            (PERMANENT_CREDENTIALS[1].0, secret),
        ];
        let sent = person.submit(&form, &typed).await.unwrap();
        sent.reply().await
    }

    /// Files of sessions, as paths relative to the bot's folder.
    pub fn leftovers(&self) -> Vec<String> {
        let names = |folder: &str| {
            let listed = fs::read_dir(self.folder().join(folder))
                .into_iter()
                .flatten();
            let name = |entry: std::io::Result<fs::DirEntry>| {
                format!("{folder}/{}", entry.unwrap().file_name().to_str().unwrap())
            };
            listed.map(name).collect::<Vec<_>>()
        };
        ["records", "replies", "sessions"]
            .into_iter()
            .flat_map(names)
            .collect()
    }

    /// Waits until no files of sessions are left.
    pub async fn wait_until_empty(&self) {
        wait_until(async || self.leftovers(), |it| it.is_empty()).await;
    }

    /// Log of all bots of this environment so far.
    pub fn log(&self) -> String {
        format!("{}{}", self.logs, self.bot.log())
    }

    /// Stops the bot, and asserts that no secret is in a log or a message.
    pub async fn assert_clean(mut self) {
        self.logs.push_str(&self.bot.end().await);
        self.end_check.assert_clean(&self.discord, &self.logs, &[]);
    }

    /// Lets a benchmark end without [`Self::assert_clean`].
    pub fn skip_end_check(&mut self) {
        self.end_check.skip();
    }

    /// Kills the bot, as in a crash, and starts it again.
    pub async fn restart_bot(&mut self) {
        self.logs.push_str(&self.bot.end().await);
        self.discord.wait_disconnected().await;
        self.bot = Bot::start(&self.variables);
        self.discord.wait_connected().await;
    }
}

/// Process IDs of a session's DuckDB.
pub fn duckdb_pids(session: &str) -> Vec<u32> {
    let told = format!("SESSION_ID={session}");
    let is_ours = |id: &u32| {
        let text = |file: &str| fs::read(format!("/proc/{id}/{file}")).unwrap_or_default();
        let environment = text("environ");
        let mut variables = environment.split(|byte| *byte == 0);
        text("comm") == b"duckdb\n" && variables.any(|it| it == told.as_bytes())
    };
    let all = fs::read_dir("/proc").unwrap();
    let ids = all.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    ids.filter(is_ours).collect()
}

/// Process ID, command lines and environment of each DuckDB that answers one query, for all
/// sessions on this machine.
pub fn query_processes() -> Vec<(u32, String)> {
    let text = |id: u32, file: &str| {
        let read = fs::read(format!("/proc/{id}/{file}")).unwrap_or_default();
        String::from_utf8_lossy(&read).replace('\0', " ")
    };
    let parent = |id: u32| {
        let status = text(id, "status");
        let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"));
        parent.and_then(|id| id.trim().parse().ok()).unwrap_or(0)
    };
    let all = fs::read_dir("/proc").unwrap();
    let ids = all.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    let asks = |id: &u32| {
        text(*id, "comm") == "duckdb\n" && text(parent(*id), "cmdline").contains("--ask")
    };
    let seen = |id: u32| {
        let asker = text(parent(id), "cmdline");
        (id, asker + &text(id, "cmdline") + &text(id, "environ"))
    };
    ids.filter(asks).map(seen).collect()
}

/// Running `duckbot sandbox` with its own folder.
pub struct Sandbox {
    pub bot: Bot,
    /// URL of the web page.
    pub url: String,
    /// Output of the start.
    pub welcome: String,
}

impl Sandbox {
    /// Starts the sandbox in `folder`, and waits until it is ready.
    pub async fn start_in(folder: &TempDir) -> Self {
        Self::start(Self::command(folder, &[])).await
    }

    /// Starts the sandbox with a [`Self::command`], and waits until it is ready.
    pub async fn start(command: tokio::process::Command) -> Self {
        let mut bot = Bot::spawn(command);
        let mut lines = bot.output().lines();
        let mut welcome = String::new();
        while !welcome.contains("Ctrl-C") {
            match lines.next_line().await.unwrap() {
                Some(line) => welcome += &(line + "\n"),
                None => panic!("the sandbox exited at start-up:\n{}", bot.log()),
            }
        }
        let url = welcome
            .split_whitespace()
            .find(|word| word.starts_with("http://"));
        Self {
            url: url.unwrap().to_owned(),
            bot,
            welcome,
        }
    }

    /// Command that starts the sandbox, with additional arguments.
    pub fn command(folder: &TempDir, more: &[&str]) -> tokio::process::Command {
        Self::command_in(folder.path().to_str().unwrap(), more)
    }

    /// Same as [`Self::command`], for a folder given as text.
    pub fn command_in(folder: &str, more: &[&str]) -> tokio::process::Command {
        let duckdb = tools::duckdb();
        let cache = duckdb.parent().unwrap().to_str().unwrap();
        let variables = ["PATH", "HOME"].map(|it| (it.to_owned(), std::env::var(it).unwrap()));
        let mut variables: HashMap<_, _> = variables.into();
        variables.insert("DUCKBOT_TEST_CACHE".into(), cache.into());
        let mut arguments = vec!["sandbox", "--folder", folder];
        arguments.extend(more);
        // Use any free port unless the test wants a specific one.
        for port in ["--port", "--sessions-port"] {
            if !more.contains(&port) {
                arguments.extend([port, "0"]);
            }
        }
        command(&arguments, &variables)
    }

    /// Line with credentials that the sandbox tells people to paste.
    pub fn credentials_line(&self) -> &str {
        let mut lines = self.welcome.lines().map(str::trim);
        lines
            .find(|line| line.starts_with("AWS_ACCESS_KEY_ID="))
            .unwrap()
    }
}
