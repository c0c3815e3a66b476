//! The use cases of reaping: when and why rules stop sessions, extensions, stopping what is due,
//! and owners who left the Discord server.

use std::collections::{HashMap, HashSet, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{StreamExt, stream};
use parking_lot::MutexGuard;
use tracing::{info, warn};

use super::{
    ExtendRejection, LookupRejection, Rejection, Requester, Service, ServiceError, SessionAction,
    audit::{audit, audit_reaper},
    reaper_cache::UsageReading,
};
use crate::{
    door::activity::{Activity, RequestCounts},
    error::{Error, new_reference},
    metrics,
    runtime::rewrite,
    session::{
        Action, Cause, ExtensionLimit, Ledger, Limits, Observed, OwnerId, Plan, Record, Rule,
        ScheduledStop, SessionId, Stage, TrackedSession, Usage, Warning, extension, latest_stop,
        plan, scheduled_stop,
    },
};

/// Maximum number of doors that are queried at the same time.
const MAX_CONCURRENT_DOOR_CALLS: usize = 32;
/// Maximum age of a door's answer. After that, the door is queried again to see if it responds.
const USAGE_MAX_AGE: TimeDelta = TimeDelta::minutes(5);

/// The result of extending a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtendedSession {
    pub record: Record,
    /// Granted extension.
    pub by: TimeDelta,
    /// Limit that made the extension shorter than the requested one.
    pub shortened: Option<ExtensionLimit>,
    /// Times, before and after the extension, at which the session is stopped even if it is in use.
    pub latest_stop: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// The next stop by a rule, after the extension.
    pub due: Option<ScheduledStop>,
    /// Time by which the session can still be extended, and the limit that sets it.
    pub left: (TimeDelta, ExtensionLimit),
}

impl Service {
    /// Adds the present usage to sessions, by querying their doors now.
    pub async fn track(&self, sessions: Vec<Observed>) -> Vec<TrackedSession> {
        self.query_doors(sessions, |_, _| true).await
    }

    /// Adds the present usage to one session. Also returns its door's answer, if there is one.
    pub(super) async fn track_with_activity(
        &self,
        seen: Observed,
    ) -> (TrackedSession, Option<Activity>) {
        if seen.record.is_runner() {
            let usage = self.runner_usage(&seen);
            return (self.with_usage(seen, usage), None);
        }
        if seen.record.stage != Stage::Running {
            return (self.with_usage(seen, Usage::Unknown), None);
        }
        let said = self.activity(&seen).await;
        let earlier = self.reaper_cache.usage.lock().get(&seen.record.id).copied();
        let usage = self.record_usage(&seen, earlier, said.as_ref());
        (self.with_usage(seen, usage), said)
    }

    /// Returns the next stop of a session by a rule, if nothing changes before.
    pub fn scheduled_stop(&self, watched: &TrackedSession) -> Option<ScheduledStop> {
        scheduled_stop(watched, self.now(), self.limits())
    }

    /// Decides what to do about all sessions now. Queries only the doors whose answer matters.
    pub async fn plan(&self) -> Plan {
        let limits = self.limits();
        let now = self.now();
        let matters = |seen: &Observed, heard: UsageReading| match heard.usage {
            Usage::Unknown | Usage::Unreachable(_) => true,
            Usage::Busy => false,
            Usage::Idle(_) => {
                let watched = self.with_usage(seen.clone(), heard.usage);
                let due = scheduled_stop(&watched, now, limits);
                due.is_some_and(|due| due.rule == Rule::Idle && now >= due.at - limits.warn_before)
            }
        };
        // A session in use needs at least this long before it can be due for a warning.
        let idle = limits.idle.map(|idle| idle - limits.warn_before);
        let again = idle.map_or(USAGE_MAX_AGE, |idle| idle.min(USAGE_MAX_AGE));
        let sessions = self.runtime.sessions();
        let present: HashSet<_> = sessions.iter().map(|it| &it.record.id).collect();
        self.reaper_cache
            .usage
            .lock()
            .retain(|id, _| present.contains(id));
        self.runner_uses.retain(|id| present.contains(id));
        self.door_totals.lock().retain(|id| present.contains(id));
        let asked = self.query_doors(sessions, |seen, heard| {
            now - heard.at >= again || matters(seen, heard)
        });
        let sessions = asked.await;
        let orphans = match self.runtime.stale_since() {
            // While a watch is broken, a record may exist that the view does not show.
            Some(_) => Vec::new(),
            None => self.runtime.orphans(),
        };
        plan(&sessions, &orphans, &self.departed(), self.now(), limits)
    }

