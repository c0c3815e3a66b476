//! Stand-ins for Discord, the lake and DuckDB: for `duckbot sandbox` and the tests. They don't
//! depend on the bot, and are not in the production image.

pub mod discord;
pub mod duckdb;
pub mod lake;
