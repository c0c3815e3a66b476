//! One session's DuckDB as a process. What a kubelet does for a Pod is done here: it is
//! started again when it ends, and whoever looks is told how it is.

use std::{
    collections::VecDeque,
    convert::Infallible,
    io,
    net::Ipv4Addr,
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

/// Who ends again within that time after a start has no luck, and waits for the next.
const MIN_UPTIME: Duration = Duration::from_secs(60);
const RESTART_DELAY: Duration = Duration::from_secs(10);
/// How often DuckDB is asked whether it is ready.
const READY_POLL_INTERVAL: Duration = Duration::from_millis(25);
/// How long it may take to end: it needs less than a second.
const STOP_GRACE: Duration = Duration::from_secs(5);
/// How much of what it says is kept.
const MAX_LOG_LINES: usize = 100;

/// How to start it.
pub struct Launch {
    /// This program: it runs DuckDB the same way in the session image.
    pub program: PathBuf,
    /// All that it is told, besides its port.
    pub variables: Vec<(&'static str, SecretString)>,
    /// Where its UI is to be.
    pub port: ReservedPort,
}

/// A port of this machine that nobody else is given: bound, and never listening. DuckDB shares it
/// (`SO_REUSEPORT`), and opens it some seconds later.
pub struct ReservedPort {
    _bound: TcpSocket,
    /// Its number.
    pub number: u16,
}

impl ReservedPort {
    /// A port that was free.
    ///
    /// # Errors
    /// The system's.
    pub fn reserve() -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.set_reuseport(true)?;
        socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
        Ok(Self {
            number: socket.local_addr()?.port(),
            _bound: socket,
        })
    }
}

impl Launch {
    fn start(&self) -> io::Result<Child> {
        let variables = self.variables.iter();
        Command::new(&self.program)
            .args(["duckdb", "--attached"])
            .env_clear()
            .envs(variables.map(|(name, value)| (name, value.expose_secret())))
            .env("DUCKDB_UI_PORT", self.port.number.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // Ctrl-C is for the bot, which ends its sessions itself.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
    }
}

/// A DuckDB that is kept running until it is stopped.
pub struct Process {
    state: Arc<ProcessState>,
    kill: Arc<Notify>,
    stop: CancellationToken,
    ended: CancellationToken,
}

struct ProcessState {
    pod: Mutex<Pod>,
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
    /// Starts it and keeps it running. `changed` is called whenever [`Process::pod`] says
    /// something new.
    pub fn start(
        launch: Launch,
        door: Arc<Door>,
        changed: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        let process = Self::new(Pod::at(StartupStep::Starting), changed);
        let (state, stop) = (process.state.clone(), process.stop.clone());
        let (kill, ended) = (process.kill.clone(), process.ended.clone().drop_guard());
        tokio::spawn(async move {
            let _ended = ended;
            keep_running(&launch, &door, &state, &kill, &stop).await;
        });
        process
    }

    /// One that can't be started, for that reason.
    pub fn stuck(why: Incident) -> Self {
        let process = Self::new(Pod::new(PodState::Stuck(why)), || {});
        process.ended.cancel();
        process
    }

    fn new(pod: Pod, changed: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            state: Arc::new(ProcessState {
                pod: Mutex::new(pod),
                log: Mutex::default(),
                changed: Box::new(changed),
            }),
            kill: Arc::default(),
            stop: CancellationToken::new(),
            ended: CancellationToken::new(),
        }
    }

    /// How it is, in the words for a Pod.
    pub fn pod(&self) -> Pod {
        let mut pod = self.state.pod.lock().clone();
        if self.stop.is_cancelled() {
            pod.state = PodState::Terminating;
        }
        pod
    }

    /// What it said last.
    pub fn recent_log(&self) -> String {
        self.state.log.lock().iter().map(String::as_str).collect()
    }

    /// Kills it; it is started again as after any end.
    pub fn kill(&self) {
        self.kill.notify_one();
    }

    /// Stops it; what is returned is cancelled when it has ended.
    pub fn stop(&self) -> CancellationToken {
        self.stop.cancel();
        self.ended.clone()
    }
}

async fn keep_running(
    launch: &Launch,
    door: &Door,
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
        // Apart from the child: waiting for that would close it.
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
                return end(&mut child).await;
            }
        };
        let why = Incident::new(Failure::Crashed, exit_message(status));
        restarts += 1;
        let is_unlucky = restarts > 1 && began.elapsed() < MIN_UPTIME;
        state.change(|pod| {
            pod.restarts = restarts;
            pod.last_end = Some(why.clone());
            pod.unready_since = Some(Utc::now());
            pod.state = match is_unlucky {
                true => PodState::Crashing {
                    incident: why,
                    restarts,
                },
                false => Pod::at(StartupStep::Starting).state,
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

/// Waits until DuckDB answers, and says so.
async fn get_ready(door: &Door, state: &ProcessState) -> Infallible {
    while !door.is_ready().await {
        sleep(READY_POLL_INTERVAL).await;
    }
    state.change(|pod| {
        pod.state = PodState::Ready;
        pod.unready_since = None;
    });
    std::future::pending().await
}

/// Waits for its end, after its input: it runs as long as that is open.
async fn end(child: &mut Child) {
    if timeout(STOP_GRACE, child.wait()).await.is_err() {
        // It is killed when dropped as well; then nobody waits for it.
        let _ = child.kill().await;
    }
}

fn exit_message(status: io::Result<ExitStatus>) -> String {
    match status {
        Ok(status) => format!("DuckDB ended with {status}"),
        Err(why) => format!("DuckDB ended ({why})"),
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
