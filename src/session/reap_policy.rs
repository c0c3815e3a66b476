//! The rules for sessions that work but are too old, idle or without an owner: when to warn the
//! owner, and when to stop the session. [`plan`] applies them to all sessions.
//!
//! Sessions that fail or don't get ready are ended by [`next_step`](super::next_step) instead.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use chrono::{DateTime, TimeDelta, Utc};

use super::{Observed, OwnerId, Record, Rule, SessionId, Stage, Warning, fingerprint};

/// Minimum number of sessions for a reap pause. With fewer, a large share due at once is normal.
const MIN_SESSIONS_TO_PAUSE: usize = 10;

/// The reaper's settings. `None` turns a rule off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Maximum age of a session that its owner does not extend.
    pub lifetime: Option<TimeDelta>,
    /// Maximum age of a session, including extensions.
    pub max_age: Option<TimeDelta>,
    /// Maximum time without a query.
    pub idle: Option<TimeDelta>,
    /// Time before a stop at which the owner is warned.
    pub warn_before: TimeDelta,
    /// Maximum sum of a session's extensions.
    pub extend_budget: TimeDelta,
    /// Time after which sessions and credentials of someone who left the Discord server are removed.
    pub left_guild: Option<TimeDelta>,
    /// Minimum age of an orphan that is removed. Two watches may show the same object at different
    /// times, so a younger one may still get its record.
    pub orphans: Option<TimeDelta>,
    /// Time after which a door that does not answer is reported.
    pub unreachable: TimeDelta,
    /// Maximum time without a query of a query runner.
    pub linger: TimeDelta,
    /// Maximum number of stops and removals in one sweep.
    pub stops_per_sweep: usize,
    /// Maximum share of all sessions that one sweep may stop, in percent.
    pub largest_share: u8,
}

/// The use of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    /// The door was not queried yet.
    Unknown,
    /// A query is running.
    Busy,
    /// No query has run since this time.
    Idle(DateTime<Utc>),
    /// The door has not answered since this time. The session may be in use.
    Unreachable(DateTime<Utc>),
}

/// A session with everything that the rules need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackedSession {
    pub seen: Observed,
    pub usage: Usage,
    /// Time at which the bot noticed that the owner had left the Discord server.
    pub left: Option<DateTime<Utc>>,
    /// Start of the bot. Owners could not react to warnings before it.
    pub bot_started: DateTime<Utc>,
}

impl TrackedSession {
    /// Returns the session with a newer record.
    pub fn with_record(&self, record: &Record) -> Self {
        let mut watched = self.clone();
        watched.seen.record = Arc::new(record.clone());
        watched
    }
}

/// A stop by a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScheduledStop {
    /// Time of the stop.
    pub at: DateTime<Utc>,
    pub rule: Rule,
    /// Time from which the rule counts.
    pub since: DateTime<Utc>,
    /// True if the owner must still be warned.
    pub needs_warning: bool,
}

/// Parts of a session that has no record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orphan {
    pub id: SessionId,
    /// Time since which the parts exist.
    pub since: DateTime<Utc>,
}

/// An action of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Warn the owner that the session will be stopped.
    Warn(SessionId, Warning),
    /// Stop the session.
    Stop(SessionId, ScheduledStop),
    /// End a query runner that was not used for too long. Nothing is lost, so this is no stop: it is
    /// neither limited nor paused.
    EndRunner(SessionId),
    /// Remove an orphan.
    Remove(Orphan),
    /// Delete the credentials of someone who left the Discord server at this time.
    Forget(OwnerId, DateTime<Utc>),
    /// Report that the session's door has not answered since this time.
    ReportUnreachable(SessionId, DateTime<Utc>),
}

/// The reason for a reap pause: a sweep would stop too many sessions at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReapPause {
    /// Number of sessions that are due.
    pub stops: usize,
    /// Number of all sessions that are not stopping.
    pub of: usize,
}

/// The actions that are due now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// Actions, in the order in which to carry them out.
    pub actions: Vec<Action>,
    /// Set while reaping is paused. `actions` still contains all stops and removals, because an
    /// admin may confirm them.
    pub held_back: Option<ReapPause>,
}

impl Action {
    /// Returns true if the action stops or removes something.
    fn takes_down(&self) -> bool {
        match self {
            Self::Stop(..) | Self::Remove(_) | Self::Forget(..) => true,
            Self::Warn(..) | Self::EndRunner(_) | Self::ReportUnreachable(..) => false,
        }
    }

