//! Request and response of a query from the chat, as the bot and [`super::query_worker`] exchange
//! them. Pure.

use std::{collections::HashMap, fmt};

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::{
    environment::SessionConfig,
    error_text::DuckDbError,
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
    /// True if the worker is to wait for another request afterwards.
    #[serde(default)]
    pub keep: bool,
    /// True to return the rows of a SELECT as a Parquet file, too.
    #[serde(default)]
    pub parquet: bool,
    /// Question about the result, if there is one.
    #[serde(default)]
    pub examine: Option<Examination>,
    /// Variables of the session, if the worker does not have them in its own environment.
    #[serde(default)]
    pub variables: HashMap<String, String>,
}

impl QueryRequest {
    /// Maximum size of a Parquet file, in bytes. Numbers can take more room than as text.
    pub fn max_file_bytes(&self) -> u64 {
        u64::from(self.max_bytes) * 3 / 2
    }
}

/// A question about a result, which DuckDB answers with the exact values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Examination {
    /// Is the first value above this literal?
    Above(String),
    /// Is the first value below this literal?
    Below(String),
    /// Is it the same result as another one?
    Fingerprint,
}

/// The answer to an [`Examination`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Findings {
    /// True if the first value is beyond the limit. NULL is not, nor is a result without rows.
    IsBeyond(bool),
    /// A text that is the same for results with the same names and rows, in any order.
    Fingerprint(String),
    /// The first column has this type, which is not a number.
    NotANumber(String),
    /// DuckDB could not find it out.
    Failed(String),
}

/// Outcome of a query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueryResponse {
    /// The statement returned rows.
    Rows(Rows),
    /// A statement was run that returns no rows.
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
    /// The text has only comments.
    Empty,
    /// The statement is not a SELECT, and has a line break within quotes that DuckDB's command line could
    /// take for the end of the statement. It was not run.
    LineBreak,
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
    /// True if the statement lists the tables of the default schema, and there is no default, because the
    /// catalog has several schemas.
    #[serde(default)]
    pub lacks_default_schema: bool,
    /// True if the statement may have changed something, so that it must not run again for a file.
    #[serde(default)]
    pub has_effects: bool,
    /// Parquet file, if the request asked for one. Sessions from before this field send none.
    #[serde(default)]
    pub parquet: Option<Parquet>,
    /// Answer to [`QueryRequest::examine`]. `None` for statements that DuckDB does not keep the result of.
    #[serde(default)]
    pub findings: Option<Findings>,
}

impl Rows {
    /// Number of rows that were returned, in the file if there is one.
    pub fn count(&self) -> usize {
        match &self.parquet {
            Some(Parquet::File(file)) => file.rows,
            _ => self.rows.len(),
        }
    }
}

/// A result as a Parquet file, or the reason why there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Parquet {
    /// The file. Only the first of its rows are also in [`Rows::rows`].
    File(ParquetFile),
    /// DuckDB could not write the file, and returned this error.
    Failed(String),
    /// The file exceeds [`QueryRequest::max_file_bytes`].
    TooLarge,
    /// The rows have secret values, which can't be removed from such a file.
    HasSecrets,
    /// The statement is not a SELECT, so its result has no types.
    NotSelect,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParquetFile {
    #[serde(serialize_with = "to_base64", deserialize_with = "from_base64")]
    pub content: Vec<u8>,
    /// Number of rows in the file.
    pub rows: usize,
    /// Columns that have another type in the file.
    pub changed: Vec<ChangedType>,
}

/// A column whose type Parquet lacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedType {
    pub column: String,
    /// DuckDB's name of the type in the result.
    pub kind: String,
    /// DuckDB's name of the type in the file.
    pub in_file: String,
}

fn to_base64<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&BASE64.encode(bytes))
}

/// Decodes base64 without a copy of the text, which can be large.
fn from_base64<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
    let text = <&str>::deserialize(from)?;
    BASE64.decode(text).map_err(D::Error::custom)
}

/// A column of a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    pub name: String,
    /// DuckDB's name of the column's type. Empty if it is not known, as for `MERGE … RETURNING`.
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

    /// Parses an error that DuckDB wrote with `errors_as_json`. Text that is no such error becomes the
    /// message.
    pub fn parse(said: &str) -> Self {
        let Some(error) = DuckDbError::parse(said) else {
            return Self {
                message: said.to_owned(),
                ..Self::default()
            };
        };
        let message = match &*error.kind {
            // Everything below is advice.
            "Out of Memory" => error.message.lines().next().unwrap_or_default().into(),
            _ if error.message.trim().is_empty() => NO_MESSAGE.to_owned(),
            _ => without_advice(&error.message),
        };
        Self {
            message,
            kind: error.kind,
            position: error.position.and_then(|text| text.parse().ok()),
            name: error.name,
            missing: error.object,
            ..Self::default()
        }
    }
}

/// Message of an error without one.
const NO_MESSAGE: &str = "(DuckDB says no more)";

/// Beginnings of advice that can't be followed in the chat, where settings are locked and nothing can
/// be loaded.
const ADVICE: [&str; 5] = [
    "possible solutions:",
    "please try installing",
    "set ",
    "pragma ",
    "install ",
];

/// Removes the paragraphs after the first that advise to change a setting or to load an extension.
fn without_advice(message: &str) -> String {
    let is_advice = |part: &str| {
        let part = part.to_ascii_lowercase();
        let is_word = |advice: &&str| {
            part.match_indices(*advice)
                .any(|(at, _)| !part[..at].ends_with(|c: char| c.is_alphanumeric()))
        };
        ADVICE.iter().any(is_word)
    };
    let mut paragraphs = message.split("\n\n");
    let first = paragraphs.next().unwrap_or_default();
    let others = paragraphs
        .filter(|part| !is_advice(part) && !part.starts_with("See also https://duckdb.org"));
    std::iter::once(first)
        .chain(others)
        .collect::<Vec<_>>()
        .join("\n\n")
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
        // Output of DuckDB 1.5.5.
        let empty = r#"{"exception_type":"Invalid Configuration","exception_message":""}"#;
        assert_eq!(
            QueryError::parse(empty).to_string(),
            "Invalid Configuration Error: (DuckDB says no more)"
        );
        let said = "TransactionContext Error: Failed to commit: no";
        assert_eq!(QueryError::parse(said).kind, "TransactionContext");
        assert_eq!(QueryError::parse(said).to_string(), said);
    }

    #[test]
    fn advice_that_can_not_be_followed_is_removed() {
        // Output of DuckDB 1.5.5.
        let full = r#"{"exception_type":"Out of Memory","exception_message":"failed to offload data block of size 256.0 KiB (800.0 KiB/1.0 MiB used).\nThis limit was set by the 'max_temp_directory_size' setting.\n\nPossible solutions:\n* Reducing the number of threads (SET threads=X)"}"#;
        assert_eq!(
            QueryError::parse(full).message,
            "failed to offload data block of size 256.0 KiB (800.0 KiB/1.0 MiB used)."
        );
        let extension = "Table Function with name \"st_read\" is not in the catalog, but it exists in the \
            spatial extension.\n\nPlease try installing and loading the spatial extension:\n\
            INSTALL spatial;\nLOAD spatial;\n\n";
        assert!(
            without_advice(extension)
                .trim()
                .ends_with("spatial extension.")
        );
        let kept = "Table with name t does not exist!\n\nLINE 1: FROM t\n\nA dataset is needed";
        assert_eq!(without_advice(kept), kept);
    }
}
