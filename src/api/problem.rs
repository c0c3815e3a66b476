//! What goes wrong, as RFC 9457 has it. The types are stable; texts are for people.

use std::time::Duration;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::json;

use crate::{
    credentials::preflight::{ErrorOrigin, PreflightError},
    error::Error,
    service::{self, Rejection},
};

/// Every kind of problem that there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProblemType {
    /// Not to be understood.
    InvalidRequest,
    /// A field that is not there, or is no such thing.
    InvalidFields,
    /// No token, or none that is known.
    Unauthorized,
    /// The token may not do that.
    Forbidden,
    /// No such address.
    NotFound,
    /// No session of theirs has that id.
    NoSuchSession,
    /// The address takes other methods.
    MethodNotAllowed,
    /// The body is too large.
    TooLarge,
    /// The body is no JSON.
    UnsupportedMediaType,
    /// No such size.
    UnknownSize,
    /// No such catalog.
    UnknownCatalog,
    /// The storage or the catalog does not take the keys.
    KeysRejected,
    /// The settings or a clock are wrong, so the keys could not be tried.
    Misconfigured,
    /// No keys are kept that could be used.
    NoStoredCredentials,
    /// All places are taken.
    QuotaReached,
    /// It is on its way.
    NotReady,
    /// It can't be opened any more.
    NoKey,
    /// It can't live longer.
    NoMoreTime,
    /// The same key with another request.
    IdempotencyKeyReused,
    /// Slower.
    TooManyRequests,
    /// The cluster turned it down.
    ClusterRefused,
    /// Something does not answer.
    Unavailable,
}

impl ProblemType {
    /// The end of its type, its title, its status.
    fn facts(self) -> (&'static str, &'static str, StatusCode) {
        use StatusCode as S;
        match self {
            Self::InvalidRequest => ("invalid-request", "Invalid request", S::BAD_REQUEST),
            Self::InvalidFields => ("invalid-fields", "Invalid fields", S::UNPROCESSABLE_ENTITY),
            Self::Unauthorized => ("unauthorized", "Unauthorized", S::UNAUTHORIZED),
            Self::Forbidden => ("forbidden", "Forbidden", S::FORBIDDEN),
            Self::NotFound => ("not-found", "Not found", S::NOT_FOUND),
            Self::NoSuchSession => ("no-such-session", "No such session", S::NOT_FOUND),
            Self::MethodNotAllowed => (
                "method-not-allowed",
                "Method not allowed",
                S::METHOD_NOT_ALLOWED,
            ),
            Self::TooLarge => ("too-large", "Too large", S::PAYLOAD_TOO_LARGE),
            Self::UnsupportedMediaType => (
                "unsupported-media-type",
                "Unsupported media type",
                S::UNSUPPORTED_MEDIA_TYPE,
            ),
            Self::UnknownSize => ("unknown-size", "Unknown size", S::UNPROCESSABLE_ENTITY),
            Self::UnknownCatalog => (
                "unknown-catalog",
                "Unknown catalog",
                S::UNPROCESSABLE_ENTITY,
            ),
            Self::KeysRejected => ("keys-rejected", "Keys rejected", S::UNPROCESSABLE_ENTITY),
            Self::Misconfigured => ("misconfigured", "Misconfigured", S::BAD_GATEWAY),
            Self::NoStoredCredentials => (
                "no-stored-credentials",
                "No stored credentials",
                S::CONFLICT,
            ),
            Self::QuotaReached => ("quota-reached", "Quota reached", S::CONFLICT),
            Self::NotReady => ("not-ready", "Not ready", S::CONFLICT),
            Self::NoKey => ("no-key", "No key to its door", S::CONFLICT),
            Self::NoMoreTime => ("no-more-time", "No more time", S::CONFLICT),
            Self::IdempotencyKeyReused => (
                "idempotency-key-reused",
                "Idempotency key reused",
                S::CONFLICT,
            ),
            Self::TooManyRequests => (
                "too-many-requests",
                "Too many requests",
                S::TOO_MANY_REQUESTS,
            ),
            Self::ClusterRefused => ("cluster-refused", "Cluster refused", S::BAD_GATEWAY),
            Self::Unavailable => ("unavailable", "Unavailable", S::SERVICE_UNAVAILABLE),
        }
    }
}