    /// Same as [`Service::plan`], for an admin to look at.
    ///
    /// # Errors
    /// Returns [`Rejection::AdminsOnly`] if the caller is not an admin.
    pub async fn plan_for(&self, who: &Requester) -> Result<Plan, Rejection> {
        admins_only(who)?;
        Ok(self.plan().await)
    }

    /// Carries out the plan that an admin has confirmed, even while reaping is paused. If the plan
    /// has changed since the admin saw it ([`Plan::digest`]), returns the new plan instead.
    ///
    /// # Errors
    /// Returns [`Rejection::AdminsOnly`] if the caller is not an admin.
    pub async fn reap_all(&self, who: &Requester, digest: &str) -> Result<ReapOutcome, Rejection> {
        let plan = self.plan_for(who).await?;
        if plan.digest() != digest {
            return Ok(ReapOutcome::PlanChanged(plan));
        }
        let mut reaped = ReapResult::default();
        for action in plan.takedowns().cloned() {
            match self.carry_out(&action).await {
                Ok(true) => {
                    audit(who, "reaped", &action.target());
                    reaped.done.push(action);
                }
                Ok(false) => reaped.spared += 1,
                Err(error) => {
                    let reference = reaped.failed.get_or_insert_with(new_reference);
                    warn!(reference, %error, ?action, "an action of the plan failed [{reference}]");
                }
            }
        }
        Ok(ReapOutcome::Done(reaped))
    }

    /// Carries out one action of a plan. Returns false if the action was no longer due, or is only
    /// a notice.
    ///
    /// # Errors
    /// If the action failed.
    pub async fn carry_out(&self, action: &Action) -> Result<bool, Error> {
        match action {
            Action::Stop(id, _) => {
                let rule = self.reap(id).await?;
                match rule {
                    Some(rule) => {
                        metrics::count_reaper_action("stopped", &rule);
                        audit_reaper("stopped", &format!("{id} ({rule:?})"));
                    }
                    None => {
                        info!(session = %id, "session {id} is not stopped: it is no longer due")
                    }
                }
                Ok(rule.is_some())
            }
            Action::Remove(orphan) => {
                let session = &orphan.id;
                info!(%session, "session {session} has no record; removing its orphaned objects");
                self.runtime.remove_orphan(orphan).await?;
                metrics::count_reaper_action("removed", &"orphan");
                audit_reaper("removed", &format!("the orphans of {session}"));
                Ok(true)
            }
            Action::EndRunner(id) => self.end_unused_runner(id).await,
            Action::Forget(owner, _) => self.forget_departed(*owner).await,
            Action::Warn(..) | Action::ReportUnreachable(..) => Ok(false),
        }
    }

    /// Stops a session if a rule still requires it after its door was queried again. Returns the
    /// rule, or `None` if the session is no longer due.
    ///
    /// # Errors
    /// If its record can't be written.
    async fn reap(&self, id: &SessionId) -> Result<Option<Rule>, Error> {
        let Some(seen) = self.runtime.session(id) else {
            return Ok(None);
        };
        let mut watched = self.track(vec![seen]).await.remove(0);
        let rule = self.scheduled_stop(&watched).map(|due| due.rule);
        if rule == Some(Rule::OwnerLeft) {
            let owner = watched.seen.record.owner;
            // If Discord does not answer, only the other rules count.
            watched.left = match self.recheck_member(owner).await {
                Ok(()) => self.departed().get(&owner).copied(),
                Err(_) => None,
            };
        }
        let now_due = |record: &Record| {
            let due = self.scheduled_stop(&watched.with_record(record));
            due.filter(|due| self.now() >= due.at)
        };
        // Decide with the newest record, because the owner may extend the session right now.
        let ended = |record: &Record| match now_due(record) {
            Some(ScheduledStop { rule, since, .. }) => {
                record.with_ending(Cause::Reaped { rule, since }, self.now())
            }
            None => record.clone(),
        };
        let written = rewrite(&*self.runtime, id, ended).await?;
        Ok(written.and_then(|record| match record.stage {
            Stage::Stopping { ending, .. } => match ending.cause {
                Cause::Reaped { rule, .. } => Some(rule),
                _ => None,
            },
            _ => None,
        }))
    }

