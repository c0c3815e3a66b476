//! A question to DuckDB and its answer, as they pass between the bot and whoever asks DuckDB
//! ([`super::query_worker`]). Pure.

use std::{collections::HashMap, fmt};

use serde::{Deserialize, Serialize};

/// What is asked. It has no `Debug`: there may be keys in it, and its text is the person's.
#[derive(Clone, Serialize, Deserialize)]
pub struct QueryRequest {
    /// What the person typed.
    pub sql: String,
    /// The most rows that are of use.
    #[serde(rename = "rows")]
    pub max_rows: u32,
    /// The most bytes of values that are of use.
    #[serde(rename = "bytes")]
    pub max_bytes: u32,
    /// How long it may take, in seconds, from when DuckDB is started.
    #[serde(rename = "seconds")]
    pub timeout_seconds: u32,
    /// Whether other statements than SELECT are run.
    #[serde(rename = "writes")]
    pub allow_writes: bool,
    /// What a session is told by its environment, where that is not at hand.
    #[serde(default)]
    pub variables: HashMap<String, String>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueryResponse {
    /// Rows came.
    Rows(Rows),
    /// It was done, and there are no rows: it was no SELECT.
    Done {
        /// How long DuckDB took.
        milliseconds: u64,
    },
    /// It was undone: it began a transaction and did not end it.
    NotCommitted,
    /// It is no SELECT, says DuckDB.
    NotSelect,
    /// There are that many statements.
    #[serde(rename = "several")]
    MultipleStatements(usize),
    /// DuckDB says what is wrong with it.
    #[serde(rename = "wrong")]
    Error(QueryError),
    /// DuckDB can't get at the tables, so nothing was asked.
    NoAccess {
        /// What failed, as the beginning of a sentence.
        what: String,
        /// DuckDB's words.
        error: String,
    },
    /// It took too long.
    #[serde(rename = "too_long")]
    TimedOut,
    /// DuckDB ended in the middle of it.
    #[serde(rename = "ended")]
    Exited,
}

/// Rows, in DuckDB's own texts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rows {
    /// What each column is.
    pub columns: Vec<Column>,
    /// One text for each column; none: NULL.
    pub rows: Vec<Vec<Option<String>>>,
    /// Whether there are more.
    pub more: bool,
    /// How long DuckDB took.
    pub milliseconds: u64,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type, as DuckDB calls it.
    pub kind: String,
}

/// What DuckDB says is wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueryError {
    /// Which kind of error, like `Catalog`.
    pub kind: String,
    /// In its words.
    pub message: String,
    /// Where in the question, in bytes.
    pub position: Option<usize>,
    /// What it is about, if that has a name.
    pub name: Option<String>,
    /// What kind of thing was not found, like `Table`.
    pub missing: Option<String>,
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind.is_empty() {
            true => write!(f, "{}", self.message),
            false => write!(f, "{} Error: {}", self.kind, self.message),
        }
    }
}

impl QueryError {
    /// The table that is not there, if that is it.
    pub fn missing_table(&self) -> Option<&str> {
        let is_table = self.missing.as_deref() == Some("Table");
        self.name.as_deref().filter(|_| is_table)
    }

    /// Reads what DuckDB says with `errors_as_json`; its words as they are if it is no JSON.
    pub fn parse(said: &str) -> Self {
        #[derive(Deserialize)]
        struct DuckDbErrorJson {
            exception_type: String,
            exception_message: String,
            #[serde(default)]
            position: Option<String>,
            #[serde(default)]
            name: Option<String>,
            #[serde(default, rename = "type")]
            kind: Option<String>,
        }
        let Ok(said) = serde_json::from_str::<DuckDbErrorJson>(said) else {
            return Self {
                message: said.to_owned(),
                ..Self::default()
            };
        };
        Self {
            kind: said.exception_type,
            message: said.exception_message,
            position: said.position.and_then(|text| text.parse().ok()),
            name: said.name,
            missing: said.kind,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_duckdb_says_is_read() {
        // As DuckDB 1.4.4 says it.
        let said = r#"{"exception_type":"Catalog","exception_message":"Table with name ordrs does not exist!","error_subtype":"MISSING_ENTRY","position":"14","candidates":"orders","name":"ordrs","type":"Table"}"#;
        let wrong = QueryError::parse(said);
        assert_eq!(
            wrong.to_string(),
            "Catalog Error: Table with name ordrs does not exist!"
        );
        assert_eq!(wrong.position, Some(14));
        assert_eq!(wrong.name.as_deref(), Some("ordrs"));
        assert_eq!(wrong.missing.as_deref(), Some("Table"));
        assert_eq!(QueryError::parse("Killed").to_string(), "Killed");
    }
}
