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
use tokio::{sync::Semaphore, task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use uuid::Uuid;

use crate::{
    credentials::CredentialStore,
    error::{Error, new_reference},
    metrics,
    runtime::{LedgerStore, ReplyStore, Runtime, redacted_log, rewrite},
    service::{Clock, Notifier, audit_replacement},
    session::{
        Cause, Failure, Incident, Ledger, Observed, Outcome, Parts, Policy, Record, SessionId,
        Stage, Step, next_step,
    },
};

/// The longest pause between two attempts at a step that fails.
const MAX_RETRY_DELAY: TimeDelta = TimeDelta::seconds(30);
/// How many sessions are made at a time. What is under way takes 60 KB each, and what a thousand
/// at once ask of the API server would come before what the next person asks.
const MAX_CONCURRENT_CREATES: usize = 12;
static CREATE_PERMITS: Semaphore = Semaphore::const_new(MAX_CONCURRENT_CREATES);
/// The longest time between two looks.
const MAX_SLEEP: TimeDelta = TimeDelta::hours(1);

/// The loop's parts.
pub struct Reconciler {
    /// Where sessions run.
    pub runtime: Arc<dyn Runtime>,
    /// Who tells people.
    pub notifier: Arc<dyn Notifier>,
    /// Keys, so that they are not in what admins are shown.
    pub credentials: Arc<dyn CredentialStore>,
    /// Replies that go on, and end with their session.
    pub replies: Arc<dyn ReplyStore>,
    /// What is remembered of sessions that are gone.
    pub ledger: Arc<LedgerStore>,
    /// The rules.
    pub policy: Policy,
    /// The time.
    pub clock: Clock,
}

/// What is under way, and what waits after a failure.
#[derive(Default)]
struct WorkQueue {
    busy: HashSet<SessionId>,
    backoffs: HashMap<SessionId, Backoff>,
}

/// A session whose last step failed.
struct Backoff {
    failures: u32,
    again: DateTime<Utc>,
}

impl WorkQueue {
    /// The steps to take now, and when to look again if nothing happens. What
    /// is returned counts as under way.
    fn due(
        &mut self,
        sessions: Vec<Observed>,
        now: DateTime<Utc>,
        policy: &Policy,
    ) -> (Vec<(Observed, Step)>, DateTime<Utc>) {
        if !self.backoffs.is_empty() {
            let present: HashSet<_> = sessions.iter().map(|seen| &seen.record.id).collect();
            self.backoffs.retain(|id, _| present.contains(id));
        }
        let mut wake = now + MAX_SLEEP;
        let mut due = Vec::new();
        for seen in sessions {
            let id = &seen.record.id;
            if self.busy.contains(id) {
                continue;
            }
            if let Some(backoff) = self.backoffs.get(id)
                && backoff.again > now
            {
                wake = wake.min(backoff.again);
                continue;
            }
            match next_step(&seen, now, policy) {
                Step::Wait(until) => wake = until.map_or(wake, |until| wake.min(until)),
                step => {
                    self.busy.insert(id.clone());
                    due.push((seen, step));
                }
            }
        }
        (due, wake)
    }

    /// Notes how a step went.
    fn done(&mut self, id: SessionId, outcome: Result<(), ()>, now: DateTime<Utc>) {
        self.busy.remove(&id);
        let earlier = self.backoffs.remove(&id);
        if outcome.is_err() {
            let failures = earlier.map_or(0, |backoff| backoff.failures) + 1;
            let pause = TimeDelta::seconds(1 << (failures - 1).min(10)).min(MAX_RETRY_DELAY);
            let again = now + pause;
            self.backoffs.insert(id, Backoff { failures, again });
        }
    }
}

impl Reconciler {
    /// Runs until `shutdown`. A step under way is dropped then: the next bot
    /// does it again.
    pub async fn run(self, shutdown: CancellationToken) {
        let this = Arc::new(self);
        let mut changes = this.runtime.changes();
        let mut work_queue = WorkQueue::default();
        let mut steps = JoinSet::new();
        loop {
            changes.mark_unchanged();
            let begin = Instant::now();
            let now = (this.clock)();
            let (due, wake) = work_queue.due(this.runtime.sessions(), now, &this.policy);
            for (seen, step) in due {
                let this = this.clone();
                let id = seen.record.id.clone();
                steps.spawn(async move { (id, this.run_step(&seen, step).await) });
            }
            // Where much happens, what came meanwhile is looked at together: looking at all
            // sessions again for each of their changes would leave no time for anything else.
            tokio::time::sleep(begin.elapsed()).await;
            tokio::select! {
                // The view outlives this loop, so it never closes before.
                _ = changes.changed() => {}
                Some(done) = steps.join_next(), if !steps.is_empty() => match done {
                    Ok((id, outcome)) => work_queue.done(id, outcome, (this.clock)()),
                    Err(panic) => std::panic::resume_unwind(panic.into_panic()),
                },
                () = tokio::time::sleep(duration_until(wake, (this.clock)())) => {}
                () = shutdown.cancelled() => return,
            }
        }
    }

    /// Takes one step, and logs it or its failure.
    async fn run_step(&self, seen: &Observed, step: Step) -> Result<(), ()> {
        let session = &seen.record.id;
        match self.perform(seen, &step).await {
            Ok(()) => {
                info!(%session, owner = %seen.record.owner, ?step, "session {session}: {}", step_name(&step));
                Ok(())
            }
            // Somebody else wrote the record in between: not worth a line.
            Err(Error::Conflict { .. }) => Err(()),
            Err(error) => {
                let reference = new_reference();
                warn!(
                    %session, reference, %error,
                    "session {session}: {} failed [{reference}]", step_name(&step),
                );
                // A session that runs is not ended for want of a Service.
                let is_hopeless = matches!(step, Step::Create(_))
                    && seen.record.stage == Stage::Starting
                    && error.is_permanent()
                    && !self.may_retry(&seen.record);
                match is_hopeless {
                    true => self.give_up(seen, &error, reference).await,
                    false => Err(()),
                }
            }
        }
    }

    /// A session that was moved has its time: its place may be taken for a moment only.
    fn may_retry(&self, record: &Record) -> bool {
        let deadline = record.start_began() + self.policy.start_timeout;
        record.rescheduled.is_some() && (self.clock)() + MAX_RETRY_DELAY < deadline
    }

    async fn perform(&self, seen: &Observed, step: &Step) -> Result<(), Error> {
        match step {
            Step::Wait(_) => Ok(()),
            Step::Create(parts) => {
                let _permit = CREATE_PERMITS.acquire().await;
                self.runtime.create(seen, *parts).await
            }
            Step::Announce => self.announce(seen).await,
            Step::WarnCredentialsExpiry(expire) => {
                self.notifier
                    .warn_credentials_expire(&seen.record, *expire)
                    .await?;
                self.runtime
                    .save(seen, &seen.record.with_credentials_warning())
                    .await
            }
            Step::AnnounceRestart(why, times) => {
                self.notifier
                    .report_restart(&seen.record, why, *times)
                    .await?;
                let told = seen.record.with_restarts_told(*times);
                self.runtime.save(seen, &told).await
            }
            Step::Reschedule(why) => {
                if why.failure == Failure::Vanished {
                    self.confirm_pod_gone(seen).await?;
                }
                let rescheduling = seen.record.with_reschedule(why.clone());
                self.runtime.save(seen, &rescheduling).await
            }
            Step::Resume(why) => self.resume(seen, why).await,
            Step::End(cause) => self.end(seen, cause.clone()).await,
            Step::Delete(parts) => self.runtime.delete(seen, *parts).await,
            Step::AnnounceEnd(ending) => {
                self.notifier.announce_end(&seen.record, ending).await?;
                self.runtime
                    .save(seen, &seen.record.with_end_announced())
                    .await
            }
            Step::Remove => {
                self.record_in_ledger(&seen.record).await;
                self.runtime.remove(seen).await?;
                self.count_ending(&seen.record);
                Ok(())
            }
            Step::Renew(credentials_expire) => {
                self.record_in_ledger(&seen.record).await;
                self.replies.forget(seen).await?;
                // One write: there is no moment without a record of what was wanted.
                let id = SessionId::from_uuid(Uuid::new_v4());
                let next = seen
                    .record
                    .successor(id, *credentials_expire, (self.clock)());
                self.runtime.save(seen, &next).await?;
                self.count_ending(&seen.record);
                audit_replacement(next.owner, &next.id);
                Ok(())
            }
        }
    }

    /// Enters a session that has ended into the ledger. Not being able to keeps no record
    /// from being removed: it is for the report only.
    async fn record_in_ledger(&self, record: &Record) {
        let Some(ending) = record.ending() else {
            return;
        };
        let with = |ledger: &Ledger| ledger.with_ended(record, ending);
        if let Err(error) = self.ledger.update((self.clock)(), with).await {
            let session = &record.id;
            warn!(%session, %error, "session {session}: the next report will not count it");
        }
    }

    /// Counts a session that has ended. After it is gone, so that it is counted once.
    fn count_ending(&self, record: &Record) {
        if let Some(ending) = record.ending() {
            metrics::count_end(Outcome::of(record.owner, &ending.cause));
        }
    }

    /// Lets a session start again whose old Pod is gone.
    async fn resume(&self, seen: &Observed, why: &Incident) -> Result<(), Error> {
        // The next one has the same name, and could not be made beside it.
        self.confirm_pod_gone(seen).await?;
        // It reads the keys that are kept now.
        let credentials_expire = match seen.record.uses_owner_credentials() {
            true => {
                let about = self.credentials.metadata(seen.record.owner).await?;
                about.and_then(|about| about.expires)
            }
            false => seen.record.credentials_expire,
        };
        let resumed = seen.record.with_restart(credentials_expire, (self.clock)());
        self.runtime.save(seen, &resumed).await?;
        // Not worth waiting for: what comes of it is told in any case.
        if let Err(error) = self.notifier.report_rescheduling(&resumed, why).await {
            let session = &seen.record.id;
            warn!(%session, %error, "session {session}: people were not told that it starts again");
        }
        Ok(())
    }

    /// Succeeds if the cluster itself says so; the view alone is not believed.
    async fn confirm_pod_gone(&self, seen: &Observed) -> Result<(), Error> {
        match self.runtime.pod(seen).await? {
            None => Ok(()),
            Some(_) => Err(Error::Conflict {
                action: "looking for a Pod that the watch does not show".to_owned(),
            }),
        }
    }

    async fn announce(&self, seen: &Observed) -> Result<(), Error> {
        let url = self.runtime.url(&seen.record.id);
        if let Some(rescheduled) = &seen.record.rescheduled {
            // Its first message must not offer it any more, whatever became of the first try.
            self.notifier
                .report_rescheduling(&seen.record, &rescheduled.incident)
                .await?;
        }
        let message = self.notifier.announce_ready(&seen.record, &url).await?;
        let restarts = seen.pod.as_ref().map_or(0, |pod| pod.restarts);
        let now = (self.clock)();
        if !seen.record.was_ready() {
            metrics::record_start(duration_until(now, seen.record.created));
        }
        // If somebody stops it right now, the message must be known all the
        // same, or it would offer the URL for ever.
        let id = &seen.record.id;
        let announced = |record: &Record| record.with_announcement(message, now, restarts);
        rewrite(&*self.runtime, id, announced).await?;
        Ok(())
    }

    async fn end(&self, seen: &Observed, cause: Cause) -> Result<(), Error> {
        match &cause {
            // An end can't be taken back, so the view alone is not believed.
            Cause::Failed(incident) if incident.failure == Failure::Vanished => {
                self.confirm_pod_gone(seen).await?;
            }
            Cause::Failed(Incident {
                failure: Failure::Crashed,
                ..
            }) if self.notifier.has_admin_channel() => self.post_last_log(seen).await,
            _ => {}
        }
        let ended = seen.record.with_ending(cause, (self.clock)());
        self.runtime.save(seen, &ended).await
    }

    /// Shows admins why DuckDB keeps ending: soon its log is gone. Not being able
    /// to keeps no session from being taken down.
    async fn post_last_log(&self, seen: &Observed) {
        let session = &seen.record.id;
        let shown = async {
            match redacted_log(&*self.runtime, &*self.credentials, seen).await? {
                Some(log) => self.notifier.show_log_tail(&seen.record, &log).await,
                None => {
                    info!(%session, "session {session}: its log is not shown, because its keys were replaced since");
                    Ok(())
                }
            }
        };
        let shown: Result<(), Error> = shown.await;
        if let Err(error) = shown {
            warn!(%session, %error, "session {session}: admins were not shown its log");
        }
    }

    /// Ends a session whose objects the cluster will not have.
    async fn give_up(&self, seen: &Observed, error: &Error, reference: String) -> Result<(), ()> {
        let cause = Cause::Refused {
            why: error.for_people(),
            reference,
        };
        self.end(seen, cause).await.map_err(|_| ())
    }
}

/// What a step is called in the log.
fn step_name(step: &Step) -> &'static str {
    match step {
        Step::Wait(_) => "waiting",
        Step::Create(Parts::ALL) => "making it",
        Step::Create(_) => "making what was missing",
        Step::Announce => "announcing it",
        Step::WarnCredentialsExpiry(_) => "warning of its keys' end",
        Step::AnnounceRestart(..) => "telling that DuckDB was restarted",
        Step::Reschedule(_) => "moving it",
        Step::Resume(_) => "starting it again",
        Step::End(_) => "deciding its end",
        Step::Delete(_) => "taking it down",
        Step::AnnounceEnd(_) => "telling its end",
        Step::Remove => "removing its record",
        Step::Renew(_) => "starting another in its place",
    }
}

