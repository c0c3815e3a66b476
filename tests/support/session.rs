//! What runs in a session's container, as a process: `duckbot duckdb`.

use std::{
    collections::HashMap,
    ops::Deref,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    sync::watch,
    time::timeout,
};

use super::{ReservedPort, UiClient, WAIT_TIMEOUT, bot::program, lake, tools};

/// The variable with a file that is to be `/etc/hosts`, for this session alone: in a mount
/// namespace of its own, which only root can have.
pub const HOSTS: &str = "TEST_HOSTS";

/// A running session; it is killed when dropped.
pub struct Session {
    child: Child,
    log: watch::Receiver<String>,
    ui: UiClient,
    _home: TempDir,
    port: ReservedPort,
}

impl Deref for Session {
    type Target = UiClient;

    fn deref(&self) -> &UiClient {
        &self.ui
    }
}

impl Session {
    /// Starts one for these keys, at the lake.
    pub fn start(key_id: &str, secret: &str) -> Self {
        Self::start_with(key_id, secret, &[])
    }

    /// Starts one whose environment differs in some variables.
    pub fn start_with(key_id: &str, secret: &str, differing: &[(&str, &str)]) -> Self {
        let lake = lake();
        let (s3, catalog) = (lake.s3.url(), lake.catalog.clone());
        let mut variables = HashMap::from([
            ("SESSION_ID", "977a26"),
            ("USERNAME", "Ana"),
            ("CATALOG_NAME", "lake"),
            ("CATALOG_ENDPOINT", catalog.as_str()),
            ("CATALOG_WAREHOUSE", ""),
            ("S3_ENDPOINT", s3.as_str()),
            ("S3_REGION", "us-east-1"),
            ("S3_PATH_STYLE", "true"),
            ("S3_ACCESS_KEY_ID", key_id),
            ("S3_SECRET_ACCESS_KEY", secret),
            ("DUCKDB_MEMORY", "1024"),
            ("DUCKDB_THREADS", "2"),
            ("DUCKDB_DISK", "100"),
        ]);
        variables.extend(differing.iter().copied());
        Self::spawn(&variables)
    }

    /// Starts one with these variables, and those that say where DuckDB is.
    pub fn spawn(variables: &HashMap<&str, &str>) -> Self {
        let port = ReservedPort::reserve();
        let home = TempDir::new().unwrap();
        let mut command = match variables.get(HOSTS) {
            None => Command::new(program()),
            Some(hosts) => {
                let script = "mount --bind \"$0\" /etc/hosts && exec \"$@\"";
                let mut command = Command::new("/usr/bin/unshare");
                let before = ["--mount", "/bin/sh", "-c", script, hosts];
                command.args(before).arg(program());
                command
            }
        };
        let mut child = command
            .arg("duckdb")
            .env_clear()
            .env("HOME", home.path())
            .env("DUCKDB_PROGRAM", tools::duckdb().join("duckdb"))
            .env("DUCKDB_EXTENSIONS", tools::duckdb().join("extensions"))
            .env("DUCKDB_UI_PORT", port.number().to_string())
            .envs(variables)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let (written, log) = watch::channel(String::new());
        read(child.stdout.take().unwrap(), written.clone());
        read(child.stderr.take().unwrap(), written);
        Self {
            child,
            log,
            ui: UiClient::at(port.number(), port.number()),
            _home: home,
            port,
        }
    }

    /// All that it has printed so far.
    pub fn log(&self) -> String {
        self.log.borrow().clone()
    }

    /// Waits until it prints that.
    pub async fn wait_for_log(&mut self, text: &str) {
        let said = self.log.wait_for(|log| log.contains(text));
        let said = timeout(WAIT_TIMEOUT, said)
            .await
            .is_ok_and(|said| said.is_ok());
        assert!(said, "it does not say {text:?}, but:\n{}", self.log());
    }

    /// Waits until the keys, the catalog and an admin's SQL were tried.
    pub async fn wait_until_prepared(&mut self) {
        self.wait_for_log("the session is prepared").await;
        self.wait_for_ui().await;
    }

    /// Waits until the UI answers: asks until it does, as the door does.
    pub async fn wait_for_ui(&self) {
        assert!(self.ui.is_answering().await, "{}", self.log());
    }

    /// The process id of DuckDB, its only child.
    pub fn duckdb(&self) -> u32 {
        // A child belongs to the thread that started it.
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.id())).unwrap();
        let children = threads.map(|thread| thread.unwrap().path().join("children"));
        let children = children.map(|file| std::fs::read_to_string(file).unwrap());
        children
            .collect::<String>()
            .trim()
            .parse()
            .expect("one child")
    }

    /// The port of its UI.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// Its own process id.
    pub fn id(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// Sends it TERM; how it ended, if it did in time.
    pub async fn terminate(&mut self, within: Duration) -> Option<ExitStatus> {
        signal("TERM", self.id()).await;
        self.wait(within).await
    }

    /// How it ended, if it does in time.
    pub async fn wait(&mut self, within: Duration) -> Option<ExitStatus> {
        let ended = timeout(within, self.child.wait()).await.ok()?;
        Some(ended.unwrap())
    }
}

/// Sends a signal to a process.
pub async fn signal(name: &str, id: u32) {
    let kill = Command::new("kill")
        .args([&format!("-{name}"), &id.to_string()])
        .status();
    assert!(kill.await.unwrap().success());
}

fn read(pipe: impl tokio::io::AsyncRead + Unpin + Send + 'static, written: watch::Sender<String>) {
    let mut lines = BufReader::new(pipe).lines();
    tokio::spawn(async move {
        while let Ok(Some(line)) = lines.next_line().await {
            written.send_modify(|log| {
                log.push_str(&line);
                log.push('\n');
            });
        }
    });
}
