//! DuckDB of one session as a process. Like a kubelet, this module restarts it when it ends, and
//! reports its state.

use std::{
    collections::VecDeque,
    convert::Infallible,
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    process::{ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use chrono::Utc;
use parking_lot::Mutex;
use secrecy::{ExposeSecret, SecretString};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpSocket,
    process::{Child, ChildStderr, Command},
    sync::Notify,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    door::Door,
    session::{Failure, Incident, Pod, PodState, StartupStep},
};

/// Minimum run time. From its second end on, a process that ran for less counts as crashing, and is
/// restarted after `RESTART_DELAY`.
const MIN_UPTIME: Duration = Duration::from_secs(60);
const RESTART_DELAY: Duration = Duration::from_secs(10);
/// Interval of the checks whether DuckDB is ready.
const READY_POLL_INTERVAL: Duration = Duration::from_millis(25);
/// Maximum number of log lines that are kept.
const MAX_LOG_LINES: usize = 100;

/// Variables with their values.
pub(super) type Variables = Vec<(&'static str, SecretString)>;

/// Command that starts DuckDB.
pub(super) struct Launch {
    /// Path of duckbot itself, which runs DuckDB as in the session image.
    pub program: PathBuf,
    /// Whole environment of the process, except its port. It changes when credentials are renewed.
    pub variables: Mutex<Variables>,
    /// Port of DuckDB's UI.
    pub port: ReservedPort,
}

/// Port of this machine's loopback addresses that no other program gets: it is bound, but not listening.
/// DuckDB shares it (`SO_REUSEPORT`) and listens on one of the addresses some seconds later. The door asks
/// both, so both are reserved.
pub(super) struct ReservedPort {
    _bound: (TcpSocket, Option<TcpSocket>),
    pub number: u16,
}

impl ReservedPort {
    /// Reserves a free port.
    ///
    /// # Errors
    /// If the system has no free port.
    pub(super) fn reserve() -> io::Result<Self> {
        loop {
            let first = bind(TcpSocket::new_v4()?, (Ipv4Addr::LOCALHOST, 0).into())?;
            let number = first.local_addr()?.port();
            let second = TcpSocket::new_v6();
            let second = second.and_then(|it| bind(it, (Ipv6Addr::LOCALHOST, number).into()));
            match second {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                // This machine may have no IPv6.
                second => {
                    return Ok(Self {
                        _bound: (first, second.ok()),
                        number,
                    });
                }
            }
        }
    }
}

fn bind(socket: TcpSocket, address: SocketAddr) -> io::Result<TcpSocket> {
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    Ok(socket)
}

impl Launch {
    fn start(&self) -> io::Result<Child> {
        let variables = self.variables.lock();
        let variables = variables.iter();
        Command::new(&self.program)
            .args(["duckdb", "--attached"])
            .env_clear()
            .envs(variables.map(|(name, value)| (name, value.expose_secret())))
            .env("DUCKDB_UI_PORT", self.port.number.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // Use a process group of its own: Ctrl-C is for the bot, which stops its sessions.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
    }
}

/// DuckDB process that is restarted until it is stopped.
pub(super) struct Process {
    /// `None` if the process can't be started.
    launch: Option<Arc<Launch>>,
    state: Arc<ProcessState>,
    kill: Arc<Notify>,
    stop: CancellationToken,
    ended: CancellationToken,
}

struct ProcessState {
    pod: Mutex<Pod>,
    /// Maximum time for a stopped process to end by itself.
    grace: Mutex<Duration>,
    log: Mutex<VecDeque<String>>,
    changed: Box<dyn Fn() + Send + Sync>,
}

impl ProcessState {
    fn change(&self, change: impl FnOnce(&mut Pod)) {
        change(&mut self.pod.lock());
        (self.changed)();
    }
}

impl Process {
    /// Starts DuckDB and keeps it running. It is ready when its door says so; without a door, at once.
    /// `changed` is called after each change of its state,
    /// except [`Process::stop`].
    pub(super) fn start(
        launch: Launch,
        door: Option<Arc<Door>>,
        changed: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        let launch = Arc::new(launch);
        let process = Self {
            launch: Some(launch.clone()),
            ..Self::new(Pod::at(StartupStep::Starting), changed)
        };
        let (state, stop) = (process.state.clone(), process.stop.clone());
        let (kill, ended) = (process.kill.clone(), process.ended.clone().drop_guard());
        tokio::spawn(async move {
            let _ended = ended;
            keep_running(&launch, door.as_deref(), &state, &kill, &stop).await;
        });
        process
    }

    /// Creates a process that can't be started, with the reason.
    pub(super) fn stuck(why: Incident) -> Self {
        let process = Self::new(Pod::new(PodState::Stuck(why)), || {});
        process.ended.cancel();
        process
    }

    fn new(pod: Pod, changed: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            launch: None,
            state: Arc::new(ProcessState {
                pod: Mutex::new(pod),
                grace: Mutex::default(),
                log: Mutex::default(),
                changed: Box::new(changed),
            }),
            kill: Arc::default(),
            stop: CancellationToken::new(),
            ended: CancellationToken::new(),
        }
    }

    /// Returns the state, in terms of a Pod.
    pub(super) fn pod(&self) -> Pod {
        let mut pod = self.state.pod.lock().clone();
        if self.stop.is_cancelled() {
            pod.state = PodState::Terminating;
        }
        pod
    }

    /// Returns the last lines of DuckDB's log.
    pub(super) fn recent_log(&self) -> String {
        self.state.log.lock().iter().map(String::as_str).collect()
    }

    /// Replaces the variables with which the process is restarted after it ended.
    pub(super) fn set_variables(&self, variables: Variables) {
        if let Some(launch) = &self.launch {
            *launch.variables.lock() = variables;
        }
    }

    /// Kills the process. It is restarted as after any other end.
    pub(super) fn kill(&self) {
        self.kill.notify_one();
    }

    /// Returns a token that is cancelled when the process is stopped.
    pub(super) fn stopping(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Stops the process. The returned token is cancelled when it has ended. It is killed after `grace`.
    pub(super) fn stop(&self, grace: Duration) -> CancellationToken {
        *self.state.grace.lock() = grace;
        self.stop.cancel();
        self.ended.clone()
    }
}

async fn keep_running(
    launch: &Launch,
    door: Option<&Door>,
    state: &Arc<ProcessState>,
    kill: &Notify,
    stop: &CancellationToken,
) {
    let mut restarts = 0;
    loop {
        let began = Instant::now();
        let mut child = match launch.start() {
            Ok(child) => child,
            Err(why) => {
                let why = Incident::new(Failure::Container, why.to_string());
                return state.change(|pod| pod.state = PodState::Stuck(why));
            }
        };
        // Take the input out of the child, because `wait` would close it.
        let input = child.stdin.take();
        if let Some(errors) = child.stderr.take() {
            tokio::spawn(capture_log(errors, state.clone()));
        }
        let status = tokio::select! {
            status = child.wait() => status,
            never = get_ready(door, state) => match never {},
            () = kill.notified() => match child.start_kill() {
                Ok(()) => child.wait().await,
                Err(why) => Err(why),
            },
            () = stop.cancelled() => {
                drop(input);
                let grace = *state.grace.lock();
                return end(&mut child, grace).await;
            }
        };
        let why = Incident::new(Failure::Crashed, exit_message(status));
        restarts += 1;
        let is_unlucky = restarts > 1 && began.elapsed() < MIN_UPTIME;
        state.change(|pod| {
            pod.restarts = restarts;
            pod.last_end = Some(why.clone());
            pod.unready_since = Some(Utc::now());
            pod.state = if is_unlucky {
                PodState::Crashing {
                    incident: why,
                    restarts,
                }
            } else {
                Pod::at(StartupStep::Starting).state
            };
        });
        if is_unlucky
            && stop
                .run_until_cancelled(sleep(RESTART_DELAY))
                .await
                .is_none()
        {
            return;
        }
    }
}

/// Waits until DuckDB answers, and then sets the state to ready.
async fn get_ready(door: Option<&Door>, state: &ProcessState) -> Infallible {
    if let Some(door) = door {
        while !door.is_ready().await {
            sleep(READY_POLL_INTERVAL).await;
        }
    }
    state.change(|pod| {
        pod.state = PodState::Ready;
        pod.unready_since = None;
    });
    std::future::pending().await
}

/// Waits until the process ends after its input was closed. Kills it after `grace`.
async fn end(child: &mut Child, grace: Duration) {
    if timeout(grace, child.wait()).await.is_err() {
        // Dropping the child kills it too, but without waiting for its end.
        let _ = child.kill().await;
    }
}

fn exit_message(status: io::Result<ExitStatus>) -> String {
    match status {
        Ok(status) => format!("DuckDB ended with {status}"),
        Err(why) => format!("DuckDB ended, with unknown status ({why})"),
    }
}

async fn capture_log(errors: ChildStderr, state: Arc<ProcessState>) {
    let mut errors = BufReader::new(errors);
    let mut line = Vec::new();
    while let Ok(1..) = errors.read_until(b'\n', &mut line).await {
        let mut log = state.log.lock();
        if log.len() == MAX_LOG_LINES {
            log.pop_front();
        }
        log.push_back(String::from_utf8_lossy(&line).into_owned());
        line.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_is_reserved_on_both_loopback_addresses() {
        let reserved = ReservedPort::reserve().expect("a free port");
        for (other, address) in [
            (TcpSocket::new_v4(), Ipv4Addr::LOCALHOST.into()),
            (
                TcpSocket::new_v6(),
                std::net::IpAddr::from(Ipv6Addr::LOCALHOST),
            ),
        ] {
            let address = SocketAddr::new(address, reserved.number);
            let bound = other.and_then(|it| it.bind(address));
            let error = bound.expect_err("the port is taken, or the machine has no IPv6");
            let is_taken = error.kind() == io::ErrorKind::AddrInUse;
            assert!(is_taken || address.is_ipv6(), "{address}: {error}");
        }
    }
}