    /// Writes into a session's record that its owner was warned.
    ///
    /// # Errors
    /// If the record can't be written.
    pub async fn record_warning(&self, id: &SessionId, warning: &Warning) -> Result<(), Error> {
        let warned = |record: &Record| record.with_warning(warning.clone());
        rewrite(&*self.runtime, id, warned).await.map(|_| ())
    }

    /// Extends a session by `by` (`None`: the default), or by less if the limits don't allow more.
    ///
    /// # Errors
    /// Returns a rejection if the session belongs to someone else or can't be extended, or an error
    /// if the record can't be written.
    pub async fn extend(
        &self,
        who: &Requester,
        given: Option<&str>,
        by: Option<TimeDelta>,
    ) -> Result<ExtendedSession, ServiceError> {
        let seen = self.find_accessible(who, given, SessionAction::Extend)?;
        let id = seen.record.id.clone();
        if seen.record.is_stopping() {
            return Err(LookupRejection::NoSuchSession(id).into());
        }
        let watched = self.track(vec![seen]).await.remove(0);
        let Limits {
            lifetime,
            idle,
            max_age,
            ..
        } = self.limits();
        if lifetime.is_none() && idle.is_none() {
            return Err(match max_age {
                None => ExtendRejection::NothingStopsIt,
                Some(age) => ExtendRejection::LimitReached {
                    id,
                    at: self.scheduled_stop(&watched).map(|due| due.at),
                    limit: ExtensionLimit::MaxAge(*age),
                },
            }
            .into());
        }
        let wanted = by.unwrap_or(self.settings.reaper.extend_by);
        let more = |record: &Record, wanted| extension(record, wanted, self.now(), self.limits());
        let old = &watched.seen.record;
        let (by, limit) = more(old, wanted);
        let rejection = |record: &Record, limit| {
            let due = self.scheduled_stop(&watched.with_record(record));
            let at = due.map(|due| due.at);
            let id = record.id.clone();
            ExtendRejection::LimitReached { id, at, limit }
        };
        if by.is_zero() {
            return Err(rejection(old, limit).into());
        }
        let extended = |record: &Record| match more(record, wanted) {
            (by, _) if by.is_zero() || record.is_stopping() => record.clone(),
            (by, _) => record.with_extension(by, self.now()),
        };
        let record = rewrite(&*self.runtime, &id, extended).await?;
        let record = record.filter(|record| !record.is_stopping());
        let record = record.ok_or(LookupRejection::NoSuchSession(id))?;
        if record.extension() == old.extension() {
            // Another request used up the budget at the same moment.
            return Err(rejection(&record, limit).into());
        }
        audit(who, "extended", &record.id.to_string());
        let latest = |record| latest_stop(record, self.limits());
        Ok(ExtendedSession {
            by,
            shortened: (by < wanted).then_some(limit),
            latest_stop: latest(old).zip(latest(&record)),
            due: self.scheduled_stop(&watched.with_record(&record)),
            left: more(&record, TimeDelta::MAX),
            record,
        })
    }

    /// Returns everyone in the ledger who has sessions, credentials or past queries, and adds owners of present
    /// sessions to it.
    ///
    /// # Errors
    /// If the ledger can't be read or written.
    pub async fn known_owners(&self) -> Result<Vec<OwnerId>, Error> {
        let sessions = self.runtime.sessions();
        let all =
            |ledger: &Ledger| ledger.with_owners(sessions.iter().map(|seen| seen.record.owner));
        let ledger = self.ledger.update(self.now(), all).await?;
        *self.departed() = ledger.departed().collect();
        Ok(ledger.owners().collect())
    }

