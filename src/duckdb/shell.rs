//! DuckDB's command line as a child process that runs one statement after the other.
//!
//! DuckDB does not say which statement failed. So each statement is followed by one that certainly
//! fails, and all output before that error belongs to the statement. Errors go to standard
//! error, which is not buffered, so they keep their order.

use std::{
    collections::HashMap,
    os::{fd::OwnedFd, unix, unix::process::ExitStatusExt},
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use tokio::{
    io::{AsyncBufRead, AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    process::{Child, Command},
    time::timeout,
};
use uuid::Uuid;

use super::{
    environment::secret,
    error_text::{is_unusable, plain, quotes_lines},
    secrets::Secrets,
    table_text::{Marks, Table},
};
use crate::outbound::{CA_FILE_VARIABLE, SESSION_PROXY_VARIABLES};

/// Maximum time for DuckDB to exit after the end of its input. It exits at once unless a query
/// runs. Killing it loses nothing that it could still save.
const EXIT_TIMEOUT: Duration = Duration::from_millis(300);

/// Maximum size of an answer. It exceeds the largest result of a query from the chat, and is small
/// compared to DuckDB's own memory.
const MAX_OUTPUT_BYTES: usize = 16 << 20;
/// Maximum size of an error of the session's own statements. Errors quote what a storage or a catalog
/// answered, and are kept in logs, the bot's memory and the table `memory.problems`.
const MAX_ERROR_BYTES: usize = 64 << 10;

/// DuckDB's answer to a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer<T> {
    Done(T),
    /// The statement failed with this error, which has no secret values.
    Failed(String),
}

/// DuckDB has ended, or is unusable. No more statements can be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exited;

/// The only variables in the environment of a DuckDB for the chat, besides the proxies: the location
/// of the CA certificates.
const INHERITED_VARIABLES: [&str; 2] = [CA_FILE_VARIABLE, "SSL_CERT_DIR"];

/// A running DuckDB process, which is killed when dropped.
///
/// Its input and output are sockets, which no process can open by a path. With pipes, SQL could
/// write to `/proc/self/fd/0`, and the command line would run it: with `.shell`, any program.
pub struct Shell {
    child: Child,
    input: Option<OwnedWriteHalf>,
    /// True if this DuckDB also answers others, who choose the format of its errors.
    is_shared: bool,
    /// `None` if the output is discarded.
    output: Option<BufReader<OwnedReadHalf>>,
    errors: BufReader<UnixStream>,
    /// Beginning of a line of errors whose end was not read yet.
    line: Vec<u8>,
    secrets: Secrets,
    /// Random text that marks the end of a statement. No query can know it.
    end: String,
    statements: u64,
    /// Last errors of a DuckDB that has ended.
    last_words: String,
}

impl Shell {
    /// Starts `program` on the database file `database`, with this process's environment, in `folder`.
    /// DuckDB ends at once if it can't open the file.
    ///
    /// # Errors
    /// If `program` can't be started.
    pub fn start(program: &Path, folder: &Path, database: &Path) -> std::io::Result<Self> {
        let mut command = Command::new(program);
        // DuckDB has no use for it.
        command.current_dir(folder).env_remove(secret::WORK_KEY);
        command.arg(database);
        // Results are not needed: the owner runs queries in the UI.
        let shell = Self::run(command, Secrets::from_environment(), false)?;
        Ok(Self {
            is_shared: true,
            ..shell
        })
    }

    /// Starts `program` for queries from the chat, in `folder`, which must be empty. Its environment contains
    /// only the location of the CA certificates and the proxies, from `variables`.
    ///
    /// # Errors
    /// If `program` can't be started.
    pub fn start_isolated(
        program: &Path,
        folder: &Path,
        variables: &HashMap<String, String>,
        secrets: Secrets,
    ) -> std::io::Result<Self> {
        let mut command = Command::new(program);
        command.arg(":memory:");
        let names = INHERITED_VARIABLES
            .into_iter()
            .chain(SESSION_PROXY_VARIABLES);
        let passed_on = names.filter_map(|name| Some((name, variables.get(name)?)));
        command.env_clear().envs(passed_on);
        command.current_dir(folder);
        Self::run(command, secrets, true)
    }

    fn run(mut command: Command, secrets: Secrets, reads_output: bool) -> std::io::Result<Self> {
        let (ours, theirs) = socket()?;
        let (output, input) = ours.into_split();
        let (errors, their_errors) = socket()?;
        if reads_output {
            command.stdout(theirs.try_clone()?);
        } else {
            command.stdout(Stdio::null());
        }
        let child = command
            // Don't read ~/.duckdbrc, because the owner can write it.
            .args(["-batch", "-init", "/dev/null"])
            .stdin(theirs)
            .stderr(their_errors)
            .kill_on_drop(true)
            .spawn()?;
        Ok(Self {
            child,
            input: Some(input),
            is_shared: false,
            output: reads_output.then(|| BufReader::new(output)),
            errors: BufReader::new(errors),
            line: Vec::new(),
            secrets,
            end: Uuid::new_v4().to_string(),
            statements: 0,
            last_words: String::new(),
        })
    }

    /// Runs `statement`.
    ///
    /// # Errors
    /// Returns [`Exited`] if DuckDB ends meanwhile. Its last output is printed.
    pub async fn execute(&mut self, statement: &str) -> Result<Answer<()>, Exited> {
        Ok(match self.query(statement).await? {
            Answer::Done(_) => Answer::Done(()),
            Answer::Failed(error) => Answer::Failed(shorten(error)),
        })
    }

    /// Runs `statement` like [`Shell::execute`], and returns the lines of its result, also without
    /// secret values.
    ///
    /// # Errors
    /// Returns [`Exited`] if DuckDB ends meanwhile. Its last output is printed.
    pub async fn query(&mut self, statement: &str) -> Result<Answer<Vec<String>>, Exited> {
        let (output, errors) = self.run_to_end(statement).await?;
        let redact = |line: &str| self.secrets.redact_values(line);
        Ok(match errors.concat().trim() {
            "" => Answer::Done(output.split_inclusive('\n').map(redact).collect()),
            error => Answer::Failed(self.secrets.redact_values(error)),
        })
    }

    /// Runs `statement`, and then queries. Returns the rows of each query. Rows beyond
    /// `MAX_OUTPUT_BYTES` are missing, which the second value tells. DuckDB must write each error as a line,
    /// and only the first one is returned.
    ///
    /// # Errors
    /// Returns [`Exited`] if DuckDB ends meanwhile. Its last output is printed.
    pub async fn query_tables<const N: usize>(
        &mut self,
        statement: &str,
        queries: [&str; N],
    ) -> Result<Answer<([Table; N], bool)>, Exited> {
        let marks = Marks::new(&self.end);
        let queries = queries.map(|query| format!(".print {}\n{query}", marks.table));
        let (set, queries) = (marks.set(), queries.join("\n"));
        // The line break at the end is not part of a table.
        let text = format!("{statement}\n{set}\n{queries}\n.mode list\n.nullvalue \"\"\n.print");
        let (output, errors) = self.run_to_end(&text).await?;
        if let Some(error) = errors.iter().find(|line| !line.trim().is_empty()) {
            return Ok(Answer::Failed(self.secrets.redact_values(error.trim())));
        }
        let mut tables = output.split(&marks.table).skip(1);
        let redact = |value: &str| self.secrets.redact_values(value);
        let tables = std::array::from_fn(|_| marks.read(tables.next().unwrap_or_default(), redact));
        Ok(Answer::Done((tables, output.len() < MAX_OUTPUT_BYTES)))
    }

    /// Runs a text. Returns its output, and the lines of its errors.
    async fn run_to_end(&mut self, text: &str) -> Result<(String, Vec<String>), Exited> {
        if text.contains('\0') {
            // The command line would drop the rest of the line, and wait for the end of a quote.
            let error = "DuckDB can't read the character U+0000".to_owned();
            return Ok((String::new(), vec![error]));
        }
        self.statements += 1;
        let end = format!("end of statement {} {}", self.statements, self.end);
        let text = keep_line_ends(text);
        let text = format!("{text}\n.print {end}\nSELECT system.main.error('{end}');\n");
        let mut input = self.input.take().ok_or(Exited)?;
        let (errors, line) = (&mut self.errors, &mut self.line);
        // Write and read at the same time, so that no socket fills up and blocks the others.
        let (written, output, (errors, is_whole)) = tokio::join!(
            // If the socket is closed, DuckDB's last output must still be read.
            input.write_all(text.as_bytes()),
            read_output(self.output.as_mut(), &end),
            read_errors(errors, line, &end, self.is_shared),
        );
        self.input = Some(input);
        if !is_whole {
            self.last_words = self.secrets.redact_values(&errors.concat());
            eprint!("{}", self.last_words);
            // It may go on as an unusable one.
            let _ = self.end().await;
            return Err(Exited);
        }
        written.map_err(|_| Exited)?;
        Ok((output, errors))
    }

    /// Runs a text as the last statement, and ends DuckDB. Returns its result: rows of values as
    /// DuckDB writes them, of which the first has the names of the columns. Rows beyond
    /// `MAX_OUTPUT_BYTES` are missing, which the second value tells.
    ///
    /// The command line reads the text until the end of its input. So it passes on the whole text to
    /// DuckDB's parser, and can't take a part of it for a command of its own. No line of the text but the
    /// last may look like the end of the statement.
    ///
    /// # Errors
    /// Returns [`Exited`] if DuckDB ends with neither a result nor an error.
    pub async fn finish(mut self, text: &str) -> Result<Answer<(Table, bool)>, Exited> {
        let marks = Marks::new(&self.end);
        let (set, mark) = (marks.set(), &marks.table);
        // A space, because the command line takes a line that begins with a dot for a command.
        let text = keep_line_ends(&format!("{set}\n.headers on\n.print {mark}\n {text}"));
        let mut input = self.input.take().ok_or(Exited)?;
        let (mut output, mut errors) = (Vec::new(), std::mem::take(&mut self.line));
        let ((), is_whole, _) = tokio::join!(
            async {
                // If the socket is closed, DuckDB's last output must still be read.
                let _ = input.write_all(text.as_bytes()).await;
                // End the input.
                let _ = input.shutdown().await;
            },
            read_to_end(self.output.as_mut(), &mut output),
            read_to_end(Some(&mut self.errors), &mut errors),
        );
        let ended = self.child.wait().await.map_err(|_| Exited)?;
        let said = String::from_utf8_lossy(&errors);
        if !said.trim().is_empty() {
            return Ok(Answer::Failed(self.secrets.redact_values(said.trim())));
        }
        // Its exit code tells whether any statement failed, as the marks before did.
        if ended.code().is_none() {
            return Err(Exited);
        }
        let output = String::from_utf8_lossy(&output);
        // Other output comes before, such as the result of the preparation.
        let (_, result) = output.split_once(&marks.table).ok_or(Exited)?;
        let table = marks.read(result, |value| self.secrets.redact_values(value));
        Ok(Answer::Done((table, is_whole)))
    }

    /// Also removes these secret values, by variable, from DuckDB's output from now on.
    pub fn add_secrets(&mut self, variables: &HashMap<String, String>) {
        self.secrets.add(variables);
    }

    /// Prints DuckDB's error output until DuckDB ends. If the future is dropped before, the next
    /// call continues.
    pub async fn forward_errors(&mut self) -> Exited {
        while let Some(line) = next_line(&mut self.errors, &mut self.line).await {
            let line = shorten(self.secrets.redact_values(&line));
            eprintln!("{}", line.trim_end());
        }
        Exited
    }

    /// Returns the last errors of a DuckDB that has ended, without secret values.
    pub fn last_words(&self) -> &str {
        &self.last_words
    }

    /// Waits until DuckDB has ended. Returns its exit code as a shell would.
    ///
    /// # Errors
    /// If the system can't report the exit status.
    pub async fn exit_code(&mut self) -> std::io::Result<u8> {
        let status = self.child.wait().await?;
        eprintln!("duckbot: DuckDB ended: {status}");
        Ok(exit_code(status))
    }

    /// Closes DuckDB's input so that it exits. Kills it if it is busy.
    ///
    /// # Errors
    /// If the system can't wait for the process or kill it.
    pub async fn end(&mut self) -> std::io::Result<()> {
        self.input = None;
        match timeout(EXIT_TIMEOUT, self.child.wait()).await {
            Ok(ended) => ended.map(drop),
            Err(_) => self.child.kill().await,
        }
    }
}

/// Doubles carriage returns at ends of lines, of which DuckDB's command line drops one.
fn keep_line_ends(text: &str) -> String {
    text.replace("\r\n", "\r\r\n")
}

/// Creates a pair of sockets: one for this process, and one as the stream of a child process.
fn socket() -> std::io::Result<(UnixStream, OwnedFd)> {
    let (ours, theirs) = unix::net::UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    Ok((UnixStream::from_std(ours)?, theirs.into()))
}

/// Reads all output. Returns false if only the first [`MAX_OUTPUT_BYTES`] are kept.
async fn read_to_end(from: Option<&mut (impl AsyncBufRead + Unpin)>, kept: &mut Vec<u8>) -> bool {
    let Some(from) = from else {
        return true;
    };
    let mut is_whole = true;
    while let Ok(heard) = from.fill_buf().await
        && !heard.is_empty()
    {
        let room = MAX_OUTPUT_BYTES.saturating_sub(kept.len());
        is_whole &= heard.len() <= room;
        kept.extend_from_slice(&heard[..heard.len().min(room)]);
        let taken = heard.len();
        from.consume(taken);
    }
    is_whole
}

/// Reads output up to the line `end`, which is its last one and not returned. Output beyond
/// [`MAX_OUTPUT_BYTES`] is missing.
async fn read_output(from: Option<&mut (impl AsyncBufRead + Unpin)>, end: &str) -> String {
    let Some(from) = from else {
        return String::new();
    };
    let end = format!("{end}\n").into_bytes();
    let (mut kept, mut last) = (Vec::new(), Vec::new());
    while !last.ends_with(&end)
        && let Ok(heard) = from.fill_buf().await
        && !heard.is_empty()
    {
        let room = MAX_OUTPUT_BYTES.saturating_sub(kept.len());
        kept.extend_from_slice(&heard[..heard.len().min(room)]);
        last.extend_from_slice(heard);
        last.drain(..last.len().saturating_sub(end.len()));
        let taken = heard.len();
        from.consume(taken);
    }
    let kept = kept.strip_suffix(&*end).unwrap_or(&kept);
    String::from_utf8_lossy(kept).into_owned()
}

/// Reads lines of errors up to the one with `end`. Returns them, and true if that line came. It does not come
/// from a DuckDB that ends or is unusable. Lines beyond
/// [`MAX_OUTPUT_BYTES`] become empty, except the first one: an error must not look like no error.
async fn read_errors(
    from: &mut (impl AsyncBufRead + Unpin),
    partial: &mut Vec<u8>,
    end: &str,
    is_shared: bool,
) -> (Vec<String>, bool) {
    let mut lines = Vec::new();
    let mut room = MAX_OUTPUT_BYTES;
    while let Some(line) = next_line(from, partial).await {
        let line = if is_shared { plain(line) } else { line };
        // Compare the line before redaction: an access key ID may be part of `end`.
        if line.contains(end) {
            return (lines, true);
        }
        let fits = room > 0;
        room = room.saturating_sub(line.len());
        // A query can choose the further lines of its error. A DuckDB that ran the query is usable.
        let is_quoted = lines
            .first()
            .is_some_and(|first: &String| quotes_lines(first));
        let is_unusable = is_unusable(&line) && !is_quoted;
        lines.push(if fits { line } else { String::new() });
        if is_unusable {
            return (lines, false);
        }
    }
    (lines, false)
}

/// Cuts a text off after [`MAX_ERROR_BYTES`]. It must have no secret values, because the cut could be
/// within one.
fn shorten(mut text: String) -> String {
    if text.len() > MAX_ERROR_BYTES {
        text.truncate(text.floor_char_boundary(MAX_ERROR_BYTES));
        text.push('…');
    }
    text
}

/// Reads the next line with its line break. Of a line over [`MAX_OUTPUT_BYTES`], returns the
/// beginning. `line` holds the part that was read, so that a dropped future loses nothing.
async fn next_line(from: &mut (impl AsyncBufRead + Unpin), line: &mut Vec<u8>) -> Option<String> {
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
            return Some(String::from_utf8_lossy(&std::mem::take(line)).into_owned());
        }
    }
}

/// Returns the exit code, or 128 plus the signal's number, as in a Pod's status.
fn exit_code(status: ExitStatus) -> u8 {
    let code = status.code();
    let code = code.or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}
