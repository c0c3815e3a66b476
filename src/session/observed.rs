//! What can be seen of a session at one moment: its record and its parts.

use std::{fmt, sync::Arc};

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{Incident, Record, Stage};

/// A session as the runtime sees it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// Its record. Whoever looks at all sessions copies none.
    pub record: Arc<Record>,
    /// The stored record's unique id.
    pub uid: Arc<str>,
    /// The stored record's revision; whoever writes it names the one it read.
    pub revision: Arc<str>,
    /// What its Pod says, if there is one.
    pub pod: Option<Pod>,
    /// Whether its Service is there.
    pub service: bool,
    /// Whether its route is there.
    pub route: bool,
}

/// What a Pod says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pod {
    /// Where it is in its life.
    pub state: PodState,
    /// How often DuckDB was started again in it.
    pub restarts: u32,
    /// Why DuckDB ended the last time.
    pub last_end: Option<Incident>,
    /// Since when it is not ready, if it is not.
    pub unready_since: Option<DateTime<Utc>>,
}

/// Where a Pod is in its life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PodState {
    /// On its way.
    Coming {
        /// How far.
        step: StartupStep,
        /// What is in the way, if anything is. It may mend.
        incident: Option<Incident>,
    },
    /// Ready: DuckDB answers.
    Ready,
    /// A container ended again soon after its start; the next start is put off.
    Crashing {
        /// How it ended.
        incident: Incident,
        /// How often it was started again.
        restarts: u32,
    },
    /// A container can't start, and the node tries in vain.
    Stuck(Incident),
    /// It has ended, and stays like that.
    Failed(Incident),
    /// The cluster took it from its node: somewhere else it may go on.
    Disrupted(Incident),
    /// Being deleted.
    Terminating,
}

/// The way of a Pod until it is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartupStep {
    /// No node was found for it yet.
    Queued,
    /// A node prepares it.
    Placed,
    /// The node fetches an image since then.
    Pulling(DateTime<Utc>),
    /// Its containers run.
    Starting,
}

impl Pod {
    /// In that state, and never restarted.
    pub fn new(state: PodState) -> Self {
        Self {
            state,
            restarts: 0,
            last_end: None,
            unready_since: None,
        }
    }

    /// On its way, with nothing in the way.
    pub fn at(step: StartupStep) -> Self {
        Self::new(PodState::Coming {
            step,
            incident: None,
        })
    }
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
    /// Only the Pod.
    pub const POD: Self = Self {
        pod: true,
        service: false,
        route: false,
    };
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

    /// Those that are in both.
    pub fn both(self, other: Self) -> Self {
        Self {
            pod: self.pod && other.pod,
            service: self.service && other.service,
            route: self.route && other.route,
        }
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Waiting for a place on the cluster.
    Queued,
    /// It has a place and is getting ready.
    Starting,
    /// Ready to use.
    Running,
    /// It was ready, and does not answer at the moment.
    Unready,
    /// Being taken down.
    Stopping,
}

impl Phase {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Queued,
        Self::Starting,
        Self::Running,
        Self::Unready,
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
        let state = self.pod.as_ref().map(|pod| &pod.state);
        let is_queued = match state {
            None => true,
            Some(PodState::Coming { step, .. }) => *step == StartupStep::Queued,
            Some(_) => false,
        };
        match &self.record.stage {
            Stage::Stopping { .. } => Phase::Stopping,
            Stage::Running if state == Some(&PodState::Ready) => Phase::Running,
            Stage::Running => Phase::Unready,
            Stage::Starting if is_queued => Phase::Queued,
            Stage::Starting => Phase::Starting,
            Stage::Rescheduling { .. } => Phase::Queued,
        }
    }
}
