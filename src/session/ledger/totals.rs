//! The totals of a period.

use std::collections::{BTreeMap, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{
    load::Load,
    report::{Outcome, Report, ReportDetail, RunningSession, UsageTotal},
    savings::Savings,
};
use crate::session::{
    Cause, Ending, OwnerId, Record,
    record::{MAX_SECONDS, is_plausible_time},
};

/// Maximum number of start times to keep; the newest are kept.
const MAX_STARTS: usize = 1000;
/// Maximum number of people with their own totals. The rest share one total.
const MAX_USERS: usize = 300;
/// Maximum number of characters of a name. Discord has no longer ones.
const MAX_NAME_CHARS: usize = 32;

/// Totals of a period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Totals {
    /// Start of the period.
    pub since: DateTime<Utc>,
    outcomes: Vec<(Outcome, u32)>,
    users: BTreeMap<OwnerId, UsageTotal>,
    others: UsageTotal,
    starts_ms: VecDeque<u32>,
    /// `None` if a version of the bot without these fields wrote the period.
    #[serde(default)]
    detail: Option<Detail>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Detail {
    load: Load,
    /// Names of the people in `users`.
    names: BTreeMap<OwnerId, String>,
    savings: Savings,
}

/// The part of the previous period with which a report compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Previous {
    /// Length of the period in seconds.
    pub length: i64,
    /// Seconds that stops by rules saved.
    pub saved: i64,
}

impl Previous {
    pub(super) fn is_plausible(&self) -> bool {
        let mut both = [self.length, self.saved].into_iter();
        both.all(|it| (0..=MAX_SECONDS).contains(&it))
    }

    /// Returns true if a period has about the same length.
    fn is_like(&self, length: i64) -> bool {
        (length - self.length).abs() <= self.length / 10
    }
}

impl Totals {
    pub(super) fn new(since: DateTime<Utc>) -> Self {
        Self {
            since,
            outcomes: Vec::new(),
            users: BTreeMap::new(),
            others: UsageTotal::default(),
            starts_ms: VecDeque::new(),
            detail: Some(Detail::default()),
        }
    }

    /// Begins the period after `ended`, which ended at `now`.
    pub(super) fn after(ended: &Self, now: DateTime<Utc>) -> Self {
        let mut next = Self::new(now);
        if let (Some(next), Some(ended)) = (&mut next.detail, &ended.detail) {
            next.savings = ended.savings.after(now);
        }
        next
    }

    pub(super) fn is_plausible(&self) -> bool {
        let mut used = self.users.values().chain([&self.others]);
        let is_plausible = |it: &Detail| it.load.is_plausible() && it.savings.is_plausible();
        is_plausible_time(self.since)
            && used.all(|it| (0..=MAX_SECONDS).contains(&it.seconds))
            && self.detail.as_ref().is_none_or(is_plausible)
    }

    /// Adds a session that ended. A limit would have ended it at `latest`.
    pub(super) fn add_ended(
        &mut self,
        record: &Record,
        ending: &Ending,
        latest: Option<DateTime<Utc>>,
    ) {
        let Some(outcome) = Outcome::of(record.owner, &ending.cause) else {
            return;
        };
        match self.outcomes.iter_mut().find(|(it, _)| *it == outcome) {
            Some((_, count)) => *count = count.saturating_add(1),
            None => self.outcomes.push((outcome, 1)),
        }
        self.add(record, ending.at);
        if let (Some(detail), Cause::Reaped { .. }) = (&mut self.detail, &ending.cause) {
            detail
                .savings
                .add(record.owner, self.since, ending.at, latest);
        }
    }

    /// Adds the use by sessions that still exist, and returns their number.
    pub(super) fn add_all<'a>(
        &mut self,
        there: impl IntoIterator<Item = &'a Record>,
        now: DateTime<Utc>,
    ) -> usize {
        let mut count = 0;
        for record in there {
            // A stopping session is no longer in use.
            let ended = record.ending().map(|ending| ending.at);
            self.add(record, ended.unwrap_or(now));
            count += 1;
        }
        count
    }

    /// Adds the use by a session until the given time.
    fn add(&mut self, record: &Record, until: DateTime<Utc>) {
        let is_new = !self.users.contains_key(&record.owner) && self.users.len() >= MAX_USERS;
        let used = if is_new {
            &mut self.others
        } else {
            self.users.entry(record.owner).or_default()
        };
        used.sessions = used.sessions.saturating_add(1);
        let from = record.ready.map(|ready| ready.max(self.since));
        let seconds = from.map_or(0, |from| (until - from).num_seconds().max(0));
        used.seconds = used.seconds.saturating_add(seconds).min(MAX_SECONDS);
        if let Some(ready) = record.ready.filter(|ready| *ready >= self.since) {
            let took = (ready - record.created).num_milliseconds();
            let took = u32::try_from(took).unwrap_or_default();
            push(&mut self.starts_ms, took, MAX_STARTS);
        }
        let Some(detail) = &mut self.detail else {
            return;
        };
        let from = from.unwrap_or(self.since);
        detail.load.add(&record.size, self.since, from, seconds);
        detail.savings.end_at_request(record.owner, record.created);
        if !is_new {
            let name = record.display_name.chars().take(MAX_NAME_CHARS).collect();
            detail.names.insert(record.owner, name);
        }
    }

    /// Returns what the next report compares with, after a period that ended at `now`.
    pub(super) fn as_previous(&self, now: DateTime<Utc>) -> Option<Previous> {
        let detail = self.detail.as_ref()?;
        Some(Previous {
            length: (now - self.since).num_seconds().max(0),
            saved: detail.savings.total(self.since, now),
        })
    }

    pub(super) fn report(
        self,
        until: DateTime<Utc>,
        there: usize,
        mut running: Vec<RunningSession>,
        previous: Option<Previous>,
    ) -> Report {
        let counts = self.outcomes.iter().map(|(_, count)| *count as usize);
        let sessions = counts.fold(there, usize::saturating_add);
        let mut users: Vec<_> = self.users.into_iter().collect();
        users.sort_by_key(|(owner, used)| (-used.seconds, *owner));
        let mut outcomes = self.outcomes;
        outcomes.sort_by_key(|(outcome, count)| (std::cmp::Reverse(*count), *outcome));
        let mut starts: Vec<_> = self.starts_ms.into_iter().collect();
        starts.sort_unstable();
        let at = |percent: usize| {
            let rank = (starts.len() * percent).div_ceil(100).max(1);
            Some(TimeDelta::milliseconds(i64::from(*starts.get(rank - 1)?)))
        };
        running.sort_by_key(|one| (one.due.is_none(), one.due.map(|due| due.at)));
        let length = (until - self.since).num_seconds();
        let detail = self.detail.map(|detail| {
            let (sizes, load) = detail.load.report(self.since, until);
            ReportDetail {
                sizes,
                load,
                names: detail.names,
                saved: detail.savings.total(self.since, until),
                saved_before: previous.filter(|it| it.is_like(length)).map(|it| it.saved),
            }
        });
        Report {
            since: self.since,
            until,
            sessions,
            there,
            running,
            outcomes,
            users,
            others: self.others,
            starts: at(50).zip(at(95)).map(|(median, p95)| [median, p95]),
            detail,
        }
    }
}

/// Adds one, and removes the oldest one if there are more than `most`.
pub(super) fn push<T>(all: &mut VecDeque<T>, one: T, most: usize) {
    all.push_back(one);
    if all.len() > most {
        all.pop_front();
    }
}
