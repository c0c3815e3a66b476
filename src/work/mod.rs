//! Saved work: the notebooks and tables that outlive a session.
//!
//! - `location`: where a catalog's work is saved (pure)
//! - `manifest`: the document that makes a save complete (pure)
//! - `key`: the authentication of manifests
//! - `store`: the storage, S3 or a folder
//!
//! `session::work` has the reports about it, because records contain them.

mod key;
mod location;
mod manifest;
mod store;

pub use crate::session::{Restored, SaveFailure, SaveFailureReason, SaveSummary, WorkReport};
pub use key::{MasterKey, WorkKey};
pub use location::WorkLocation;
pub use manifest::{DuckDbVersion, FileName, Manifest, Place, SavedFile};
pub use store::{S3Access, StoreError, WorkStore};