/// One problem.
#[derive(Debug, Clone)]
pub struct Problem {
    kind: ProblemType,
    detail: String,
    errors: Vec<FieldError>,
    retry_after: Option<Duration>,
    /// For the log; what the caller gets is its name.
    pub error: Option<Box<Error>>,
}

/// What is wrong with a field. Never what was in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// Which one.
    pub field: String,
    /// What is wrong with it.
    pub detail: String,
}

impl Problem {
    /// Of that kind, in a sentence.
    pub fn new(kind: ProblemType, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            errors: Vec::new(),
            retry_after: None,
            error: None,
        }
    }

    /// Some fields are wrong.
    pub fn fields(errors: Vec<FieldError>) -> Self {
        let names: Vec<_> = errors.iter().map(|it| it.field.as_str()).collect();
        let detail = format!("These fields need a change: {}.", names.join(", "));
        Self {
            errors,
            ..Self::new(ProblemType::InvalidFields, detail)
        }
    }

    /// The same, with when to try again.
    pub fn retry_after(self, retry_after: Duration) -> Self {
        Self {
            retry_after: Some(retry_after),
            ..self
        }
    }

    /// As a document; `request` names the request.
    pub fn document(&self, request: &str) -> serde_json::Value {
        let (slug, title, status) = self.kind.facts();
        let mut document = json!({
            "type": format!("urn:duckbot:problem:{slug}"),
            "title": title,
            "status": status.as_u16(),
            "detail": self.detail,
            "request_id": request,
        });
        if !self.errors.is_empty() {
            document["errors"] = json!(self.errors);
        }
        document
    }

    /// As an answer to the request with that name.
    pub fn to_response(&self, request: &str) -> Response {
        let (_, _, status) = self.kind.facts();
        let kind = [(header::CONTENT_TYPE, "application/problem+json")];
        let mut response = (status, kind, self.document(request).to_string()).into_response();
        let headers = response.headers_mut();
        if let Some(after) = self.retry_after {
            headers.insert(header::RETRY_AFTER, after.as_secs().into());
        }
        if self.kind == ProblemType::Unauthorized {
            let scheme = HeaderValue::from_static("Bearer");
            headers.insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}

impl IntoResponse for Problem {
    /// It is rendered where the request's name is known (`super::auth::authenticate`).
    fn into_response(self) -> Response {
        let mut response = self.kind.facts().2.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<service::ServiceError> for Problem {
    fn from(problem: service::ServiceError) -> Self {
        match problem {
            service::ServiceError::Rejected(rejection) => rejection.into(),
            service::ServiceError::UnusableCredentials(troubles) => {
                let texts: Vec<_> = troubles
                    .iter()
                    .map(|it| strip_markdown(&it.to_string()))
                    .collect();
                let kinds = troubles.iter().map(PreflightError::origin);
                let kind = match kinds.max().unwrap_or(ErrorOrigin::Credentials) {
                    ErrorOrigin::Credentials => ProblemType::KeysRejected,
                    ErrorOrigin::Settings => ProblemType::Misconfigured,
                    ErrorOrigin::Transient => ProblemType::Unavailable,
                };
                Self::new(kind, texts.join(" "))
            }
            service::ServiceError::Failed(error) => error.into(),
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let problem = match error.is_permanent() {
            true => Self::new(ProblemType::ClusterRefused, error.for_people()),
            false => {
                let again = Duration::from_secs(10);
                Self::new(ProblemType::Unavailable, error.for_people()).retry_after(again)
            }
        };
        Self {
            error: Some(Box::new(error)),
            ..problem
        }
    }
}

/// The chat's own words have buttons and commands in them.
impl From<Rejection> for Problem {
    fn from(rejection: Rejection) -> Self {
        let (kind, detail) = match rejection {
            Rejection::UnknownSize { known, .. } => {
                let detail = format!("There is no such size. There are: {}.", known.join(", "));
                (ProblemType::UnknownSize, detail)
            }
            Rejection::UnknownCatalog { known, .. } => {
                let known = known.join(", ");
                let detail =
                    format!("There is no such catalog, by name or URL. There are: {known}.");
                (ProblemType::UnknownCatalog, detail)
            }
            Rejection::CredentialsExpired(at) => {
                let detail = format!("The stored credentials expired at {}.", at.to_rfc3339());
                (ProblemType::NoStoredCredentials, detail)
            }
            Rejection::NoCredentials | Rejection::NothingKept | Rejection::CheckingIsOff => {
                let detail =
                    "The token's owner has handed in no credentials: /duck setup in the chat.";
                (ProblemType::NoStoredCredentials, detail.to_owned())
            }
            Rejection::QuotaReached { ids, limit } => {
                let ids = ids.join(", ");
                let detail =
                    format!("All {limit} places of this owner are taken ({ids}). Delete one.");
                (ProblemType::QuotaReached, detail)
            }
            Rejection::NotAnId(_)
            | Rejection::NoSuchSession(_)
            | Rejection::NotYours(..)
            | Rejection::NothingTo(_)
            | Rejection::SayWhich { .. }
            | Rejection::NothingToOpen => {
                let detail = "There is no such session of yours: it has ended, or never was.";
                (ProblemType::NoSuchSession, detail.to_owned())
            }
            Rejection::OtherWish => {
                let detail =
                    "This Idempotency-Key was used for another session, which is still there.";
                (ProblemType::IdempotencyKeyReused, detail.to_owned())
            }
            // Of questions, which nobody asks here.
            Rejection::AskingIsOff
            | Rejection::NothingToAsk
            | Rejection::NotYoursToAsk(_)
            | Rejection::NoQuestion
            | Rejection::Unseen(_)
            | Rejection::AskingAlready(_)
            | Rejection::UnknownTable { .. }
            | Rejection::TablesUnseen(_)
            | Rejection::NotYourButton(_)
            | Rejection::AdminsOnly => (
                ProblemType::Forbidden,
                "This token may not do that.".to_owned(),
            ),
            Rejection::NotYoursToOpen(_) => {
                let detail = "Nobody but its owner opens a session, not even an admin.";
                (ProblemType::Forbidden, detail.to_owned())
            }
            Rejection::NotADuration(_) => {
                let detail = "by is no length of time. Write it like 2h or 1h 30m.";
                (ProblemType::InvalidRequest, detail.to_owned())
            }
            Rejection::NothingStopsIt => {
                let detail = "Sessions are not stopped here for being idle or old.";
                (ProblemType::NoMoreTime, detail.to_owned())
            }
            Rejection::NoMoreTime { at, .. } => {
                let at = at.map(|at| format!("; it will be stopped at {}", at.to_rfc3339()));
                let at = at.unwrap_or_default();
                (
                    ProblemType::NoMoreTime,
                    format!("It can't be extended any more{at}."),
                )
            }
            Rejection::NotReady(_) => (ProblemType::NotReady, "It is not ready yet.".to_owned()),
            Rejection::NoKey(_) => {
                let detail = "The bot no longer has the key to it. Delete it, and make another.";
                (ProblemType::NoKey, detail.to_owned())
            }
        };
        Self::new(kind, detail)
    }
}

/// Without the chat's emphasis.
pub fn strip_markdown(text: &str) -> String {
    text.replace("**", "").replace('`', "")
}
