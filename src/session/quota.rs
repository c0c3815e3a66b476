//! The number of sessions that a person, and all people together, may have.

use std::{num::NonZeroU32, sync::Arc};

use super::{Cause, OwnerId, Record, SessionId};

/// Maximum numbers of sessions. Query runners don't count.
#[derive(Debug, Clone, Copy)]
pub struct Quota {
    /// Maximum number per person.
    pub per_user: u8,
    /// Maximum number of all people. `None`: no maximum.
    pub total: Option<NonZeroU32>,
}

/// The maximum that leaves no room for another session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QuotaExceeded {
    /// The quota of the person, who has these sessions.
    PerUser(Vec<SessionId>),
    /// The quota of all people together.
    Total(NonZeroU32),
}

impl Quota {
    /// Returns the maximum that another session of a person would exceed. `earlier` are the records of
    /// the sessions before it, in the order in which they were created.
    ///
    /// A record whose start is about to be taken back does not count. It is known by the same rule, so
    /// starts at the same moment, at any number of bots, agree which of them get the last places.
    pub fn exceeded(self, owner: OwnerId, earlier: &[Arc<Record>]) -> Option<QuotaExceeded> {
        let mut counted: Vec<&Record> = Vec::new();
        for record in earlier.iter().filter(|record| !record.is_runner()) {
            let is_taken_back = match record.ending() {
                Some(ending) => ending.cause == Cause::OverQuota,
                None => !record.was_ready() && self.full(record.owner, &counted).is_some(),
            };
            if !is_taken_back {
                counted.push(record);
            }
        }
        self.full(owner, &counted)
    }

    fn full(self, owner: OwnerId, counted: &[&Record]) -> Option<QuotaExceeded> {
        let theirs = counted.iter().filter(|record| record.owner == owner);
        let theirs: Vec<_> = theirs.map(|record| record.id.clone()).collect();
        if theirs.len() >= usize::from(self.per_user) {
            return Some(QuotaExceeded::PerUser(theirs));
        }
        let total = self.total?;
        let is_full = counted.len() >= usize::try_from(total.get()).unwrap_or(usize::MAX);
        is_full.then_some(QuotaExceeded::Total(total))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{starting, starting_runner};

    const ANA: u64 = 7;
    const BEN: u64 = 8;

    fn quota(per_user: u8, total: u32) -> Quota {
        let total = NonZeroU32::new(total);
        Quota { per_user, total }
    }

    /// A session of this person that is starting.
    fn session(owner: u64, id: &str) -> Arc<Record> {
        Arc::new(Record {
            owner: owner.into(),
            id: id.parse().expect("an ID"),
            ..starting()
        })
    }

    fn ready(session: &Record) -> Arc<Record> {
        Arc::new(session.with_announcement(None, session.created, 0))
    }

    fn ids(ids: &[&str]) -> Vec<SessionId> {
        let ids = ids.iter().map(|id| id.parse().expect("an ID"));
        ids.collect()
    }

    #[test]
    fn a_person_has_as_many_sessions_as_allowed_in_any_workspaces() {
        let earlier = [session(ANA, "aaaaaa"), session(BEN, "bbbbbb")];
        assert_eq!(quota(2, 0).exceeded(ANA.into(), &earlier), None);
        let exceeded = quota(1, 0).exceeded(ANA.into(), &earlier);
        assert_eq!(exceeded, Some(QuotaExceeded::PerUser(ids(&["aaaaaa"]))));
    }

    #[test]
    fn all_people_together_have_as_many_as_allowed() {
        let earlier = [session(ANA, "aaaaaa"), session(BEN, "bbbbbb")];
        assert_eq!(quota(2, 3).exceeded(ANA.into(), &earlier), None);
        let total = NonZeroU32::new(2).expect("a number above 0");
        let exceeded = quota(2, 2).exceeded(ANA.into(), &earlier);
        assert_eq!(exceeded, Some(QuotaExceeded::Total(total)));
    }

    #[test]
    fn query_runners_and_starts_that_were_taken_back_do_not_count() {
        let now = starting().created;
        let lost = session(ANA, "aaaaaa").with_ending(Cause::OverQuota, now);
        let earlier = [Arc::new(lost), Arc::new(starting_runner())];
        assert_eq!(quota(1, 1).exceeded(ANA.into(), &earlier), None);
    }

    #[test]
    fn a_start_that_lost_its_place_takes_none_from_a_later_one() {
        // Ana's second start is about to be taken back, so Ben gets the last place.
        let earlier = [session(ANA, "aaaaaa"), session(ANA, "bbbbbb")];
        assert_eq!(quota(1, 2).exceeded(BEN.into(), &earlier), None);
        // One that was ready stays, as after a lower quota.
        let earlier = [session(ANA, "aaaaaa"), ready(&session(ANA, "bbbbbb"))];
        let total = NonZeroU32::new(2).expect("a number above 0");
        let exceeded = quota(1, 2).exceeded(BEN.into(), &earlier);
        assert_eq!(exceeded, Some(QuotaExceeded::Total(total)));
    }

    #[test]
    fn of_starts_at_the_same_moment_the_first_ones_get_the_last_places() {
        let all = ["aaaaaa", "bbbbbb", "cccccc", "dddddd"];
        let all = all.map(|id| session(id.len() as u64, id));
        let quota = quota(20, 2);
        let owner = all[0].owner;
        let started = (0..all.len()).filter(|at| quota.exceeded(owner, &all[..*at]).is_none());
        assert_eq!(started.collect::<Vec<_>>(), [0, 1]);
    }
}
