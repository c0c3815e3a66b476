//! Request and response of a query from the chat, as the bot and [`super::query_worker`] exchange
//! them. Pure.

use std::{collections::HashMap, fmt};

use serde::{Deserialize, Serialize};

use super::{
    environment::SessionConfig,
    request_failure::{self, RequestFailure},
};

/// A query to run. It has no `Debug`, because it may contain credentials, and its text is private.
#[derive(Clone, Serialize, Deserialize)]
pub struct QueryRequest {
    /// Text of the query, as the person typed it.
    pub sql: String,
    /// Maximum number of rows to return.
    #[serde(rename = "rows")]
    pub max_rows: u32,
    /// Maximum size of the returned rows, in bytes.
    #[serde(rename = "bytes")]
    pub max_bytes: u32,
    /// Maximum number of returned values.
    #[serde(rename = "cells")]
    pub max_cells: u32,
    /// Maximum time from the start of DuckDB to the result, in seconds.
    #[serde(rename = "seconds")]
    pub timeout_seconds: u32,
    /// True if statements other than SELECT may run.
    #[serde(rename = "writes")]
    pub allow_writes: bool,
    /// True to list the tables of the catalog instead: a row with schema and name for each. `sql` has
    /// the same result, for workers that don't know this field and for other errors.
    #[serde(default)]
    pub list_tables: bool,
    /// Variables of the session, if the worker does not have them in its own environment.
    #[serde(default)]
    pub variables: HashMap<String, String>,
}

/// Outcome of a query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueryResponse {
    /// The query returned rows.
    Rows(Rows),
    /// A statement other than SELECT was run.
    Done {
        /// Duration of the statement.
        milliseconds: u64,
    },
    /// The statement began a transaction without ending it, and was rolled back.
    NotCommitted,
    /// The statement is not a SELECT, and others are not allowed.
    NotSelect,
    /// The text contains this number of statements; only one is allowed.
    #[serde(rename = "several")]
    MultipleStatements(usize),
    /// DuckDB's command line may read the text in another way than DuckDB's parser, so it was not run.
    Ambiguous,
    /// DuckDB rejected the query.
    #[serde(rename = "wrong")]
    Error(QueryError),
    /// DuckDB could not be prepared, for example to read the tables, so the query was not run.
    NoAccess {
        /// Step that failed, as the beginning of a sentence.
        what: String,
        /// DuckDB's error.
        error: String,
        /// Request that failed. Sessions from before this field send none.
        #[serde(default)]
        failure: Option<RequestFailure>,
    },
    /// The query reached its time limit.
    #[serde(rename = "too_long")]
    TimedOut,
    /// DuckDB ended before it answered.
    #[serde(rename = "ended")]
    Exited,
}

/// Rows of a result, with values as DuckDB writes them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rows {
    pub columns: Vec<Column>,
    /// Rows with one value per column; `None` for NULL.
    pub rows: Vec<Vec<Option<String>>>,
    /// True if the result has more rows.
    pub more: bool,
    /// Duration of the query.
    pub milliseconds: u64,
}

/// A column of a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    pub name: String,
    /// DuckDB's name of the column's type.
    pub kind: String,
}

/// An error from DuckDB.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueryError {
    /// Kind of the error, such as `Catalog`.
    pub kind: String,
    pub message: String,
    /// Offset of the error in the query, in bytes.
    pub position: Option<usize>,
    /// Name of the object that the error is about.
    pub name: Option<String>,
    /// Type of the object that was not found, such as `Table`.
    pub missing: Option<String>,
    /// Schema in which the query looks for a missing table, if it names one.
    #[serde(default)]
    pub schema: Option<String>,
    /// Request that failed. Sessions from before this field send none.
    #[serde(default)]
    pub failure: Option<RequestFailure>,
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.kind.is_empty() {
            write!(f, "{}", self.message)
        } else {
            write!(f, "{} Error: {}", self.kind, self.message)
        }
    }
}

impl QueryError {
    /// Returns the name of the missing table, if that is the error.
    pub fn missing_table(&self) -> Option<&str> {
        let is_table = self.missing.as_deref() == Some("Table");
        self.name.as_deref().filter(|_| is_table)
    }

    /// Parses an error like [`QueryError::parse`], and finds the request that failed, if there is
    /// one.
    pub fn read(said: &str, config: &SessionConfig) -> Self {
        Self {
            failure: request_failure::find(said, config),
            ..Self::parse(said)
        }
    }

    /// Parses an error that DuckDB wrote with `errors_as_json`. Text that is not JSON becomes the
    /// message.
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
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_as_json_is_parsed() {
        // Output of DuckDB 1.4.4.
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
