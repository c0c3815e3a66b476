//! Wires the modules together. Owns start-up and shutdown.

pub mod check;
pub mod init;
mod leader;
#[cfg(feature = "sandbox")]
pub mod sandbox;

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::info;

use leader::Leader;

use crate::{
    api::{self, admin::Admin},
    credentials::CredentialStore,
    credentials::preflight::Preflight,
    discord::Discord,
    history::HistoryStore,
    leadership::{Alone, Leadership},
    metrics::Metrics,
    reaper::Reaper,
    reconciler::Reconciler,
    runtime::{
        BookStore, LedgerStore, PauseStore, ReplyStore, Runtime,
        kubernetes::{self, Kubernetes, Secrets},
        local::Local,
    },
    schedule::ScheduleTexts,
    scheduler::Scheduler,
    service::{Dependencies, RunnerUses, Service, wall_clock},
    session::Policy,
    settings::Settings,
};

/// Maximum time to finish after SIGTERM or SIGINT.
pub const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(3);

/// Time that sessions on this machine have to end after their last save.
const AFTER_SAVE_TIMEOUT: Duration = Duration::from_secs(20);

/// Runs `body` until it ends. SIGTERM and SIGINT cancel its token. Then `body` has
/// `SHUTDOWN_TIMEOUT` to finish. After that, or after Ctrl-C, it is dropped, and the result is
/// `T::default()`.
///
/// # Errors
/// If `body` fails, or the process can't be prepared to run it.
pub fn run<T: Default, F: Future<Output = anyhow::Result<T>>>(
    body: impl FnOnce(CancellationToken) -> F,
) -> anyhow::Result<T> {
    run_within(SHUTDOWN_TIMEOUT, body)
}

/// Like [`run`], with another time for `body` to finish after a signal.
///
/// # Errors
/// Same as [`run`].
pub fn run_within<T: Default, F: Future<Output = anyhow::Result<T>>>(
    limit: Duration,
    body: impl FnOnce(CancellationToken) -> F,
) -> anyhow::Result<T> {
    // kube and serenity both use rustls and share one crypto provider. An error means that a
    // provider is already installed, which is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // A core dump would contain the credentials in memory. The limit is 1, because with 0 Linux
    // still pipes dumps to a program (core_pattern).
    rlimit::Resource::CORE
        .set(1, 1)
        .context("can't turn off core dumps")?;
    let shutdown = CancellationToken::new();
    block_on(&shutdown, limit, async {
        let mut terminate = signal(SignalKind::terminate()).context("can't handle signals")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("can't handle signals")?;
        let signalled = async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            info!("received a signal; shutting down");
            shutdown.cancel();
            // Sessions on this machine may be saving their work, which takes a while. Only a person ends
            // that: a kubelet may repeat its SIGTERM.
            let _ = interrupt.recv().await;
            info!("received Ctrl-C; ending at once");
        };
        tokio::select! {
            // A child, so that a body that ends itself has no time limit.
            outcome = body(shutdown.child_token()) => outcome,
            () = signalled => Ok(T::default()),
        }
    })
}

/// Returns the time that a bot with these settings has to finish after a signal. Sessions on this machine
/// end with it, and save their work first.
pub fn shutdown_timeout(settings: &Settings) -> Duration {
    if settings.local.is_some() && settings.saves_work() {
        SHUTDOWN_TIMEOUT + settings.work.deadline + AFTER_SAVE_TIMEOUT
    } else {
        SHUTDOWN_TIMEOUT
    }
}

/// Runs `body` in an async runtime of its own until it ends, or until `limit` after
/// `shutdown`. Then drops everything that still runs, including the tasks that it spawned.
///
/// # Errors
/// If `body` fails, or the runtime can't be started.
fn block_on<T: Default>(
    shutdown: &CancellationToken,
    limit: Duration,
    body: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(worker_threads())
        .enable_all()
        .build();
    let runtime = runtime.context("can't start the async runtime")?;
    let outcome = runtime.block_on(async {
        let mut body = std::pin::pin!(body);
        tokio::select! {
            outcome = &mut body => return outcome,
            () = shutdown.cancelled() => {}
        }
        // Work that does not end in time is dropped. The next start continues from the records.
        tokio::time::timeout(limit, body)
            .await
            .unwrap_or(Ok(T::default()))
    });
    runtime.shutdown_timeout(Duration::from_millis(500));
    outcome
}

/// Returns the number of threads for async work. At least two: serenity's gateway keeps one busy while
/// its socket is broken, and a container may have only one CPU.
fn worker_threads() -> usize {
    std::thread::available_parallelism().map_or(2, |count| count.get().max(2))
}

/// Runs the bot until `shutdown`.
///
/// # Errors
/// If the cluster can't be used, or Discord refuses the bot. The error says what to do.
pub async fn serve(settings: Settings, shutdown: CancellationToken) -> anyhow::Result<()> {
    serve_with(settings, shutdown, |_| {}).await
}

/// Like [`serve`], and calls `tell` once the runtime is connected. Its argument is the local runtime,
/// or `None` if sessions run on Kubernetes.
async fn serve_with(
    settings: Settings,
    shutdown: CancellationToken,
    tell: impl FnOnce(Option<&Arc<Local>>),
) -> anyhow::Result<()> {
    let settings = Arc::new(settings);
    let state = Admin {
        service: Arc::default(),
        health: Arc::default(),
        metrics: Metrics::start().context("can't start metrics")?,
    };
    // Neither part may run without the other: a bot needs health checks, and they need a bot.
    let guard = || shutdown.clone().drop_guard();
    let admin = async {
        let Some(address) = settings.admin else {
            return Ok(());
        };
        let _guard = guard();
        api::admin::serve(address, state.clone(), shutdown.clone()).await
    };
    let bot = async {
        let _guard = guard();
        // Boxed like the other large parts, because the sandbox runs all of them on a small stack.
        Box::pin(run_bot(&settings, &state, &shutdown, tell)).await
    };
    let (watched, served) = tokio::join!(admin, bot);
    watched.and(served)
}

