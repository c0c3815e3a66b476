//! The bot as a process of its own, as in production.

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

use super::WAIT_TIMEOUT;

/// A running bot; it is killed when dropped.
pub struct Bot {
    child: Child,
    log: watch::Receiver<String>,
    reading: JoinHandle<()>,
}

impl Bot {
    /// Starts `duckbot serve` with nothing but these variables.
    pub fn start(variables: &HashMap<String, String>) -> Self {
        Self::start_program(&program(), variables)
    }

    /// The same of another build.
    pub fn start_program(program: &Path, variables: &HashMap<String, String>) -> Self {
        Self::spawn(command_of(program, &["serve"], variables))
    }

    /// Starts a program that goes on, and reads what it logs.
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
            reading,
        }
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        self.subscribe_log().borrow().clone()
    }

    /// The same, as it grows.
    pub fn subscribe_log(&self) -> watch::Receiver<String> {
        self.log.clone()
    }

    /// Waits until it logs that.
    pub async fn wait_for_log(&mut self, text: &str) {
        self.wait_for_log_times(text, 1).await;
    }

    /// Waits until it has logged that so often.
    pub async fn wait_for_log_times(&mut self, text: &str, times: usize) {
        let said = self.log.wait_for(|log| log.matches(text).count() >= times);
        let said = tokio::time::timeout(WAIT_TIMEOUT, said).await;
        assert!(
            said.is_ok_and(|said| said.is_ok()),
            "it did not say {text:?} {times} times"
        );
    }

    /// What it prints for the person who started it; until it ends.
    pub fn output(&mut self) -> BufReader<ChildStdout> {
        BufReader::new(self.child.stdout.take().expect("nobody has it"))
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// Ends it as a crash does (SIGKILL).
    pub async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// Ends it as an operator does (SIGTERM); its status, if it ends in time.
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

    /// Waits for it to end by itself.
    pub async fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        let status = tokio::time::timeout(limit, self.child.wait())
            .await
            .ok()?
            .unwrap();
        // Its last words may still be in the pipe.
        let _ = (&mut self.reading).await;
        Some(status)
    }
}

/// Cargo names the program to tests; to an example it is a neighbour.
pub fn program() -> PathBuf {
    match option_env!("CARGO_BIN_EXE_duckbot") {
        Some(path) => path.into(),
        None => std::env::current_exe()
            .unwrap()
            .with_file_name("../duckbot"),
    }
}

/// The program with these arguments, and nothing but these variables.
pub fn command(arguments: &[&str], variables: &HashMap<String, String>) -> Command {
    command_of(&program(), arguments, variables)
}

fn command_of(program: &Path, arguments: &[&str], variables: &HashMap<String, String>) -> Command {
    let mut command = Command::new(program);
    if cfg!(target_os = "linux") {
        // The bot also ends when the thread of its test does, however that happens.
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
