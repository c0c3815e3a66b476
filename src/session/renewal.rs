//! Outcome of new credentials in a session. Pure.

/// Outcome of new credentials in one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Renewal {
    /// The session uses them.
    Done,
    /// The session has them, but its catalog is detached. Holds DuckDB's error.
    Detached(String),
    /// The session is not ready, and gets them when it is.
    Pending,
    /// The session's image is too old. It keeps the previous ones.
    NotSupported,
    /// The session could not be reached, so it may have either.
    Unreachable,
    /// The session keeps the previous ones, for this reason.
    Refused(String),
    /// The session keeps the previous ones, because the new ones lack what its catalog requires.
    Incomplete,
}

impl Renewal {
    /// Returns true if the session has the new credentials.
    pub(crate) fn is_taken(&self) -> bool {
        matches!(self, Self::Done | Self::Detached(_))
    }

    /// Label for the audit log.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Detached(_) => "detached",
            Self::Pending => "pending",
            Self::NotSupported => "not_supported",
            Self::Unreachable => "unreachable",
            Self::Refused(_) => "refused",
            Self::Incomplete => "incomplete",
        }
    }
}
