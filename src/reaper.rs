//! The loop that takes down what nobody takes down: look, decide
//! ([`plan`](crate::session::plan)), warn or stop, tell.
//!
//! It remembers nothing that matters. What was told stands in each record, the report's
//! totals in the ledger, so a bot that was killed goes on where the last one was.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{StreamExt, stream};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::{
    error::{Error, new_reference},
    metrics,
    service::{Notifier, ReportClaim, Service},
    session::{Action, OwnerId, Plan, ReapPause, SessionId, Warning},
    settings,
};

/// How many actions are taken at the same time.
const MAX_CONCURRENT_ACTIONS: usize = 8;
/// How often it is looked who left the guild, and for how many people in one sweep.
const MEMBER_CHECK_INTERVAL: TimeDelta = TimeDelta::hours(1);
const MEMBERS_PER_SWEEP: usize = 20;
/// How often an alarm is repeated that nobody has heeded.
const ALARM_INTERVAL: TimeDelta = TimeDelta::hours(6);
/// How long posting a report may take until another bot may try.
const REPORT_CLAIM_TIMEOUT: TimeDelta = TimeDelta::minutes(5);

/// The loop's parts.
pub struct Reaper {
    service: Arc<Service>,
    notifier: Arc<dyn Notifier>,
    /// Warnings that were told and could not be noted.
    unsaved_warnings: Mutex<HashMap<SessionId, Warning>>,
}

/// What was said already. After a restart it is said once more.
#[derive(Default)]
struct ReaperState {
    last_alarm: Option<DateTime<Utc>>,
    unreachable: HashMap<SessionId, DateTime<Utc>>,
    dry_run_targets: HashSet<String>,
    people: VecDeque<OwnerId>,
    members_checked_at: Option<DateTime<Utc>>,
    next_report_at: Option<DateTime<Utc>>,
}

impl Reaper {
    /// With these parts.
    pub fn new(service: Arc<Service>, notifier: Arc<dyn Notifier>) -> Self {
        Self {
            service,
            notifier,
            unsaved_warnings: Mutex::default(),
        }
    }

    /// Runs until `shutdown`. A report that is being posted is finished: the next bot would
    /// post it once more.
    pub async fn run(self, shutdown: CancellationToken) {
        let every = self.settings().every.to_std().unwrap_or_default();
        let mut ticks = tokio::time::interval(every);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut state = ReaperState::default();
        loop {
            let sweep = async {
                ticks.tick().await;
                self.check_members(&mut state).await;
                self.sweep(&mut state).await;
            };
            if shutdown.run_until_cancelled(sweep).await.is_none() {
                return;
            }
            self.report(&mut state).await;
            debug!("swept");
        }
    }

    async fn sweep(&self, state: &mut ReaperState) {
        let plan = self.service.plan().await;
        metrics::set_held_back(plan.held_back.is_some());
        if self.settings().dry_run {
            log_dry_run(&plan, state);
        } else {
            if let Some(held_back) = plan.held_back {
                self.raise_alarm(held_back, state).await;
            }
            stream::iter(plan.sweep(&self.settings().limits))
                .for_each_concurrent(MAX_CONCURRENT_ACTIONS, |action| async move {
                    if let Err(error) = self.act(action).await {
                        let reference = new_reference();
                        warn!(reference, %error, ?action, "the reaper could not do something; it tries again [{reference}]");
                    }
                })
                .await;
        }
        // Last, because nothing waits for it.
        self.report_unreachable(&plan.actions, state).await;
    }

    async fn act(&self, action: &Action) -> Result<(), Error> {
        match action {
            Action::Warn(id, warning) => self.warn(id, warning).await,
            _ => self.service.carry_out(action).await.map(|_| ()),
        }
    }

    async fn warn(&self, id: &SessionId, warning: &Warning) -> Result<(), Error> {
        let Some(seen) = self.service.runtime().session(id) else {
            return Ok(());
        };
        let same = |told: &&Warning| (told.rule, told.since) == (warning.rule, warning.since);
        let told = self.unsaved_warnings.lock().get(id).filter(same).cloned();
        let warning = match told {
            // Told already; what failed was to note that.
            Some(told) => told,
            None => {
                let (rule, at) = (warning.rule, warning.at);
                match self.notifier.warn_of_stop(&seen.record, warning).await? {
                    true => {
                        info!(session = %id, ?rule, %at, "session {id}: its owner was told that it will be stopped");
                    }
                    false => {
                        warn!(session = %id, ?rule, %at, "session {id} will be stopped, and there is no way to tell its owner");
                    }
                }
                self.unsaved_warnings
                    .lock()
                    .insert(id.clone(), warning.clone());
                warning.clone()
            }
        };
        self.service.record_warning(id, &warning).await?;
        self.unsaved_warnings.lock().remove(id);
        metrics::count_reaper_action("warned", &warning.rule);
        debug!(session = %id, "session {id}: that its owner was told is noted");
        Ok(())
    }