    /// Describes the object of the action, for logs. [`Plan::digest`] depends on it, so a changed
    /// text makes the buttons under older plans say that the list changed.
    pub fn target(&self) -> String {
        match self {
            Self::Stop(id, due) => format!("{id} ({:?})", due.rule),
            Self::Warn(id, _) | Self::EndRunner(id) | Self::ReportUnreachable(id, _) => {
                id.to_string()
            }
            Self::Remove(orphan) => format!("the orphans of {}", orphan.id),
            Self::Forget(owner, _) => format!("the credentials of {owner}, who left the server"),
        }
    }
}

impl Plan {
    /// Returns all actions that stop or remove something.
    pub fn takedowns(&self) -> impl Iterator<Item = &Action> {
        self.actions.iter().filter(|action| action.takes_down())
    }

    /// Returns the actions for one sweep of the reaper: all notices and ends of query runners, and a
    /// limited number of stops and removals. During a reap pause, no stops and removals.
    pub fn sweep(&self, limits: &Limits) -> impl Iterator<Item = &Action> {
        let most = match self.held_back {
            Some(_) => 0,
            None => limits.stops_per_sweep,
        };
        let told = self.actions.iter().filter(|action| !action.takes_down());
        self.takedowns().take(most).chain(told)
    }

    /// Returns a digest of the stops and removals, to detect that the plan has changed.
    pub fn digest(&self) -> String {
        let mut all: Vec<_> = self.takedowns().map(Action::target).collect();
        all.sort();
        fingerprint(&all.join("\n"))
    }
}

/// Decides what to do about all sessions, orphans, and people in `left`: those who left the Discord
/// server and have credentials, with the time when that was noticed.
pub fn plan(
    sessions: &[TrackedSession],
    orphans: &[Orphan],
    left: &HashMap<OwnerId, DateTime<Utc>>,
    now: DateTime<Utc>,
    limits: &Limits,
) -> Plan {
    let mut told = Vec::new();
    let mut stops = Vec::new();
    for watched in sessions {
        let id = &watched.seen.record.id;
        if let Usage::Unreachable(since) = watched.usage
            && now >= since + limits.unreachable
        {
            told.push(Action::ReportUnreachable(id.clone(), since));
        }
        match scheduled_stop(watched, now, limits) {
            Some(due) if watched.seen.record.is_runner() && now >= due.at => {
                told.push(Action::EndRunner(id.clone()));
            }
            Some(due) if now >= due.at => stops.push((id, due)),
            Some(due) if due.needs_warning && now >= due.at - limits.warn_before => {
                let ScheduledStop {
                    at, rule, since, ..
                } = due;
                told.push(Action::Warn(id.clone(), Warning { rule, since, at }));
            }
            _ => {}
        }
    }
    let live = sessions.iter().filter(|it| !it.seen.record.is_stopping());
    let owners: HashSet<_> = live.clone().map(|it| it.seen.record.owner).collect();
    let of = live.filter(|it| !it.seen.record.is_runner()).count();
    let is_too_much =
        of >= MIN_SESSIONS_TO_PAUSE && stops.len() * 100 > of * usize::from(limits.largest_share);
    let held_back = is_too_much.then_some(ReapPause {
        stops: stops.len(),
        of,
    });
    // Sort by rule, because a sweep has a limit and stops by the hard rules must not wait.
    stops.sort_by_key(|(_, due)| (due.rule, due.at));
    let stops = stops.into_iter();
    let mut actions: Vec<_> = stops
        .map(|(id, due)| Action::Stop(id.clone(), due))
        .collect();
    if let Some(age) = limits.orphans {
        let old = orphans.iter().filter(|it| now >= it.since + age);
        actions.extend(old.cloned().map(Action::Remove));
    }
    if let Some(grace) = limits.left_guild {
        // Keep departed owners until their sessions are gone.
        let is_next =
            |owner: &OwnerId, since: DateTime<Utc>| now >= since + grace && !owners.contains(owner);
        let mut long_gone: Vec<_> = left.iter().filter(|(it, at)| is_next(it, **at)).collect();
        long_gone.sort();
        actions.extend(
            long_gone
                .into_iter()
                .map(|(owner, at)| Action::Forget(*owner, *at)),
        );
    }
    actions.extend(told);
    Plan { actions, held_back }
}

