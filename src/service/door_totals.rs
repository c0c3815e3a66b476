//! Requests at doors, for the metrics. Pure.
//!
//! A door reports the numbers since its start. The leader counts what is new in each report, and nothing of
//! what a door did before this bot led, because another one has counted most of that.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use crate::{
    door::activity::{Activity, RequestCounts},
    session::SessionId,
};

/// Maximum number of requests to count in one report. A hostile session can report anything.
const MAX_NEW: u64 = 1_000_000;

/// The last report of each door, while this bot leads.
#[derive(Default)]
pub(super) struct DoorTotals(Option<HashMap<SessionId, LastReport>>);

enum LastReport {
    /// The session is older than this bot's lead, and has not reported yet.
    Unknown,
    /// Report of the door that began at this time.
    Door(Option<DateTime<Utc>>, RequestCounts),
}

impl DoorTotals {
    /// Begins to count. `present` are the sessions that may have reported to another bot.
    pub(super) fn begin(&mut self, present: impl Iterator<Item = SessionId>) {
        self.0 = Some(present.map(|id| (id, LastReport::Unknown)).collect());
    }

    /// Counts nothing until the next [`Self::begin`].
    pub(super) fn stop(&mut self) {
        self.0 = None;
    }

    /// Drops the reports of sessions that are gone.
    pub(super) fn retain(&mut self, is_present: impl Fn(&SessionId) -> bool) {
        if let Some(reports) = &mut self.0 {
            reports.retain(|id, _| is_present(id));
        }
    }

    /// Takes a report. Returns the requests that are new in it.
    pub(super) fn take(&mut self, id: &SessionId, report: &Activity) -> RequestCounts {
        let Some(reports) = &mut self.0 else {
            return RequestCounts::default();
        };
        let last = reports.get(id);
        let (known, now) = match last {
            Some(LastReport::Unknown) => (report.requests, report.requests),
            // Reports may arrive in another order than they were made in.
            Some(LastReport::Door(since, known)) if *since == report.since => {
                (*known, combine(*known, report.requests, u64::max))
            }
            // Another door of the session, or the first one.
            _ => (RequestCounts::default(), report.requests),
        };
        reports.insert(id.clone(), LastReport::Door(report.since, now));
        combine(now, known, |now, known| (now - known).min(MAX_NEW))
    }
}

fn combine(a: RequestCounts, b: RequestCounts, with: impl Fn(u64, u64) -> u64) -> RequestCounts {
    RequestCounts {
        done: with(a.done, b.done),
        refused: with(a.refused, b.refused),
        failed: with(a.failed, b.failed),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn report(begun: i64, done: u64) -> Activity {
        Activity {
            since: DateTime::from_timestamp(begun, 0),
            requests: RequestCounts {
                done,
                ..RequestCounts::default()
            },
            ..Activity::default()
        }
    }

    fn session() -> SessionId {
        SessionId::from_uuid(Uuid::new_v4())
    }

    #[test]
    fn each_request_is_counted_once() {
        let (mut totals, id) = (DoorTotals::default(), session());
        totals.begin(std::iter::empty());
        for (begun, done, new) in [
            (1, 3, 3),
            (1, 3, 0),
            (1, 5, 2),
            // A report that was overtaken.
            (1, 4, 0),
            (1, 6, 1),
            // The door was restarted.
            (2, 4, 4),
            (2, u64::MAX, MAX_NEW),
        ] {
            assert_eq!(totals.take(&id, &report(begun, done)).done, new, "{done}");
        }
    }

    #[test]
    fn requests_that_another_bot_has_counted_are_left_out() {
        let (mut totals, old) = (DoorTotals::default(), session());
        assert_eq!(totals.take(&old, &report(1, 3)).done, 0, "it does not lead");
        totals.begin([old.clone()].into_iter());
        assert_eq!(totals.take(&old, &report(1, 5)).done, 0);
        assert_eq!(totals.take(&old, &report(1, 7)).done, 2);
        assert_eq!(totals.take(&session(), &report(1, 2)).done, 2, "a new one");
        totals.stop();
        assert_eq!(totals.take(&old, &report(1, 9)).done, 0);
    }
}
