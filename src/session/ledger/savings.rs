//! The time that stops by rules saved.
//!
//! A rule that stops a session before the end of its lifetime and before its maximum age saves time. It
//! counts from the stop until the first of these:
//!
//! - the end of the session's lifetime, extensions included, or its maximum age: it would have ended
//!   then in any case,
//! - the request for the owner's next session, which they would not have needed,
//! - the end of the period. The rest counts in the next one, unless the session had neither limit.
//!
//! Stops at the end of the lifetime or at the maximum age save nothing by this definition. It can't know
//! whether the owner would have stopped the session sooner, so the result is the most that was saved.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::session::{
    OwnerId,
    record::{MAX_SECONDS, is_plausible_time},
};

/// Maximum number of stops to keep. An older one counts until the next stop at most.
const MAX_STOPS: usize = 500;

/// Sessions that a rule stopped early.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Savings {
    /// Seconds that stops saved which are no longer kept.
    seconds: i64,
    stops: VecDeque<EarlyStop>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct EarlyStop {
    owner: OwnerId,
    at: DateTime<Utc>,
    /// End of the saved time. `None` if no limit would have ended the session.
    until: Option<DateTime<Utc>>,
}

impl EarlyStop {
    /// Returns the saved seconds in a period.
    fn seconds(&self, since: DateTime<Utc>, now: DateTime<Utc>) -> i64 {
        let until = self.until.map_or(now, |it| it.min(now));
        (until - self.at.max(since)).num_seconds().max(0)
    }
}

impl Savings {
    pub(super) fn is_plausible(&self) -> bool {
        let mut times = self.stops.iter().flat_map(|it| [Some(it.at), it.until]);
        times.all(|it| it.is_none_or(is_plausible_time))
            && (0..=MAX_SECONDS).contains(&self.seconds)
    }

    /// Adds a stop by a rule. A limit would have ended the session at `until`.
    pub(super) fn add(
        &mut self,
        owner: OwnerId,
        since: DateTime<Utc>,
        at: DateTime<Utc>,
        until: Option<DateTime<Utc>>,
    ) {
        if until.is_some_and(|until| until <= at) {
            return;
        }
        self.stops.push_back(EarlyStop { owner, at, until });
        if self.stops.len() > MAX_STOPS
            && let Some(oldest) = self.stops.pop_front()
        {
            let seconds = self.seconds.saturating_add(oldest.seconds(since, at));
            self.seconds = seconds.min(MAX_SECONDS);
        }
    }

    /// Ends the saved time of the owner's earlier sessions, because they requested another one.
    pub(super) fn end_at_request(&mut self, owner: OwnerId, requested: DateTime<Utc>) {
        let earlier = |it: &&mut EarlyStop| it.owner == owner && it.at <= requested;
        for stop in self.stops.iter_mut().filter(earlier) {
            stop.until = Some(stop.until.map_or(requested, |it| it.min(requested)));
        }
    }

    /// Returns the saved seconds in a period.
    pub(super) fn total(&self, since: DateTime<Utc>, now: DateTime<Utc>) -> i64 {
        let each = self.stops.iter().map(|stop| stop.seconds(since, now));
        each.fold(self.seconds, i64::saturating_add)
            .min(MAX_SECONDS)
    }

    /// Returns the stops that still save time after a period that ended at `now`.
    pub(super) fn after(&self, now: DateTime<Utc>) -> Self {
        let is_open = |it: &&EarlyStop| it.until.is_some_and(|until| until > now);
        Self {
            seconds: 0,
            stops: self.stops.iter().filter(is_open).cloned().collect(),
        }
    }
}
