//! `duckbot duckdb` with a real DuckDB, a real Iceberg catalog and an S3 server that checks
//! signatures.

mod access;
mod answers;
mod asked_texts;
mod asking;
mod comments;
mod control;
mod examining;
mod fence;
mod full_disk;
mod iceberg;
mod life;
mod names;
mod parquet;
mod problems;
mod quoting;
mod statements;
mod unreadable;
mod values;
mod vended;
mod work;
