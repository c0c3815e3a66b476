//! The bodies of requests: JSON objects, field by field, so that all that is wrong is said at
//! once, and nothing of what was sent is repeated.

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::header,
};
use secrecy::{SecretString, zeroize::Zeroize};
use serde_json::{Map, Value};

use super::problem::{FieldError, Problem, ProblemType};

/// A body that is read field by field; what nobody asked for is a mistake.
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
        let bytes = Bytes::from_request(request, state).await.map_err(|why| {
            match why.status().as_u16() {
                413 => Problem::new(
                    ProblemType::TooLarge,
                    "The body is larger than anything needs.",
                ),
                _ => Problem::new(ProblemType::InvalidRequest, "The body could not be read."),
            }
        })?;
        Self::new(kind.as_deref(), &bytes)
    }
}

impl Body {
    /// A body of that media type; an empty one is one without fields.
    ///
    /// # Errors
    /// If it is no JSON object, or isn't said to be one.
    pub fn new(kind: Option<&str>, bytes: &[u8]) -> Result<Self, Problem> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let kind = kind.and_then(|it| it.split(';').next());
        if !kind.is_some_and(|it| it.trim().eq_ignore_ascii_case("application/json")) {
            let says = "Send JSON, and the header Content-Type: application/json.";
            return Err(Problem::new(ProblemType::UnsupportedMediaType, says));
        }
        match serde_json::from_slice(bytes) {
            Ok(Value::Object(fields)) => Ok(Self {
                fields,
                errors: Vec::new(),
            }),
            // What serde says of it quotes it.
            _ => Err(Problem::new(
                ProblemType::InvalidRequest,
                "The body is no JSON object.",
            )),
        }
    }

    /// Notes that a field is wrong.
    pub fn reject_field(&mut self, field: &str, detail: impl Into<String>) {
        self.errors.push(FieldError {
            field: field.to_owned(),
            detail: detail.into(),
        });
    }

    /// Whether that was noted of a field.
    pub fn has_error(&self, field: &str) -> bool {
        self.errors.iter().any(|error| error.field == field)
    }

    /// Takes a text.
    pub fn text(&mut self, field: &str) -> Option<String> {
        match self.fields.remove(field)? {
            Value::String(text) => Some(text),
            _ => {
                self.reject_field(field, "is to be a text");
                None
            }
        }
    }

    /// Takes a text of which only the caller knows what it says.
    pub fn secret(&mut self, field: &str) -> Option<SecretString> {
        let mut text = self.text(field)?;
        let secret = SecretString::from(text.trim());
        text.zeroize();
        Some(secret)
    }

    /// Takes yes or no; nothing is no.
    pub fn flag(&mut self, field: &str) -> bool {
        match self.fields.remove(field) {
            None => false,
            Some(Value::Bool(yes)) => yes,
            Some(_) => {
                self.reject_field(field, "is to be true or false");
                false
            }
        }
    }

    /// Ends reading.
    ///
    /// # Errors
    /// All that is wrong, with every field that does not exist.
    pub fn finish(mut self) -> Result<(), Problem> {
        let unknown: Vec<_> = self.fields.keys().cloned().collect();
        for field in unknown {
            let name: String = field.chars().take(40).collect();
            self.reject_field(&name, "there is no such field");
        }
        match self.errors.is_empty() {
            true => Ok(()),
            false => Err(Problem::fields(self.errors)),
        }
    }
}