/// Returns the next stop of a session if nothing changes, or `None` if no rule applies.
pub fn scheduled_stop(
    watched: &TrackedSession,
    now: DateTime<Utc>,
    limits: &Limits,
) -> Option<ScheduledStop> {
    let record = &watched.seen.record;
    if record.is_stopping() {
        return None;
    }
    if record.is_runner() {
        return runner_end(watched, limits);
    }
    let after = |rule, since: DateTime<Utc>, length: TimeDelta| (rule, since, since + length);
    let max_age = limits
        .max_age
        .map(|age| after(Rule::MaxAge, record.created, age));
    let lifetime = limits
        .lifetime
        .map(|life| after(Rule::Lifetime, record.created, life + record.extension()));
    let left = watched
        .left
        .zip(limits.left_guild)
        .map(|(left, grace)| after(Rule::OwnerLeft, left, grace));
    let idle = match (watched.usage, limits.idle, &record.stage) {
        (Usage::Idle(since), Some(idle), Stage::Running) => {
            // The session could not be queried before it was ready.
            let since = Some(since).max(record.ready).unwrap_or(since);
            let (rule, since, at) = after(Rule::Idle, since, idle);
            Some((rule, since, Some(at).max(record.kept_until).unwrap_or(at)))
        }
        _ => None,
    };
    let each = [max_age, left, lifetime, idle].into_iter().flatten();
    let told = each.map(|(rule, since, at)| {
        let is_told = |told: &&Warning| told.rule == rule && at <= told.at;
        let told = record.warned.as_ref().filter(is_told);
        ScheduledStop {
            at: match (told, rule.is_soft()) {
                (_, false) => at,
                // The owner could not react while the bot was not running.
                (Some(told), true) => told.at.max(watched.bot_started + limits.warn_before),
                // An owner who was not warned in time gets the warning time now.
                (None, true) => at.max(now + limits.warn_before),
            },
            rule,
            since,
            needs_warning: told.is_none() && rule != Rule::OwnerLeft,
        }
    });
    // If two rules apply at the same time, prefer the one that the owner can't influence.
    told.min_by_key(|due| (due.at, due.rule))
}

/// Returns the end of a query runner if no query uses it before. It never ends during a query. One that
/// does not get ready ends at the maximum age, unless the reconciler ends it before.
fn runner_end(watched: &TrackedSession, limits: &Limits) -> Option<ScheduledStop> {
    let record = &watched.seen.record;
    let Usage::Idle(used) = watched.usage else {
        return None;
    };
    let idle = record.ready.map(|ready| {
        let used = used.max(ready);
        let linger = if record.credentials_replaced {
            TimeDelta::zero()
        } else {
            limits.linger
        };
        (used + linger, Rule::Idle, used)
    });
    let age = limits.max_age;
    let age = age.map(|age| (record.created + age, Rule::MaxAge, record.created));
    let (at, rule, since) = idle.into_iter().chain(age).min()?;
    Some(ScheduledStop {
        at,
        rule,
        since,
        needs_warning: false,
    })
}

/// A limit of extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExtensionLimit {
    /// Maximum sum of a session's extensions.
    Budget(TimeDelta),
    /// Maximum age of a session.
    MaxAge(TimeDelta),
}

/// Returns the extension that is granted if the owner wants `wanted`, or zero if the limits leave no
/// room. Also returns the limit that would shorten a longer one.
pub fn extension(
    record: &Record,
    wanted: TimeDelta,
    now: DateTime<Utc>,
    limits: &Limits,
) -> (TimeDelta, ExtensionLimit) {
    let budget = limits.extend_budget - record.extension();
    let room = limits.max_age.map(|age| (record.created + age - now, age));
    let (most, limit) = match room {
        Some((room, age)) if room < budget => (room, ExtensionLimit::MaxAge(age)),
        _ => (budget, ExtensionLimit::Budget(limits.extend_budget)),
    };
    (wanted.min(most).max(TimeDelta::zero()), limit)
}

/// Returns the time at which a session is stopped at the latest, even if it is in use.
pub fn latest_stop(record: &Record, limits: &Limits) -> Option<DateTime<Utc>> {
    let lifetime = limits.lifetime.map(|life| life + record.extension());
    let ages = [lifetime, limits.max_age].into_iter().flatten();
    ages.min().map(|age| record.created + age)
}

#[cfg(test)]
mod tests;
