//! Problem documents (RFC 9457). Their types are stable; their texts are for people.

mod ending;
mod preflight;
mod texts;

use std::time::Duration;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::json;

pub(super) use ending::ending_reason;
pub(super) use texts::value_error;

use crate::error::Error;

/// Type of a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProblemType {
    /// The request is malformed.
    InvalidRequest,
    /// Fields are missing, unknown or invalid.
    InvalidFields,
    /// The token is missing or unknown.
    Unauthorized,
    /// The token does not allow this.
    Forbidden,
    /// The path does not exist.
    NotFound,
    /// The token gives access to no session with this ID.
    NoSuchSession,
    /// The path does not support this method.
    MethodNotAllowed,
    TooLarge,
    /// The body is not JSON.
    UnsupportedMediaType,
    UnknownSize,
    UnknownCatalog,
    /// The storage or the catalog rejects the credentials.
    CredentialsRejected,
    /// The credentials could not be tested, because of the settings or a wrong clock.
    Misconfigured,
    /// The owner has stored no credentials, or they have expired.
    NoStoredCredentials,
    /// The owner has as many sessions as allowed.
    QuotaReached,
    /// An admin has paused starts.
    StartsPaused,
    /// The maximum number of sessions of all people together is reached.
    TotalReached,
    /// The owner has a session in this workspace.
    WorkspaceInUse,
    /// The session can't be opened yet.
    NotReady,
    /// The session can't be opened any more: the bot has lost its signing key.
    NoSigningKey,
    /// The session can't be extended.
    ExtensionLimitReached,
    /// The idempotency key was used for a different request.
    IdempotencyKeyReused,
    TooManyRequests,
    /// The cluster rejected the request.
    ClusterRefused,
    /// A part of the system fails or does not answer. A later attempt may succeed.
    Unavailable,
}

impl ProblemType {
    /// Last part of the type's URN, title, and status.
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
            Self::CredentialsRejected => (
                "keys-rejected",
                "Credentials rejected",
                S::UNPROCESSABLE_ENTITY,
            ),
            Self::Misconfigured => ("misconfigured", "Misconfigured", S::BAD_GATEWAY),
            Self::NoStoredCredentials => (
                "no-stored-credentials",
                "No stored credentials",
                S::CONFLICT,
            ),
            Self::QuotaReached => ("quota-reached", "Quota reached", S::CONFLICT),
            Self::StartsPaused => ("starts-paused", "Starts are paused", S::SERVICE_UNAVAILABLE),
            Self::TotalReached => ("total-reached", "Total reached", S::SERVICE_UNAVAILABLE),
            Self::WorkspaceInUse => ("workspace-in-use", "Workspace in use", S::CONFLICT),
            Self::NotReady => ("not-ready", "Not ready", S::CONFLICT),
            Self::NoSigningKey => ("no-key", "Signing key is gone", S::CONFLICT),
            Self::ExtensionLimitReached => ("no-more-time", "No more time", S::CONFLICT),
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

/// Problem to answer a request with.
#[derive(Debug, Clone)]
pub struct Problem {
    kind: ProblemType,
    detail: String,
    errors: Vec<FieldError>,
    retry_after: Option<Duration>,
    /// Error to log with the request ID. The caller gets that ID and a sentence.
    pub error: Option<Box<Error>>,
}

/// Error of one field. Never contains the field's value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// Name of the field.
    pub field: String,
    /// Rest of a sentence about the field, such as "must be a string".
    pub detail: String,
}

impl Problem {
    /// Creates a problem. `detail` is a sentence for people.
    pub fn new(kind: ProblemType, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            errors: Vec::new(),
            retry_after: None,
            error: None,
        }
    }

    /// Creates a problem from the errors of fields.
    pub fn fields(errors: Vec<FieldError>) -> Self {
        let names: Vec<_> = errors.iter().map(|it| it.field.as_str()).collect();
        let detail = format!("These fields are invalid: {}.", names.join(", "));
        Self {
            errors,
            ..Self::new(ProblemType::InvalidFields, detail)
        }
    }

    /// Adds a time after which the caller may try again.
    pub fn retry_after(self, retry_after: Duration) -> Self {
        Self {
            retry_after: Some(retry_after),
            ..self
        }
    }

    /// JSON document of the problem. `request` is the request ID.
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

    /// Response with the problem. `request` is the request ID.
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
    /// Leaves rendering to `super::auth::authenticate`, which knows the request ID.
    fn into_response(self) -> Response {
        let mut response = self.kind.facts().2.into_response();
        response.extensions_mut().insert(self);
        response
    }
}
