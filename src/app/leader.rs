//! The parts of the bot that run only while it leads: the gateway, the reconciler, the reaper and
//! the scheduler.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::{
    discord::Discord,
    health::Health,
    leadership::{Leadership, Term},
    reaper::Reaper,
    reconciler::Reconciler,
    scheduler::Scheduler,
    service::Service,
};

/// Maximum time for the work of a term to end. Another bot may act soon after the end of the term, and
/// the bot itself has to end [`SHUTDOWN_TIMEOUT`](super::SHUTDOWN_TIMEOUT) after a signal.
const STOP_TIMEOUT: Duration = Duration::from_millis(2300);

/// The parts that act, and what decides when they may.
pub(super) struct Leader {
    pub leadership: Arc<dyn Leadership>,
    pub discord: Discord,
    pub reconciler: Arc<Reconciler>,
    pub reaper: Reaper,
    pub scheduler: Scheduler,
    pub service: Arc<Service>,
    pub health: Arc<Health>,
}

impl Leader {
    /// Leads in one term after the other, until `shutdown`.
    ///
    /// # Errors
    /// If Discord refuses the bot for good.
    pub(super) async fn run(&self, shutdown: &CancellationToken) -> anyhow::Result<()> {
        loop {
            let acquired = shutdown.run_until_cancelled(self.leadership.acquire());
            let Some(term) = acquired.await else {
                return Ok(());
            };
            info!(
                "this bot leads: it answers commands, and runs the reconciler, the reaper and the scheduler"
            );
            self.health.set_leading(true);
            self.service.begin_to_act();
            let outcome = self.act(&term, shutdown).await;
            self.health.set_leading(false);
            self.service.stop_acting();
            self.leadership.release(term).await;
            outcome?;
            if shutdown.is_cancelled() {
                return Ok(());
            }
            info!("this bot no longer leads");
        }
    }

    /// Acts until the term ends, `shutdown`, or Discord refuses the bot.
    async fn act(&self, term: &Term, shutdown: &CancellationToken) -> anyhow::Result<()> {
        let stop = shutdown.child_token();
        let chat = async {
            let _guard = stop.clone().drop_guard();
            let service = self.service.clone();
            Box::pin(self.discord.serve(service, term.clone(), stop.clone())).await
        };
        let work = async {
            let reconciled = self.reconciler.clone().run(term.clone(), stop.clone());
            let reaped = Box::pin(self.reaper.run(term.clone(), stop.clone()));
            let scheduled = Box::pin(self.scheduler.run(term.clone(), stop.clone()));
            tokio::join!(chat, reconciled, reaped, scheduled).0
        };
        let mut work = std::pin::pin!(work);
        tokio::select! {
            outcome = &mut work => return outcome,
            () = term.ended() => stop.cancel(),
            () = stop.cancelled() => {}
        }
        timeout(STOP_TIMEOUT, work).await.unwrap_or(Ok(()))
    }
}
