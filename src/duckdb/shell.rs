//! DuckDB's command line, as a process that is given one statement after the other.
//!
//! Which of them failed it does not say, so each is followed by one that certainly fails:
//! whatever DuckDB wrote before that error, the statement before it caused. Errors go to the
//! standard error output, which is not buffered, so the order holds.

use std::{
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStderr, ChildStdin, Command},
    time::timeout,
};

use super::secrets::Secrets;

/// How long DuckDB may take to end by itself, at the end of its input. It does so at once
/// unless a query runs, and nothing is lost with it that it could still save.
const GRACE: Duration = Duration::from_millis(300);

/// DuckDB has ended: there is nobody left to talk to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended;

/// The running command line; it is killed when dropped.
pub struct Shell {
    child: Child,
    input: Option<ChildStdin>,
    errors: BufReader<ChildStderr>,
    secrets: Secrets,
    statements: u64,
}

impl Shell {
    /// Starts `program` on a database in memory, with this process's environment.
    ///
    /// # Errors
    /// If there is no such program.
    pub fn start(program: &Path) -> std::io::Result<Self> {
        let mut child = Command::new(program)
            // Not ~/.duckdbrc: the person can write there.
            .args(["-batch", "-init", "/dev/null"])
            .stdin(Stdio::piped())
            // Results: the person asks in the UI.
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let missing = || std::io::Error::other("DuckDB has no pipe");
        Ok(Self {
            input: Some(child.stdin.take().ok_or_else(missing)?),
            errors: BufReader::new(child.stderr.take().ok_or_else(missing)?),
            child,
            secrets: Secrets::of_this_process(),
            statements: 0,
        })
    }

    /// Runs `statement`; the inner error is DuckDB's, without secret values.
    ///
    /// # Errors
    /// If DuckDB ended meanwhile; what it said last is printed.
    pub async fn runs(&mut self, statement: &str) -> Result<Result<(), String>, Ended> {
        self.statements += 1;
        let end = format!("duckbot: end of statement {}", self.statements);
        let text = format!("{statement}\nSELECT error('{end}');\n");
        let input = self.input.as_mut().ok_or(Ended)?;
        // A pipe that is closed: DuckDB's last words are still to be read.
        let written = input.write_all(text.as_bytes()).await;
        let mut said = String::new();
        loop {
            match self.line().await {
                // Compared as it is: a key's id may be a word of it.
                Some(line) if line.trim_end().ends_with(&end) => break,
                Some(line) => said += &line,
                None => {
                    eprint!("{}", self.secrets.taken_out(&said));
                    return Err(Ended);
                }
            }
        }
        written.map_err(|_| Ended)?;
        match said.trim() {
            "" => Ok(Ok(())),
            error => Ok(Err(self.secrets.taken_out(error))),
        }
    }

    /// Prints what DuckDB says, until it ends.
    pub async fn passes_on(&mut self) -> Ended {
        while let Some(line) = self.line().await {
            eprint!("{}", self.secrets.taken_out(&line));
        }
        Ended
    }

    /// What DuckDB says next, with the end of the line.
    async fn line(&mut self) -> Option<String> {
        let mut line = Vec::new();
        match self.errors.read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(String::from_utf8_lossy(&line).into_owned()),
        }
    }

    /// The exit code of a DuckDB that ends, as a shell would give it.
    ///
    /// # Errors
    /// If the system doesn't say.
    pub async fn code(&mut self) -> std::io::Result<u8> {
        let status = self.child.wait().await?;
        eprintln!("duckbot: DuckDB ended with {status}");
        Ok(code(status))
    }

    /// Ends it, at the end of its input or, if it is busy, by force.
    ///
    /// # Errors
    /// If the system doesn't let it.
    pub async fn end(&mut self) -> std::io::Result<()> {
        self.input = None;
        match timeout(GRACE, self.child.wait()).await {
            Ok(ended) => ended.map(drop),
            Err(_) => self.child.kill().await,
        }
    }
}

/// 128 and the signal's number, if it was one: so it reads in a Pod's status.
fn code(status: ExitStatus) -> u8 {
    let code = status.code();
    let code = code.or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}
