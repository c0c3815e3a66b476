//! Calls to the API server: their time limit, their number, and the meaning of their failures.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use kube::{Client, core::Status, runtime::watcher};
use tokio::time::{sleep, timeout};
use tracing::warn;

use crate::{concurrency::ConcurrencyLimit, error::Error, metrics};

/// Default time limit of one call, including the client's own retries (see `connect::Clients`).
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Maximum number of concurrent calls, and how many slow ones are let go on beside them. Each has its own
/// connection, so the calls for a thousand sessions at once would take more memory than the view of these
/// sessions.
const MAX_CONCURRENT_CALLS: [usize; 2] = [32, 256];

/// Access to an API server, with limits on concurrent calls and on the time of each.
#[derive(Clone)]
pub struct ApiServer {
    client: Client,
    limit: Arc<ConcurrencyLimit>,
    time_limit: Duration,
}

/// Action of a call, as RBAC names it.
#[derive(Debug, Clone, Copy)]
pub(super) struct ApiAction<'a> {
    verb: &'static str,
    resource: &'a str,
    namespace: &'a str,
    sensitive: bool,
}

impl<'a> ApiAction<'a> {
    /// Creates an action, for example from `create`, `pods` and `duckbot-sessions`.
    pub(super) fn new(verb: &'static str, resource: &'a str, namespace: &'a str) -> Self {
        Self {
            verb,
            resource,
            namespace,
            sensitive: false,
        }
    }

    /// Marks the call as sensitive. Its errors omit the server's message, which may quote the
    /// request.
    pub(super) fn sensitive(self) -> Self {
        Self {
            sensitive: true,
            ..self
        }
    }

    /// Translates an error response of the API server.
    fn status_error(&self, status: &Status) -> Error {
        let action = self.to_string();
        let why = if self.sensitive {
            format!("{} {}", status.code, status.reason)
        } else {
            format!("{} {}", status.code, status.message)
        };
        match status.code {
            401 => Error::NotAuthenticated { action },
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
            // The object may well be accepted.
            400 if status.message.ends_with("does not support dry run") => {
                Error::Unavailable { action, why }
            }
            409 if status.reason == "AlreadyExists" => Error::Exists { action },
            409 => Error::Conflict { action },
            400 | 403 | 422 => Error::Refused { action, why },
            429 | 500..=599 => Error::Unreachable { action, why },
            _ => Error::Unavailable { action, why },
        }
    }

    fn call_error(&self, error: &kube::Error) -> Error {
        match error {
            kube::Error::Api(status) => self.status_error(status),
            other => {
                let action = self.to_string();
                let why = if self.sensitive {
                    "no valid response".into()
                } else {
                    error_chain(other)
                };
                match other {
                    kube::Error::Service(_) | kube::Error::HyperError(_) => {
                        Error::Unreachable { action, why }
                    }
                    _ => Error::Unavailable { action, why },
                }
            }
        }
    }
}

impl fmt::Display for ApiAction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} in {}", self.verb, self.resource, self.namespace)
    }
}

/// Extracts the verb that RBAC denies. Returns None for another 403, such as admission's. The verb
/// may differ from the call's: an apply that creates an object needs `create`.
fn denied_verb(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("cannot ")?;
    let (verb, _) = rest.split_once(" resource ")?;
    (!verb.contains(' ')).then_some(verb)
}

/// Extracts the amounts from a quota error: `requested: …, used: …, limited: …`.
fn exceeded_quota(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("exceeded quota: ")?;
    let (_, amounts) = rest.split_once(", ")?;
    Some(amounts)
}

impl ApiServer {
    pub(super) fn new(client: Client) -> Self {
        Self {
            client,
            limit: Arc::new(ConcurrencyLimit::new(MAX_CONCURRENT_CALLS)),
            time_limit: CALL_TIMEOUT,
        }
    }

    /// Sets another time limit of one call.
    pub(super) fn with_time_limit(self, time_limit: Duration) -> Self {
        Self { time_limit, ..self }
    }

    /// Returns the client, to prepare calls with.
    pub(super) fn client(&self) -> Client {
        self.client.clone()
    }

    /// Namespace of the bot itself.
    pub(super) fn default_namespace(&self) -> &str {
        self.client.default_namespace()
    }

    /// Waits until this bot makes no call, with those that wait for a place.
    pub(super) async fn until_idle(&self) {
        self.limit.until_idle().await;
    }

    /// Makes a call, as soon as [`MAX_CONCURRENT_CALLS`] allows. The time limit counts from then.
    pub(super) async fn call<T>(
        &self,
        action: ApiAction<'_>,
        answer: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, Error> {
        let queued = Instant::now();
        let call = async {
            metrics::record_kubernetes_queue(queued.elapsed());
            let begin = Instant::now();
            (timeout(self.time_limit, answer).await, begin.elapsed())
        };
        let (answer, took) = self.limit.run(call).await;
        let outcome = match answer {
            Ok(answer) => answer.map_err(|error| action.call_error(&error)),
            Err(_) => Err(Error::TimedOut {
                action: action.to_string(),
                after: self.time_limit,
            }),
        };
        let counted = match &outcome {
            // A conflict is a normal result: records are locked this way.
            Ok(_) | Err(Error::Exists { .. } | Error::Conflict { .. }) => "done",
            // The object to delete or to read may be gone.
            Err(Error::Unknown { .. }) if matches!(action.verb, "delete" | "get") => "done",
            Err(error) if error.is_permanent() => "refused",
            Err(_) => "failed",
        };
        metrics::record_kubernetes_request(action.verb, action.resource, counted, took);
        outcome
    }
}

/// Makes the calls that a start needs. A failure that may pass ends the start only if it is not `patient`.
/// Otherwise they are repeated, with pauses that grow to 30 s.
///
/// # Errors
/// If they fail for good, or the first time if not `patient`.
pub(super) async fn until_answered<T>(
    patient: bool,
    call: impl AsyncFn() -> Result<T, Error>,
) -> Result<T, Error> {
    let mut pauses = watcher::DefaultBackoff::default();
    loop {
        match call().await {
            Err(error) if patient && !error.is_permanent() => {
                warn!("the start waits for the Kubernetes API, and tries again: {error}");
                sleep(pauses.next().unwrap_or_default()).await;
            }
            outcome => return outcome,
        }
    }
}

/// Formats an error with its causes, because kube's own text often omits the useful one.
pub(super) fn error_chain(error: &dyn std::error::Error) -> String {
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
