//! What `duckbot check` finds out.

use std::fmt;

use serde::Serialize;

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// What was looked at.
    #[serde(rename = "what")]
    pub subject: String,
    /// How it is.
    #[serde(rename = "state")]
    pub status: DiagnosticStatus,
    /// What was found, and what to do about it.
    #[serde(rename = "says")]
    pub message: String,
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DiagnosticStatus {
    /// As it should be.
    #[serde(rename = "fine")]
    Ok,
    /// It must be mended.
    #[serde(rename = "wrong")]
    Failed,
}

impl Diagnostic {
    /// As it should be.
    pub fn ok(subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            subject: subject.into(),
            status: DiagnosticStatus::Ok,
            message: message.into(),
        }
    }

    /// To be mended; how, stands in `message`.
    pub fn failed(subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            status: DiagnosticStatus::Failed,
            ..Self::ok(subject, message)
        }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.status {
            DiagnosticStatus::Ok => "ok   ",
            DiagnosticStatus::Failed => "WRONG",
        };
        write!(f, "{mark} {}: {}", self.subject, self.message)
    }
}
