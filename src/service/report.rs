//! The use cases of the report: sessions that ran, were stopped and why, and what is next.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Requester, Service, ServiceError, reaping::admins_only};
use crate::{
    error::Error,
    session::{Ledger, Report, RunningSession, Usage},
};

/// The result of claiming the report that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReportClaim {
    /// The caller has claimed this report and must post it.
    Mine(Box<Report>),
    /// Time to try again, or `None` if the schedule has no further report.
    Later(Option<DateTime<Utc>>),
}

impl Service {
    /// Returns a report about the time since the last one, for an admin.
    ///
    /// # Errors
    /// Returns [`Rejection::AdminsOnly`](super::Rejection::AdminsOnly) if the caller is not an
    /// admin, or an error if the ledger can't be read.
    pub async fn report_to(&self, who: &Requester) -> Result<Report, ServiceError> {
        admins_only(who)?;
        Ok(self.report().await?)
    }

    /// Returns a report about the time since the last one.
    ///
    /// # Errors
    /// If the ledger can't be read.
    pub async fn report(&self) -> Result<Report, Error> {
        let found = self.ledger.read().await?;
        let running = self.running().await;
        // The ledger is created with the first entry, so it may not exist yet.
        let first = running.iter().map(|one| one.record.created).min();
        let ledger = found.unwrap_or_else(|| Ledger::new(first.unwrap_or(self.now())));
        Ok(ledger.report(running, self.now()))
    }

    /// Returns the present sessions as a report shows them. Queries their doors.
    async fn running(&self) -> Vec<RunningSession> {
        let sessions = self.track(self.sessions()).await;
        let running = sessions.into_iter().map(|watched| RunningSession {
            due: self.scheduled_stop(&watched),
            unreachable: match watched.usage {
                Usage::Unreachable(since) => Some(since),
                _ => None,
            },
            record: watched.seen.record,
        });
        running.collect()
    }

    /// Claims the report that is due. A claim expires after `claim`, so that another bot can post
    /// the report. If none is due or another bot has claimed it, returns when to try again.
    ///
    /// # Errors
    /// If the ledger can't be read or written.
    pub async fn claim_report(&self, claim: TimeDelta) -> Result<ReportClaim, Error> {
        let now = self.now();
        let next = |ledger: &Ledger| self.settings.report.schedule.next_after(ledger.since());
        let is_mine = |ledger: &Ledger| match ledger.claimed_since() {
            Some(since) => now - since >= claim,
            None => next(ledger).is_some_and(|at| now >= at),
        };
        let sessions = self.sessions();
        let claimed = |ledger: &Ledger| {
            if is_mine(ledger) {
                ledger.with_claim(now, sessions.iter().map(|seen| &*seen.record))
            } else {
                ledger.clone()
            }
        };
        let ledger = self.ledger.update(now, claimed).await?;
        match ledger.claimed_since() {
            Some(since) if since == now => {
                let report = ledger.pending_report(self.running().await);
                Ok(report.map_or(ReportClaim::Later(None), |report| {
                    ReportClaim::Mine(Box::new(report))
                }))
            }
            Some(since) => Ok(ReportClaim::Later(Some(since + claim))),
            None => Ok(ReportClaim::Later(next(&ledger))),
        }
    }

    /// Writes into the ledger that the report was posted.
    ///
    /// # Errors
    /// If the ledger can't be written.
    pub async fn mark_report_posted(&self, report: &Report) -> Result<(), Error> {
        let reported = |ledger: &Ledger| ledger.with_report_posted(report.until);
        self.ledger.update(self.now(), reported).await.map(|_| ())
    }
}
