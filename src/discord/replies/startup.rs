//! The progress of a start.

use super::format::{plain, relative_time};
use crate::session::{Failure, Incident, Pod, PodState, StartupStep};

/// Formats the progress bar, and the state of a start after `what`.
pub(super) fn startup(what: &str, pod: Option<&Pod>) -> String {
    let (position, state) = match pod.map(|pod| &pod.state) {
        Some(PodState::Pending { step, incident }) => {
            let (position, state) = at(*step);
            (position, incident.as_ref().map_or(state, obstacle_text))
        }
        Some(PodState::Ready) => (STARTUP_STEPS, "DuckDB responds, posting the link".into()),
        Some(_) => (0, "leaving its previous node".into()),
        None => (0, "requesting resources from the cluster".into()),
    };
    format!("{} {what}: {state}", bar(position))
}

/// Number of steps in the progress bar: queued, placed, pulling, starting, ready.
const STARTUP_STEPS: usize = 5;

fn at(step: StartupStep) -> (usize, String) {
    match step {
        StartupStep::Queued => (1, "waiting for a cluster node".into()),
        StartupStep::Placed => (2, "a cluster node is preparing it".into()),
        StartupStep::Pulling(began) => (
            3,
            format!(
                "downloading the session image, started {}",
                relative_time(began)
            ),
        ),
        StartupStep::Starting => (4, "DuckDB is starting".into()),
    }
}

fn obstacle_text(incident: &Incident) -> String {
    let state = match incident.failure {
        Failure::NoRoom => "the cluster has no room right now, waiting",
        Failure::NoNode => "no cluster node can run it right now, waiting",
        Failure::Mount => "one of its disks can't be attached yet, waiting",
        Failure::ImageMissing | Failure::ImageRefused | Failure::ImageUnavailable => {
            "the session image can't be downloaded yet, retrying"
        }
        _ => "the cluster reports a problem, waiting",
    };
    format!("{state} ({})", plain(&incident.why))
}

fn bar(position: usize) -> String {
    "▰".repeat(position) + &"▱".repeat(STARTUP_STEPS - position)
}
