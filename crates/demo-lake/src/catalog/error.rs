//! Error responses of the catalog (`IcebergErrorResponse`).

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;

/// Error with its HTTP status, Iceberg's name for it, and a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CatalogError {
    pub status: StatusCode,
    pub kind: &'static str,
    pub message: String,
}

pub(super) type CatalogResult<T> = Result<T, CatalogError>;

impl CatalogError {
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BadRequestException", message)
    }

    pub(crate) fn no_namespace(name: &str) -> Self {
        let message = format!("There is no namespace {name}");
        Self::new(StatusCode::NOT_FOUND, "NoSuchNamespaceException", message)
    }

    pub(crate) fn no_table(namespace: &str, name: &str) -> Self {
        let message = format!("There is no table {namespace}.{name}");
        Self::new(StatusCode::NOT_FOUND, "NoSuchTableException", message)
    }

    pub(crate) fn no_route(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NoSuchRouteException", message)
    }

    pub(crate) fn exists(what: impl Into<String>) -> Self {
        let message = format!("{} already exists", what.into());
        Self::new(StatusCode::CONFLICT, "AlreadyExistsException", message)
    }

    pub(crate) fn not_empty(namespace: &str) -> Self {
        let message = format!("The namespace {namespace} is not empty: it has tables");
        Self::new(StatusCode::CONFLICT, "NamespaceNotEmptyException", message)
    }

    /// Another commit came first; the client may reload the table and retry.
    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "CommitFailedException", message)
    }

    /// The catalog itself failed, for example because the disk is full.
    pub(crate) fn internal(error: &anyhow::Error) -> Self {
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
