//! The reconciler takes every session through its life: observe, decide, do one step, repeat.
//!
//! The next step follows from the observation alone ([`next_step`]). The reconciler keeps no other
//! state that matters, so after a crash a new bot continues where the last one stopped.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::{task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use uuid::Uuid;

use crate::{
    concurrency::ConcurrencyLimit,
    credentials::{CredentialPart, CredentialStore},
    error::{Error, new_reference},
    leadership::Term,
    metrics,
    runtime::{LedgerStore, ReplyStore, Runtime, crash_reason, redacted_log, rewrite},
    service::{
        Clock, Dependencies, Notifier, RunnerUses, audit_replacement, describe_work, renew,
        save_work, summarize,
    },
    session::{
        Cause, CredentialSource, Failure, Incident, MessageId, Observed, Outcome, Parts, Policy,
        Record, Renewal, SessionId, Stage, Step, WorkOutcome, latest_stop, next_step,
    },
    settings::Settings,
};

/// Maximum pause before a failed step is repeated.
const MAX_RETRY_DELAY: TimeDelta = TimeDelta::seconds(30);
/// Maximum number of sessions that are created at a time, and how many slow ones are let go on beside them.
/// Each takes 60 KB meanwhile, and the calls for a thousand at once would delay the next caller's requests at
/// the API server.
const MAX_CONCURRENT_CREATES: [usize; 2] = [12, 100];
/// Maximum time between two passes.
const MAX_SLEEP: TimeDelta = TimeDelta::hours(1);

/// The reconciler and the parts that it needs.
pub(crate) struct Reconciler {
    runtime: Arc<dyn Runtime>,
    notifier: Arc<dyn Notifier>,
    /// Store of the credentials: to remove them from logs that admins see, and for their expiry.
    credentials: Arc<dyn CredentialStore>,
    /// Store of the reply tokens, which are deleted with their session.
    replies: Arc<dyn ReplyStore>,
    ledger: Arc<LedgerStore>,
    /// Uses of query runners, which learn why theirs has ended.
    runner_uses: RunnerUses,
    policy: Policy,
    settings: Arc<Settings>,
    clock: Clock,
    creates: ConcurrencyLimit,
}

