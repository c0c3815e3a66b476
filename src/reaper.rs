//! The reaper: a loop that stops idle, old and ownerless sessions, warns their owners before,
//! removes orphans and posts the report. [`plan`](crate::session::plan) decides.
//!
//! The reaper keeps no state that matters. Warnings are in the records and the report's totals in
//! the ledger, so after a crash a new bot continues where the last one stopped.

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
    leadership::Term,
    metrics,
    service::{Notifier, ReportClaim, Service},
    session::{Action, OwnerId, Plan, ReapPause, SessionId, Warning},
    settings::Settings,
};

/// Maximum number of actions at the same time.
const MAX_CONCURRENT_ACTIONS: usize = 8;
/// Time between two checks for people who left the Discord server.
const MEMBER_CHECK_INTERVAL: TimeDelta = TimeDelta::hours(1);
/// Maximum number of people to check in one sweep.
const MEMBERS_PER_SWEEP: usize = 20;
/// Time after which an alarm is repeated while reaping stays paused.
const ALARM_INTERVAL: TimeDelta = TimeDelta::hours(6);
/// Time after which a claim on a report expires, so that another bot may post it.
const REPORT_CLAIM_TIMEOUT: TimeDelta = TimeDelta::minutes(5);

/// The reaper and the parts that it needs.
pub(crate) struct Reaper {
    service: Arc<Service>,
    notifier: Arc<dyn Notifier>,
    settings: Arc<Settings>,
    /// Warnings that were sent but are not yet written into their records.
    unsaved_warnings: Mutex<HashMap<SessionId, Warning>>,
}

/// Notices that were sent, and times of the next checks. After a restart, notices are sent again.
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
    /// Creates a reaper.
    pub(crate) fn new(
        service: Arc<Service>,
        notifier: Arc<dyn Notifier>,
        settings: Arc<Settings>,
    ) -> Self {
        Self {
            service,
            notifier,
            settings,
            unsaved_warnings: Mutex::default(),
        }
    }

    /// Runs until `stop`, while `term` is held. A report that is being posted is finished first,
    /// because otherwise the next bot would post it again.
    pub(crate) async fn run(&self, term: Term, stop: CancellationToken) {
        let every = self.settings.reaper.every.to_std().unwrap_or_default();
        let mut ticks = tokio::time::interval(every);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut state = ReaperState::default();
        loop {
            let sweep = async {
                ticks.tick().await;
                if term.is_held() {
                    self.check_members(&mut state).await;
                    self.sweep(&term, &mut state).await;
                }
            };
            if stop.run_until_cancelled(sweep).await.is_none() || !term.is_held() {
                return;
            }
            self.report(&mut state).await;
            debug!("swept");
        }
    }

    async fn sweep(&self, term: &Term, state: &mut ReaperState) {
        let plan = self.service.plan().await;
        if !term.is_held() {
            return;
        }
        metrics::set_held_back(plan.held_back.is_some());
        let is_dry_run = self.settings.reaper.dry_run;
        if is_dry_run {
            log_dry_run(&plan, state);
        } else if let Some(held_back) = plan.held_back {
            self.raise_alarm(held_back, state).await;
        }
        let actions = plan.sweep(&self.settings.reaper.limits);
        // No rule ends query runners, so a dry run ends them too.
        let actions = actions.filter(|it| !is_dry_run || matches!(it, Action::EndRunner(_)));
        stream::iter(actions)
            .for_each_concurrent(MAX_CONCURRENT_ACTIONS, |action| async move {
                if term.is_held()
                    && let Err(error) = self.act(action).await
                {
                    let reference = new_reference();
                    warn!(reference, %error, ?action, "an action of the reaper failed; the next sweep tries it again [{reference}]");
                }
            })
            .await;
        if !term.is_held() {
            return;
        }
        // Last, because nothing depends on it.
        self.report_unreachable(&plan.actions, state).await;
    }

    async fn act(&self, action: &Action) -> Result<(), Error> {
        match action {
            Action::Warn(id, warning) => self.warn(id, warning).await,
            _ => self.service.carry_out(action).await.map(|_| ()),
        }
    }

    async fn warn(&self, id: &SessionId, warning: &Warning) -> Result<(), Error> {
        let Some(seen) = self.service.session(id) else {
            return Ok(());
        };
        let same = |told: &&Warning| (told.rule, told.since) == (warning.rule, warning.since);
        let told = self.unsaved_warnings.lock().get(id).filter(same).cloned();
        let warning = match told {
            // The warning was sent before, but writing it into the record failed.
            Some(told) => told,
            None => {
                let (rule, at) = (warning.rule, warning.at);
                if self.notifier.warn_of_stop(&seen.record, warning).await? {
                    info!(session = %id, ?rule, %at, "session {id}: warned its owner that it will be stopped");
                } else {
                    warn!(session = %id, ?rule, %at, "session {id}: could not warn its owner that it will be stopped");
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
        debug!(session = %id, "session {id}: the warning to its owner is recorded");
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
            of,
            "reaping is paused: {stops} of {of} sessions are due at once; check the clock and the settings, then run /duck reap"
        );
        match self.notifier.alert_reaping_paused(&held_back).await {
            Ok(()) => state.last_alarm = Some(now),
            Err(error) => warn!(%error, "could not tell admins that reaping is paused"),
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
            let seen = self.service.session(&id)?;
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
            Err(error) => warn!(%error, "could not tell admins about doors that do not answer"),
        }
    }

    async fn check_members(&self, state: &mut ReaperState) {
        let now = self.service.now();
        if self.settings.reaper.limits.left_guild.is_none() {
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
            warn!(%error, "could not check who left the Discord server");
        }
    }

    async fn report(&self, state: &mut ReaperState) {
        let settings = &self.settings.report;
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
                warn!(reference, %error, "the report was not posted; trying again later [{reference}]");
                Some(self.service.now() + REPORT_CLAIM_TIMEOUT)
            }
        };
    }

    /// Posts the report if it is due and not claimed by another bot. Returns when to try again, or
    /// `None` for the next sweep.
    async fn try_to_report(&self) -> Result<Option<DateTime<Utc>>, Error> {
        match self.service.claim_report(REPORT_CLAIM_TIMEOUT).await? {
            // Never, if the schedule has no further report.
            ReportClaim::Later(next) => Ok(Some(next.unwrap_or(DateTime::<Utc>::MAX_UTC))),
            ReportClaim::Mine(report) => {
                if !report.is_quiet() || self.settings.report.when_quiet {
                    // Discord refused: keep the report until the channel accepts it.
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
}

/// Logs what a dry run would do, once for each action.
fn log_dry_run(plan: &Plan, state: &mut ReaperState) {
    let targets: HashSet<_> = plan.takedowns().map(Action::target).collect();
    for what in targets.difference(&state.dry_run_targets) {
        info!("dry run: the reaper would stop or remove {what}");
    }
    state.dry_run_targets = targets;
}
