//! For trying the bot and for the tests; not in the production image.

// The plain data of the loopback says by its names what it is.
#![allow(missing_docs)]

pub mod discord;
