//! The ledger: what is remembered of sessions that are gone, for the next report, and
//! who is known. One bounded document; where it is kept is the runtime's business.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{
    Cause, Ending, Failure, OwnerId, Record, Rule, ScheduledStop, SessionId,
    record::{MAX_SECONDS, is_plausible_time},
};

/// The version that this bot writes.
const VERSION: u32 = 1;
/// Of so many starts it is remembered how long they took: the newest.
const MAX_STARTS: usize = 1000;
/// So many sessions are known to be counted already: the newest.
const MAX_COUNTED: usize = 500;
/// So many people have hours of their own; those of others are summed up.
const MAX_USERS: usize = 300;
/// Of so many it is looked whether they left.
const MAX_KNOWN_OWNERS: usize = 5000;

/// The document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    version: u32,
    /// Of the period that goes on.
    #[serde(flatten)]
    totals: Totals,
    /// The period before, until its report is posted.
    pending: Option<Pending>,
    counted: VecDeque<SessionId>,
    /// Those who have keys or sessions here; since when they are gone from the guild, if
    /// they are.
    known: BTreeMap<OwnerId, Option<DateTime<Utc>>>,
}

/// What was in a period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Totals {
    /// When it began.
    since: DateTime<Utc>,
    outcomes: Vec<(Outcome, u32)>,
    users: BTreeMap<OwnerId, UsageTotal>,
    others: UsageTotal,
    starts_ms: VecDeque<u32>,
}

/// A period that is over, and what somebody is about to say of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Pending {
    /// With what the sessions used that were there when it ended.
    #[serde(flatten)]
    totals: Totals,
    /// When it ended.
    until: DateTime<Utc>,
    /// How many sessions were there then.
    there: usize,
    /// Who is about to post its report, since then: so no other bot does.
    claimed: DateTime<Utc>,
}

/// What somebody used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct UsageTotal {
    /// For how long sessions of theirs were there to be used, together.
    pub seconds: i64,
    /// How many.
    pub sessions: u32,
}

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "how", content = "why", rename_all = "snake_case")]
pub enum Outcome {
    /// By its owner.
    Stopped,
    /// By an admin.
    StoppedByAdmin,
    /// For one with new keys.
    Restarted,
    /// By a rule.
    Reaped(Rule),
    /// The cluster did not take it.
    Refused,
    /// It was not ready in time.
    TookTooLong,
    /// It could not go on.
    Failed(Failure),
    /// Somebody deleted it on the cluster.
    Lost,
}

impl Outcome {
    /// Of a session of that owner's, which ended for that reason.
    pub fn of(owner: OwnerId, cause: &Cause) -> Self {
        match cause {
            Cause::Stopped { by } if *by == owner => Self::Stopped,
            Cause::Stopped { .. } => Self::StoppedByAdmin,
            Cause::Restarted { .. } => Self::Restarted,
            Cause::Refused { .. } => Self::Refused,
            Cause::TookTooLong { .. } => Self::TookTooLong,
            Cause::Failed(incident) => Self::Failed(incident.failure),
            Cause::Lost => Self::Lost,
            Cause::Reaped { rule, .. } => Self::Reaped(*rule),
        }
    }

    /// Whether somebody should look at why.
    pub fn is_failure(self) -> bool {
        matches!(
            self,
            Self::Refused | Self::TookTooLong | Self::Failed(_) | Self::Lost
        )
    }
}

/// A session that runs at the time of a report, or is on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningSession {
    /// Its record.
    pub record: Arc<Record>,
    /// When it will be stopped, and why.
    pub due: Option<ScheduledStop>,
    /// Since when its door has not answered, if it does not.
    pub unreachable: Option<DateTime<Utc>>,
}

