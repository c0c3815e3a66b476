//! Diagnostics: the results of `duckbot check`.

use std::fmt;

use serde::Serialize;

/// A result of `duckbot check`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Name of the thing that was checked.
    #[serde(rename = "what")]
    pub subject: String,
    #[serde(rename = "state")]
    pub status: DiagnosticStatus,
    /// Result of the check and, after a failure, how to fix it.
    #[serde(rename = "says")]
    pub message: String,
}

/// The status of a diagnostic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DiagnosticStatus {
    #[serde(rename = "fine")]
    Ok,
    /// Nothing fails yet, but somebody should act.
    #[serde(rename = "warning")]
    Warning,
    /// The problem must be fixed.
    #[serde(rename = "wrong")]
    Failed,
}

impl Diagnostic {
    /// Creates a diagnostic for something that is fine.
    pub fn ok(subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            subject: subject.into(),
            status: DiagnosticStatus::Ok,
            message: message.into(),
        }
    }

    /// Creates a diagnostic for something that works and needs attention. `message` says how to fix it.
    pub fn warning(subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            status: DiagnosticStatus::Warning,
            ..Self::ok(subject, message)
        }
    }

    /// Creates a diagnostic for a problem. `message` says how to fix it.
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
            DiagnosticStatus::Warning => "warn ",
            DiagnosticStatus::Failed => "WRONG",
        };
        write!(f, "{mark} {}: {}", self.subject, self.message)
    }
}
