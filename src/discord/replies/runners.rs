//! Query runners: the progress of their start, and why one ended before it answered a query.

use super::{
    answer::quote_query,
    errors::error_text,
    format::{duration, plain},
    reply::{Emphasis, Reply},
    startup::startup,
};
use crate::{
    discord::buttons::Button,
    session::{Cause, ErrorSummary, Failure, Pod},
};

/// Progress while DuckDB starts for a query. `cancel` is the button that cancels it.
pub(crate) fn query_starting(sql: &str, cancel: &Button, pod: Option<&Pod>) -> Reply {
    let Reply { text, .. } = runner_starting(pod);
    Reply::new(format!("{}\n{text}", quote_query(sql))).with(
        Emphasis::Danger,
        "Cancel",
        cancel.clone(),
    )
}

/// Progress while DuckDB starts, because the person has no running session.
pub(crate) fn runner_starting(pod: Option<&Pod>) -> Reply {
    Reply::new(format!(
        "{}…\nNo session of yours is running, so DuckDB starts for your queries. The next ones don't \
         have to wait.",
        startup("Starting DuckDB", pod)
    ))
}

/// Explains why a query runner ended before it answered the query.
pub(super) fn runner_ended(cause: &Cause) -> Reply {
    const AGAIN: &str = "Try again. If this happens again, tell an admin.";
    const ADMIN: &str = "An admin has to fix this.";
    let not_started = |why: &str| format!("DuckDB could not start for your query: {why}");
    Reply::new(match cause {
        Cause::Refused {
            error: ErrorSummary::QuotaExceeded { why },
            reference,
        } => not_started(&format!(
            "the team's share of the cluster is used up ({why}). Try again later. (Reference: \
             `{reference}`)"
        )),
        Cause::Refused { error, reference } => format!(
            "DuckDB could not start for your query. {} (Reference: `{reference}`)",
            error_text(error)
        ),
        Cause::TookTooLong { after_seconds } => not_started(&format!(
            "it was not ready within {}. {AGAIN}",
            duration(*after_seconds)
        )),
        Cause::Failed(incident) => {
            let why = match incident.failure {
                Failure::CredentialsMissing => {
                    let text = not_started(
                        "your credentials are no longer saved. Enter them with `/duck setup`, then try \
                         again.",
                    );
                    return Reply::new(text).with_form(None);
                }
                Failure::NoRoom => {
                    "the cluster has no room for it right now. Try again later.".to_owned()
                }
                Failure::NoNode => format!("no cluster node can run it as configured. {ADMIN}"),
                Failure::ImageMissing => {
                    format!("the session image was not found (`sessions.image`). {ADMIN}")
                }
                Failure::ImageRefused => format!(
                    "the registry does not let the cluster download the session image. {ADMIN}"
                ),
                Failure::ImageUnavailable => {
                    format!("the session image could not be downloaded in time. {AGAIN}")
                }
                Failure::Mount | Failure::Container | Failure::Door => {
                    format!("the cluster can't run it as configured. {ADMIN}")
                }
                Failure::BotEnded => format!("the bot was restarted. {AGAIN}"),
                Failure::Crashed => format!("it crashed. {AGAIN}"),
                Failure::OutOfMemory => format!("it ran out of memory. {AGAIN}"),
                Failure::DiskFull => format!("its disk was full. {AGAIN}"),
                Failure::Evicted | Failure::NodeGone | Failure::Vanished | Failure::Other => {
                    format!("the cluster ended it. {AGAIN}")
                }
            };
            let detail = match incident.why.trim() {
                "" => String::new(),
                why => format!("\n-# Message from the cluster: {}", plain(why)),
            };
            not_started(&why) + &detail
        }
        Cause::Stopped { .. } => {
            "The query has no result, because its DuckDB was stopped. Run the query again."
                .to_owned()
        }
        Cause::Restarted { .. } | Cause::OverQuota | Cause::Lost | Cause::Reaped { .. } => {
            "The query has no result, because its DuckDB ended. Run the query again.".to_owned()
        }
    })
}