/// What is reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// From when.
    pub since: DateTime<Utc>,
    /// To when.
    pub until: DateTime<Utc>,
    /// How many sessions there were.
    pub sessions: usize,
    /// How many of them were there at its end.
    pub there: usize,
    /// Those that are there now; the one first that will be stopped first.
    pub running: Vec<RunningSession>,
    /// How the others ended, and how many.
    pub outcomes: Vec<(Outcome, u32)>,
    /// What people used, most first.
    pub users: Vec<(OwnerId, UsageTotal)>,
    /// What those used who don't fit in there.
    pub others: UsageTotal,
    /// How long starts took: the middle one, and the one that 95 of 100 don't exceed.
    pub starts: Option<[TimeDelta; 2]>,
}

impl Ledger {
    /// The first one.
    pub fn new(since: DateTime<Utc>) -> Self {
        Self {
            version: VERSION,
            totals: Totals::new(since),
            pending: None,
            counted: VecDeque::new(),
            known: BTreeMap::new(),
        }
    }

    /// Reads a stored document.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(document: &str) -> Result<Self, String> {
        let ledger: Self = serde_json::from_str(document).map_err(|why| why.to_string())?;
        match ledger.version > VERSION {
            true => Err(format!(
                "version {} is newer than {VERSION}",
                ledger.version
            )),
            false if ledger.is_plausible() => Ok(ledger),
            false => Err("it has a time that can't be".to_owned()),
        }
    }

    /// Whether it can be calculated with.
    fn is_plausible(&self) -> bool {
        let pending = self.pending.as_ref();
        let times = pending.into_iter().flat_map(|it| [it.until, it.claimed]);
        let mut times = times.chain(self.known.values().copied().flatten());
        let mut periods = pending
            .map(|it| &it.totals)
            .into_iter()
            .chain([&self.totals]);
        times.all(is_plausible_time) && periods.all(Totals::is_plausible)
    }

    /// The document.
    pub fn write(&self) -> String {
        serde_json::to_string(self).expect("its keys are texts")
    }

    /// When the period began that goes on.
    pub fn since(&self) -> DateTime<Utc> {
        self.totals.since
    }

    /// Since when somebody is about to post the report of the period before, if that is
    /// still to be posted.
    pub fn claimed_since(&self) -> Option<DateTime<Utc>> {
        self.pending.as_ref().map(|pending| pending.claimed)
    }

    /// The same with that report claimed: the one that is still to be posted, or that of the
    /// period that goes on, which ends here. `there` are the sessions that are there.
    pub fn with_claim<'a>(
        &self,
        now: DateTime<Utc>,
        there: impl IntoIterator<Item = &'a Record>,
    ) -> Self {
        let mut ledger = self.clone();
        match &mut ledger.pending {
            Some(pending) => pending.claimed = now,
            None => {
                let mut totals = std::mem::replace(&mut ledger.totals, Totals::new(now));
                ledger.pending = Some(Pending {
                    there: totals.add_all(there, now),
                    totals,
                    until: now,
                    claimed: now,
                });
            }
        }
        ledger
    }

    /// The same, after the report of the period that ended then was posted.
    pub fn with_report_posted(&self, until: DateTime<Utc>) -> Self {
        let is_other = |pending: &Pending| pending.until != until;
        Self {
            pending: self.pending.clone().filter(is_other),
            ..self.clone()
        }
    }

    /// The same with a session that has ended; once, however often it is said.
    pub fn with_ended(&self, record: &Record, ending: &Ending) -> Self {
        let mut ledger = self.clone();
        if ledger.counted.contains(&record.id) {
            return ledger;
        }
        push(&mut ledger.counted, record.id.clone(), MAX_COUNTED);
        let totals = &mut ledger.totals;
        let outcome = Outcome::of(record.owner, &ending.cause);
        match totals.outcomes.iter_mut().find(|(it, _)| *it == outcome) {
            Some((_, count)) => *count = count.saturating_add(1),
            None => totals.outcomes.push((outcome, 1)),
        }
        totals.add(record, ending.at);
        ledger
    }

    /// The same, which knows these people.
    pub fn with_owners(&self, owners: impl IntoIterator<Item = OwnerId>) -> Self {
        let mut ledger = self.clone();
        for owner in owners {
            if ledger.known.len() < MAX_KNOWN_OWNERS {
                ledger.known.entry(owner).or_default();
            }
        }
        ledger
    }

    /// The same, after somebody's keys were forgotten.
    pub fn without_owner(&self, owner: OwnerId) -> Self {
        let mut ledger = self.clone();
        ledger.known.remove(&owner);
        ledger
    }

    /// The same, after it was looked whether these people are in the guild.
    pub fn with_members(&self, members: &[(OwnerId, bool)], now: DateTime<Utc>) -> Self {
        let mut ledger = self.clone();
        for (owner, is_member) in members {
            if let Some(left) = ledger.known.get_mut(owner) {
                *left = match is_member {
                    true => None,
                    false => left.or(Some(now)),
                };
            }
        }
        ledger
    }

    /// All who are known.
    pub fn owners(&self) -> impl Iterator<Item = OwnerId> {
        self.known.keys().copied()
    }

    /// Those who left, and since when.
    pub fn departed(&self) -> impl Iterator<Item = (OwnerId, DateTime<Utc>)> {
        let left = self.known.iter();
        left.filter_map(|(owner, left)| Some((*owner, (*left)?)))
    }

    /// What is to be said of the period that goes on, with the sessions that are there now.
    pub fn report(&self, running: Vec<RunningSession>, now: DateTime<Utc>) -> Report {
        let mut totals = self.totals.clone();
        let there = totals.add_all(running.iter().map(|one| &*one.record), now);
        totals.report(now, there, running)
    }

    /// What is to be said of the period before, if its report is still to be posted.
    pub fn pending_report(&self, running: Vec<RunningSession>) -> Option<Report> {
        let pending = self.pending.clone()?;
        Some(pending.totals.report(pending.until, pending.there, running))
    }
}

