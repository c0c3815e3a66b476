//! Saved work: the notebooks and tables that outlive a session.

mod location;
mod report;

pub use location::WorkLocation;
pub use report::{Restored, SaveFailure, SaveFailureReason, SaveSummary, WorkReport};
