//! The ledger: the totals of ended sessions for the next report, and the people whose membership is
//! checked. It is one bounded document, which the runtime stores.

mod load;
mod report;
mod savings;
mod totals;

use std::collections::{BTreeMap, VecDeque};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use report::{LoadPart, Outcome, Report, ReportDetail, RunningSession, UsageTotal};
use totals::{Previous, Totals, push};

use super::{Ending, OwnerId, Record, SessionId, record::is_plausible_time};

/// Version of the document that this bot writes. Older bots of the same version ignore new fields, and
/// leave them out when they write. A bot that does not find them must be able to go on.
const VERSION: u32 = 1;
/// Maximum number of session IDs to keep, to count each session once; the newest are kept.
const MAX_COUNTED: usize = 500;
/// Maximum number of people whose membership is checked.
const MAX_KNOWN_OWNERS: usize = 5000;

/// The ledger's document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    version: u32,
    /// Totals of the current period.
    #[serde(flatten)]
    totals: Totals,
    /// Previous period, for comparison.
    #[serde(default)]
    previous: Option<Previous>,
    /// Previous period, until its report is posted.
    pending: Option<Pending>,
    /// Sessions that are already in the totals.
    counted: VecDeque<SessionId>,
    /// People with credentials or sessions. The value is the time at which the bot noticed that the
    /// person had left the Discord server.
    known: BTreeMap<OwnerId, Option<DateTime<Utc>>>,
}

/// A period that is over and whose report is not posted yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Pending {
    /// Totals, including those of the sessions that existed at the end of the period.
    #[serde(flatten)]
    totals: Totals,
    /// Period before this one, for comparison.
    #[serde(default)]
    previous: Option<Previous>,
    /// End of the period.
    until: DateTime<Utc>,
    /// Number of sessions that existed at the end of the period.
    there: usize,
    /// Time at which a bot claimed the report, to keep other bots from posting it.
    claimed: DateTime<Utc>,
}

impl Ledger {
    /// Creates an empty ledger whose first period starts at `since`.
    pub fn new(since: DateTime<Utc>) -> Self {
        Self {
            version: VERSION,
            totals: Totals::new(since),
            previous: None,
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
        let previous = [self.previous, pending.and_then(|it| it.previous)];
        let mut previous = previous.iter().flatten();
        times.all(is_plausible_time)
            && periods.all(Totals::is_plausible)
            && previous.all(Previous::is_plausible)
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
        let there = there.into_iter().filter(|it| !self.has_entered(&it.id));
        match &mut ledger.pending {
            Some(pending) => pending.claimed = now,
            None => {
                let mut totals = ledger.totals;
                let there = totals.add_all(there, now);
                ledger.totals = Totals::after(&totals, now);
                let ended = totals.as_previous(now);
                ledger.pending = Some(Pending {
                    there,
                    previous: std::mem::replace(&mut ledger.previous, ended),
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

    /// Returns the ledger with an ended session added. `latest` is the time at which a limit would have
    /// ended it. Adding it again changes nothing.
    pub fn with_ended(
        &self,
        record: &Record,
        ending: &Ending,
        latest: Option<DateTime<Utc>>,
    ) -> Self {
        let mut ledger = self.clone();
        if !self.has_entered(&record.id) {
            push(&mut ledger.counted, record.id.clone(), MAX_COUNTED);
            ledger.totals.add_ended(record, ending, latest);
        }
        ledger
    }

    /// Returns true if this session is in the totals. It may still exist: its record is removed later.
    pub fn has_entered(&self, session: &SessionId) -> bool {
        self.counted.contains(session)
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
        let there = running.iter().map(|one| &*one.record);
        let there = there.filter(|it| !self.has_entered(&it.id));
        let there = totals.add_all(there, now);
        totals.report(now, there, running, self.previous)
    }

    /// Returns the report about the previous period, if it is still to be posted.
    pub fn pending_report(&self, running: Vec<RunningSession>) -> Option<Report> {
        let pending = self.pending.clone()?;
        let Pending {
            until,
            there,
            previous,
            ..
        } = pending;
        Some(pending.totals.report(until, there, running, previous))
    }
}

#[cfg(test)]
mod tests;
