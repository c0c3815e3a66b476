//! Observations: a session at one moment, with its record and its parts.

use std::{fmt, sync::Arc};

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{Cause, Incident, Record, RecordKind, Stage};

/// A session as the runtime sees it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// Record, shared so that a look at all sessions copies none.
    pub record: Arc<Record>,
    /// UID of the stored record.
    pub uid: Arc<str>,
    /// Revision of the stored record. A write must name the revision that was read.
    pub revision: Arc<str>,
    /// State of the Pod, if it exists.
    pub pod: Option<Pod>,
    /// True if the Service exists.
    pub service: bool,
    /// True if the route exists.
    pub route: bool,
}

/// The observed state of a Pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pod {
    pub state: PodState,
    /// Number of restarts of DuckDB in this Pod.
    pub restarts: u32,
    /// Reason for the last end of DuckDB.
    pub last_end: Option<Incident>,
    /// Time at which the Pod stopped being ready, if it is not ready and the time is known.
    pub unready_since: Option<DateTime<Utc>>,
}

/// The state of a Pod, for the decisions about its session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PodState {
    /// Starting.
    Pending {
        step: StartupStep,
        /// Obstacle to the start, which may be temporary.
        incident: Option<Incident>,
    },
    /// DuckDB answers.
    Ready,
    /// A container ended soon after its start, and waits for its next start (`CrashLoopBackOff`).
    Crashing {
        /// Reason for the last end.
        incident: Incident,
        /// Number of restarts of the container.
        restarts: u32,
    },
    /// A container can't start; the node keeps trying.
    Stuck(Incident),
    /// The Pod has ended for good.
    Failed(Incident),
    /// The cluster took the Pod from its node. The session may run on another node.
    Disrupted(Incident),
    /// The Pod is being deleted.
    Terminating,
}

/// The progress of a Pod that is starting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartupStep {
    /// The Pod has no node yet.
    Queued,
    /// The Pod has a node, which prepares it.
    Placed,
    /// The node has been pulling an image since this time.
    Pulling(DateTime<Utc>),
    /// The containers run.
    Starting,
}

impl Pod {
    /// Creates a Pod in this state, without restarts.
    pub fn new(state: PodState) -> Self {
        Self {
            state,
            restarts: 0,
            last_end: None,
            unready_since: None,
        }
    }

    /// Creates a Pod that is starting, without an obstacle.
    pub fn at(step: StartupStep) -> Self {
        Self::new(PodState::Pending {
            step,
            incident: None,
        })
    }
}

/// A set of a session's parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Parts {
    pub pod: bool,
    pub service: bool,
    pub route: bool,
}

impl Parts {
    pub const POD: Self = Self {
        pod: true,
        service: false,
        route: false,
    };
    pub const ALL: Self = Self {
        pod: true,
        service: true,
        route: true,
    };

    /// Returns the parts that a record of this kind consists of.
    pub fn of(kind: RecordKind) -> Self {
        match kind {
            RecordKind::Session => Self::ALL,
            RecordKind::QueryRunner => Self::POD,
        }
    }

    /// Returns true if the set is not empty.
    pub fn any(self) -> bool {
        self != Self::default()
    }

    /// Returns the parts that are in both sets.
    pub fn both(self, other: Self) -> Self {
        Self {
            pod: self.pod && other.pod,
            service: self.service && other.service,
            route: self.route && other.route,
        }
    }

    /// Returns the parts that are not in this set.
    pub fn missing(self) -> Self {
        Self {
            pod: !self.pod,
            service: !self.service,
            route: !self.route,
        }
    }
}

/// The phase of a session, as people see it: its stored [`Stage`] and the state of its Pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The Pod has no node yet, or the session is being rescheduled.
    Queued,
    /// The Pod has a node and is getting ready.
    Starting,
    /// The session is ready to use.
    Running,
    /// The session was ready, but its Pod is not ready now.
    Unready,
    /// The session ends, and its work is being saved.
    Saving,
    Stopping,
}

impl Phase {
    pub const ALL: [Self; 6] = [
        Self::Queued,
        Self::Starting,
        Self::Running,
        Self::Unready,
        Self::Saving,
        Self::Stopping,
    ];
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Queued => "queued",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Unready => "not answering",
            Self::Saving => "saving",
            Self::Stopping => "stopping",
        })
    }
}

impl Observed {
    /// Returns the parts that exist.
    pub fn parts(&self) -> Parts {
        Parts {
            pod: self.pod.is_some(),
            service: self.service,
            route: self.route,
        }
    }

    /// Returns the parts that it consists of and that don't exist.
    pub fn missing(&self) -> Parts {
        self.parts().missing().both(Parts::of(self.record.kind))
    }

    /// Returns true if the session ends, and its work must be saved before its Pod is deleted. Without a
    /// ready Pod, nobody can be asked; a Pod that is being deleted saves by itself.
    pub fn is_to_save(&self) -> bool {
        let Stage::Stopping {
            ending, work: None, ..
        } = &self.record.stage
        else {
            return false;
        };
        let has_duckdb = match &ending.cause {
            Cause::Stopped { .. } | Cause::Restarted { .. } | Cause::Reaped { .. } => true,
            Cause::OverQuota
            | Cause::Refused { .. }
            | Cause::TookTooLong { .. }
            | Cause::Failed(_)
            | Cause::Lost => false,
        };
        self.record.keeps_work && self.record.was_ready() && has_duckdb && self.has_ready_pod()
    }

    /// Returns true if the Pod is ready, as last seen.
    pub fn has_ready_pod(&self) -> bool {
        matches!(&self.pod, Some(pod) if pod.state == PodState::Ready)
    }

    pub fn phase(&self) -> Phase {
        let state = self.pod.as_ref().map(|pod| &pod.state);
        let is_queued = match state {
            None => true,
            Some(PodState::Pending { step, .. }) => *step == StartupStep::Queued,
            Some(_) => false,
        };
        match &self.record.stage {
            Stage::Stopping { .. } if self.is_to_save() => Phase::Saving,
            Stage::Stopping { .. } => Phase::Stopping,
            Stage::Running if state == Some(&PodState::Ready) => Phase::Running,
            Stage::Running => Phase::Unready,
            Stage::Starting if is_queued => Phase::Queued,
            Stage::Starting => Phase::Starting,
            Stage::Rescheduling { .. } => Phase::Queued,
        }
    }
}
