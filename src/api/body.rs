//! Request bodies: JSON objects, read field by field. So all errors are reported at once, and no
//! submitted value is repeated.

use std::time::Duration;

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::{StatusCode, header},
};
use secrecy::{SecretString, zeroize::Zeroize};
use serde_json::{Map, Value};
use tokio::time::timeout;

use super::problem::{FieldError, Problem, ProblemType};

/// Maximum time to receive a request's body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Body that is read field by field. Fields that are never read are errors.
#[derive(Default)]
pub struct Body {
    fields: Map<String, Value>,
    errors: Vec<FieldError>,
}

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let kind = request.headers().get(header::CONTENT_TYPE);
        let kind = kind.map(|it| it.to_str().unwrap_or_default().to_owned());
        let bytes = match timeout(BODY_TIMEOUT, Bytes::from_request(request, state)).await {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(why)) if why.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                let says =
                    "The body is larger than any request needs. Send only the documented fields.";
                return Err(Problem::new(ProblemType::TooLarge, says));
            }
            Ok(Err(_)) | Err(_) => {
                let says = "The body did not arrive completely. Send the request again.";
                return Err(Problem::new(ProblemType::InvalidRequest, says));
            }
        };
        Self::new(kind.as_deref(), &bytes)
    }
}

impl Body {
    /// Parses a body of media type `kind`. An empty body has no fields.
    ///
    /// # Errors
    /// If the body is not a JSON object, or the media type is not JSON.
    pub fn new(kind: Option<&str>, bytes: &[u8]) -> Result<Self, Problem> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let kind = kind.and_then(|it| it.split(';').next());
        if !kind.is_some_and(|it| it.trim().eq_ignore_ascii_case("application/json")) {
            let says = "Send JSON with the header Content-Type: application/json.";
            return Err(Problem::new(ProblemType::UnsupportedMediaType, says));
        }
        match serde_json::from_slice(bytes) {
            Ok(Value::Object(fields)) => Ok(Self {
                fields,
                errors: Vec::new(),
            }),
            // serde's message may quote the body, and the body may contain credentials.
            _ => Err(Problem::new(
                ProblemType::InvalidRequest,
                "The body is not a JSON object. GET /openapi.json describes all bodies.",
            )),
        }
    }

    /// Adds an error for a field.
    pub fn reject_field(&mut self, field: &str, detail: impl Into<String>) {
        self.errors.push(FieldError {
            field: field.to_owned(),
            detail: detail.into(),
        });
    }

    /// Returns true if the field has an error.
    pub fn has_error(&self, field: &str) -> bool {
        self.errors.iter().any(|error| error.field == field)
    }

    /// Takes a value of any type.
    pub fn take(&mut self, field: &str) -> Option<Value> {
        self.fields.remove(field)
    }

    /// Takes a string.
    pub fn text(&mut self, field: &str) -> Option<String> {
        match self.take(field)? {
            Value::String(text) => Some(text),
            _ => {
                self.reject_field(field, "must be a string");
                None
            }
        }
    }

    /// Takes a secret string, without whitespace around it.
    pub fn secret(&mut self, field: &str) -> Option<SecretString> {
        let mut text = self.text(field)?;
        let secret = SecretString::from(text.trim());
        text.zeroize();
        Some(secret)
    }

    /// Takes a boolean. A missing field is false.
    pub fn flag(&mut self, field: &str) -> bool {
        match self.take(field) {
            None => false,
            Some(Value::Bool(yes)) => yes,
            Some(_) => {
                self.reject_field(field, "must be true or false");
                false
            }
        }
    }

    /// Ends reading.
    ///
    /// # Errors
    /// Returns all errors, including one for each unknown field.
    pub fn finish(mut self) -> Result<(), Problem> {
        let unknown: Vec<_> = self.fields.keys().cloned().collect();
        for field in unknown {
            let name: String = field.chars().take(40).collect();
            self.reject_field(&name, "is unknown");
        }
        if self.errors.is_empty() {
            Ok(())
        } else {
            Err(Problem::fields(self.errors))
        }
    }
}
