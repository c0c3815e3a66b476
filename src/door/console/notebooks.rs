//! The notebooks, in the session's own database: they are part of its saved work.

use chrono::{DateTime, SecondsFormat};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    answer::{Reply, write_limited},
    client::{MAX_ANSWER_BYTES, ReadError},
    problem::Problem,
    running::MAX_NAME_BYTES,
    state::Console,
};
use crate::door::decode::Table;
use crate::duckdb::names::literal;

/// Table of the notebooks.
const TABLE: &str = "work.duckbot.notebooks";
/// Maximum number of notebooks in the list.
const MAX_LISTED: usize = 1000;
/// Length at which a title is cut.
const MAX_TITLE_BYTES: usize = 1000;
/// Number of attempts of a save that meets another one.
const MAX_ATTEMPTS: usize = 5;

#[derive(Serialize, Deserialize)]
struct Cell {
    id: String,
    kind: CellKind,
    text: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum CellKind {
    Sql,
    Text,
}

#[derive(Deserialize)]
pub(super) struct IdInput {
    id: String,
}

#[derive(Deserialize)]
pub(super) struct SaveInput {
    id: String,
    title: String,
    cells: Vec<Cell>,
    /// Version that the page has read. 0 for a new notebook.
    version: i64,
}

#[derive(Serialize)]
struct Notebook<'a> {
    id: &'a str,
    title: &'a str,
    cells: Vec<Cell>,
    version: i64,
}

impl Console {
    /// Lists the notebooks, the last changed first.
    pub(super) async fn notebooks(&self) -> Result<Reply, Problem> {
        let sql = format!(
            "SELECT id, title, epoch_ms(changed)::VARCHAR, TRY(json_array_length(cells))::VARCHAR \
             FROM {TABLE} ORDER BY changed DESC NULLS LAST LIMIT {MAX_LISTED}"
        );
        let write = |table: &Table<'_>| {
            let number = |row, column| table.value(row, column)?.parse::<i64>().ok();
            let listed = |row| {
                let changed = number(row, 2).and_then(DateTime::from_timestamp_millis);
                let changed = changed.map(|it| it.to_rfc3339_opts(SecondsFormat::Millis, true));
                json!({
                    "id": table.value(row, 0), "title": table.value(row, 1), "changed": changed,
                    "cells": number(row, 3).unwrap_or_default(),
                })
            };
            let listed: Vec<_> = (0..table.rows()).map(listed).collect();
            json!({ "notebooks": listed })
        };
        match self.client.reply(&sql, write).await {
            Err(problem) if is_without_table(&problem) => {
                Ok(Reply::of(&json!({ "notebooks": [] })))
            }
            outcome => outcome,
        }
    }

    /// Returns a notebook.
    pub(super) async fn notebook(&self, input: IdInput) -> Result<Reply, Problem> {
        let id = &input.id;
        let sql = format!(
            "SELECT title, version::VARCHAR, cells FROM {TABLE} WHERE id = {}",
            literal(id)
        );
        // The cells are there three times: as DuckDB's answer, as cells, and as JSON.
        let write = |table: &Table<'_>| {
            let version = table.value(0, 1)?.parse().ok()?;
            let cells = serde_json::from_str(table.value(0, 2).unwrap_or("[]")).ok();
            let title = table.value(0, 0).unwrap_or_default();
            Some(cells.and_then(|cells| {
                let notebook = Notebook {
                    id,
                    title,
                    cells,
                    version,
                };
                write_limited(&notebook, 2 * MAX_ANSWER_BYTES)
            }))
        };
        match self.client.read(&sql, 2, write).await {
            Ok((Some(Some(json)), permit)) => Ok(Reply::large(json, permit)),
            Ok((Some(None), _)) | Err(ReadError::TooLarge) => Err(Problem::unreadable_notebook()),
            Ok((None, _)) => Err(Problem::no_notebook()),
            Err(ReadError::Problem(problem)) if is_without_table(&problem) => {
                Err(Problem::no_notebook())
            }
            Err(ReadError::Problem(problem)) => Err(problem),
        }
    }

    /// Saves a notebook, unless another tab has saved it since it was read.
    pub(super) async fn save(&self, input: SaveInput) -> Result<Reply, Problem> {
        let SaveInput {
            id,
            mut title,
            cells,
            version: replaced,
        } = input;
        if id.is_empty() || id.len() > MAX_NAME_BYTES || id.contains('\0') {
            return Err(Problem::invalid("the notebook has no valid ID"));
        }
        // A NUL can't be in SQL.
        title.retain(|c| c != '\0');
        title.truncate(title.floor_char_boundary(MAX_TITLE_BYTES));
        // A large notebook is there several times while it is saved.
        let _others_wait = self.saving.lock().await;
        let json = serde_json::to_string(&cells).expect("cells serialize to JSON");
        drop(cells);
        let cells = literal(&json);
        drop(json);
        let [id, title] = [&id, &title].map(|it| literal(it));
        let sql = match replaced {
            0 => format!(
                "CREATE SCHEMA IF NOT EXISTS work.duckbot; \
                 CREATE TABLE IF NOT EXISTS {TABLE} (id VARCHAR PRIMARY KEY, title VARCHAR, \
                 cells VARCHAR, version BIGINT, changed TIMESTAMPTZ); \
                 INSERT INTO {TABLE} VALUES ({id}, {title}, {cells}, 1, now()) \
                 RETURNING version::VARCHAR"
            ),
            version => format!(
                "UPDATE {TABLE} SET title = {title}, cells = {cells}, version = version + 1, \
                 changed = now() WHERE id = {id} AND version = {version} RETURNING version::VARCHAR"
            ),
        };
        drop(cells);
        let mut attempt = 1;
        loop {
            match self.client.query(&sql, read_version).await {
                Ok(Some(version)) => return Ok(Reply::of(&json!({ "version": version }))),
                Ok(None) => break,
                // Another tab saves at the same time.
                Err(problem) if problem.exception == "TransactionContext" => {
                    if attempt == MAX_ATTEMPTS {
                        return Err(problem);
                    }
                    attempt += 1;
                }
                Err(problem) if problem.exception == "Constraint" => break,
                Err(problem) if replaced != 0 && is_without_table(&problem) => break,
                Err(problem) => return Err(problem),
            }
        }
        let sql = format!("SELECT version::VARCHAR FROM {TABLE} WHERE id = {id}");
        let version = match self.client.query(&sql, read_version).await {
            Err(problem) if is_without_table(&problem) => None,
            outcome => outcome?,
        };
        Err(Problem::changed_notebook(version.unwrap_or_default()))
    }

    /// Deletes a notebook, if it is there.
    pub(super) async fn delete(&self, input: IdInput) -> Result<Reply, Problem> {
        let sql = format!("DELETE FROM {TABLE} WHERE id = {}", literal(&input.id));
        match self.client.execute(&sql).await {
            Err(problem) if is_without_table(&problem) => {}
            outcome => outcome?,
        }
        Ok(Reply::empty())
    }
}

fn read_version(table: &Table<'_>) -> Option<i64> {
    table.value(0, 0)?.parse().ok()
}

/// Returns true if nothing was saved yet.
fn is_without_table(problem: &Problem) -> bool {
    problem.exception == "Catalog"
}
