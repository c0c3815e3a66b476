//! Saved work: the notebooks and tables that outlive a session.
//!
//! - `location`: where a catalog's work is saved (pure)
//! - `manifest`: the document that makes a save complete (pure)
//! - `key`: the authentication of manifests
//! - `report`: what a session tells the bot about its work (pure)
//! - `store`: the storage, S3 or a folder

mod key;
mod location;
mod manifest;
mod report;
mod store;

pub use key::WorkKey;
pub use location::WorkLocation;
pub use manifest::{DuckDbVersion, FileName, Manifest, NewManifest, Place, SavedFile};
pub use report::{Restored, SaveFailure, SaveFailureReason, SaveSummary, WorkReport};
pub use store::{S3Access, StoreError, WorkStore};
