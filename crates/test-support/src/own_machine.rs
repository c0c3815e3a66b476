//! A person's own machine, with DuckDB's command line and Python.

use std::{
    fs,
    net::IpAddr,
    path::{Path, PathBuf},
    process::Stdio,
};

use tempfile::TempDir;
use tokio::{
    io::{AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

use crate::tools;

/// A person's own machine. Its DuckDB has the extensions that it would download elsewhere.
pub struct OwnMachine {
    home: TempDir,
    /// Statements before each command.
    before: String,
    /// File in place of `/etc/hosts`.
    hosts: Option<PathBuf>,
}

/// Result of a command.
#[derive(Debug)]
pub struct Ran {
    pub is_ok: bool,
    /// Standard output and standard error.
    pub said: String,
}

impl Default for OwnMachine {
    fn default() -> Self {
        Self::new()
    }
}

impl OwnMachine {
    /// Prepares a machine, which reaches sessions at `localhost`.
    pub fn new() -> Self {
        let home = TempDir::new().unwrap();
        let folder = home.path().join(".duckdb");
        fs::create_dir(&folder).unwrap();
        let extensions = tools::duckdb().join("extensions");
        std::os::unix::fs::symlink(extensions, folder.join("extensions")).unwrap();
        Self {
            home,
            before: String::new(),
            hosts: None,
        }
    }

    /// Prepares a machine that finds `host` at `address`, and trusts a CA.
    pub fn reaching(host: &str, address: IpAddr, authority: &Path) -> Self {
        let mut this = Self::new();
        let hosts = this.home.path().join("hosts");
        fs::write(&hosts, format!("127.0.0.1 localhost\n{address} {host}\n")).unwrap();
        this.hosts = Some(hosts);
        let authority = authority.display();
        this.before = format!("LOAD httpfs; SET GLOBAL ca_cert_file = '{authority}';\n");
        this
    }

    fn command(&self, program: PathBuf) -> Command {
        let mut command = match &self.hosts {
            None => Command::new(program),
            Some(hosts) => {
                let mut command = Command::new("/usr/bin/unshare");
                let script = r#"mount --bind "$0" /etc/hosts && exec "$@""#;
                command.args(["--mount", "bash", "-c", script]);
                command.arg(hosts).arg(program);
                command
            }
        };
        command
            .env("HOME", self.home.path())
            .env_remove("http_proxy")
            .env_remove("https_proxy")
            .kill_on_drop(true);
        command
    }

    /// Runs SQL in DuckDB's command line, until a statement fails.
    pub async fn run_sql(&self, sql: &str) -> Ran {
        let mut command = self.command(tools::duckdb().join("duckdb"));
        let sql = format!("{}{sql}", self.before);
        ran(command.args(["-csv", "-c", &sql])).await
    }

    /// Runs a Python script with the package `duckdb`.
    pub async fn run_python(&self, script: &str) -> Ran {
        let python = tools::python_duckdb().join("python/bin/python");
        let before = format!("import duckdb\nduckdb.execute('''{}''')\n", self.before);
        let before = if self.before.is_empty() { "" } else { &before };
        let mut command = self.command(python);
        ran(command.args(["-c", &format!("{before}{script}")])).await
    }

    /// Starts DuckDB's command line, which takes statements one by one.
    pub async fn start_shell(&self) -> ClientShell {
        let mut command = self.command(tools::duckdb().join("duckdb"));
        let mut child = command
            .args(["-csv", "-noheader"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let output = child.stdout.take().unwrap();
        let lines = tokio::io::AsyncBufReadExt::lines(BufReader::new(output));
        let mut shell = ClientShell { child, lines };
        shell.send(&self.before).await;
        shell
    }
}

async fn ran(command: &mut Command) -> Ran {
    let output = command.output().await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ran {
        is_ok: output.status.success(),
        said: text(&output.stdout) + &text(&output.stderr),
    }
}

/// DuckDB's command line that runs.
pub struct ClientShell {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl ClientShell {
    /// Sends statements, and does not wait for their end.
    pub async fn send(&mut self, sql: &str) {
        let input = self.child.stdin.as_mut().unwrap();
        input
            .write_all(format!("{sql}\n").as_bytes())
            .await
            .unwrap();
        input.flush().await.unwrap();
    }

    /// Returns the next line of the output.
    pub async fn next_line(&mut self) -> String {
        self.lines.next_line().await.unwrap().unwrap()
    }

    /// Ends the command line after its statements. Returns its errors.
    pub async fn end(mut self) -> String {
        drop(self.child.stdin.take());
        let output = self.child.wait_with_output().await.unwrap();
        String::from_utf8_lossy(&output.stderr).into_owned()
    }
}