    /// Asks Discord which of the first `most` people in the queue left the server. Removes people
    /// from the queue once Discord has answered.
    ///
    /// # Errors
    /// If Discord does not answer, in which case that person moves to the end of the queue, or if
    /// the ledger can't be written.
    pub async fn check_members(
        &self,
        people: &mut VecDeque<OwnerId>,
        most: usize,
    ) -> Result<(), Error> {
        let mut members = Vec::new();
        let mut outcome = Ok(());
        while members.len() < most
            && let Some(person) = people.pop_front()
        {
            match self.notifier.is_member(person).await {
                Ok(is_member) => members.push((person, is_member)),
                Err(error) => {
                    people.push_back(person);
                    outcome = Err(error);
                    break;
                }
            }
        }
        // Usually the queue is empty. Then the ledger is not read.
        if !members.is_empty() {
            self.note_members(&members).await?;
        }
        outcome
    }

    /// Deletes the credentials and past queries of someone who left the server, and ends their query
    /// runners. Returns false if they are back.
    ///
    /// # Errors
    /// If Discord does not answer, or the credentials or the ledger can't be changed.
    async fn forget_departed(&self, owner: OwnerId) -> Result<bool, Error> {
        self.recheck_member(owner).await?;
        if !self.departed().contains_key(&owner) {
            return Ok(false);
        }
        let _guard = self.lock_owner(owner).await;
        self.credentials.forget(owner).await?;
        self.clear_history(owner).await?;
        self.delete_schedules_of(owner).await?;
        let (rule, since) = (Rule::OwnerLeft, self.now());
        let told =
            |id: &SessionId| audit_reaper("stopped query runner", &format!("{id} ({rule:?})"));
        self.end_runners(owner, Cause::Reaped { rule, since }, told)
            .await?;
        let without = |ledger: &Ledger| ledger.without_owner(owner);
        self.ledger.update(self.now(), without).await?;
        self.departed().remove(&owner);
        metrics::count_reaper_action("forgot", &Rule::OwnerLeft);
        audit_reaper(
            "forgot",
            &format!("the credentials, past queries and schedules of {owner}, who left the server"),
        );
        Ok(true)
    }

    /// Adds a person with credentials or past queries to the ledger. A failure is only logged, because
    /// nothing but the check of departed owners depends on it.
    pub(super) async fn remember_owner(&self, owner: OwnerId) {
        let knowing = |ledger: &Ledger| ledger.with_owners([owner]);
        if let Err(error) = self.ledger.update(self.now(), knowing).await {
            warn!(%owner, %error, "could not add {owner} to the ledger; the check for departed owners may miss them");
        }
    }

    /// Asks Discord again if a departed owner is back, before something irreversible is done.
    async fn recheck_member(&self, owner: OwnerId) -> Result<(), Error> {
        let is_member = self.notifier.is_member(owner).await?;
        if is_member {
            self.note_members(&[(owner, true)]).await
        } else {
            Ok(())
        }
    }

    async fn note_members(&self, members: &[(OwnerId, bool)]) -> Result<(), Error> {
        let now = self.now();
        let seen = |ledger: &Ledger| ledger.with_members(members, now);
        let ledger = self.ledger.update(now, seen).await?;
        *self.departed() = ledger.departed().collect();
        Ok(())
    }

    fn limits(&self) -> &Limits {
        &self.settings.reaper.limits
    }

