//! An Iceberg REST catalog and its storage: the rules for their names and addresses, and the tables
//! of a catalog.
//!
//! The settings, the preflight check and sessions share [`values`], so a value that the settings
//! accept works in a session. [`config`] and [`listing`] follow what DuckDB does: DuckDB can list
//! tables too, but not within a time limit, and either all of them or none.

pub mod client;
pub mod config;
pub mod listing;
pub mod values;
