//! Tells a running session to save its work, and asks about it.

use std::time::{Duration, Instant};

use tokio::time::timeout;
use tracing::warn;

use crate::{
    metrics,
    runtime::{ControlCommand, ControlResponse, Runtime},
    session::{Observed, SaveFailure, SaveFailureReason, WorkOutcome, WorkReport},
};

use super::Clock;

/// Maximum time to ask a session about its work.
const DESCRIBE_TIMEOUT: Duration = Duration::from_secs(5);

/// Tells a session to save its work within `deadline`. Logs a failure.
pub(crate) async fn save_work(
    runtime: &dyn Runtime,
    seen: &Observed,
    deadline: Duration,
    clock: &Clock,
) -> WorkOutcome {
    let seconds = u32::try_from(deadline.as_secs()).unwrap_or(u32::MAX);
    let session = &seen.record.id;
    let begin = Instant::now();
    let outcome = match runtime
        .control(seen, ControlCommand::SaveWork { seconds })
        .await
    {
        Ok(ControlResponse::Work(report)) => WorkOutcome::of(*report),
        Ok(answer) => {
            warn!(%session, %answer, "session {session} did not save its work: {answer}");
            unfinished(runtime, seen, &answer, clock).await
        }
        Err(error) => {
            warn!(%session, %error, "session {session} did not answer when it was to save its work");
            WorkOutcome::NoAnswer
        }
    };
    metrics::record_save(outcome_label(&outcome), begin.elapsed());
    if let WorkOutcome::NotSaved { failure, .. } = &outcome {
        let (reason, error) = (failure.reason, &failure.error);
        warn!(%session, ?reason, error, "session {session}: its work could not be saved: {error}");
    }
    outcome
}

/// Returns the outcome for the metrics. It is refused if only the owner can change it.
fn outcome_label(outcome: &WorkOutcome) -> &'static str {
    match outcome {
        WorkOutcome::Saved(_) | WorkOutcome::Nothing => "done",
        WorkOutcome::NotSaved { failure, .. } => match failure.reason {
            SaveFailureReason::KeysRefused
            | SaveFailureReason::NotAllowed
            | SaveFailureReason::NoRoom => "refused",
            _ => "failed",
        },
        WorkOutcome::NoAnswer => "failed",
    }
}

/// Returns the outcome for a session that did not save in time, for the reason in `answer`. It knows its
/// last complete save.
async fn unfinished(
    runtime: &dyn Runtime,
    seen: &Observed,
    answer: &ControlResponse,
    clock: &Clock,
) -> WorkOutcome {
    let Some(mut report) = describe_work(runtime, seen).await else {
        return WorkOutcome::NoAnswer;
    };
    report.failure.get_or_insert_with(|| SaveFailure {
        at: clock(),
        reason: SaveFailureReason::TimedOut,
        error: answer.to_string(),
    });
    WorkOutcome::of(report)
}

/// Asks a session about its work. Returns `None` if its work is not saved, it is not ready, or it does
/// not answer in time.
pub(crate) async fn describe_work(runtime: &dyn Runtime, seen: &Observed) -> Option<WorkReport> {
    if !seen.record.keeps_work || !seen.has_ready_pod() {
        return None;
    }
    let asked = runtime.control(seen, ControlCommand::DescribeWork);
    match timeout(DESCRIBE_TIMEOUT, asked).await {
        Ok(Ok(ControlResponse::Work(report))) => Some(*report),
        _ => None,
    }
}
