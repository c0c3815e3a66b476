//! For trying the bot and for the tests; not in the production image. Nothing here knows the bot.

// The plain data of the loopback says by its names what it is.

pub mod discord;
pub mod duckdb;
pub mod lake;
