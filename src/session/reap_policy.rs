//! Which sessions are taken down although nobody asked for it, and what is said
//! before: given what is seen now, what is to be done?
//!
//! Sessions that fail, and those that don't get ready, end by
//! [`next_step`](super::next_step); here are those that work, and are too old, not used,
//! or nobody's.

use std::{
    collections::{HashMap, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{Observed, OwnerId, Record, SessionId, Stage, Warning};

/// From how many sessions on a sweep may be held back: of few, half is nothing strange.
const MIN_SESSIONS_TO_PAUSE: usize = 10;

/// What the settings say about taking sessions down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// How old a session gets unless its owner extends it.
    pub lifetime: Option<TimeDelta>,
    /// How old it gets at most.
    pub max_age: Option<TimeDelta>,
    /// How long it may be without a query.
    pub idle: Option<TimeDelta>,
    /// How long before it is stopped its owner is warned.
    pub warn_before: TimeDelta,
    /// By how much an owner may extend one session in all.
    pub extend_budget: TimeDelta,
    /// How long after its owner left the guild it is stopped.
    pub left_guild: Option<TimeDelta>,
    /// How old what has no record gets. (Two watches may show one thing at different times.)
    pub orphans: Option<TimeDelta>,
    /// After how long a door that does not answer is reported.
    pub unreachable: TimeDelta,
    /// How many are stopped in one sweep.
    pub stops_per_sweep: usize,
    /// The largest part of all sessions that one sweep may stop, in percent.
    pub largest_share: u8,
}

/// A rule that stops sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// It is as old as it may get at most.
    MaxAge,
    /// Its owner left the guild.
    OwnerLeft,
    /// Its lifetime is over.
    Lifetime,
    /// Nobody asked anything for long.
    Idle,
}

impl Rule {
    /// Whether its owner may do something about it, and so is warned in time.
    fn is_soft(self) -> bool {
        matches!(self, Self::Lifetime | Self::Idle)
    }
}

/// How a session is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    /// Nobody has asked its door yet.
    Unknown,
    /// A query runs.
    Busy,
    /// No query since then.
    Idle(DateTime<Utc>),
    /// Its door has not answered since then. It may be in use.
    Unreachable(DateTime<Utc>),
}

/// A session, and what is known beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackedSession {
    /// What is seen of it.
    pub seen: Observed,
    /// How it is used.
    pub usage: Usage,
    /// Since when its owner is no longer in the guild.
    pub left: Option<DateTime<Utc>>,
    /// Since when the bot runs, and its owner can do something about a warning.
    pub bot_started: DateTime<Utc>,
}

impl TrackedSession {
    /// The same, with what its record says by now.
    pub fn with_record(&self, record: &Record) -> Self {
        let mut watched = self.clone();
        watched.seen.record = Arc::new(record.clone());
        watched
    }
}

/// When a session is stopped, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScheduledStop {
    /// When.
    pub at: DateTime<Utc>,
    /// By which rule.
    pub rule: Rule,
    /// What that counts from.
    pub since: DateTime<Utc>,
    /// Whether its owner is still to be told.
    pub needs_warning: bool,
}

/// Parts of a session that has no record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orphan {
    /// Which session.
    pub id: SessionId,
    /// Since when the parts are there.
    pub since: DateTime<Utc>,
}

/// Something to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Tell its owner that it will be stopped.
    Warn(SessionId, Warning),
    /// Stop it.
    Stop(SessionId, ScheduledStop),
    /// Remove parts without a record.
    Remove(Orphan),
    /// Remove the credentials of somebody who left then.
    Forget(OwnerId, DateTime<Utc>),
    /// Say that its door has not answered since then.
    ReportUnreachable(SessionId, DateTime<Utc>),
}

/// A sweep that would stop too much at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReapPause {
    /// How many it would stop.
    pub stops: usize,
    /// Of how many.
    pub of: usize,
}

/// What one sweep does.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// In this order.
    pub actions: Vec<Action>,
    /// Why nothing is taken down, if too much would be. It stands in `actions` all the
    /// same: somebody may say that it is meant.
    pub held_back: Option<ReapPause>,
}

impl Action {
    /// Whether something is gone after it.
    fn takes_down(&self) -> bool {
        match self {
            Self::Stop(..) | Self::Remove(_) | Self::Forget(..) => true,
            Self::Warn(..) | Self::ReportUnreachable(..) => false,
        }
    }

    /// What it is done to, in a few words.
    pub fn target(&self) -> String {
        match self {
            Self::Stop(id, due) => format!("{id} ({:?})", due.rule),
            Self::Warn(id, _) | Self::ReportUnreachable(id, _) => id.to_string(),
            Self::Remove(orphan) => format!("what was left of {}", orphan.id),
            Self::Forget(owner, _) => format!("the keys of {owner}, who left the guild"),
        }
    }
}

impl Plan {
    /// What would be gone, all of it.
    pub fn takedowns(&self) -> impl Iterator<Item = &Action> {
        self.actions.iter().filter(|action| action.takes_down())
    }

    /// What one sweep does by itself of this: it takes down nothing if that is too much, and
    /// not too many at once.
    pub fn sweep(&self, limits: &Limits) -> impl Iterator<Item = &Action> {
        let most = match self.held_back {
            Some(_) => 0,
            None => limits.stops_per_sweep,
        };
        let told = self.actions.iter().filter(|action| !action.takes_down());
        self.takedowns().take(most).chain(told)
    }

    /// Tells plans that take down different things apart.
    pub fn digest(&self) -> String {
        let mut all: Vec<_> = self.takedowns().map(Action::target).collect();
        all.sort();
        let mut hasher = DefaultHasher::new();
        all.hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    }
}

/// Decides what to do about all sessions, what has no record, and those who left since
/// then and have keys here.
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
    let of = live.count();
    let is_too_much =
        of >= MIN_SESSIONS_TO_PAUSE && stops.len() * 100 > of * usize::from(limits.largest_share);
    let held_back = is_too_much.then_some(ReapPause {
        stops: stops.len(),
        of,
    });
    // Those that may not wait first.
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
        // Whose sessions are still there is still to be known as somebody who left.
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

/// When a session will be stopped as things are now, and why; none if no rule does.
pub fn scheduled_stop(
    watched: &TrackedSession,
    now: DateTime<Utc>,
    limits: &Limits,
) -> Option<ScheduledStop> {
    let record = &watched.seen.record;
    if record.is_stopping() {
        return None;
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
            // Nobody could ask anything before it was ready.
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
                // Nor could anybody answer while the bot was away.
                (Some(told), true) => told.at.max(watched.bot_started + limits.warn_before),
                // Whoever was not warned in time gets that time now.
                (None, true) => at.max(now + limits.warn_before),
            },
            rule,
            since,
            needs_warning: told.is_none() && rule != Rule::OwnerLeft,
        }
    });
    // At the same moment, the rule that can't be helped is the reason.
    told.min_by_key(|due| (due.at, due.rule))
}

/// How much longer a session may live if its owner wants that much; nothing if there is
/// no room for more.
pub fn extension(
    watched: &TrackedSession,
    wanted: TimeDelta,
    now: DateTime<Utc>,
    limits: &Limits,
) -> Option<TimeDelta> {
    let record = &watched.seen.record;
    let budget = limits.extend_budget - record.extension();
    let room = limits.max_age.map(|age| record.created + age - now);
    let more = room.map_or(wanted, |room| wanted.min(room)).min(budget);
    (more > TimeDelta::zero()).then_some(more)
}

#[cfg(test)]
mod tests;