/// Connects to the cluster, and serves until `shutdown`.
async fn run_bot(
    settings: &Arc<Settings>,
    state: &Admin,
    shutdown: &CancellationToken,
    tell: impl FnOnce(Option<&Arc<Local>>),
) -> anyhow::Result<()> {
    let discord = Discord::new(settings.clone(), state.health.clone())?;
    let started = async { tokio::try_join!(Backend::find(settings, true), discord.check()) };
    let Some(started) = shutdown.run_until_cancelled(Box::pin(started)).await else {
        return Ok(());
    };
    let (backend, ()) = started?;
    let Backend {
        runtime,
        credentials,
        replies,
        history,
        ledger,
        pauses,
        book,
        schedule_texts,
        local,
        leadership,
    } = backend;
    tell(local.as_ref());
    let notifier = Arc::new(discord.notifier());
    let preflight = Preflight::new(&settings.outbound).context("can't create the HTTPS client")?;
    let dependencies = Dependencies {
        runtime,
        credentials,
        replies,
        history,
        ledger,
        pauses,
        book,
        schedule_texts,
        notifier: notifier.clone(),
        preflight,
        runner_uses: RunnerUses::default(),
        clock: wall_clock(),
    };
    let policy = Policy {
        start_timeout: settings.sessions.start_timeout,
        credential_warning: settings.credentials.warn_before,
        stop_failed: settings.reaper.failed,
        stop_late: settings.reaper.late,
    };
    let reconciler = Reconciler::new(&dependencies, settings.clone(), policy);
    let service = Arc::new(Service::new(settings.clone(), dependencies));
    let reaper = Reaper::new(service.clone(), notifier, settings.clone());
    let scheduler = Scheduler::new(service.clone(), settings.schedules.at_once);
    let _ = state.service.set(service.clone());
    info!("serving guild {}", settings.discord.guild);
    let leader = Leader {
        leadership,
        discord,
        reconciler: Arc::new(reconciler),
        reaper,
        scheduler,
        service: service.clone(),
        health: state.health.clone(),
    };
    let chat = async {
        let _guard = shutdown.clone().drop_guard();
        Box::pin(leader.run(shutdown)).await
    };
    let api = async {
        let Some(api) = settings.api.clone() else {
            state.health.set_api_open();
            return Ok(());
        };
        let _guard = shutdown.clone().drop_guard();
        Box::pin(api::serve(api, service, &state.health, shutdown.clone())).await
    };
    let parts = async {
        let (outcome, asked) = tokio::join!(chat, api);
        outcome.and(asked)
    };
    let late = async {
        shutdown.cancelled().await;
        tokio::time::sleep(SHUTDOWN_TIMEOUT).await;
    };
    let outcome = tokio::select! {
        outcome = parts => outcome,
        // What still runs must not keep sessions on this machine from saving their work.
        () = late => Ok(()),
    };
    if let Some(local) = local {
        local.end().await;
    }
    outcome
}

/// The runtime of sessions, and the stores that belong to it.
struct Backend {
    runtime: Arc<dyn Runtime>,
    credentials: Arc<dyn CredentialStore>,
    replies: Arc<dyn ReplyStore>,
    history: Arc<dyn HistoryStore>,
    ledger: Arc<LedgerStore>,
    pauses: Arc<PauseStore>,
    book: Arc<BookStore>,
    schedule_texts: Arc<dyn ScheduleTexts>,
    /// The local runtime, whose sessions end with the bot. `None` on Kubernetes.
    local: Option<Arc<Local>>,
    leadership: Arc<dyn Leadership>,
}

impl Backend {
    async fn find(settings: &Arc<Settings>, serves: bool) -> anyhow::Result<Self> {
        if let Some(local_settings) = &settings.local {
            let local = Arc::new(Local::start(settings.clone(), local_settings.clone()).await?);
            return Ok(Self {
                runtime: local.clone(),
                credentials: local.credentials(),
                replies: local.replies(),
                history: local.history(),
                ledger: local.ledger(),
                pauses: local.pauses(),
                book: local.book(),
                schedule_texts: local.schedule_texts(),
                local: Some(local),
                leadership: Arc::new(Alone),
            });
        }
        let clients = kubernetes::connect(settings, serves).await?;
        let namespace = &settings.kubernetes.namespace;
        Ok(Self {
            runtime: Arc::new(Kubernetes::start(&clients, settings.clone(), serves).await?),
            credentials: Arc::new(Secrets::new(&clients.server, settings.clone())),
            replies: Arc::new(kubernetes::ReplySecrets::new(
                &clients.server,
                settings.clone(),
            )),
            history: Arc::new(kubernetes::HistorySecrets::new(&clients.server, namespace)),
            ledger: Arc::new(kubernetes::ledger(&clients.server, namespace)),
            pauses: Arc::new(kubernetes::document(&clients.server, namespace)),
            book: Arc::new(kubernetes::document(&clients.server, namespace)),
            schedule_texts: Arc::new(kubernetes::ScheduleSecrets::new(&clients.server, namespace)),
            local: None,
            leadership: kubernetes::leadership(&clients.leases, settings),
        })
    }
}
