//! The ledger: the totals of ended sessions for the next report, and the people whose membership is
//! checked. It is one bounded document, which the runtime stores.

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

/// Version of the document that this bot writes.
const VERSION: u32 = 1;
/// Maximum number of start times to keep; the newest are kept.
const MAX_STARTS: usize = 1000;
/// Maximum number of session IDs to keep, to count each session once; the newest are kept.
const MAX_COUNTED: usize = 500;
/// Maximum number of people with their own totals. The rest share one total.
const MAX_USERS: usize = 300;
/// Maximum number of people whose membership is checked.
const MAX_KNOWN_OWNERS: usize = 5000;

/// The ledger's document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    version: u32,
    /// Totals of the current period.
    #[serde(flatten)]
    totals: Totals,
    /// Previous period, until its report is posted.
    pending: Option<Pending>,
    /// Sessions that are already in the totals.
    counted: VecDeque<SessionId>,
    /// People with credentials or sessions. The value is the time at which the bot noticed that the
    /// person had left the Discord server.
    known: BTreeMap<OwnerId, Option<DateTime<Utc>>>,
}

/// Totals of a period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Totals {
    /// Start of the period.
    since: DateTime<Utc>,
    outcomes: Vec<(Outcome, u32)>,
    users: BTreeMap<OwnerId, UsageTotal>,
    others: UsageTotal,
    starts_ms: VecDeque<u32>,
}

/// A period that is over and whose report is not posted yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Pending {
    /// Totals, including those of the sessions that existed at the end of the period.
    #[serde(flatten)]
    totals: Totals,
    /// End of the period.
    until: DateTime<Utc>,
    /// Number of sessions that existed at the end of the period.
    there: usize,
    /// Time at which a bot claimed the report, to keep other bots from posting it.
    claimed: DateTime<Utc>,
}

/// The total use by one or more people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct UsageTotal {
    /// Sum of the times in which sessions were ready, in seconds.
    pub seconds: i64,
    /// Number of sessions.
    pub sessions: u32,
}

/// The way in which a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "how", content = "why", rename_all = "snake_case")]
pub enum Outcome {
    /// Stopped by its owner.
    Stopped,
    StoppedByAdmin,
    /// Replaced by a session with new credentials.
    Restarted,
    /// Stopped by a rule.
    Reaped(Rule),
    /// The cluster refused an object of the session.
    Refused,
    /// Not ready in time.
    TookTooLong,
    /// The Pod could not run.
    Failed(Failure),
    /// Someone deleted the Pod on the cluster.
    Lost,
}

impl Outcome {
    /// Returns the outcome of a session with this owner and cause.
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

    /// Returns true if the outcome is a problem that someone should look into.
    pub fn is_failure(self) -> bool {
        matches!(
            self,
            Self::Refused | Self::TookTooLong | Self::Failed(_) | Self::Lost
        )
    }
}

/// A session that exists at the time of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningSession {
    pub record: Arc<Record>,
    /// The next stop by a rule.
    pub due: Option<ScheduledStop>,
    /// Time since which its door has not answered, if it does not answer.
    pub unreachable: Option<DateTime<Utc>>,
}

/// The content of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Start of the period.
    pub since: DateTime<Utc>,
    /// End of the period.
    pub until: DateTime<Utc>,
    /// Number of sessions in the period.
    pub sessions: usize,
    /// Number of sessions that existed at the end of the period.
    pub there: usize,
    /// Sessions that exist now, sorted by their next stop.
    pub running: Vec<RunningSession>,
    /// Number of ended sessions by outcome, most frequent first.
    pub outcomes: Vec<(Outcome, u32)>,
    /// Use by person, most time first.
    pub users: Vec<(OwnerId, UsageTotal)>,
    /// Use by people beyond the maximum number in `users`.
    pub others: UsageTotal,
    /// Median and 95th percentile of the start times.
    pub starts: Option<[TimeDelta; 2]>,
}

impl Ledger {
    /// Creates an empty ledger whose first period starts at `since`.
    pub fn new(since: DateTime<Utc>) -> Self {
        Self {
            version: VERSION,
            totals: Totals::new(since),
            pending: None,
            counted: VecDeque::new(),
            known: BTreeMap::new(),
        }
    }

    /// Parses a stored document.
    ///
    /// # Errors
    /// Returns the reason if the document is not a ledger, has a newer version, or contains a time
    /// that is out of range.
    pub fn read(document: &str) -> Result<Self, String> {
        let ledger: Self = serde_json::from_str(document).map_err(|why| why.to_string())?;
        if ledger.version > VERSION {
            return Err(format!(
                "version {} is newer than {VERSION}",
                ledger.version
            ));
        }
        if !ledger.is_plausible() {
            return Err("it contains a time that is out of range".to_owned());
        }
        Ok(ledger)
    }

    /// Returns true if calculations with its times can't overflow.
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

    /// Serializes the document.
    pub fn write(&self) -> String {
        serde_json::to_string(self).expect("all map keys are strings")
    }

    /// Returns the start of the current period.
    pub fn since(&self) -> DateTime<Utc> {
        self.totals.since
    }

    /// Returns when a bot claimed the previous period's report, if it is not posted yet.
    pub fn claimed_since(&self) -> Option<DateTime<Utc>> {
        self.pending.as_ref().map(|pending| pending.claimed)
    }

    /// Returns the ledger with a report claimed. If the previous period's report is still pending,
    /// claims that. Otherwise ends the current period; `there` are the sessions that exist now.
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