/// Sessions with a step under way, and sessions that wait after a failure.
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
    /// Returns the steps to take now, which then count as under way. Also returns the time of the
    /// next pass if nothing changes before.
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

    /// Ends a step. After a failure, the session waits: 1 s, doubled with each further failure.
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
    /// Creates a reconciler that uses the same parts as the service.
    pub(crate) fn new(parts: &Dependencies, settings: Arc<Settings>, policy: Policy) -> Self {
        Self {
            runtime: parts.runtime.clone(),
            notifier: parts.notifier.clone(),
            credentials: parts.credentials.clone(),
            replies: parts.replies.clone(),
            ledger: parts.ledger.clone(),
            runner_uses: parts.runner_uses.clone(),
            policy,
            settings,
            clock: parts.clock.clone(),
            creates: ConcurrencyLimit::new(MAX_CONCURRENT_CREATES),
        }
    }

    /// Runs until `stop`, and takes steps only while `term` is held. Steps under way are then dropped,
    /// and the next bot repeats them.
    pub(crate) async fn run(self: Arc<Self>, term: Term, stop: CancellationToken) {
        let this = self;
        let mut changes = this.runtime.changes();
        let mut work_queue = WorkQueue::default();
        let mut steps = JoinSet::new();
        this.find_own_credentials().await;
        loop {
            changes.mark_unchanged();
            let begin = Instant::now();
            let now = (this.clock)();
            let (due, wake) = work_queue.due(this.runtime.sessions(), now, &this.policy);
            for (seen, step) in due {
                let (this, term) = (this.clone(), term.clone());
                let id = seen.record.id.clone();
                steps.spawn(async move { (id, this.run_step(&seen, step, &term).await) });
            }
            // Wait as long as the pass took, and handle the changes of that time together.
            // A pass over all sessions for each single change would leave no time for other work.
            tokio::time::sleep(begin.elapsed()).await;
            tokio::select! {
                // The view outlives this loop, so the channel never closes.
                _ = changes.changed() => {}
                Some(done) = steps.join_next(), if !steps.is_empty() => match done {
                    Ok((id, outcome)) => work_queue.done(id, outcome, (this.clock)()),
                    Err(panic) => std::panic::resume_unwind(panic.into_panic()),
                },
                () = tokio::time::sleep(duration_until(wake, (this.clock)())) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Looks for credentials of sessions that another bot has stored last before it ended.
    async fn find_own_credentials(&self) {
        for seen in self.runtime.sessions() {
            if let Err(error) = self.note_own_credentials(&seen.record).await {
                let session = &seen.record.id;
                warn!(%session, %error, "session {session}: could not look for its credentials; trying again later");
            }
        }
    }

    /// Lets a session go on that awaits its own credentials, if they are stored.
    async fn note_own_credentials(&self, record: &Record) -> Result<bool, Error> {
        let is_awaited = record.credentials == CredentialSource::Awaited;
        if !is_awaited || !self.credentials.has_own(record).await? {
            return Ok(false);
        }
        let noted = self.runtime.note_own_credentials(&record.id).await?;
        Ok(noted.is_some())
    }

    /// Does one step, and logs it or its failure. Does nothing after the end of the term, which a
    /// process that was stopped for a while notices only here.
    async fn run_step(&self, seen: &Observed, step: Step, term: &Term) -> Result<(), ()> {
        if !term.is_held() {
            return Err(());
        }
        let session = &seen.record.id;
        match self.perform(seen, &step).await {
            Ok(()) => {
                info!(%session, owner = %seen.record.owner, ?step, "session {session}: {}", step_name(&step));
                Ok(())
            }
            // Another writer was faster. That is normal, so it is not logged.
            Err(Error::Conflict { .. }) => Err(()),
            Err(error) => {
                metrics::count_step_failure(&step);
                let reference = new_reference();
                warn!(
                    %session, reference, %error,
                    "session {session}: {} failed [{reference}]", step_name(&step),
                );
                // A running session is not ended because its Service can't be created.
                let is_hopeless = matches!(step, Step::Create(_))
                    && seen.record.stage == Stage::Starting
                    && error.is_permanent()
                    && !self.may_retry(&seen.record);
                if is_hopeless {
                    self.give_up(seen, &error, reference).await
                } else {
                    Err(())
                }
            }
        }
    }

    /// Returns true if a refused create may be repeated. A rescheduled session may retry until its
    /// deadline, because its quota may be in use only for a moment.
    fn may_retry(&self, record: &Record) -> bool {
        let deadline = record.start_began() + self.policy.start_timeout;
        record.rescheduled.is_some() && (self.clock)() + MAX_RETRY_DELAY < deadline
    }

    async fn perform(&self, seen: &Observed, step: &Step) -> Result<(), Error> {
        match step {
            Step::Wait(_) => Ok(()),
            Step::Create(parts) => {
                // Its first poll allocates what it needs, so it waits for its place before that.
                let created = async { self.runtime.create(seen, *parts).await };
                self.creates.run(created).await
            }
            Step::Announce => self.announce(seen).await,
            Step::RenewCredentials => self.renew_credentials(seen).await,
            Step::WarnCredentialsExpiry(expire) => {
                self.notifier
                    .warn_credentials_expire(&seen.record, *expire)
                    .await?;
                self.runtime
                    .save(seen, &seen.record.with_credentials_warning())
                    .await?;
                if seen.record.keeps_work && seen.has_ready_pod() {
                    // With expired credentials, nothing can be saved.
                    self.save_work(seen).await;
                }
                Ok(())
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
            Step::SaveWork => {
                let outcome = self.save_work(seen).await;
                let saved = seen.record.with_work_outcome(outcome);
                self.runtime.save(seen, &saved).await
            }
            Step::Delete(parts) => {
                // Beside the deletion, so that the end does not wait for the ledger.
                let entered = self.record_in_ledger(&seen.record);
                tokio::join!(self.runtime.delete(seen, *parts), entered).0
            }
            Step::AnnounceEnd(ending) => {
                self.notifier.announce_end(&seen.record, ending).await?;
                self.runtime
                    .save(seen, &seen.record.with_end_announced())
                    .await
            }
            Step::Remove => {
                if let Some(ending) = seen.record.ending() {
                    self.runner_uses.note_end(&seen.record.id, &ending.cause);
                }
                self.record_in_ledger(&seen.record).await;
                self.runtime.remove(seen).await?;
                self.count_ending(&seen.record);
                Ok(())
            }
            Step::Renew(credentials_expire) => {
                self.record_in_ledger(&seen.record).await;
                self.replies.forget(seen).await?;
                // Replace the record in one write, so that the request is never lost.
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

    /// Tells a session to save its work.
    async fn save_work(&self, seen: &Observed) -> WorkOutcome {
        let deadline = self.settings.work.deadline;
        save_work(&*self.runtime, seen, deadline, &self.clock).await
    }

    /// Gives a session the credentials that its owner stored while it was not ready. Tells the owner
    /// if the session keeps the previous ones, or loses its catalog.
    ///
    /// # Errors
    /// Returns [`Error::Session`] if the session can't be reached, so that the step is repeated.
    async fn renew_credentials(&self, seen: &Observed) -> Result<(), Error> {
        let record = &seen.record;
        let credentials = self.credentials.read_for(record).await?;
        // Without stored ones, the session keeps those that it has read.
        let mut renewed = record.with_kept_credentials();
        if let Some(credentials) = credentials {
            let part = self.required_credentials(record);
            let renewal = renew(&*self.runtime, seen, &credentials, part).await;
            match &renewal {
                Renewal::Done => {}
                Renewal::Pending | Renewal::Unreachable => {
                    return Err(Error::Session {
                        action: "renewing the credentials of a session".into(),
                        why: "the session could not be reached".into(),
                    });
                }
                Renewal::Detached(_)
                | Renewal::NotSupported
                | Renewal::Refused(_)
                | Renewal::Incomplete => {
                    self.notifier.report_renewal(record, &renewal).await?;
                }
            }
            if renewal.is_taken() {
                renewed = record.with_renewed_credentials(credentials.expiry(part), (self.clock)());
            }
        }
        self.runtime.save(seen, &renewed).await
    }

    /// Returns the part of the credentials that a session's catalog requires.
    fn required_credentials(&self, record: &Record) -> CredentialPart {
        CredentialPart::required_for(&self.settings, &record.catalog)
    }

    /// Enters an ended session into the ledger, but no query runner. A failure does not keep the record
    /// from being removed, because only the report needs the entry.
    async fn record_in_ledger(&self, record: &Arc<Record>) {
        if !record.is_stopping() || record.is_runner() {
            return;
        }
        let latest = latest_stop(record, &self.settings.reaper.limits);
        let entered = self.ledger.enter((self.clock)(), record.clone(), latest);
        if let Err(error) = entered.await {
            let session = &record.id;
            warn!(%session, %error, "session {session}: not entered into the ledger, so the next report does not count it");
        }
    }

    /// Counts an ended session in the metrics. Call it after the record is gone, so that a repeated
    /// step does not count twice.
    fn count_ending(&self, record: &Record) {
        let ending = record.ending();
        if let Some(outcome) = ending.and_then(|it| Outcome::of(record.owner, &it.cause)) {
            metrics::count_end(record.kind, outcome);
        }
    }

    /// Starts a rescheduled session again, after its old Pod is gone.
    async fn resume(&self, seen: &Observed, why: &Incident) -> Result<(), Error> {
        // The next Pod has the same name, so it can't be created while the old one exists.
        self.confirm_pod_gone(seen).await?;
        // The next Pod reads the credentials that are stored now.
        let credentials_expire = if seen.record.uses_owner_credentials() {
            let about = self.credentials.metadata(seen.record.owner).await?;
            about.and_then(|about| about.expiry(self.required_credentials(&seen.record)))
        } else {
            seen.record.credentials_expire
        };
        let resumed = seen.record.with_restart(credentials_expire, (self.clock)());
        self.runtime.save(seen, &resumed).await?;
        // Ignore a failure: the result of the start is announced in any case.
        if let Err(error) = self.notifier.report_rescheduling(&resumed, why).await {
            let session = &seen.record.id;
            warn!(%session, %error, "session {session}: could not post that it starts again");
        }
        Ok(())
    }

    /// Asks the cluster itself if the Pod is gone, because the view may be out of date.
    ///
    /// # Errors
    /// Returns [`Error::Conflict`] if the Pod still exists.
    async fn confirm_pod_gone(&self, seen: &Observed) -> Result<(), Error> {
        match self.runtime.pod(seen).await? {
            None => Ok(()),
            Some(_) => Err(Error::Conflict {
                action: "checking that a Pod is gone".to_owned(),
            }),
        }
    }

    /// Announces a session that is ready. If Discord can't be reached, the session runs without it, and
    /// the step is repeated.
    async fn announce(&self, seen: &Observed) -> Result<(), Error> {
        let posted = self.post_announcement(seen).await;
        match &posted {
            Ok(_) => {}
            Err(Error::Discord { .. }) if !seen.record.announcement_due => {}
            Err(_) => return posted.map(drop),
        }
        let restarts = seen.pod.as_ref().map_or(0, |pod| pod.restarts);
        let now = (self.clock)();
        if !seen.record.was_ready() {
            metrics::record_start(seen.record.kind, duration_until(now, seen.record.created));
        }
        // Store the message's ID even if the session is stopped right now. Otherwise nothing would
        // ever remove the URL from the message.
        let id = &seen.record.id;
        let announced = |record: &Record| match &posted {
            Ok(message) => record.with_announcement(*message, now, restarts),
            Err(_) => record.with_ready(now, restarts),
        };
        rewrite(&*self.runtime, id, announced).await?;
        posted.map(drop)
    }

    async fn post_announcement(&self, seen: &Observed) -> Result<Option<MessageId>, Error> {
        let url = self.runtime.url(&seen.record.id);
        if let Some(rescheduled) = &seen.record.rescheduled {
            // Edit the first message, so that it no longer offers the URL. The edit in `resume`
            // may have failed.
            self.notifier
                .report_rescheduling(&seen.record, &rescheduled.incident)
                .await?;
        }
        let work = describe_work(&*self.runtime, seen).await;
        self.notifier
            .announce_ready(&seen.record, &url, work.as_ref())
            .await
    }

    async fn end(&self, seen: &Observed, cause: Cause) -> Result<(), Error> {
        match &cause {
            // An end is irreversible, so ask the cluster and not only the view.
            Cause::Failed(incident) if incident.failure == Failure::Vanished => {
                self.confirm_pod_gone(seen).await?;
            }
            Cause::Failed(Incident {
                failure: Failure::Crashed,
                ..
            }) => self.report_crash(seen).await,
            Cause::Failed(incident)
                if incident.failure == Failure::CredentialsMissing
                    && self.note_own_credentials(&seen.record).await? =>
            {
                return Ok(());
            }
            _ => {}
        }
        let ended = seen.record.with_ending(cause, (self.clock)());
        self.runtime.save(seen, &ended).await
    }

    /// Logs why DuckDB keeps crashing, and tells admins, before its log is gone. A failure does not
    /// keep the session from ending.
    async fn report_crash(&self, seen: &Observed) {
        let session = &seen.record.id;
        let shown = async {
            match redacted_log(&*self.runtime, &*self.credentials, seen).await? {
                Some(log) => {
                    let why = crash_reason(&log).unwrap_or("it wrote nothing");
                    warn!(%session, "session {session}: DuckDB keeps crashing: {why}");
                    self.notifier.show_log_tail(&seen.record, why, &log).await
                }
                None => {
                    info!(%session, "session {session}: its log is not shown to admins, because its credentials were replaced since its start");
                    Ok(())
                }
            }
        };
        let shown: Result<(), Error> = shown.await;
        if let Err(error) = shown {
            warn!(%session, %error, "session {session}: could not show its log to admins");
        }
    }

    /// Ends a session because the cluster refuses its objects.
    async fn give_up(&self, seen: &Observed, error: &Error, reference: String) -> Result<(), ()> {
        let cause = Cause::Refused {
            error: summarize(error),
            reference,
        };
        self.end(seen, cause).await.map_err(|_| ())
    }
}

/// Returns a step's name for the log.
fn step_name(step: &Step) -> &'static str {
    match step {
        Step::Wait(_) => "waiting",
        Step::Create(Parts::ALL) => "creating its objects",
        Step::Create(_) => "creating missing objects",
        Step::Announce => "announcing its URL",
        Step::RenewCredentials => "renewing its credentials",
        Step::WarnCredentialsExpiry(_) => "warning that its credentials expire",
        Step::AnnounceRestart(..) => "announcing a restart of DuckDB",
        Step::Reschedule(_) => "rescheduling it",
        Step::Resume(_) => "starting it again",
        Step::End(_) => "recording why it ends",
        Step::SaveWork => "saving its work",
        Step::Delete(_) => "deleting its objects",
        Step::AnnounceEnd(_) => "announcing its end",
        Step::Remove => "removing its record",
        Step::Renew(_) => "replacing it by a new session",
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
        stop_failed: true,
        stop_late: true,
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
        assert_eq!(due(&mut work_queue, now).0.len(), 0, "a step is under way");
        for pause in [1, 2, 4, 8, 16, 30, 30] {
            work_queue.done(id(), Err(()), now);
            let again = now + TimeDelta::seconds(pause);
            let (steps, wake) = due(&mut work_queue, again - TimeDelta::milliseconds(1));
            assert_eq!((steps.len(), wake), (0, again));
            now = again;
            assert_eq!(due(&mut work_queue, now).0.len(), 1);
        }
        work_queue.done(id(), Ok(()), now);
        assert_eq!(
            due(&mut work_queue, now).0.len(),
            1,
            "success resets the pause"
        );
    }

    #[test]
    fn the_backoff_of_a_removed_session_is_dropped() {
        let mut work_queue = WorkQueue::default();
        work_queue.done(starting().id, Err(()), starting().created);
        work_queue.due(Vec::new(), starting().created, &POLICY);
        assert!(work_queue.backoffs.is_empty());
    }
}