impl Totals {
    fn new(since: DateTime<Utc>) -> Self {
        Self {
            since,
            outcomes: Vec::new(),
            users: BTreeMap::new(),
            others: UsageTotal::default(),
            starts_ms: VecDeque::new(),
        }
    }

    fn is_plausible(&self) -> bool {
        let mut used = self.users.values().chain([&self.others]);
        is_plausible_time(self.since) && used.all(|it| (0..=MAX_SECONDS).contains(&it.seconds))
    }

    /// Adds what sessions used that are there; how many those are.
    fn add_all<'a>(
        &mut self,
        there: impl IntoIterator<Item = &'a Record>,
        now: DateTime<Utc>,
    ) -> usize {
        let mut count = 0;
        for record in there {
            // One that is being taken down is not used any more.
            let ended = record.ending().map(|ending| ending.at);
            self.add(record, ended.unwrap_or(now));
            count += 1;
        }
        count
    }

    /// Adds what a session used until then.
    fn add(&mut self, record: &Record, until: DateTime<Utc>) {
        let is_new = !self.users.contains_key(&record.owner) && self.users.len() >= MAX_USERS;
        let used = match is_new {
            true => &mut self.others,
            false => self.users.entry(record.owner).or_default(),
        };
        used.sessions = used.sessions.saturating_add(1);
        if let Some(ready) = record.ready {
            let seconds = (until - ready.max(self.since)).num_seconds();
            let seconds = used.seconds.saturating_add(seconds.max(0));
            used.seconds = seconds.min(MAX_SECONDS);
            if ready >= self.since {
                let took = (ready - record.created).num_milliseconds();
                let took = u32::try_from(took).unwrap_or_default();
                push(&mut self.starts_ms, took, MAX_STARTS);
            }
        }
    }

    fn report(
        self,
        until: DateTime<Utc>,
        there: usize,
        mut running: Vec<RunningSession>,
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
        }
    }
}

impl Report {
    /// Whether nothing happened.
    pub fn is_quiet(&self) -> bool {
        self.sessions == 0
    }
}

