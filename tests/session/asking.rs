//! The process that answers queries from the chat, asked as the bot asks it.

use std::{collections::HashMap, path::Path, process::Stdio};

use serde_json::{Value, json};
use test_support::{command, lake, tools};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout},
};

const KEY: [&str; 2] = ["AKIAASKING", "a-secret-of-one-who-asks-duckdb"];

/// A running `duckbot duckdb --ask`.
pub struct Asker {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    /// Requests have these fields besides the query.
    pub request: Value,
}

impl Asker {
    /// Starts it for a session with this home. The working folder is `folder`.
    pub fn start(home: &Path, folder: &Path) -> Self {
        Self::start_with(home, folder, &[])
    }

    /// Same as [`Self::start`], with other variables.
    pub fn start_with(home: &Path, folder: &Path, others: &[(&str, &str)]) -> Self {
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let lake = lake();
        lake.s3.add_key(KEY[0], KEY[1]);
        let variables = [
            ("HOME", text(home)),
            ("DUCKDB_PROGRAM", text(&tools::duckdb().join("duckdb"))),
            (
                "DUCKDB_EXTENSIONS",
                text(&tools::duckdb().join("extensions")),
            ),
            ("DUCKDB_MEMORY", "1024".into()),
            ("DUCKDB_THREADS", "1".into()),
            ("DUCKDB_DISK", "10000".into()),
            ("CATALOG_NAME", "lake".into()),
            ("CATALOG_ENDPOINT", lake.catalog.clone()),
            ("S3_ENDPOINT", lake.s3.url()),
            ("S3_REGION", "us-east-1".into()),
            ("S3_PATH_STYLE", "true".into()),
            ("S3_ACCESS_KEY_ID", KEY[0].into()),
            ("S3_SECRET_ACCESS_KEY", KEY[1].into()),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value));
        let mut variables = HashMap::from(variables);
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        variables.extend(others.iter().map(owned));
        let mut child = command(&["duckdb", "--ask"], &variables)
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            input: child.stdin.take().unwrap(),
            output: BufReader::new(child.stdout.take().unwrap()).lines(),
            child,
            request: json!({
                "rows": 100, "bytes": 1_000_000, "cells": 10_000, "seconds": 60,
                "writes": true, "keep": true
            }),
        }
    }

    /// Sends a query without waiting for the response.
    pub async fn send(&mut self, sql: &str) {
        let mut request = self.request.clone();
        request["sql"] = sql.into();
        let line = format!("{request}\n");
        self.input.write_all(line.as_bytes()).await.unwrap();
    }

    /// Runs a query, and returns the response.
    pub async fn ask(&mut self, sql: &str) -> Value {
        self.send(sql).await;
        let line = self.output.next_line().await.unwrap();
        let line = line.unwrap_or_else(|| panic!("{sql}: no response"));
        serde_json::from_str(&line).unwrap_or_else(|why| panic!("{sql}: {why}: {line}"))
    }

    /// Returns the process IDs of the DuckDBs that were started.
    pub fn duckdbs(&self) -> Vec<String> {
        let own = self.child.id().unwrap();
        let path = format!("/proc/{own}/task/{own}/children");
        let children = std::fs::read_to_string(path).unwrap_or_default();
        children.split_whitespace().map(str::to_owned).collect()
    }

    /// Closes the input, and waits for the end of the process.
    pub async fn end(self) {
        drop(self.input);
        let mut child = self.child;
        child.wait().await.unwrap();
    }
}
