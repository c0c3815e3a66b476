//! DuckDB's errors as text. Pure.

use serde::Deserialize;

/// Error as DuckDB writes it with `errors_as_json`.
#[derive(Deserialize)]
struct ErrorJson {
    exception_type: String,
    exception_message: String,
}

/// Returns a line of DuckDB's errors as it is without `errors_as_json`.
///
/// A request with `X-DuckDB-UI-Errors-As-JSON`, as the console sends it, sets this for all of DuckDB, and so for
/// its command line (seen with 1.5.5). The next one sets it again, so turning it off would not last.
pub(super) fn plain(line: String) -> String {
    match serde_json::from_str::<ErrorJson>(&line) {
        Ok(error) => format!(
            "{} Error: {}\n",
            error.exception_type, error.exception_message
        ),
        Err(_) => line,
    }
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
}
