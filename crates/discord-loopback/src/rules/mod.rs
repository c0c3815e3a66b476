//! Discord's limits that its API description does not contain, one file per kind of body. Pure.

pub(crate) mod commands;
pub(crate) mod interactions;
pub(crate) mod messages;