    /// Returns the ledger after the report of the period that ended at `until` was posted.
    pub fn with_report_posted(&self, until: DateTime<Utc>) -> Self {
        let is_other = |pending: &Pending| pending.until != until;
        Self {
            pending: self.pending.clone().filter(is_other),
            ..self.clone()
        }
    }

    /// Returns the ledger with an ended session added. Adding it again changes nothing.
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

    /// Returns the ledger with these people added, up to the maximum number.
    pub fn with_owners(&self, owners: impl IntoIterator<Item = OwnerId>) -> Self {
        let mut ledger = self.clone();
        for owner in owners {
            if ledger.known.len() < MAX_KNOWN_OWNERS {
                ledger.known.entry(owner).or_default();
            }
        }
        ledger
    }

    /// Returns the ledger without this person, whose credentials were deleted.
    pub fn without_owner(&self, owner: OwnerId) -> Self {
        let mut ledger = self.clone();
        ledger.known.remove(&owner);
        ledger
    }

    /// Returns the ledger with the result of membership checks: true for members of the server.
    pub fn with_members(&self, members: &[(OwnerId, bool)], now: DateTime<Utc>) -> Self {
        let mut ledger = self.clone();
        for (owner, is_member) in members {
            if let Some(left) = ledger.known.get_mut(owner) {
                *left = if *is_member { None } else { left.or(Some(now)) };
            }
        }
        ledger
    }

    /// Returns everyone whose membership is checked.
    pub fn owners(&self) -> impl Iterator<Item = OwnerId> {
        self.known.keys().copied()
    }

    /// Returns people who left the Discord server, and when that was noticed.
    pub fn departed(&self) -> impl Iterator<Item = (OwnerId, DateTime<Utc>)> {
        let left = self.known.iter();
        left.filter_map(|(owner, left)| Some((*owner, (*left)?)))
    }

    /// Returns a report about the current period, including the sessions that exist now.
    pub fn report(&self, running: Vec<RunningSession>, now: DateTime<Utc>) -> Report {
        let mut totals = self.totals.clone();
        let there = totals.add_all(running.iter().map(|one| &*one.record), now);
        totals.report(now, there, running)
    }

    /// Returns the report about the previous period, if it is still to be posted.
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

    /// Adds the use by sessions that still exist, and returns their number.
    fn add_all<'a>(
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
    /// Returns true if the period had no sessions.
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

    /// Creates a session that was requested at 12:00 and ready `ready` minutes later.
    fn session(number: u32, owner: u64, ready: i64) -> Record {
        let record = starting().with_announcement(None, after(ready), 0);
        Record {
            id: format!("{number:06x}").parse().expect("a valid ID"),
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
    fn use_before_the_period_does_not_count() {
        let ledger = Ledger::new(after(60)).with_ended(&session(1, 7, 1), &stopped(7, 90));
        let report = ledger.report(Vec::new(), after(100));
        assert_eq!(report.users, [(7.into(), used(30, 1))]);
        assert_eq!(report.starts, None, "the start was in the previous report");
    }

    #[test]
    fn a_session_is_counted_once_across_periods() {
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
    fn nothing_is_lost_between_two_reports_if_one_is_posted_late() {
        let (one, other) = (session(1, 7, 0), session(2, 8, 0));
        let ending_now = other.with_ending(Cause::Stopped { by: 8.into() }, after(50));
        let ledger = Ledger::new(after(0)).with_claim(after(60), [&one, &ending_now]);
        // The report could not be posted, and is tried again after both sessions have ended.
        let ledger = ledger
            .with_ended(&other, &stopped(8, 50))
            .with_ended(&one, &stopped(7, 90))
            .with_claim(after(100), []);
        assert_eq!(ledger.claimed_since(), Some(after(100)));
        let first = ledger.pending_report(Vec::new()).expect("a pending report");
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
    fn a_departure_keeps_its_first_time_and_ends_with_a_return() {
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
            "adding an owner again does not undo their departure"
        );
        let back = ledger.with_members(&[(7.into(), true)], after(10));
        assert_eq!(back.departed().count(), 0);
        let known: Vec<_> = back.without_owner(7.into()).owners().collect();
        assert_eq!(known, [8.into()]);
    }

    #[test]
    fn the_document_stays_small() {
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
    fn a_ledger_with_a_time_out_of_range_is_not_read() {
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
            assert_eq!(
                read,
                Err("it contains a time that is out of range".to_owned()),
                "{to}"
            );
        }
    }

    #[test]
    fn counts_saturate() {
        let ledger = Ledger::new(after(0)).with_ended(&session(1, 7, 1), &stopped(7, 60));
        let text = ledger.write();
        let full = text.replace(
            "{\"how\":\"stopped\"},1]",
            "{\"how\":\"stopped\"},4294967295]",
        );
        let full = full.replace("\"sessions\":1", "\"sessions\":4294967295");
        assert_ne!(full, text);
        let full = Ledger::read(&full).expect("a valid ledger");
        let more = full.with_ended(&session(2, 7, 1), &stopped(7, 60));
        let report = more.report(Vec::new(), after(60));
        assert_eq!(report.outcomes, [(Outcome::Stopped, u32::MAX)]);
        assert_eq!(report.users, [(7.into(), used(118, u32::MAX))]);
    }

    #[test]
    fn a_ledger_with_a_newer_version_is_not_read() {
        let text = Ledger::new(after(0)).write();
        let later = text.replace("\"version\":1", "\"version\":2");
        assert!(Ledger::read(&later).is_err());
    }
}
