//! A real DuckDB with its UI, as a process.

use std::process::Stdio;

use tempfile::TempDir;
use tokio::{
    io::AsyncWriteExt,
    process::{Child, ChildStdin, Command},
};

use super::tools;

/// DuckDB with an open command line; it is killed when dropped.
pub struct DuckDb {
    _child: Child,
    input: ChildStdin,
    _home: TempDir,
}

impl DuckDb {
    /// Starts it; its UI server is not up yet.
    pub async fn start() -> Self {
        let folder = tools::duckdb();
        let home = TempDir::new().unwrap();
        // The ui extension wants it to be there.
        std::fs::create_dir(home.path().join(".duckdb")).unwrap();
        let mut child = Command::new(folder.join("duckdb"))
            .env("HOME", home.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut duckdb = Self {
            input: child.stdin.take().unwrap(),
            _child: child,
            _home: home,
        };
        let extensions = folder.join("extensions");
        let extensions = extensions.to_str().unwrap();
        duckdb
            .runs(&format!(
                "SET extension_directory = '{extensions}'; LOAD ui;"
            ))
            .await;
        duckdb
    }

    /// Runs a statement.
    pub async fn runs(&mut self, statement: &str) {
        self.input
            .write_all(format!("{statement}\n").as_bytes())
            .await
            .unwrap();
    }
}
