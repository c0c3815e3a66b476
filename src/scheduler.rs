//! The scheduler: a loop that claims the runs of schedules that are due, and carries them out.
//!
//! It keeps no state that matters. Claims are in the book of schedules, so after a crash a new bot
//! continues with the runs that posted nothing yet.

use std::{sync::Arc, time::Duration};

use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::warn;
use uuid::Uuid;

use crate::{error::new_reference, leadership::Term, schedule::ClaimedRun, service::Service};

/// Maximum time between two looks at the book. The clock may be set, and another bot may have changed it.
const LOOK_INTERVAL: Duration = Duration::from_secs(15);
/// Pause after a first failure.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Maximum pause after a failure.
const MAX_PAUSE: Duration = Duration::from_secs(60);

/// The scheduler and the parts that it needs.
pub(crate) struct Scheduler {
    service: Arc<Service>,
    /// Maximum number of runs at a time.
    at_once: usize,
}

impl Scheduler {
    pub(crate) fn new(service: Arc<Service>, at_once: usize) -> Self {
        Self { service, at_once }
    }

    /// Runs until `stop`, while `term` is held. Runs that have not ended are left to the next bot.
    pub(crate) async fn run(&self, term: Term, stop: CancellationToken) {
        if !self.service.allows_schedules() {
            return;
        }
        // A bot that leads again must not take its former term's runs for its own.
        let bot = Uuid::new_v4().simple().to_string();
        let looped = self.carry_out(&term, &bot);
        stop.run_until_cancelled(looped).await;
    }

    async fn carry_out(&self, term: &Term, bot: &str) {
        let mut running = JoinSet::new();
        while term.is_held() {
            match self
                .service
                .claim_scheduled_runs(bot, self.at_once - running.len())
                .await
            {
                Ok(claimed) => {
                    for run in claimed {
                        let (service, term) = (self.service.clone(), term.clone());
                        running.spawn(async move { carry_out(&service, &term, &run).await });
                    }
                }
                Err(error) => warn!(%error, "the schedules can't be read or claimed; trying again"),
            }
            // A full scheduler waits for a run to end. Otherwise it also looks again when one may be due.
            let is_full = running.len() >= self.at_once;
            tokio::select! {
                Some(_) = running.join_next() => {}
                () = self.until_due(bot), if !is_full => {}
                () = sleep(LOOK_INTERVAL) => {}
            }
        }
    }

    /// Waits until a run may be due.
    async fn until_due(&self, bot: &str) {
        let Ok(Some(next)) = self.service.next_scheduled_run(bot).await else {
            return self.service.schedules_changed().await;
        };
        let left = (next - self.service.now()).to_std().unwrap_or_default();
        // A claim that fails, or a run that is due and can't be claimed, must not make the loop spin.
        let _ = timeout(left.max(FIRST_PAUSE), self.service.schedules_changed()).await;
    }
}

/// Carries out a run. Repeats it while a part that it needs does not answer.
async fn carry_out(service: &Service, term: &Term, run: &ClaimedRun) {
    let mut pause = FIRST_PAUSE;
    while term.is_held() {
        let Err(error) = service.carry_out_scheduled_run(run).await else {
            return;
        };
        let (id, reference) = (&run.id, new_reference());
        warn!(schedule = %id, reference, %error, "schedule {id}: its run can't go on; trying again in {pause:?} [{reference}]");
        sleep(pause).await;
        pause = (pause * 2).min(MAX_PAUSE);
    }
}
