//! DuckDB's command line, as a process that is given one statement after the other.
//!
//! Which of them failed it does not say, so each is followed by one that certainly fails:
//! whatever DuckDB wrote before that error, the statement before it caused. Errors go to the
//! standard error output, which is not buffered, so the order holds.

use std::{
    collections::HashMap,
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use tokio::{
    io::{AsyncBufRead, AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command},
    time::timeout,
};
use uuid::Uuid;

use super::secrets::Secrets;

/// How long DuckDB may take to end by itself, at the end of its input. It does so at once
/// unless a query runs, and nothing is lost with it that it could still save.
const EXIT_TIMEOUT: Duration = Duration::from_millis(300);

/// The most bytes of an answer that are of use: more than the largest question wants, and little
/// beside DuckDB's own memory.
const MAX_OUTPUT_BYTES: usize = 16 << 20;

/// DuckDB has ended: there is nobody left to talk to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exited;

/// What a DuckDB that is asked has in its environment, and nothing else: where the certificates
/// of authorities are.
const INHERITED_VARIABLES: [&str; 2] = ["SSL_CERT_FILE", "SSL_CERT_DIR"];

/// The running command line; it is killed when dropped.
pub struct Shell {
    child: Child,
    input: Option<ChildStdin>,
    output: Option<BufReader<ChildStdout>>,
    errors: BufReader<ChildStderr>,
    secrets: Secrets,
    /// What the end of a statement is called: nobody who is asked for one knows.
    end: String,
    statements: u64,
}

impl Shell {
    /// Starts `program` on a database in memory, with this process's environment.
    ///
    /// # Errors
    /// If there is no such program.
    pub fn start(program: &Path) -> std::io::Result<Self> {
        let mut command = Command::new(program);
        // Results: the person asks in the UI.
        command.stdout(Stdio::null());
        Self::run(command, Secrets::from_environment())
    }

    /// Starts one with nothing in its environment, to be asked.
    ///
    /// # Errors
    /// If there is no such program.
    pub fn start_isolated(
        program: &Path,
        variables: &HashMap<String, String>,
        secrets: Secrets,
    ) -> std::io::Result<Self> {
        let mut command = Command::new(program);
        let passed_on = INHERITED_VARIABLES.map(|name| Some((name, variables.get(name)?)));
        command.env_clear().envs(passed_on.into_iter().flatten());
        command.stdout(Stdio::piped());
        Self::run(command, secrets)
    }

    fn run(mut command: Command, secrets: Secrets) -> std::io::Result<Self> {
        let mut child = command
            // Not ~/.duckdbrc: the person can write there.
            .args(["-batch", "-init", "/dev/null"])
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let missing = || std::io::Error::other("DuckDB has no pipe");
        Ok(Self {
            input: Some(child.stdin.take().ok_or_else(missing)?),
            output: child.stdout.take().map(BufReader::new),
            errors: BufReader::new(child.stderr.take().ok_or_else(missing)?),
            child,
            secrets,
            end: Uuid::new_v4().to_string(),
            statements: 0,
        })
    }

    /// Runs `statement`; the inner error is DuckDB's, without secret values.
    ///
    /// # Errors
    /// If DuckDB ended meanwhile; what it said last is printed.
    pub async fn execute(&mut self, statement: &str) -> Result<Result<(), String>, Exited> {
        Ok(self.query(statement).await?.map(drop))
    }

    /// The same; the lines that it answers, without secret values as well.
    ///
    /// # Errors
    /// As [`Shell::execute`].
    pub async fn query(&mut self, statement: &str) -> Result<Result<Vec<String>, String>, Exited> {
        self.statements += 1;
        let end = format!("end of statement {} {}", self.statements, self.end);
        let text = format!("{statement}\n.print {end}\nSELECT error('{end}');\n");
        let mut input = self.input.take().ok_or(Exited)?;
        let errors = &mut self.errors;
        // All three at once: neither may wait for a pipe that the other leaves full.
        let (written, answered, said) = tokio::join!(
            // A pipe that is closed: DuckDB's last words are still to be read.
            input.write_all(text.as_bytes()),
            read_until(self.output.as_mut(), &end),
            read_until(Some(errors), &end),
        );
        self.input = Some(input);
        let (said, is_whole) = said;
        if !is_whole {
            eprint!("{}", self.secrets.redact_values(&said.concat()));
            return Err(Exited);
        }
        written.map_err(|_| Exited)?;
        match said.concat().trim() {
            "" => {
                let lines = answered.0.iter();
                Ok(Ok(lines.map(|it| self.secrets.redact_values(it)).collect()))
            }
            error => Ok(Err(self.secrets.redact_values(error))),
        }
    }

    /// Prints what DuckDB says, until it ends.
    pub async fn forward_errors(&mut self) -> Exited {
        while let Some(line) = next_line(&mut self.errors).await {
            eprint!("{}", self.secrets.redact_values(&line));
        }
        Exited
    }

    /// The exit code of a DuckDB that ends, as a shell would give it.
    ///
    /// # Errors
    /// If the system doesn't say.
    pub async fn exit_code(&mut self) -> std::io::Result<u8> {
        let status = self.child.wait().await?;
        eprintln!("duckbot: DuckDB ended with {status}");
        Ok(exit_code(status))
    }

    /// Ends it, at the end of its input or, if it is busy, by force.
    ///
    /// # Errors
    /// If the system doesn't let it.
    pub async fn end(&mut self) -> std::io::Result<()> {
        self.input = None;
        match timeout(EXIT_TIMEOUT, self.child.wait()).await {
            Ok(ended) => ended.map(drop),
            Err(_) => self.child.kill().await,
        }
    }
}

/// The lines up to the one with `end`, and whether that came; nothing if nothing is listened to.
/// What is beyond [`MAX_OUTPUT_BYTES`] is left out.
async fn read_until(
    from: Option<&mut (impl AsyncBufRead + Unpin)>,
    end: &str,
) -> (Vec<String>, bool) {
    let mut lines = Vec::new();
    let Some(from) = from else {
        return (lines, false);
    };
    let mut room = MAX_OUTPUT_BYTES;
    while let Some(line) = next_line(from).await {
        // As it is: a key's id may be a word of it.
        if line.contains(end) {
            return (lines, true);
        }
        room = room.saturating_sub(line.len());
        lines.push(if room > 0 { line } else { String::new() });
    }
    (lines, false)
}

/// The next line, with its end; of a very long one the beginning.
async fn next_line(from: &mut (impl AsyncBufRead + Unpin)) -> Option<String> {
    let mut line = Vec::new();
    loop {
        let heard = from.fill_buf().await.ok()?;
        let end = heard.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(heard.len(), |end| end + 1);
        let room = MAX_OUTPUT_BYTES.saturating_sub(line.len());
        line.extend_from_slice(&heard[..taken.min(room)]);
        from.consume(taken);
        if taken == 0 && line.is_empty() {
            return None;
        }
        if taken == 0 || end.is_some() {
            return Some(String::from_utf8_lossy(&line).into_owned());
        }
    }
}

/// 128 and the signal's number, if it was one: so it reads in a Pod's status.
fn exit_code(status: ExitStatus) -> u8 {
    let code = status.code();
    let code = code.or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}
