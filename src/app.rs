//! Wires the rooms together; owns start-up and shutdown.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::{
    credentials::preflight::Preflight,
    discord,
    reconciler::Reconciler,
    runtime::kubernetes::{self, Kubernetes, Replies, Secrets},
    service::{Parts, Service, wall_clock},
    session::Policy,
    settings::Settings,
};

/// How long work under way may take to end after a signal.
const FAREWELL: Duration = Duration::from_secs(3);

/// Runs `body` until it ends or a signal (SIGTERM, SIGINT) asks it to.
///
/// # Errors
/// Those of `body`.
pub fn run<T: Default, F: Future<Output = anyhow::Result<T>>>(
    body: impl FnOnce(CancellationToken) -> F,
) -> anyhow::Result<T> {
    // kube and serenity both use rustls; one provider serves them. An error
    // says that one is installed already, which is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // A core dump would hold whatever keys are in memory. Not 0: with that, Linux
    // still hands a dump to a program (core_pattern with a pipe), with 1 it doesn't.
    rlimit::Resource::CORE
        .set(1, 1)
        .context("core dumps can't be turned off")?;
    let runtime = tokio::runtime::Runtime::new().context("no runtime")?;
    let outcome = runtime.block_on(async {
        let shutdown = CancellationToken::new();
        let mut terminate = signal(SignalKind::terminate()).context("no signal handler")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("no signal handler")?;
        let body = body(shutdown.clone());
        let mut body = std::pin::pin!(body);
        tokio::select! {
            outcome = &mut body => return outcome,
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        info!("told to stop");
        shutdown.cancel();
        // What does not end in time is dropped: a restart carries on from the records.
        tokio::time::timeout(FAREWELL, body)
            .await
            .unwrap_or(Ok(T::default()))
    });
    runtime.shutdown_timeout(Duration::from_millis(500));
    outcome
}

/// The bot.
///
/// # Errors
/// If the cluster or Discord can't be used, in a sentence that says what to do.
pub async fn serve(settings: Settings, shutdown: CancellationToken) -> anyhow::Result<()> {
    let settings = Arc::new(settings);
    let started = async {
        let clients = kubernetes::connect(&settings).await?;
        let discord = discord::connect(&settings.discord).await?;
        let runtime = Arc::new(Kubernetes::start(&clients, settings.clone()).await?);
        anyhow::Ok((clients, discord, runtime))
    };
    let (clients, discord, runtime) = tokio::select! {
        started = started => started?,
        () = shutdown.cancelled() => return Ok(()),
    };
    let credentials = Arc::new(Secrets::new(&clients.calls, &settings.kubernetes.namespace));
    let clock = wall_clock();
    let preflight = Preflight::new().context("no HTTPS client")?;
    let replies = Arc::new(Replies::new(&clients.calls, settings.clone()));
    let parts = Parts {
        runtime: runtime.clone(),
        credentials: credentials.clone(),
        replies: replies.clone(),
        preflight,
        clock: clock.clone(),
    };
    let service = Service::new(settings.clone(), parts);
    let reconciler = Reconciler {
        runtime,
        herald: Arc::new(discord.herald(settings.clone())),
        credentials,
        replies,
        policy: Policy {
            start_timeout: settings.sessions.start_timeout,
            key_warning: settings.credentials.warn_before,
        },
        clock,
    };
    info!("serving guild {}", settings.discord.guild);
    let chat = async {
        let outcome = discord.serve(Arc::new(service), shutdown.clone()).await;
        shutdown.cancel();
        outcome
    };
    let (outcome, ()) = tokio::join!(chat, reconciler.run(shutdown.clone()));
    outcome
}