fn push<T>(all: &mut VecDeque<T>, one: T, most: usize) {
    all.push_back(one);
    if all.len() > most {
        all.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::record::tests::starting;

    fn after(minutes: i64) -> DateTime<Utc> {
        starting().created + TimeDelta::minutes(minutes)
    }

    /// Asked for by that owner at 12:00, ready `ready` minutes later.
    fn session(number: u32, owner: u64, ready: i64) -> Record {
        let record = starting().with_announcement(None, after(ready), 0);
        Record {
            id: format!("{number:06x}").parse().expect("an id"),
            owner: owner.into(),
            ..record
        }
    }

    fn ending(cause: Cause, minutes: i64) -> Ending {
        Ending {
            at: after(minutes),
            cause,
        }
    }

    fn stopped(by: u64, minutes: i64) -> Ending {
        ending(Cause::Stopped { by: by.into() }, minutes)
    }

    fn used(minutes: i64, sessions: u32) -> UsageTotal {
        UsageTotal {
            seconds: minutes * 60,
            sessions,
        }
    }

    #[test]
    fn hours_outcomes_and_starts_of_a_period() {
        let idle = Cause::Reaped {
            rule: Rule::Idle,
            since: after(20),
        };
        let ledger = Ledger::new(after(-600))
            .with_ended(&session(1, 7, 1), &stopped(7, 61))
            .with_ended(&session(2, 7, 3), &ending(idle, 123))
            .with_ended(&session(3, 8, 2), &stopped(9, 32))
            .with_ended(&starting(), &ending(Cause::Lost, 5));
        let running = RunningSession {
            record: Arc::new(session(4, 8, 10)),
            due: None,
            unreachable: None,
        };
        let report = ledger.report(vec![running], after(130));
        assert_eq!(report.sessions, 5);
        assert_eq!(
            report.users,
            [(7.into(), used(180, 3)), (8.into(), used(150, 2))]
        );
        assert_eq!(
            report.outcomes,
            [
                (Outcome::Stopped, 1),
                (Outcome::StoppedByAdmin, 1),
                (Outcome::Reaped(Rule::Idle), 1),
                (Outcome::Lost, 1)
            ]
        );
        let minutes = TimeDelta::minutes;
        assert_eq!(report.starts, Some([minutes(2), minutes(10)]));
    }

    #[test]
    fn what_was_before_the_period_is_not_in_it() {
        let ledger = Ledger::new(after(60)).with_ended(&session(1, 7, 1), &stopped(7, 90));
        let report = ledger.report(Vec::new(), after(100));
        assert_eq!(report.users, [(7.into(), used(30, 1))]);
        assert_eq!(report.starts, None, "the report before had it");
    }

    #[test]
    fn a_session_is_counted_once_also_in_the_next_period() {
        let one = session(1, 7, 1);
        let ledger = Ledger::new(after(0)).with_ended(&one, &stopped(7, 60));
        assert_eq!(ledger.with_ended(&one, &stopped(7, 60)), ledger);
        let next = ledger
            .with_claim(after(61), [])
            .with_report_posted(after(61));
        assert!(
            next.with_ended(&one, &stopped(7, 60))
                .report(Vec::new(), after(62))
                .is_quiet()
        );
    }

    #[test]
    fn nothing_is_lost_between_two_reports_however_late_one_is_posted() {
        let (one, other) = (session(1, 7, 0), session(2, 8, 0));
        let ending_now = other.with_ending(Cause::Stopped { by: 8.into() }, after(50));
        let ledger = Ledger::new(after(0)).with_claim(after(60), [&one, &ending_now]);
        // It could not be posted, and is tried again when both have ended.
        let ledger = ledger
            .with_ended(&other, &stopped(8, 50))
            .with_ended(&one, &stopped(7, 90))
            .with_claim(after(100), []);
        assert_eq!(ledger.claimed_since(), Some(after(100)));
        let first = ledger.pending_report(Vec::new()).expect("it waits");
        assert_eq!((first.since, first.until), (after(0), after(60)));
        assert_eq!((first.sessions, first.there), (2, 2));
        assert_eq!(
            first.users,
            [(7.into(), used(60, 1)), (8.into(), used(50, 1))]
        );

        let posted = ledger.with_report_posted(after(60));
        assert_eq!(
            (posted.claimed_since(), posted.pending_report(Vec::new())),
            (None, None)
        );
        let second = posted.report(Vec::new(), after(120));
        assert_eq!(second.outcomes, [(Outcome::Stopped, 2)]);
        assert_eq!(
            second.users,
            [(7.into(), used(30, 1)), (8.into(), used(0, 1))]
        );
    }

    #[test]
    fn who_left_is_known_from_when_on_and_may_come_back() {
        let ledger = Ledger::new(after(0)).with_owners([7.into(), 8.into()]);
        let ledger = ledger
            .with_members(&[(7.into(), false), (9.into(), false)], after(1))
            .with_members(&[(7.into(), false)], after(9));
        assert_eq!(
            ledger.departed().collect::<Vec<_>>(),
            [(7.into(), after(1))]
        );
        assert_eq!(
            ledger.with_owners([7.into()]),
            ledger,
            "they don't come back by that"
        );
        let back = ledger.with_members(&[(7.into(), true)], after(10));
        assert_eq!(back.departed().count(), 0);
        let known: Vec<_> = back.without_owner(7.into()).owners().collect();
        assert_eq!(known, [8.into()]);
    }

    #[test]
    fn it_stays_small_whatever_happens() {
        let mut ledger = Ledger::new(after(0));
        for number in 0..20_000 {
            let one = session(number, u64::from(number) + 1, 1);
            ledger = match number % 20 {
                0 => ledger.with_ended(&one, &stopped(7, 60)),
                _ => ledger.with_owners([one.owner]),
            };
        }
        let text = ledger.write();
        assert!(text.len() < 300_000, "{}", text.len());
        assert_eq!(Ledger::read(&text), Ok(ledger));
    }

    #[test]
    fn a_ledger_with_a_time_that_can_not_be_is_not_read() {
        let ledger = Ledger::new(after(0)).with_ended(&session(1, 7, 1), &stopped(7, 60));
        let text = ledger
            .with_owners([8.into()])
            .with_claim(after(61), [])
            .write();
        assert!(Ledger::read(&text).is_ok());
        for (from, to) in [
            ("\"2026-11-23T12:00:00Z\"", "\"+262142-11-23T12:00:00Z\""),
            ("\"2026-11-23T13:01:00Z\"", "\"-262143-01-01T00:00:00Z\""),
            ("\"8\":null", "\"8\":\"+10000-01-01T00:00:00Z\""),
            ("\"seconds\":3540", "\"seconds\":9223372036854775807"),
            ("\"seconds\":3540", "\"seconds\":-1"),
        ] {
            let strange = text.replace(from, to);
            assert_ne!(strange, text, "{from}");
            let read = Ledger::read(&strange);
            assert_eq!(read, Err("it has a time that can't be".to_owned()), "{to}");
        }
    }

    #[test]
    fn counts_that_are_full_stay_full() {
        let ledger = Ledger::new(after(0)).with_ended(&session(1, 7, 1), &stopped(7, 60));
        let text = ledger.write();
        let full = text.replace(
            "{\"how\":\"stopped\"},1]",
            "{\"how\":\"stopped\"},4294967295]",
        );
        let full = full.replace("\"sessions\":1", "\"sessions\":4294967295");
        assert_ne!(full, text);
        let full = Ledger::read(&full).expect("it reads");
        let more = full.with_ended(&session(2, 7, 1), &stopped(7, 60));
        let report = more.report(Vec::new(), after(60));
        assert_eq!(report.outcomes, [(Outcome::Stopped, u32::MAX)]);
        assert_eq!(report.users, [(7.into(), used(118, u32::MAX))]);
    }

    #[test]
    fn a_ledger_of_a_later_bot_is_not_read() {
        let text = Ledger::new(after(0)).write();
        let later = text.replace("\"version\":1", "\"version\":2");
        assert!(Ledger::read(&later).is_err());
    }
}
