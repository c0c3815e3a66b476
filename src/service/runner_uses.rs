//! Use of the query runners. All their queries come from this bot, and end with it. So the bot itself
//! knows which of them are in use, and no door has to report it.
//!
//! The record of a runner is removed as soon as it has ended, because nothing is announced. A query that waits
//! for it may not see the record in between, so the cause is kept here for it.

use std::{collections::HashMap, sync::Arc};

use chrono::{DateTime, Utc};
use parking_lot::Mutex;

use crate::session::{Cause, SessionId, Usage};

/// Function that returns the current time.
type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// Use of the runners, by session ID.
#[derive(Clone, Default)]
pub struct RunnerUses(Arc<Mutex<HashMap<SessionId, UseCount>>>);

#[derive(Default)]
struct UseCount {
    /// Number of queries that run or wait for it.
    queries: usize,
    /// End of the last query. `None` before the first one since the start of the bot.
    last: Option<DateTime<Utc>>,
    /// True if it is about to end, so no further query may begin.
    is_closing: bool,
    /// Cause of its end, if it ended during a query.
    ended: Option<Cause>,
}

impl RunnerUses {
    /// Begins a use. Returns `None` if the runner is about to end.
    pub(super) fn begin(&self, id: &SessionId, clock: &Clock) -> Option<RunnerUse> {
        let mut all = self.0.lock();
        let one = all.entry(id.clone()).or_default();
        if one.is_closing {
            return None;
        }
        one.queries += 1;
        Some(RunnerUse {
            id: id.clone(),
            uses: self.clone(),
            clock: clock.clone(),
        })
    }

    /// Lets no further query begin, unless the result is dropped. Returns `None` if the runner is in use.
    pub(super) fn close(&self, id: &SessionId) -> Option<Closing> {
        let mut all = self.0.lock();
        let one = all.entry(id.clone()).or_default();
        one.is_closing = one.queries == 0;
        one.is_closing.then(|| Closing {
            id: id.clone(),
            uses: self.clone(),
            is_confirmed: false,
        })
    }

    /// Returns the usage of a runner. One that was not used yet counts as used at `earliest`.
    pub(super) fn usage(&self, id: &SessionId, earliest: DateTime<Utc>) -> Usage {
        match self.0.lock().get(id) {
            Some(one) if one.queries > 0 => Usage::Busy,
            one => Usage::Idle(one.and_then(|one| one.last).unwrap_or(earliest)),
        }
    }

    /// Keeps the cause of a runner's end for the queries that use it. Call it before the record is removed.
    pub(crate) fn note_end(&self, id: &SessionId, cause: &Cause) {
        if let Some(one) = self.0.lock().get_mut(id) {
            one.ended = Some(cause.clone());
        }
    }

    /// Forgets runners that are gone.
    pub(super) fn retain(&self, is_present: impl Fn(&SessionId) -> bool) {
        let is_kept = |id: &SessionId, one: &mut UseCount| one.queries > 0 || is_present(id);
        self.0.lock().retain(is_kept);
    }
}

/// The intent to end a runner. On drop, queries can begin in it again, unless its end was confirmed.
#[must_use]
pub(super) struct Closing {
    id: SessionId,
    uses: RunnerUses,
    is_confirmed: bool,
}

impl Closing {
    /// Confirms that the runner ends.
    pub(super) fn confirm(mut self) {
        self.is_confirmed = true;
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        if let Some(one) = self.uses.0.lock().get_mut(&self.id) {
            one.is_closing = self.is_confirmed;
        }
    }
}

/// A use of a runner, which does not end meanwhile.
pub(super) struct RunnerUse {
    id: SessionId,
    uses: RunnerUses,
    clock: Clock,
}

impl RunnerUse {
    /// Cause of the runner's end, if its record is being removed or is gone.
    pub(super) fn ended(&self) -> Option<Cause> {
        self.uses.0.lock().get(&self.id)?.ended.clone()
    }
}

impl Drop for RunnerUse {
    fn drop(&mut self) {
        if let Some(one) = self.uses.0.lock().get_mut(&self.id) {
            one.queries -= 1;
            one.last = Some((self.clock)());
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::session::starting;

    fn now() -> DateTime<Utc> {
        starting().created
    }

    #[test]
    fn a_runner_is_in_use_until_its_last_query_ends() {
        let (uses, id) = (RunnerUses::default(), starting().id);
        let clock: Clock = Arc::new(now);
        let earlier = now() - TimeDelta::hours(1);
        assert_eq!(uses.usage(&id, earlier), Usage::Idle(earlier));
        let both = [uses.begin(&id, &clock), uses.begin(&id, &clock)];
        let [first, second] = both.map(|begun| begun.expect("it is open"));
        drop(first);
        assert_eq!(uses.usage(&id, earlier), Usage::Busy);
        assert!(uses.close(&id).is_none(), "a query runs");
        drop(second);
        assert_eq!(uses.usage(&id, earlier), Usage::Idle(now()));
    }

    #[test]
    fn a_query_learns_why_its_runner_ended() {
        let (uses, id) = (RunnerUses::default(), starting().id);
        let clock: Clock = Arc::new(now);
        uses.note_end(&id, &Cause::Lost);
        let begun = uses.begin(&id, &clock).expect("it is open");
        assert_eq!(begun.ended(), None);
        uses.note_end(&id, &Cause::OverQuota);
        uses.retain(|_| false);
        assert_eq!(begun.ended(), Some(Cause::OverQuota));
    }

    #[test]
    fn no_query_begins_in_a_runner_that_is_about_to_end() {
        let (uses, id) = (RunnerUses::default(), starting().id);
        let clock: Clock = Arc::new(now);
        let closing = uses.close(&id);
        assert!(uses.begin(&id, &clock).is_none());
        drop(closing);
        drop(uses.begin(&id, &clock).expect("nobody ends it any more"));
        uses.close(&id).expect("it is unused").confirm();
        assert!(uses.begin(&id, &clock).is_none());
    }
}
