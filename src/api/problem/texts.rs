//! Problems for rejections and errors. The chat's texts don't fit here, because they mention buttons
//! and commands.

use std::time::Duration;

use super::{Problem, ProblemType, preflight::preflight_error};
use crate::{
    credentials::{
        CredentialPart, ValueError,
        preflight::{ErrorOrigin, PreflightError},
    },
    error::Error,
    service::{
        CredentialsRejection, ExtendRejection, LookupRejection, Rejection, ServiceError,
        SessionAction, StartRejection, summarize,
    },
    session::{ErrorSummary, SessionId, Workspace},
};

/// Time after which a failed request may be repeated.
const RETRY_AFTER: Duration = Duration::from_secs(10);
/// The same while all sessions are in use. People end theirs at any time.
const FULL_RETRY_AFTER: Duration = Duration::from_secs(60);

impl From<ServiceError> for Problem {
    fn from(problem: ServiceError) -> Self {
        match problem {
            ServiceError::Rejected(rejection) => rejection.into(),
            ServiceError::UnusableCredentials(troubles) => {
                let texts: Vec<_> = troubles.iter().map(preflight_error).collect();
                let origins = troubles.iter().map(PreflightError::origin);
                let kind = match origins.max().unwrap_or(ErrorOrigin::Credentials) {
                    ErrorOrigin::Credentials => ProblemType::CredentialsRejected,
                    ErrorOrigin::Settings => ProblemType::Misconfigured,
                    ErrorOrigin::Transient => ProblemType::Unavailable,
                };
                let problem = Self::new(kind, texts.join(" "));
                match kind {
                    ProblemType::Unavailable => problem.retry_after(RETRY_AFTER),
                    _ => problem,
                }
            }
            ServiceError::Failed(error) => error.into(),
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let text = error_text(&summarize(&error));
        let problem = if error.is_permanent() {
            Self::new(ProblemType::ClusterRefused, text)
        } else {
            Self::new(ProblemType::Unavailable, text).retry_after(RETRY_AFTER)
        };
        Self {
            error: Some(Box::new(error)),
            ..problem
        }
    }
}

/// Accepts a [`Rejection`] or any of its groups, so that `?` converts it.
impl<R: Into<Rejection>> From<R> for Problem {
    fn from(rejection: R) -> Self {
        match rejection.into() {
            Rejection::Start(rejection) => start(rejection),
            Rejection::UnknownCatalog(unknown) => {
                let known = unknown.known.join(", ");
                let detail = format!("No catalog has this name or URL. Use one of: {known}.");
                Self::new(ProblemType::UnknownCatalog, detail)
            }
            Rejection::Credentials(
                CredentialsRejection::NoneStored | CredentialsRejection::PreflightDisabled,
            ) => no_credentials(),
            Rejection::Lookup(rejection) => lookup(&rejection),
            Rejection::Extend(rejection) => extend(rejection),
            Rejection::NoSigningKey(_) => {
                let detail = "The bot has lost the signing key of this session. Delete the session \
                              and start another one.";
                Self::new(ProblemType::NoSigningKey, detail)
            }
            // The API has no queries and no admin commands.
            Rejection::Query(_) | Rejection::Schedule(_) | Rejection::AdminsOnly => {
                Self::new(ProblemType::Forbidden, "This token does not allow this.")
            }
        }
    }
}

fn start(rejection: StartRejection) -> Problem {
    match rejection {
        StartRejection::UnknownSize { known, .. } => {
            let detail = format!("There is no such size. Use one of: {}.", known.join(", "));
            Problem::new(ProblemType::UnknownSize, detail)
        }
        StartRejection::OwnCredentialsNeeded => {
            let detail = "Stored credentials are only sent to catalogs in the settings. Send s3_key \
                          and s3_secret, or name a catalog of the settings.";
            Problem::new(ProblemType::Forbidden, detail)
        }
        StartRejection::CredentialsLack { part, catalog } => {
            let (needed, them) = match part {
                CredentialPart::S3Keys => ("S3 credentials (s3_key and s3_secret)", "them"),
                CredentialPart::CatalogToken => ("a catalog token (catalog_token)", "it"),
            };
            let detail = format!(
                "The catalog {catalog} requires {needed}. Send {them} in the request, or let the \
                 token's owner enter {them} in the chat with /duck setup."
            );
            Problem::new(ProblemType::NoStoredCredentials, detail)
        }
        StartRejection::CredentialsExpired { part, at, .. } => {
            let (what, new) = match part {
                CredentialPart::S3Keys => ("S3 credentials", "new ones"),
                CredentialPart::CatalogToken => ("catalog token", "a new one"),
            };
            let detail = format!(
                "The stored {what} expired at {}. Send {new} in the request, or let the owner enter \
                 {new} in the chat with /duck setup.",
                at.to_rfc3339()
            );
            Problem::new(ProblemType::NoStoredCredentials, detail)
        }
        StartRejection::QuotaReached { ids, limit } => {
            Problem::new(ProblemType::QuotaReached, quota_reached(&ids, limit))
        }
        StartRejection::Paused { pause, left } => {
            let why = pause.reason.map(|reason| format!(": {reason}"));
            let detail = format!(
                "An admin has paused starts until {}{}",
                pause.until.to_rfc3339(),
                why.unwrap_or_else(|| ".".to_owned())
            );
            // Rounded up, so that the next attempt comes after the end.
            let after = Duration::from_secs(left.num_seconds().unsigned_abs() + 1);
            Problem::new(ProblemType::StartsPaused, detail).retry_after(after)
        }
        StartRejection::TotalReached { total, .. } => {
            let detail = format!(
                "All sessions that people can have at a time are in use ({total}). Try again when one has \
                 ended, or delete one of yours."
            );
            Problem::new(ProblemType::TotalReached, detail).retry_after(FULL_RETRY_AFTER)
        }
        StartRejection::WorkspaceInUse {
            workspace,
            id,
            is_stopping,
        } => workspace_in_use(&workspace, &id, is_stopping),
        StartRejection::RequestReused => {
            let detail = "This Idempotency-Key was used for a different request, and the session \
                          of that request still exists. Use another key.";
            Problem::new(ProblemType::IdempotencyKeyReused, detail)
        }
    }
}

fn quota_reached(ids: &[String], limit: u8) -> String {
    let is_id = |id: &&String| id.parse::<SessionId>().is_ok();
    let (sessions, unreadable): (Vec<_>, Vec<_>) = ids.iter().partition(is_id);
    let count = ids.len();
    let plural = if count == 1 { "" } else { "s" };
    let delete = match sessions.as_slice() {
        [] => String::new(),
        [only] => format!(" Delete session {only}."),
        _ => " Delete one.".to_owned(),
    };
    let all = ids.join(", ");
    let mut text = format!(
        "This owner already has {count} session{plural} ({all}), and the limit is {limit}.{delete}"
    );
    if let [first, ..] = unreadable.as_slice() {
        text += &format!(
            " The bot can't read {first}. Try again in a minute. If this happens again, tell an \
             admin."
        );
    }
    text
}

fn workspace_in_use(workspace: &Workspace, id: &str, is_stopping: bool) -> Problem {
    let problem = |detail| Problem::new(ProblemType::WorkspaceInUse, detail);
    if id.parse::<SessionId>().is_err() {
        let detail = format!(
            "The workspace {workspace} has a session, but the bot can't read {id}. Try again in a \
             minute. If this happens again, tell an admin."
        );
        problem(detail)
    } else if is_stopping {
        let detail = format!(
            "Session {id} in the workspace {workspace} is still being stopped. Try again later."
        );
        problem(detail).retry_after(RETRY_AFTER)
    } else {
        problem(format!(
            "The workspace {workspace} is open in session {id}. Delete that session, or choose another \
             workspace."
        ))
    }
}

fn no_credentials() -> Problem {
    let detail = "The token's owner has stored no credentials. Send s3_key and s3_secret, or let \
                  the owner enter some in the chat with /duck setup.";
    Problem::new(ProblemType::NoStoredCredentials, detail)
}

fn lookup(rejection: &LookupRejection) -> Problem {
    match rejection {
        LookupRejection::NotYours {
            action: SessionAction::Open,
            ..
        } => {
            let detail = "Only its owner can open a session. An admin can't.";
            Problem::new(ProblemType::Forbidden, detail)
        }
        // A token learns nothing about other people's sessions.
        LookupRejection::InvalidId(_)
        | LookupRejection::NoSuchSession(_)
        | LookupRejection::NoSession(_)
        // A query runner belongs to the chat.
        | LookupRejection::IsRunner(_)
        | LookupRejection::Ambiguous { .. }
        | LookupRejection::NotYours { .. } => {
            let detail = "This token has access to no session with this ID. The session may have \
                          ended.";
            Problem::new(ProblemType::NoSuchSession, detail)
        }
        LookupRejection::NotReady(_) => Problem::new(
            ProblemType::NotReady,
            "The session is not ready yet. Try again soon.",
        ),
    }
}

fn extend(rejection: ExtendRejection) -> Problem {
    match rejection {
        ExtendRejection::NothingStopsIt => {
            let detail =
                "Idle and old sessions are not stopped here, so there is nothing to extend.";
            Problem::new(ProblemType::ExtensionLimitReached, detail)
        }
        ExtendRejection::LimitReached { at, .. } => {
            let at = at.map(|at| format!("; it will be stopped at {}", at.to_rfc3339()));
            let at = at.unwrap_or_default();
            let detail = format!(
                "The session can't be extended any further{at}. Start a new one afterwards."
            );
            Problem::new(ProblemType::ExtensionLimitReached, detail)
        }
    }
}

/// Explains why a credential is invalid, as the rest of a sentence about its field.
pub(crate) fn value_error(error: &ValueError) -> String {
    match error {
        ValueError::Empty => "is empty".to_owned(),
        ValueError::Space(_, place) => {
            format!("contains a space or a line break at character {place}; send only the value")
        }
        ValueError::Strange(c, place) => format!(
            "contains a character that is not allowed (U+{:04X} at character {place}); only \
             letters without accents, digits and punctuation are allowed",
            u32::from(*c)
        ),
        ValueError::TooLong(length) => {
            format!("is {length} characters long, which is too long; send only the value")
        }
    }
}

/// Explains an error.
pub(super) fn error_text(error: &ErrorSummary) -> String {
    match error {
        ErrorSummary::NotAllowed {
            verb,
            resource,
            namespace,
        } => format!(
            "The bot lacks a permission on the cluster, and an admin has to grant it: {verb} {resource} \
             in the namespace {namespace}."
        ),
        ErrorSummary::Refused => {
            "The cluster's rules don't allow this. An admin can find the reason in the bot's log."
                .to_owned()
        }
        ErrorSummary::QuotaExceeded { why } => format!(
            "The team's share of the cluster is used up ({why}). Delete a session that you don't \
             need, choose a smaller size, or try again later."
        ),
        ErrorSummary::NotFound => {
            "The cluster lacks something that the bot needs. An admin can find the details in its log."
                .to_owned()
        }
        ErrorSummary::Conflict => "Another change came first. Try again.".to_owned(),
        ErrorSummary::Disk { why } => format!(
            "The bot can't read or write a file on its disk ({why}). An admin can find the details \
             in its log."
        ),
        ErrorSummary::Discord => {
            "Discord did not answer as expected. Try again later.".to_owned()
        }
        ErrorSummary::NotAuthenticated => {
            "The cluster doesn't accept the bot's Kubernetes credentials. An admin has to check its \
             service account."
                .to_owned()
        }
        ErrorSummary::TimedOut => {
            "The cluster did not answer in time. Try again later.".to_owned()
        }
        ErrorSummary::Unreachable => {
            "The bot can't reach the cluster right now. Try again later.".to_owned()
        }
        ErrorSummary::Session => {
            "The session did not respond as expected. Try again later.".to_owned()
        }
        ErrorSummary::StillStopping { id } => {
            format!("Session {id} is still being stopped. Try again later.")
        }
        ErrorSummary::NotInSettings { what, name } => {
            format!("The {what} {name} is no longer in the settings. Choose another one.")
        }
        ErrorSummary::Other => {
            "Something on the cluster did not work. Try again later. If this happens again, tell an admin."
                .to_owned()
        }
    }
}

#[cfg(test)]
mod tests;