    fn departed(&self) -> MutexGuard<'_, HashMap<OwnerId, DateTime<Utc>>> {
        self.reaper_cache.departed.lock()
    }

    /// Adds usage to sessions. Queries the door if `wanted` says so or nothing is cached, and uses
    /// the cached answer otherwise.
    async fn query_doors(
        &self,
        sessions: Vec<Observed>,
        wanted: impl Fn(&Observed, UsageReading) -> bool,
    ) -> Vec<TrackedSession> {
        let known = self.reaper_cache.usage.lock().clone();
        let each = stream::iter(sessions).map(|seen| {
            let heard = known.get(&seen.record.id).copied();
            let is_running = seen.record.stage == Stage::Running && !seen.record.is_runner();
            let is_asked = is_running && heard.is_none_or(|heard| wanted(&seen, heard));
            async move {
                let usage = match (is_asked, heard) {
                    (true, _) => self.query_door(&seen, heard).await,
                    (false, Some(heard)) if is_running => heard.usage,
                    (false, _) if seen.record.is_runner() => self.runner_usage(&seen),
                    (false, _) => Usage::Unknown,
                };
                self.with_usage(seen, usage)
            }
        });
        each.buffered(MAX_CONCURRENT_DOOR_CALLS).collect().await
    }

    /// Adds the usage that was last heard to sessions, and asks nobody.
    pub fn last_usage(&self, sessions: Vec<Observed>) -> Vec<TrackedSession> {
        let known = self.reaper_cache.usage.lock().clone();
        let each = sessions.into_iter().map(|seen| {
            let heard = known.get(&seen.record.id).map(|heard| heard.usage);
            self.with_usage(seen, heard.unwrap_or(Usage::Unknown))
        });
        each.collect()
    }

    async fn query_door(&self, seen: &Observed, earlier: Option<UsageReading>) -> Usage {
        let answer = self.activity(seen).await;
        self.record_usage(seen, earlier, answer.as_ref())
    }

    /// Asks a session's door for its activity. Adds the queries from the chat, which don't pass it.
    async fn activity(&self, seen: &Observed) -> Option<Activity> {
        let mut activity = self.runtime.activity(seen).await.ok()?;
        let RequestCounts {
            done,
            refused,
            failed,
        } = self.door_totals.lock().take(&seen.record.id, &activity);
        metrics::count_door_requests(done, refused, failed);
        activity.queries += self.queries.in_session(&seen.record.id);
        Some(activity)
    }

    /// Caches a door's answer, or with `None` that it did not answer.
    fn record_usage(
        &self,
        seen: &Observed,
        earlier: Option<UsageReading>,
        said: Option<&Activity>,
    ) -> Usage {
        let at = self.now();
        let usage = match said {
            Some(activity) => usage(activity, at),
            None => match earlier.map(|heard| heard.usage) {
                Some(Usage::Unreachable(since)) => Usage::Unreachable(since),
                _ => Usage::Unreachable(at),
            },
        };
        let mut known = self.reaper_cache.usage.lock();
        known.insert(seen.record.id.clone(), UsageReading { usage, at });
        usage
    }

    pub(super) fn with_usage(&self, seen: Observed, usage: Usage) -> TrackedSession {
        let left = self.departed().get(&seen.record.owner).copied();
        let bot_started = self.acting_since();
        TrackedSession {
            seen,
            usage,
            left,
            bot_started,
        }
    }
}

/// The outcome of an admin's confirmation of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReapOutcome {
    Done(ReapResult),
    /// Nothing was done: the plan has changed since the admin saw it. Holds the new plan.
    PlanChanged(Plan),
}

/// The result of carrying out a plan for an admin.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReapResult {
    /// Actions that were carried out.
    pub done: Vec<Action>,
    /// Number of actions that were no longer due.
    pub spared: usize,
    /// Reference in the log, if an action failed.
    pub failed: Option<String>,
}

pub(super) fn admins_only(who: &Requester) -> Result<(), Rejection> {
    if who.is_admin {
        Ok(())
    } else {
        Err(Rejection::AdminsOnly)
    }
}

/// Converts a door's answer to the session's usage.
pub fn usage(activity: &Activity, now: DateTime<Utc>) -> Usage {
    let last = activity.last_query.max(activity.since);
    match (activity.queries + activity.queued, last) {
        (1.., _) => Usage::Busy,
        // Limit to now, because the door's clock may be ahead.
        (0, Some(since)) => Usage::Idle(since.min(now)),
        (0, None) => Usage::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_last_query_in_the_future_counts_as_now() {
        let now: DateTime<Utc> = "2026-11-23T12:00:00Z".parse().expect("a valid time");
        let said = |since| Activity {
            since: Some(since),
            ..Activity::default()
        };
        let before = now - TimeDelta::hours(1);
        assert_eq!(usage(&said(before), now), Usage::Idle(before));
        let far = DateTime::<Utc>::MAX_UTC;
        assert_eq!(usage(&said(far), now), Usage::Idle(now));
        let waiting = Activity {
            queued: 1,
            ..said(before)
        };
        assert_eq!(usage(&waiting, now), Usage::Busy);
    }
}
