//! The bot as a separate process, as in production.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, ChildStdout, Command},
    sync::watch,
    task::JoinHandle,
};

use crate::wait::WAIT_TIMEOUT;

/// Running bot. The process is killed on drop.
pub struct Bot {
    child: Child,
    log: watch::Receiver<String>,
    /// Ends when the log is complete. `None` once it was waited for.
    reading: Option<JoinHandle<()>>,
}

impl Bot {
    /// Starts `duckbot serve` with only these environment variables.
    pub fn start(variables: &HashMap<String, String>) -> Self {
        Self::start_program(&program(), variables)
    }

    /// Starts another build of the bot.
    pub fn start_program(program: &Path, variables: &HashMap<String, String>) -> Self {
        Self::spawn(command_of(program, &["serve"], variables))
    }

    /// Starts a program that keeps running, and reads its log from standard error.
    pub fn spawn(mut program: Command) -> Self {
        let mut child = program.spawn().unwrap();
        let (written, log) = watch::channel(String::new());
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();

        let reading = tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                written.send_modify(|log| {
                    log.push_str(&line);
                    log.push('\n');
                });
            }
        });
        Self {
            child,
            log,
            reading: Some(reading),
        }
    }

    /// Log so far.
    pub fn log(&self) -> String {
        self.subscribe_log().borrow().clone()
    }

    /// Subscribes to the growing log.
    pub fn subscribe_log(&self) -> watch::Receiver<String> {
        self.log.clone()
    }

    /// Waits until the log contains `text`.
    pub async fn wait_for_log(&mut self, text: &str) {
        self.wait_for_log_times(text, 1).await;
    }

    /// Waits until the log contains `text` at least `times` times.
    pub async fn wait_for_log_times(&mut self, text: &str, times: usize) {
        let said = self.log.wait_for(|log| log.matches(text).count() >= times);
        let said = tokio::time::timeout(WAIT_TIMEOUT, said).await;
        assert!(
            said.is_ok_and(|said| said.is_ok()),
            "the bot did not log {text:?} {times} times"
        );
    }

    /// Standard output of the process. Can be taken once.
    pub fn output(&mut self) -> BufReader<ChildStdout> {
        BufReader::new(
            self.child
                .stdout
                .take()
                .expect("standard output was not taken before"),
        )
    }

    /// Process ID.
    pub fn pid(&self) -> u32 {
        self.child.id().expect("the process is running")
    }

    /// Kills the process with SIGKILL, as in a crash.
    pub async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// Ends the process, if it is still running. Returns the whole log.
    pub async fn end(&mut self) -> String {
        // Fails if the process has ended.
        let _ = self.child.start_kill();
        self.wait(WAIT_TIMEOUT).await;
        self.log()
    }

    /// Sends SIGTERM, as an operator would. Returns the exit status if the process ends within
    /// `limit`.
    pub async fn terminate(&mut self, limit: Duration) -> Option<ExitStatus> {
        let pid = self.pid().to_string();
        let sent = Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .await
            .unwrap();
        assert!(sent.success());
        self.wait(limit).await
    }

    /// Waits for the process to end. Returns the exit status, or `None` after `limit`.
    pub async fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        let status = tokio::time::timeout(limit, self.child.wait())
            .await
            .ok()?
            .unwrap();
        // The last lines may still be in the pipe.
        if let Some(reading) = self.reading.take() {
            let _ = reading.await;
        }
        Some(status)
    }
}

/// Path of the bot's program. Cargo passes it to tests and benches. Without cargo, it is in the
/// parent of the running program's folder.
pub fn program() -> PathBuf {
    match std::env::var_os("CARGO_BIN_EXE_duckbot") {
        Some(path) => path.into(),
        None => std::env::current_exe()
            .unwrap()
            .with_file_name("../duckbot"),
    }
}

/// Command that runs the bot's program with these arguments and only these environment variables.
pub fn command(arguments: &[&str], variables: &HashMap<String, String>) -> Command {
    command_of(&program(), arguments, variables)
}

fn command_of(program: &Path, arguments: &[&str], variables: &HashMap<String, String>) -> Command {
    let mut command = Command::new(program);
    if cfg!(target_os = "linux") {
        // Ends the bot when the test's thread ends, for whatever reason.
        command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(program);
    }
    command
        .args(arguments)
        .env_clear()
        .env("RUST_BACKTRACE", "1")
        .envs(variables)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}
