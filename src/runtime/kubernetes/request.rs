//! One call to the API server: its time limit, and what its failure means.

use std::{
    fmt,
    time::{Duration, Instant},
};

use kube::core::Status;
use tokio::sync::Semaphore;

use crate::{error::Error, metrics};

/// How long one call may take, the client's own retries included.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// How many calls are under way at a time. Each has a connection of its own, so those of a
/// thousand sessions at once would take more memory than the sessions.
const MAX_CONCURRENT_CALLS: usize = 32;
static REQUEST_PERMITS: Semaphore = Semaphore::const_new(MAX_CONCURRENT_CALLS);

/// What a call does, in RBAC's words.
#[derive(Debug, Clone, Copy)]
pub struct ApiAction<'a> {
    verb: &'static str,
    resource: &'a str,
    namespace: &'a str,
    sensitive: bool,
}

impl<'a> ApiAction<'a> {
    /// For example `create`, `pods`, `duckbot-sessions`.
    pub fn new(verb: &'static str, resource: &'a str, namespace: &'a str) -> Self {
        Self {
            verb,
            resource,
            namespace,
            sensitive: false,
        }
    }

    /// The server's words are not passed on: they may quote what it was sent.
    pub fn sensitive(self) -> Self {
        Self {
            sensitive: true,
            ..self
        }
    }

    /// What an answer that is an error means.
    fn status_error(&self, status: &Status) -> Error {
        let action = self.to_string();
        let why = match self.sensitive {
            true => format!("{} {}", status.code, status.reason),
            false => format!("{} {}", status.code, status.message),
        };
        match status.code {
            401 => Error::Unavailable {
                action,
                why: "the API server does not accept the bot's credentials".into(),
            },
            403 if let Some(verb) = denied_verb(&status.message) => Error::NotAllowed {
                verb: verb.to_owned(),
                resource: self.resource.to_owned(),
                namespace: self.namespace.to_owned(),
            },
            403 if let Some(why) = exceeded_quota(&status.message) => Error::QuotaExceeded {
                action,
                why: why.to_owned(),
            },
            404 => Error::Unknown { action, why },
            409 if status.reason == "AlreadyExists" => Error::Exists { action },
            409 => Error::Conflict { action },
            400 | 403 | 422 => Error::Refused { action, why },
            _ => Error::Unavailable { action, why },
        }
    }

    fn call_error(&self, error: &kube::Error) -> Error {
        match error {
            kube::Error::Api(status) => self.status_error(status),
            other => Error::Unavailable {
                action: self.to_string(),
                why: match self.sensitive {
                    true => "no usable answer".into(),
                    false => error_chain(other),
                },
            },
        }
    }
}

impl fmt::Display for ApiAction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} in {}", self.verb, self.resource, self.namespace)
    }
}

/// The verb that RBAC denies (admission answers 403 as well, in other words).
/// It need not be the one that was tried: an apply that creates needs `create`.
fn denied_verb(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("cannot ")?;
    let (verb, _) = rest.split_once(" resource ")?;
    (!verb.contains(' ')).then_some(verb)
}

/// What the quota admission says of amounts: `requested: …, used: …, limited: …`.
fn exceeded_quota(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("exceeded quota: ")?;
    let (_, amounts) = rest.split_once(", ")?;
    Some(amounts)
}

/// Makes a call, within [`CALL_TIMEOUT`] from when it has its turn.
pub async fn call<T>(
    action: ApiAction<'_>,
    answer: impl Future<Output = kube::Result<T>>,
) -> Result<T, Error> {
    // Nobody closes it.
    let _turn = REQUEST_PERMITS.acquire().await;
    let begin = Instant::now();
    let outcome = match tokio::time::timeout(CALL_TIMEOUT, answer).await {
        Ok(answer) => answer.map_err(|error| action.call_error(&error)),
        Err(_) => Err(Error::TimedOut {
            action: action.to_string(),
            after: CALL_TIMEOUT,
        }),
    };
    let counted = match &outcome {
        // Somebody else came first: part of how records are written.
        Ok(_) | Err(Error::Exists { .. } | Error::Conflict { .. }) => "done",
        // What is to go, and what is looked for, may be gone.
        Err(Error::Unknown { .. }) if matches!(action.verb, "delete" | "get") => "done",
        Err(error) if error.is_permanent() => "refused",
        Err(_) => "failed",
    };
    metrics::record_kubernetes_request(action.verb, action.resource, counted, begin.elapsed());
    outcome
}

/// An error with its causes: kube's own text often leaves the useful one out.
pub fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
