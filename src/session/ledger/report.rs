//! The content of a report.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::session::{Cause, Failure, OwnerId, Record, Rule, ScheduledStop};

/// The total use by one or more people, or of a size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct UsageTotal {
    /// Sum of the times in which sessions were ready, in seconds.
    pub seconds: i64,
    /// Number of sessions.
    pub sessions: u32,
}

impl UsageTotal {
    /// Returns the sum of both.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            seconds: self.seconds.saturating_add(other.seconds),
            sessions: self.sessions.saturating_add(other.sessions),
        }
    }
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
    /// Returns the outcome of a session with this owner and cause. `None` if its start was taken back.
    pub fn of(owner: OwnerId, cause: &Cause) -> Option<Self> {
        Some(match cause {
            Cause::OverQuota => return None,
            Cause::Stopped { by } if *by == owner => Self::Stopped,
            Cause::Stopped { .. } => Self::StoppedByAdmin,
            Cause::Restarted { .. } => Self::Restarted,
            Cause::Refused { .. } => Self::Refused,
            Cause::TookTooLong { .. } => Self::TookTooLong,
            Cause::Failed(incident) => Self::Failed(incident.failure),
            Cause::Lost => Self::Lost,
            Cause::Reaped { rule, .. } => Self::Reaped(*rule),
        })
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
    /// `None` if an older version of the bot counted a part of the period.
    pub detail: Option<ReportDetail>,
}

/// The parts of a report that older versions of the bot did not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportDetail {
    /// Use by size, most time first.
    pub sizes: Vec<(String, UsageTotal)>,
    /// Use over time, in parts of the period without gaps.
    pub load: Vec<LoadPart>,
    /// Names of the people in `users`, as the chat shows them.
    pub names: BTreeMap<OwnerId, String>,
    /// Seconds that stops by rules saved; see `savings` for the definition.
    pub saved: i64,
    /// The same of the previous period, if it had about the same length.
    pub saved_before: Option<i64>,
}

/// Use in a part of the period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadPart {
    pub from: DateTime<Utc>,
    pub until: DateTime<Utc>,
    /// Sum of the times in which sessions were ready, in seconds, for each entry in `sizes`.
    pub seconds: Vec<i64>,
}

impl LoadPart {
    /// Returns the average number of sessions that were ready, for a number of their seconds.
    pub fn average(&self, seconds: i64) -> f64 {
        let length = (self.until - self.from).num_seconds().max(1);
        seconds as f64 / length as f64
    }
}

impl Report {
    /// Returns true if the period had no sessions.
    pub fn is_quiet(&self) -> bool {
        self.sessions == 0
    }

    /// Returns the use by the first people in `users`, and the one of all others together.
    pub fn most_active(&self, count: usize) -> (&[(OwnerId, UsageTotal)], UsageTotal) {
        let (most, rest) = self.users.split_at(self.users.len().min(count));
        let others = rest.iter().map(|(_, used)| *used);
        (most, others.fold(self.others, UsageTotal::plus))
    }

    /// Returns the use by all people.
    pub fn total(&self) -> UsageTotal {
        self.most_active(0).1
    }
}
