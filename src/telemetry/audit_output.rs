//! The audit log's own output: a file or a Unix socket, instead of standard error.
//!
//! A thread of its own writes the lines, so that no command waits for a disk or a receiver. While the output
//! fails, lines wait in a bounded queue, and the thread tries again every second. Lines beyond the bound are
//! lost and counted. Standard error says so once, and once again when the output works.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::{
        fs::{MetadataExt, OpenOptionsExt},
        net::{UnixDatagram, UnixStream},
    },
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::Duration,
};

use tracing::{info, warn};
use tracing_subscriber::fmt::MakeWriter;

/// Maximum size of the lines that wait, in bytes. A usual line has 400.
const MAX_WAITING: usize = 4 << 20;
/// Pause before a failed line is tried again.
const RETRY_DELAY: Duration = Duration::from_secs(1);
/// Time that a receiver may take for one line.
const SOCKET_TIMEOUT: Duration = Duration::from_secs(5);
/// Maximum size of a datagram, in bytes. Linux takes about 200 KiB by default. Only the text of a query can be
/// longer.
const MAX_DATAGRAM: usize = 128 << 10;
/// Time that the last lines have when the bot ends.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// Place that takes lines.
pub(super) enum Target {
    File(LogFile),
    Socket(LogSocket),
}

impl Target {
    /// Opens a file, which must work at the start.
    ///
    /// # Errors
    /// If the file can't be opened for writing.
    pub(super) fn file(path: &Path) -> io::Result<Self> {
        let opened = open(path)?;
        Ok(Self::File(LogFile {
            path: path.to_owned(),
            opened: Some(opened),
            is_torn: false,
        }))
    }

    /// Names a socket. Its receiver may start later than the bot.
    pub(super) fn socket(path: &Path) -> Self {
        Self::Socket(LogSocket {
            path: path.to_owned(),
            connected: None,
        })
    }

    fn path(&self) -> &Path {
        match self {
            Self::File(file) => &file.path,
            Self::Socket(socket) => &socket.path,
        }
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        match self {
            Self::File(file) => file.write(line),
            Self::Socket(socket) => socket.write(line),
        }
    }
}

/// File that lines are appended to. It is opened again when another file, or none, has its path: a program
/// that rotates logs renames the file.
pub(super) struct LogFile {
    path: PathBuf,
    opened: Option<File>,
    /// True if the file ends within a line, because the disk was full.
    is_torn: bool,
}

impl LogFile {
    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        let is_current = |file: &File| match (file.metadata(), fs::metadata(&self.path)) {
            (Ok(ours), Ok(theirs)) => (ours.dev(), ours.ino()) == (theirs.dev(), theirs.ino()),
            _ => false,
        };
        let mut file = match self.opened.take().filter(is_current) {
            Some(file) => file,
            None => {
                self.is_torn = false;
                open(&self.path)?
            }
        };
        let outcome = self.append(&mut file, line);
        self.opened = Some(file);
        outcome
    }

    fn append(&mut self, file: &mut File, line: &[u8]) -> io::Result<()> {
        if self.is_torn {
            file.write_all(b"\n")?;
            self.is_torn = false;
        }
        let mut rest = line;
        while !rest.is_empty() {
            match file.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    rest = &rest[count..];
                    self.is_torn = !rest.is_empty();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Opens a file to append to. A new one is for the bot's user only.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(0o600).open(path)
}

/// Socket whose receiver gets a datagram for each line. If it is a stream, the receiver gets the lines one after
/// the other.
pub(super) struct LogSocket {
    path: PathBuf,
    connected: Option<Connection>,
}

enum Connection {
    Datagram(UnixDatagram),
    Stream(UnixStream),
}

impl LogSocket {
    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        let mut connection = match self.connected.take() {
            Some(connection) => connection,
            None => Connection::open(&self.path)?,
        };
        match &mut connection {
            // It would never pass.
            Connection::Datagram(_) if line.len() > MAX_DATAGRAM => {
                self.connected = Some(connection);
                return Err(io::ErrorKind::InvalidInput.into());
            }
            Connection::Datagram(socket) => socket.send(line).map(drop)?,
            Connection::Stream(socket) => socket.write_all(line)?,
        }
        // After a failure, the next line gets a new connection: its receiver may be another one.
        self.connected = Some(connection);
        Ok(())
    }
}

