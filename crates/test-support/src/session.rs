//! `duckbot duckdb`, the program of a session's container, as a process.

use std::{
    collections::HashMap,
    ops::Deref,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, Command},
    sync::watch,
    time::timeout,
};

use crate::{
    bot::program, lake::lake, reserved_port::ReservedPort, tools, ui_client::UiClient,
    wait::WAIT_TIMEOUT,
};

/// Variable with the path of a file to mount over `/etc/hosts`, for this session only. The process
/// then gets its own mount namespace, which requires root.
pub const HOSTS: &str = "TEST_HOSTS";
/// Variable with the ID of a process whose mount namespace the session shares.
pub const NAMESPACE: &str = "TEST_NAMESPACE";

/// Running session. The process is killed on drop.
pub struct Session {
    child: Child,
    log: watch::Receiver<String>,
    ui: UiClient,
    /// Home folder, as this process finds it.
    home: PathBuf,
    _temporary: TempDir,
    port: ReservedPort,
}

impl Deref for Session {
    type Target = UiClient;

    fn deref(&self) -> &UiClient {
        &self.ui
    }
}

impl Session {
    /// Starts a session with these credentials, attached to the lake.
    pub fn start(key_id: &str, secret: &str) -> Self {
        Self::start_with(key_id, secret, &[])
    }

    /// Same as [`Self::start`], with other values for some environment variables.
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

    /// Starts a session with only these variables and those for the location of DuckDB.
    pub fn spawn(variables: &HashMap<&str, &str>) -> Self {
        let port = ReservedPort::reserve();
        let temporary = TempDir::new().unwrap();
        let mut home = match variables.get("HOME") {
            Some(home) => PathBuf::from(home),
            None => temporary.path().to_owned(),
        };
        let mut command = match (variables.get(HOSTS), variables.get(NAMESPACE)) {
            (_, Some(process)) => {
                home = format!("/proc/{process}/root{}", home.display()).into();
                let mut command = Command::new("/usr/bin/nsenter");
                command.args(["--mount", "--target", process, "--"]);
                command.arg(program());
                command
            }
            (None, None) => Command::new(program()),
            (Some(hosts), None) => {
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
            .env("HOME", temporary.path())
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
            home,
            _temporary: temporary,
            port,
        }
    }

    /// Output so far.
    pub fn log(&self) -> String {
        self.log.borrow().clone()
    }

    /// Waits until the output contains `text`.
    pub async fn wait_for_log(&mut self, text: &str) {
        let said = self.log.wait_for(|log| log.contains(text));
        let said = timeout(WAIT_TIMEOUT, said)
            .await
            .is_ok_and(|said| said.is_ok());
        assert!(
            said,
            "the session did not print {text:?}, but:\n{}",
            self.log()
        );
    }

    /// Waits until the session has tried the credentials, the catalog and the admin's SQL.
    pub async fn wait_until_prepared(&mut self) {
        self.wait_for_log("the session is prepared").await;
        self.wait_for_ui().await;
    }

    /// Waits until the UI answers. Polls it, as the door does.
    pub async fn wait_for_ui(&self) {
        assert!(self.ui.is_answering().await, "{}", self.log());
    }

    /// Sends a signed command as the bot does. Returns the answer.
    pub async fn send_command(&self, signed: &str) -> String {
        let mut child = Command::new(program())
            .args(["duckdb", "--control"])
            .env_clear()
            .env("HOME", &self.home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        let line = format!("{signed}\n");
        input.write_all(line.as_bytes()).await.unwrap();
        let answer = child.wait_with_output().await.unwrap();
        String::from_utf8(answer.stdout).unwrap().trim().to_owned()
    }

    /// Process ID of DuckDB, the only child process.
    pub fn duckdb(&self) -> u32 {
        // Linux lists a child under the thread that started it.
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.id())).unwrap();
        let children = threads.map(|thread| thread.unwrap().path().join("children"));
        let children = children.map(|file| std::fs::read_to_string(file).unwrap());
        children
            .collect::<String>()
            .trim()
            .parse()
            .expect("the session has exactly one child process")
    }

    /// Home folder.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// Port of the UI.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// Process ID of the session.
    pub fn id(&self) -> u32 {
        self.child.id().expect("the process is running")
    }

    /// Sends SIGTERM. Returns the exit status if the process ends in time.
    pub async fn terminate(&mut self, within: Duration) -> Option<ExitStatus> {
        signal("TERM", self.id()).await;
        self.wait(within).await
    }

    /// Waits for the process to end. Returns the exit status, or `None` if it does not end in time.
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
