//! The scheduler: a loop that claims the runs of schedules that are due, and carries them out.
//!
//! The loop keeps no state that matters. Claims are in the book of schedules, so after a crash a new bot
//! continues with the runs that posted nothing yet.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::{task::JoinSet, time::sleep};
use tokio_util::sync::CancellationToken;
use tracing::warn;
use uuid::Uuid;

use crate::{
    error::new_reference,
    leadership::Term,
    schedule::{Carried, ClaimedRun},
    service::Service,
};

/// Maximum time between two looks at the book while a run is pending. The clock may be set meanwhile. Without a pending
/// run, only this bot can add one.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);
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
        let carried = Carried {
            bot: Uuid::new_v4().simple().to_string(),
            ..Carried::default()
        };
        let looped = self.carry_out(&term, carried);
        stop.run_until_cancelled(looped).await;
    }

    async fn carry_out(&self, term: &Term, mut carried: Carried) {
        let mut running = JoinSet::new();
        let mut keys = HashMap::new();
        while term.is_held() {
            let free = self.at_once - running.len();
            let wait = match self.service.claim_scheduled_runs(&carried, free).await {
                Ok((claimed, next)) => {
                    for run in claimed {
                        let (service, term) = (self.service.clone(), term.clone());
                        let key = run.key();
                        carried.runs.insert(key.clone());
                        let task = async move { carry_out(&service, &term, &run).await };
                        keys.insert(running.spawn(task).id(), key);
                    }
                    next.map(|next| {
                        let left = (next - self.service.now()).to_std().unwrap_or_default();
                        left.clamp(FIRST_PAUSE, LOOK_INTERVAL)
                    })
                }
                Err(error) => {
                    warn!(%error, "the schedules can't be read or claimed; trying again");
                    Some(LOOK_INTERVAL)
                }
            };
            let is_full = running.len() >= self.at_once;
            tokio::select! {
                Some(ended) = running.join_next_with_id() => {
                    let task = ended.map_or_else(|error| error.id(), |(task, ())| task);
                    if let Some(key) = keys.remove(&task) {
                        carried.runs.remove(&key);
                    }
                }
                () = self.service.schedules_changed(), if !is_full => {}
                () = sleep(wait.unwrap_or_default()), if !is_full && wait.is_some() => {}
            }
        }
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
