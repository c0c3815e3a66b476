//! The fences around a session: what its owner's SQL must not reach.

mod neighbours;
mod query;
mod streams;
mod sweep;

use std::{fs, path::Path, process::Command};

use tempfile::TempDir;
use test_support::tools;

/// Text of all files outside of a fence.
const CANARY: &str = "the-canary-outside";

/// Folder with a secret that is stored as DuckDB stores them, below `.duckdb`.
fn folder_with_stored_secret() -> TempDir {
    let folder = TempDir::new().unwrap();
    let secret = "CREATE PERSISTENT SECRET planted (TYPE s3, KEY_ID 'AKIAPLANTED', \
                  SECRET 'a-planted-secret', SCOPE 's3://elsewhere');";
    let extensions = tools::duckdb().join("extensions");
    let sql = format!(
        "SET extension_directory = '{}'; LOAD httpfs; {secret}",
        extensions.display()
    );
    run_duckdb(folder.path(), &sql);
    assert!(fs::exists(folder.path().join(".duckdb/stored_secrets")).unwrap());
    folder
}

/// Runs statements in a DuckDB of its own.
fn run_duckdb(home: &Path, sql: &str) {
    let output = Command::new(tools::duckdb().join("duckdb"))
        .args(["-batch", "-bail", "-init", "/dev/null", "-c", sql])
        .env("HOME", home)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}
