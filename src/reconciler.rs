//! Carries every session through its life: look, decide, do one step, look again.
//!
//! It keeps no state that matters. What to do follows from what is seen
//! ([`next_step`]), so after a crash a new bot carries on where the old one was.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    fault::{Fault, new_reference},
    runtime::{Runtime, rewrite},
    service::{Clock, Herald},
    session::{Cause, Observed, Parts, Policy, SessionId, Stage, Step, next_step},
};

/// The longest pause between two attempts at a step that fails.
const LONGEST_PAUSE: TimeDelta = TimeDelta::seconds(30);

/// The loop's parts.
pub struct Reconciler {
    /// Where sessions run.
    pub runtime: Arc<dyn Runtime>,
    /// Who tells people.
    pub herald: Arc<dyn Herald>,
    /// The rules.
    pub policy: Policy,
    /// The time.
    pub clock: Clock,
}

/// A session whose last step failed.
struct Setback {
    failures: u32,
    again: DateTime<Utc>,
}

impl Setback {
    fn after(earlier: Option<&Self>, now: DateTime<Utc>) -> Self {
        let failures = earlier.map_or(0, |setback| setback.failures) + 1;
        let pause = TimeDelta::seconds(1 << failures.min(10).saturating_sub(1)).min(LONGEST_PAUSE);
        Self {
            failures,
            again: now + pause,
        }
    }
}

impl Reconciler {
    /// Runs until `shutdown`. A step under way is dropped then: the next bot
    /// does it again.
    pub async fn run(self, shutdown: CancellationToken) {
        let this = Arc::new(self);
        let mut changes = this.runtime.changes();
        let mut busy = HashSet::new();
        let mut setbacks: HashMap<SessionId, Setback> = HashMap::new();
        let mut steps = JoinSet::new();
        loop {
            changes.mark_unchanged();
            let now = (this.clock)();
            let mut wake = now + TimeDelta::hours(1);
            let sessions = this.runtime.sessions();
            setbacks.retain(|id, _| sessions.iter().any(|seen| seen.record.id == *id));
            for seen in sessions {
                let id = seen.record.id.clone();
                if busy.contains(&id) {
                    continue;
                }
                if let Some(setback) = setbacks.get(&id)
                    && setback.again > now
                {
                    wake = wake.min(setback.again);
                    continue;
                }
                match next_step(&seen, now, &this.policy) {
                    Step::Wait(until) => wake = until.map_or(wake, |until| wake.min(until)),
                    step => {
                        busy.insert(id.clone());
                        let this = this.clone();
                        steps.spawn(async move { (id, this.take(&seen, step).await) });
                    }
                }
            }
            tokio::select! {
                // The view outlives this loop, so it never closes before.
                _ = changes.changed() => {}
                Some(done) = steps.join_next(), if !steps.is_empty() => {
                    let (id, outcome) = match done {
                        Ok(done) => done,
                        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
                    };
                    busy.remove(&id);
                    match outcome {
                        Ok(()) => setbacks.remove(&id),
                        Err(()) => {
                            let setback = Setback::after(setbacks.get(&id), (this.clock)());
                            setbacks.insert(id, setback)
                        }
                    };
                }
                () = tokio::time::sleep(until(wake, (this.clock)())) => {}
                () = shutdown.cancelled() => return,
            }
        }
    }

    /// Takes one step, and logs it or its failure.
    async fn take(&self, seen: &Observed, step: Step) -> Result<(), ()> {
        let session = &seen.record.id;
        match self.attempt(seen, &step).await {
            Ok(()) => {
                info!(%session, owner = %seen.record.owner, ?step, "session {session}: {}", name(&step));
                Ok(())
            }
            // Somebody else wrote the record in between: not worth a line.
            Err(Fault::Conflict { .. }) => Err(()),
            Err(fault) => {
                let reference = new_reference();
                warn!(
                    %session, reference, error = %fault,
                    "session {session}: {} failed [{reference}]", name(&step),
                );
                // A session that runs is not ended for want of a Service.
                let is_hopeless = matches!(step, Step::Create(_))
                    && seen.record.stage == Stage::Starting
                    && fault.is_permanent();
                match is_hopeless {
                    true => self.give_up(seen, &fault, reference).await,
                    false => Err(()),
                }
            }
        }
    }

    async fn attempt(&self, seen: &Observed, step: &Step) -> Result<(), Fault> {
        match step {
            Step::Wait(_) => Ok(()),
            Step::Create(parts) => self.runtime.create(seen, *parts).await,
            Step::Announce => self.announce(seen).await,
            Step::End(cause) => self.end(seen, cause.clone()).await,
            Step::Delete(parts) => self.runtime.delete(seen, *parts).await,
            Step::Tell(ending) => {
                self.herald.ended(&seen.record, ending).await?;
                self.runtime.save(seen, &seen.record.told()).await
            }
            Step::Remove => self.runtime.remove(seen).await,
        }
    }

    async fn announce(&self, seen: &Observed) -> Result<(), Fault> {
        let url = self.runtime.url(&seen.record.id);
        let message = self.herald.ready(&seen.record, &url).await?;
        // If somebody stops it right now, the message must be known all the
        // same, or it would offer the URL for ever.
        let id = &seen.record.id;
        rewrite(&*self.runtime, id, |record| record.announced(message)).await?;
        Ok(())
    }

    async fn end(&self, seen: &Observed, cause: Cause) -> Result<(), Fault> {
        let ended = seen.record.ended(cause, (self.clock)());
        self.runtime.save(seen, &ended).await
    }

    /// Ends a session whose objects the cluster will not have.
    async fn give_up(&self, seen: &Observed, fault: &Fault, reference: String) -> Result<(), ()> {
        let cause = Cause::Refused {
            why: fault.for_people(),
            reference,
        };
        self.end(seen, cause).await.map_err(|_| ())
    }
}

/// What a step is called in the log.
fn name(step: &Step) -> &'static str {
    match step {
        Step::Wait(_) => "waiting",
        Step::Create(Parts::ALL) => "making it",
        Step::Create(_) => "making what was missing",
        Step::Announce => "announcing it",
        Step::End(_) => "deciding its end",
        Step::Delete(_) => "taking it down",
        Step::Tell(_) => "telling its end",
        Step::Remove => "removing its record",
    }
}

fn until(when: DateTime<Utc>, now: DateTime<Utc>) -> Duration {
    (when - now).to_std().unwrap_or(Duration::ZERO)
}
