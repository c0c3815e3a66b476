//! Texts of errors.

use super::{format::code, reply::Reply};
use crate::{error::Error, service::summarize, session::ErrorSummary};

/// Maximum length of a size's or a catalog's name.
const MAX_NAME_CHARS: usize = 63;

/// Explains an error. Its log line has the same `reference`.
pub(crate) fn failed(error: &Error, reference: &str) -> Reply {
    let text = error_text(&summarize(error));
    Reply::new(format!("{text} (Reference: `{reference}`)"))
}

/// Tells a person that the bot was told to end before it was done.
pub(crate) fn bot_restarted() -> Reply {
    Reply::new(
        "The bot was restarted before this was done, so part of it may be missing. Repeat it in a few \
         seconds.",
    )
}

/// Explains an error of `/duck start`. The session may have been created before the error.
pub(crate) fn start_failed(error: &Error, reference: &str) -> Reply {
    let mut reply = failed(error, reference);
    reply
        .text
        .push_str("\nIf the session starts anyway, its link will be posted in this channel.");
    reply
}

/// Explains an error in one or two sentences, for a person who does not know Kubernetes.
pub(super) fn error_text(error: &ErrorSummary) -> String {
    match error {
        ErrorSummary::NotAllowed {
            verb,
            resource,
            namespace,
        } => format!(
            "I lack a permission on the cluster, and an admin has to grant it: {verb} {resource} in the \
             namespace {namespace}."
        ),
        ErrorSummary::Refused => {
            "The cluster's rules don't allow this. An admin can find the reason in my log."
                .to_owned()
        }
        ErrorSummary::QuotaExceeded { why } => format!(
            "The team's share of the cluster is used up ({why}). Stop a session that you don't \
             need, choose a smaller size, or try again later."
        ),
        ErrorSummary::NotFound => {
            "The cluster lacks something that I need. An admin can find the details in my log."
                .to_owned()
        }
        ErrorSummary::Conflict => "Another change came first. Try again.".to_owned(),
        ErrorSummary::Disk { why } => format!(
            "I can't read or write a file on my disk ({why}). An admin can find the details in my \
             log."
        ),
        ErrorSummary::Discord => {
            "Discord did not answer as expected. Try again in a minute.".to_owned()
        }
        ErrorSummary::NotAuthenticated => {
            "The cluster doesn't accept my Kubernetes credentials. An admin has to check my service \
             account."
                .to_owned()
        }
        ErrorSummary::TimedOut => {
            "The cluster did not answer in time. Try again in a minute.".to_owned()
        }
        ErrorSummary::Unreachable => {
            "I can't reach the cluster right now. Try again in a minute.".to_owned()
        }
        ErrorSummary::Session => "The session did not respond as expected. Try again in a minute; \
            `/duck doctor` finds out why."
            .to_owned(),
        ErrorSummary::StillStopping { id } => {
            format!("Session `{id}` is still being stopped. `/duck list` shows when it is gone.")
        }
        ErrorSummary::NotInSettings { what, name } => format!(
            "The {what} `{}` is no longer in the settings. Choose another one.",
            code(name, MAX_NAME_CHARS)
        ),
        ErrorSummary::Other => "Something on the cluster did not work. Try again in a minute. If this \
            happens again, tell an admin."
            .to_owned(),
    }
}
