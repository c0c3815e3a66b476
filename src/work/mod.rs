//! Saved work: the notebooks and tables that outlive a session.

mod location;

pub use crate::session::{Restored, SaveFailure, SaveFailureReason, SaveSummary, WorkReport};
pub use location::WorkLocation;