fn duration_until(when: DateTime<Utc>, now: DateTime<Utc>) -> Duration {
    (when - now).to_std().unwrap_or(Duration::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::starting;

    const POLICY: Policy = Policy {
        start_timeout: TimeDelta::minutes(5),
        credential_warning: TimeDelta::minutes(30),
        ends_failed: true,
        ends_late: true,
    };

    fn new_session() -> Observed {
        Observed {
            record: Arc::new(starting()),
            uid: "u".into(),
            revision: "1".into(),
            pod: None,
            service: false,
            route: false,
        }
    }

    #[test]
    fn a_session_does_one_step_at_a_time_and_waits_longer_after_each_failure() {
        let mut work_queue = WorkQueue::default();
        let mut now = starting().created;
        let due =
            |work_queue: &mut WorkQueue, now| work_queue.due(vec![new_session()], now, &POLICY);
        let id = || starting().id;

        assert_eq!(due(&mut work_queue, now).0.len(), 1);
        assert_eq!(due(&mut work_queue, now).0.len(), 0, "it is under way");
        for pause in [1, 2, 4, 8, 16, 30, 30] {
            work_queue.done(id(), Err(()), now);
            let again = now + TimeDelta::seconds(pause);
            let (steps, wake) = due(&mut work_queue, again - TimeDelta::milliseconds(1));
            assert_eq!((steps.len(), wake), (0, again));
            now = again;
            assert_eq!(due(&mut work_queue, now).0.len(), 1);
        }
        work_queue.done(id(), Ok(()), now);
        assert_eq!(due(&mut work_queue, now).0.len(), 1, "success forgives");
    }

    #[test]
    fn what_is_gone_is_forgotten() {
        let mut work_queue = WorkQueue::default();
        work_queue.done(starting().id, Err(()), starting().created);
        work_queue.due(Vec::new(), starting().created, &POLICY);
        assert!(work_queue.backoffs.is_empty());
    }
}
