//! What the catalog answers when it can't do what it is asked: `IcebergErrorResponse`.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;

/// A status, Iceberg's name for it, and a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogError {
    pub status: StatusCode,
    pub kind: &'static str,
    pub message: String,
}

pub type CatalogResult<T> = Result<T, CatalogError>;

impl CatalogError {
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BadRequestException", message)
    }

    pub fn no_namespace(name: &str) -> Self {
        let message = format!("There is no namespace {name}");
        Self::new(StatusCode::NOT_FOUND, "NoSuchNamespaceException", message)
    }

    pub fn no_table(namespace: &str, name: &str) -> Self {
        let message = format!("There is no table {namespace}.{name}");
        Self::new(StatusCode::NOT_FOUND, "NoSuchTableException", message)
    }

    pub fn no_route(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NoSuchRouteException", message)
    }

    pub fn exists(what: impl Into<String>) -> Self {
        let message = format!("{} exists already", what.into());
        Self::new(StatusCode::CONFLICT, "AlreadyExistsException", message)
    }

    pub fn not_empty(namespace: &str) -> Self {
        let message = format!("The namespace {namespace} has tables");
        Self::new(StatusCode::CONFLICT, "NamespaceNotEmptyException", message)
    }

    /// Somebody else was faster; the client may look again and retry.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "CommitFailedException", message)
    }

    /// The fault is here: a disk that is full, most likely.
    pub fn internal(error: &anyhow::Error) -> Self {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Self::new(status, "InternalServerError", format!("{error:#}"))
    }

    fn new(status: StatusCode, kind: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            kind,
            message: message.into(),
        }
    }
}

impl From<anyhow::Error> for CatalogError {
    fn from(error: anyhow::Error) -> Self {
        Self::internal(&error)
    }
}

impl IntoResponse for CatalogError {
    fn into_response(self) -> Response {
        let Self {
            status,
            kind,
            message,
        } = self;
        let error = json!({ "message": message, "type": kind, "code": status.as_u16() });
        (status, Json(json!({ "error": error }))).into_response()
    }
}
