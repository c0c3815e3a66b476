//! A real DuckDB with its UI, as a process.

use std::process::Stdio;

use tempfile::TempDir;
use tokio::{
    io::AsyncWriteExt,
    process::{Child, ChildStdin, Command},
};

use crate::{reserved_port::ReservedPort, tools, ui_client::UiClient};

/// DuckDB with an open command line. The process is killed on drop.
pub struct DuckDb {
    _child: Child,
    input: ChildStdin,
    _home: TempDir,
    _port: Option<ReservedPort>,
}

impl DuckDb {
    /// Starts DuckDB without its UI server.
    pub async fn start() -> Self {
        let folder = tools::duckdb();
        let home = TempDir::new().unwrap();
        // The `ui` extension requires this folder.
        std::fs::create_dir(home.path().join(".duckdb")).unwrap();
        let mut child = Command::new(folder.join("duckdb"))
            .env("HOME", home.path())
            // It writes temporary files into the folder in which it is started.
            .current_dir(home.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut duckdb = Self {
            input: child.stdin.take().unwrap(),
            _child: child,
            _home: home,
            _port: None,
        };
        let extensions = folder.join("extensions");
        let extensions = extensions.to_str().unwrap();
        duckdb
            .run(&format!(
                "SET extension_directory = '{extensions}'; LOAD ui;"
            ))
            .await;
        duckdb
    }

    /// Starts DuckDB with a reserved port for its UI server, which is not started yet.
    pub async fn start_at_port() -> (Self, u16) {
        let port = ReservedPort::reserve();
        let mut duckdb = Self::start().await;
        duckdb
            .run(&format!("SET ui_local_port = {};", port.number()))
            .await;
        let number = port.number();
        duckdb._port = Some(port);
        (duckdb, number)
    }

    /// Starts DuckDB with a UI server that answers. Returns it with its port.
    pub async fn start_ui() -> (Self, u16) {
        let (mut duckdb, port) = Self::start_at_port().await;
        duckdb.run("CALL start_ui_server();").await;
        assert!(UiClient::at(port, port).is_answering().await);
        (duckdb, port)
    }

    /// Runs a statement.
    pub async fn run(&mut self, statement: &str) {
        self.input
            .write_all(format!("{statement}\n").as_bytes())
            .await
            .unwrap();
    }
}
