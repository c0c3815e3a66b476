//! What can be seen of a session at one moment: its record and its parts.

use std::fmt;

use super::{Record, Stage};

/// A session as the runtime sees it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// Its record.
    pub record: Record,
    /// The stored record's unique id.
    pub uid: String,
    /// The stored record's revision; whoever writes it names the one it read.
    pub revision: String,
    /// What its Pod says, if there is one.
    pub pod: Option<PodState>,
    /// Whether its Service is there.
    pub service: bool,
    /// Whether its route is there.
    pub route: bool,
}

/// Where a Pod is in its life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PodState {
    /// No node was found for it yet.
    Queued,
    /// On a node, not ready.
    Starting,
    /// Ready: DuckDB answers.
    Ready,
    /// Ended by itself; with what the cluster says about it.
    Failed(String),
    /// Being deleted.
    Going,
}

/// Some of the three things that a session is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Parts {
    /// The Pod.
    pub pod: bool,
    /// The Service in front of it.
    pub service: bool,
    /// The route from the outside to the Service.
    pub route: bool,
}

impl Parts {
    /// All three.
    pub const ALL: Self = Self {
        pod: true,
        service: true,
        route: true,
    };

    /// Whether there is any.
    pub fn any(self) -> bool {
        self != Self::default()
    }

    /// Those that are not among these.
    pub fn missing(self) -> Self {
        Self {
            pod: !self.pod,
            service: !self.service,
            route: !self.route,
        }
    }
}

/// How far a session is, in the words that people see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Waiting for a place on the cluster.
    Queued,
    /// It has a place and is getting ready.
    Starting,
    /// Ready to use.
    Running,
    /// Being taken down.
    Stopping,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Queued => "queued",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Stopping => "stopping",
        })
    }
}

impl Observed {
    /// The parts that are there.
    pub fn parts(&self) -> Parts {
        Parts {
            pod: self.pod.is_some(),
            service: self.service,
            route: self.route,
        }
    }

    /// How far it is.
    pub fn phase(&self) -> Phase {
        match (&self.record.stage, &self.pod) {
            (Stage::Stopping { .. }, _) => Phase::Stopping,
            (Stage::Running, _) => Phase::Running,
            (Stage::Starting, Some(PodState::Starting | PodState::Ready)) => Phase::Starting,
            (Stage::Starting, _) => Phase::Queued,
        }
    }
}
