//! DuckDB's errors as text and as JSON. Pure.

use serde::Deserialize;

/// Words between the type of an error and its message.
const ERROR: &str = " Error:";
/// Type and part of DuckDB's error for each statement after one that it can't recover from, such as a full
/// disk during a checkpoint. What was committed is in its files, which another DuckDB can open.
const UNUSABLE: [&str; 2] = ["FATAL", "must be restarted prior to being used"];
/// Maximum length of a type. DuckDB's longest one is `Parameter Not Resolved`.
const MAX_TYPE_LEN: usize = 32;

/// Error of DuckDB.
#[derive(Debug, Deserialize)]
pub(super) struct DuckDbError {
    #[serde(rename = "exception_type")]
    pub(super) kind: String,
    #[serde(rename = "exception_message")]
    pub(super) message: String,
    /// Offset in the query.
    #[serde(default)]
    pub(super) position: Option<String>,
    /// Name of an object, and its type.
    #[serde(default)]
    pub(super) name: Option<String>,
    #[serde(default, rename = "type")]
    pub(super) object: Option<String>,
    /// Status and body of an answer to an HTTP request.
    #[serde(default)]
    pub(super) status_code: Option<String>,
    #[serde(default)]
    pub(super) response_body: Option<String>,
}

impl DuckDbError {
    /// Parses an error that DuckDB wrote with `errors_as_json`.
    ///
    /// The command line of DuckDB 1.5.5 writes two kinds of errors as text nevertheless: those of a failed commit
    /// outside of `BEGIN`, and those whose message begins with `{`.
    pub(super) fn parse(said: &str) -> Option<Self> {
        if let Ok(error) = serde_json::from_str(said) {
            return Some(error);
        }
        let (kind, message) = said.split_once(ERROR)?;
        let is_letter = |c: char| c.is_ascii_alphabetic() || c == ' ';
        let is_kind = kind.len() <= MAX_TYPE_LEN
            && kind.starts_with(|c: char| c.is_ascii_uppercase())
            && kind.chars().all(is_letter);
        is_kind.then(|| Self {
            kind: kind.to_owned(),
            message: message.trim_start_matches(' ').to_owned(),
            position: None,
            name: None,
            object: None,
            status_code: None,
            response_body: None,
        })
    }
}

/// Returns a line of DuckDB's errors as it is without `errors_as_json`.
///
/// A request with `X-DuckDB-UI-Errors-As-JSON`, as the console sends it, sets this for all of DuckDB, and so for
/// its command line (seen with 1.5.5). The next one sets it again, so turning it off would not last.
pub(super) fn plain(line: String) -> String {
    match serde_json::from_str::<DuckDbError>(&line) {
        Ok(error) => format!("{}{ERROR} {}\n", error.kind, error.message),
        Err(_) => line,
    }
}

/// Returns true for a line that says that DuckDB is unusable.
pub(super) fn is_unusable(line: &str) -> bool {
    let [kind, part] = UNUSABLE;
    DuckDbError::parse(line).is_some_and(|error| error.kind == kind && error.message.contains(part))
}

/// Returns true if further lines may belong to the error that begins with `line`, and so may quote
/// anything. Other errors end with their first line, or quote no data.
pub(super) fn quotes_lines(line: &str) -> bool {
    DuckDbError::parse(line).is_some_and(|error| error.message.starts_with('{'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_in_json_become_text_and_others_stay() {
        let json = r#"{"exception_type":"Binder","exception_message":"no \"nope\"\nCandidates","position":"7"}"#;
        assert_eq!(
            plain(format!("{json}\n")),
            "Binder Error: no \"nope\"\nCandidates\n"
        );
        for other in [
            "Binder Error: no\n",
            "{}\n",
            "LINE 1: SELECT nope\n",
            "{\"exception_type\": 1}",
            "",
        ] {
            assert_eq!(plain(other.to_owned()), other);
        }
    }

    // Output of DuckDB 1.5.5.
    #[test]
    fn an_error_has_the_same_parts_as_text_and_as_json() {
        let parts = |said: &str| {
            let error = DuckDbError::parse(said)?;
            Some((error.kind, error.message))
        };
        let some = |kind: &str, message: &str| Some((kind.to_owned(), message.to_owned()));
        for (said, expected) in [
            (
                "TransactionContext Error: Failed to commit: no",
                some("TransactionContext", "Failed to commit: no"),
            ),
            (
                r#"{"exception_type":"TransactionContext","exception_message":"Failed to commit: no"}"#,
                some("TransactionContext", "Failed to commit: no"),
            ),
            (
                r#"Invalid Input Error: {"exception_type":"HTTP","exception_message":"x"}"#,
                some(
                    "Invalid Input",
                    r#"{"exception_type":"HTTP","exception_message":"x"}"#,
                ),
            ),
            (
                r#"{"exception_type":"Invalid Configuration","exception_message":""}"#,
                some("Invalid Configuration", ""),
            ),
            ("Killed", None),
            ("the catalog's Error: x", None),
        ] {
            assert_eq!(parts(said), expected, "{said}");
        }
    }

    // Output of DuckDB 1.5.5 after it listed an empty name.
    #[test]
    fn an_unusable_duckdb_is_known_by_the_type_of_its_error() {
        let said = "Failed: database has been invalidated because of a previous fatal error. The \
                    database must be restarted prior to being used again.";
        assert!(is_unusable(&format!("FATAL Error: {said}\n")));
        let json = |kind: &str| {
            format!(r#"{{"exception_type":"{kind}","exception_message":"{said}"}}"#) + "\n"
        };
        assert!(is_unusable(&json("FATAL")));
        assert!(!is_unusable(&json("Invalid Input")));
        assert!(!is_unusable(&format!(
            "Invalid Input Error: FATAL Error: {said}\n"
        )));
    }

    #[test]
    fn only_errors_that_the_command_line_breaks_up_have_further_lines() {
        // Output of `SELECT error('{' || chr(10) || 'FATAL Error: …')`.
        assert!(quotes_lines("Invalid Input Error: {\n"));
        for line in [
            "FATAL Error: Failed: database has been invalidated\n",
            "TransactionContext Error: Failed to commit: Could not write\n",
            r#"{"exception_type":"Invalid Input","exception_message":" {"}"#,
        ] {
            assert!(!quotes_lines(line), "{line}");
        }
    }
}