    async fn raise_alarm(&self, held_back: ReapPause, state: &mut ReaperState) {
        let now = self.service.now();
        if state.last_alarm.is_some_and(|at| now - at < ALARM_INTERVAL) {
            return;
        }
        let ReapPause { stops, of } = held_back;
        warn!(
            stops,
            of, "too many sessions would be stopped at once; none is"
        );
        match self.notifier.alert_reaping_paused(&held_back).await {
            Ok(()) => state.last_alarm = Some(now),
            Err(error) => warn!(%error, "admins were not told"),
        }
    }

    async fn report_unreachable(&self, actions: &[Action], state: &mut ReaperState) {
        let silent = actions.iter().filter_map(|action| match action {
            Action::ReportUnreachable(id, since) => Some((id.clone(), *since)),
            _ => None,
        });
        let silent: HashMap<_, _> = silent.collect();
        metrics::set_unreachable_doors(silent.len());
        state
            .unreachable
            .retain(|id, since| silent.get(id) == Some(since));
        let news = silent
            .into_iter()
            .filter(|(id, _)| !state.unreachable.contains_key(id));
        let news = news.filter_map(|(id, since)| {
            let seen = self.service.runtime().session(&id)?;
            warn!(session = %id, %since, "session {id}: its door does not answer");
            Some((seen.record, since))
        });
        let mut news: Vec<_> = news.collect();
        if news.is_empty() {
            return;
        }
        news.sort_by_key(|(_, since)| *since);
        match self.notifier.alert_unreachable(&news).await {
            Ok(()) => {
                let told = news
                    .iter()
                    .map(|(record, since)| (record.id.clone(), *since));
                state.unreachable.extend(told);
            }
            Err(error) => warn!(%error, "admins were not told"),
        }
    }

    async fn check_members(&self, state: &mut ReaperState) {
        let now = self.service.now();
        if self.settings().limits.left_guild.is_none() {
            return;
        }
        let checked = async {
            let is_due = state
                .members_checked_at
                .is_none_or(|at| now - at >= MEMBER_CHECK_INTERVAL);
            if is_due && state.people.is_empty() {
                state.people = self.service.known_owners().await?.into();
                state.members_checked_at = Some(now);
            }
            let queue = &mut state.people;
            self.service.check_members(queue, MEMBERS_PER_SWEEP).await
        };
        let checked: Result<(), Error> = checked.await;
        if let Err(error) = checked {
            warn!(%error, "it is not known who left the guild");
        }
    }

    async fn report(&self, state: &mut ReaperState) {
        let settings = &self.service.settings().report;
        let is_early = state
            .next_report_at
            .is_some_and(|at| self.service.now() < at);
        if settings.channel.is_none() || is_early {
            return;
        }
        state.next_report_at = match self.try_to_report().await {
            Ok(next) => next,
            Err(error) => {
                let reference = new_reference();
                warn!(reference, %error, "the report was not posted; it is tried again [{reference}]");
                Some(self.service.now() + REPORT_CLAIM_TIMEOUT)
            }
        };
    }

    /// When it is to be looked again.
    async fn try_to_report(&self) -> Result<Option<DateTime<Utc>>, Error> {
        match self.service.claim_report(REPORT_CLAIM_TIMEOUT).await? {
            // A schedule without end: far away.
            ReportClaim::Later(next) => Ok(Some(next.unwrap_or(DateTime::<Utc>::MAX_UTC))),
            ReportClaim::Mine(report) => {
                if !report.is_quiet() || self.service.settings().report.when_quiet {
                    // It waits until there is a place for it.
                    if !self.notifier.post_report(&report).await? {
                        return Ok(Some(self.service.now() + REPORT_CLAIM_TIMEOUT));
                    }
                    info!("the report was posted");
                }
                self.service.mark_report_posted(&report).await?;
                Ok(None)
            }
        }
    }

    fn settings(&self) -> &settings::Reaper {
        &self.service.settings().reaper
    }
}

/// Once for each thing that would be done.
fn log_dry_run(plan: &Plan, state: &mut ReaperState) {
    let targets: HashSet<_> = plan.takedowns().map(Action::target).collect();
    for what in targets.difference(&state.dry_run_targets) {
        info!("if this were no dry run, the reaper would take down {what}");
    }
    state.dry_run_targets = targets;
}
