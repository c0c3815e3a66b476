//! Reasons why a run of a schedule failed. Pure.

use super::rejection::Rejection;
use crate::{
    error::{Error, new_reference},
    runtime::QueryResponse,
    schedule::RunFailure,
};

/// Reasons why a run failed, with what its owner is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunProblem {
    /// DuckDB answered with something else than rows.
    Answer(Box<QueryResponse>),
    /// The query was not run.
    Rejected(Box<Rejection>),
    /// The first column is no number but of this type, so it can't be compared with a limit.
    NotANumber(String),
    /// DuckDB could not compare the result, with its error. Empty for a statement whose result it does not
    /// keep.
    NotComparable(String),
    ChannelRefused,
    TextGone,
    /// The bot ended each time before the run did.
    Interrupted,
    /// Another part failed.
    Failed {
        error: Error,
        reference: String,
    },
}

impl RunProblem {
    pub(super) fn failed(error: Error) -> Self {
        let reference = new_reference();
        Self::Failed { error, reference }
    }

    /// Returns the part of it that is stored.
    pub(super) fn summary(&self) -> RunFailure {
        match self {
            Self::Answer(answer) => match **answer {
                QueryResponse::TimedOut => RunFailure::TimedOut,
                QueryResponse::Exited => RunFailure::Ended,
                _ => RunFailure::Query,
            },
            Self::Rejected(_) => RunFailure::Ended,
            Self::NotANumber(_) | Self::NotComparable(_) => RunFailure::Condition,
            Self::ChannelRefused => RunFailure::ChannelRefused,
            Self::TextGone => RunFailure::TextGone,
            Self::Interrupted => RunFailure::Interrupted,
            Self::Failed { reference, .. } => RunFailure::Other(reference.clone()),
        }
    }
}
