//! Runs the bot of the sandbox, and starts it again as a system's service manager does.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use anyhow::Context;
use parking_lot::Mutex;
use tokio::{sync::Notify, task};
use tokio_util::sync::CancellationToken;

use crate::{
    app::{block_on, serve_with, shutdown_timeout},
    runtime::local::Local,
    settings::Settings,
};

/// Pause before a bot that failed is started again.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// The running bot, and how to restart it. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Supervisor {
    restart: Arc<Notify>,
    runtime: Arc<Mutex<Weak<Local>>>,
}

impl Supervisor {
    /// Asks for a restart. During a restart, asks for another one.
    pub(super) fn restart(&self) {
        self.restart.notify_one();
    }

    /// Returns the sessions of the running bot.
    pub(super) fn runtime(&self) -> Option<Arc<Local>> {
        self.runtime.lock().upgrade()
    }

    /// Runs the bot until `shutdown`. Starts it again after each [`Self::restart`], and if it fails
    /// once `ready` was done, for example because a port is taken.
    ///
    /// # Errors
    /// If the bot fails before `ready` is done.
    pub(super) async fn run(
        &self,
        settings: &Settings,
        ready: impl Future<Output = ()>,
        shutdown: CancellationToken,
    ) -> anyhow::Result<()> {
        let mut ready = std::pin::pin!(ready);
        let mut was_ready = false;
        let mut told = String::new();
        loop {
            let stop = shutdown.child_token();
            let mut bot = std::pin::pin!(self.run_once(settings, stop.clone(), was_ready));
            let restarted = async {
                if !was_ready {
                    ready.as_mut().await;
                    was_ready = true;
                }
                self.restart.notified().await;
            };
            let ended = tokio::select! {
                ended = &mut bot => ended,
                () = restarted => {
                    stop.cancel();
                    bot.await
                }
            };
            match ended {
                Err(error) if was_ready => {
                    let why = format!("The bot failed: {error:#}. It is tried again every second.");
                    if why != told {
                        eprintln!("{why}");
                        told = why;
                    }
                    let pause = tokio::time::sleep(RETRY_DELAY);
                    shutdown.run_until_cancelled(pause).await;
                }
                Err(error) => return Err(error),
                Ok(()) => told.clear(),
            }
            if shutdown.is_cancelled() {
                return Ok(());
            }
        }
    }

    /// Runs the bot until `stop`, in an async runtime of its own. So it ends as a process does: its
    /// handlers and the locks that they hold end with it.
    async fn run_once(
        &self,
        settings: &Settings,
        stop: CancellationToken,
        is_restart: bool,
    ) -> anyhow::Result<()> {
        let (settings, runtime) = (settings.clone(), self.runtime.clone());
        let tell = move |local: Option<&Arc<Local>>| {
            *runtime.lock() = local.map(Arc::downgrade).unwrap_or_default();
            if is_restart {
                eprintln!("The bot was restarted.");
            }
        };
        let limit = shutdown_timeout(&settings);
        let run = move || block_on(&stop, limit, serve_with(settings, stop.child_token(), tell));
        let ended = task::spawn_blocking(run).await;
        ended.context("the bot's thread failed")?
    }
}
