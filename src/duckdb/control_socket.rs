//! The socket through which a session's entry point gets the bot's commands.
//!
//! `duckbot duckdb --control` connects to it. One line is a signed command, which is answered in
//! JSON. The line `credentials` is answered with the renewed credentials, for
//! `duckbot duckdb --ask` in a Pod. The socket grants nothing that a process of the same user does not
//! have: commands are signed, and in a Pod that process can read the credentials in the entry point's
//! memory. In the local runtime, Landlock prevents that, so there the answer has no credentials.

use std::{
    collections::HashMap,
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use chrono::Utc;
use parking_lot::Mutex;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    sync::{Semaphore, mpsc, oneshot},
    time::{Instant, sleep, timeout, timeout_at},
};

use super::{
    control::{ControlCommand, ControlGate, ControlResponse},
    work::{
        files::{WorkFiles, unless_missing},
        state::State,
    },
};
use crate::door::ticket::Signed;

/// Request for the renewed credentials.
const GET_CREDENTIALS: &str = "credentials";
/// Maximum time to receive a line.
const READ_TIMEOUT: Duration = Duration::from_secs(5);
/// Maximum time until the renewed credentials are returned.
const GET_TIMEOUT: Duration = Duration::from_secs(2);
/// Maximum time to wait for the answer to a command. The bot waits less.
const MAX_WAIT: Duration = Duration::from_hours(1);
/// Maximum number of connections.
const MAX_CONNECTIONS: usize = 8;
/// Pause after a connection that could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Maximum size of an answer.
const MAX_ANSWER_BYTES: u64 = 256 << 10;

/// Renewed credentials, by variable. Empty before the first renewal.
pub(super) type Renewed = Arc<Mutex<HashMap<String, String>>>;

/// An accepted command, with the sender of its answer.
pub(super) type Pending = (ControlCommand, oneshot::Sender<ControlResponse>);

/// Path of the socket of the session with this home folder.
fn path(home: &Path) -> PathBuf {
    home.join(".duckdb/control.sock")
}

/// Listens for commands. Returns those that `gate` accepts, one at a time.
///
/// # Errors
/// If the socket can't be created, for example because its path is too long.
pub(super) fn listen(
    home: &Path,
    gate: ControlGate,
    renewed: Renewed,
    work: State,
) -> io::Result<mpsc::Receiver<Pending>> {
    let (path, files) = (path(home), Arc::new(WorkFiles::new(home)));
    // Remove the socket of the process before this one.
    unless_missing(fs::remove_file(&path))?;
    let listener = UnixListener::bind(&path)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    let (sender, commands) = mpsc::channel(1);
    let gate = Arc::new(Mutex::new(gate));
    let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    tokio::spawn(async move {
        loop {
            let permit = connections.clone().acquire_owned().await;
            let Ok((stream, _)) = listener.accept().await else {
                // A temporary failure, such as too many open files.
                sleep(ACCEPT_PAUSE).await;
                continue;
            };
            let (gate, renewed, sender) = (gate.clone(), renewed.clone(), sender.clone());
            let (work, files) = (work.clone(), files.clone());
            tokio::spawn(async move {
                let describe = || work.describe(&files);
                // The client sees a failure as an empty answer.
                let _ = serve(stream, &gate, &renewed, &sender, describe).await;
                drop(permit);
            });
        }
    });
    Ok(commands)
}

async fn serve(
    mut stream: UnixStream,
    gate: &Mutex<ControlGate>,
    renewed: &Renewed,
    commands: &mpsc::Sender<Pending>,
    describe_work: impl Fn() -> ControlResponse,
) -> io::Result<()> {
    let (input, mut output) = stream.split();
    let mut line = String::new();
    let mut input = BufReader::new(input).take(ControlCommand::MAX_BYTES as u64 + 2);
    timeout(READ_TIMEOUT, input.read_line(&mut line)).await??;
    let answer = match line.trim_end() {
        GET_CREDENTIALS => serde_json::to_vec(&*renewed.lock()),
        signed => {
            let begin = Instant::now();
            let delay = gate.lock().delay(signed, Utc::now());
            sleep(delay).await;
            let accepted = gate.lock().accept(signed, Utc::now());
            let answer = match accepted {
                Err(answer) => {
                    eprintln!("duckbot: a command of the bot: {answer}");
                    answer
                }
                // It needs no DuckDB, which may be busy.
                Ok(ControlCommand::DescribeWork) => describe_work(),
                Ok(command) => {
                    let deadline = begin + command.time_limit();
                    carry_out(command, deadline, commands).await
                }
            };
            serde_json::to_vec(&answer)
        }
    };
    output.write_all(&answer.unwrap_or_default()).await
}

/// Passes a command on, and waits for its answer until `deadline`.
async fn carry_out(
    command: ControlCommand,
    deadline: Instant,
    commands: &mpsc::Sender<Pending>,
) -> ControlResponse {
    let label = command.label();
    let (sender, answer) = oneshot::channel();
    let carried_out = async {
        // One command runs. The others wait: two bots and a person may all ask for a save.
        commands.send((command, sender)).await.ok()?;
        answer.await.ok()
    };
    let answer = match timeout_at(deadline, carried_out).await {
        Ok(Some(answer)) => answer,
        Ok(None) => ControlResponse::Refused("DuckDB has ended".into()),
        Err(_) => ControlResponse::Refused("DuckDB was busy for too long".into()),
    };
    eprintln!("duckbot: the bot's command to {label}: {answer}");
    answer
}

/// Sends a signed command to the session with this home folder.
pub async fn send(home: &Path, signed: &str) -> ControlResponse {
    match timeout(MAX_WAIT, exchange(home, signed)).await {
        Err(_) => ControlResponse::Refused("DuckDB was busy for too long".into()),
        // Without a socket, the session takes no commands.
        Ok(Err(_)) => ControlResponse::NotSupported,
        Ok(Ok(answer)) => serde_json::from_slice(&answer)
            .unwrap_or_else(|_| ControlResponse::Refused("DuckDB has ended".into())),
    }
}

/// Returns the renewed credentials of the session with this home folder. Empty if the session has
/// those of its start.
pub async fn renewed_credentials(home: &Path) -> HashMap<String, String> {
    let answer = timeout(GET_TIMEOUT, exchange(home, GET_CREDENTIALS)).await;
    let answer = answer.ok().and_then(Result::ok).unwrap_or_default();
    serde_json::from_slice(&answer).unwrap_or_default()
}

async fn exchange(home: &Path, line: &str) -> io::Result<Vec<u8>> {
    let mut stream = UnixStream::connect(path(home)).await?;
    stream.write_all(format!("{line}\n").as_bytes()).await?;
    let mut answer = Vec::new();
    stream
        .take(MAX_ANSWER_BYTES)
        .read_to_end(&mut answer)
        .await?;
    Ok(answer)
}