impl Connection {
    /// Connects to a socket of either kind, as syslog(3) does.
    fn open(path: &Path) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        if socket.connect(path).is_ok() {
            socket.set_write_timeout(Some(SOCKET_TIMEOUT))?;
            return Ok(Self::Datagram(socket));
        }
        let socket = UnixStream::connect(path)?;
        socket.set_write_timeout(Some(SOCKET_TIMEOUT))?;
        Ok(Self::Stream(socket))
    }
}

enum Message {
    Line(Vec<u8>),
    /// Asks to confirm that all lines before were written.
    Flush(Sender<()>),
}

/// Output for lines, which hands them to the thread that writes them.
#[derive(Clone)]
pub(super) struct AuditOutput {
    queue: Sender<Message>,
    /// Size of the lines that wait.
    waiting: Arc<AtomicUsize>,
    /// Number of lines that were lost and not reported yet.
    lost: Arc<AtomicUsize>,
}

impl AuditOutput {
    /// Starts the thread that writes to `target`.
    ///
    /// # Errors
    /// If the thread can't be started.
    pub(super) fn start(target: Target) -> io::Result<Self> {
        let (queue, messages) = channel();
        let output = Self {
            queue,
            waiting: Arc::default(),
            lost: Arc::default(),
        };
        let (waiting, lost) = (output.waiting.clone(), output.lost.clone());
        let body = move || write_all(target, &messages, &waiting, &lost);
        thread::Builder::new().name("audit".into()).spawn(body)?;
        Ok(output)
    }

    fn push(&self, line: &[u8]) {
        let size = line.len();
        if self.waiting.fetch_add(size, Relaxed) + size > MAX_WAITING {
            self.waiting.fetch_sub(size, Relaxed);
            self.lost.fetch_add(1, Relaxed);
        } else {
            // The thread never ends before the process.
            let _ = self.queue.send(Message::Line(line.to_owned()));
        }
    }

    /// Waits until all lines are written, for a second at most. Reports those that are not.
    pub(super) fn flush(&self) {
        let (done, is_done) = channel();
        let _ = self.queue.send(Message::Flush(done));
        if is_done.recv_timeout(FLUSH_TIMEOUT).is_err() {
            warn!("the last lines of the audit log were not written");
        }
    }
}

/// Writes the lines until all senders are gone.
fn write_all(
    mut target: Target,
    messages: &Receiver<Message>,
    waiting: &AtomicUsize,
    lost: &AtomicUsize,
) {
    let path = target.path().display().to_string();
    for message in messages {
        let line = match message {
            Message::Line(line) => line,
            Message::Flush(done) => {
                let _ = done.send(());
                continue;
            }
        };
        let mut is_failing = false;
        while let Err(error) = target.write(&line) {
            if error.kind() == io::ErrorKind::InvalidInput {
                warn!("a line of the audit log is too long for a datagram, and was dropped");
                break;
            }
            if !is_failing {
                warn!(
                    "the audit log can't be written to {path}: {error}. Its lines wait, up to 4 MiB"
                );
            }
            is_failing = true;
            thread::sleep(RETRY_DELAY);
        }
        waiting.fetch_sub(line.len(), Relaxed);
        // Lines are also lost if the output is only slow.
        let lost = lost.swap(0, Relaxed);
        if is_failing {
            info!("the audit log is written to {path} again; {lost} lines were lost");
        } else if lost > 0 {
            warn!("{path} takes the audit log too slowly; {lost} lines were lost");
        }
    }
}

/// Writer of one event.
pub(super) struct LineSender<'a>(&'a AuditOutput);

impl Write for LineSender<'_> {
    /// Takes a whole event, as tracing-subscriber passes it.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        self.0.push(event);
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for AuditOutput {
    type Writer = LineSender<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        LineSender(self)
    }
}

#[cfg(test)]
mod tests;
