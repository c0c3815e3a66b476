//! Files that become tables.

use std::{sync::Arc, time::Duration};

use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::json;
use tokio::{io::AsyncWriteExt, task::spawn_blocking, time::timeout};
use tokio_util::sync::CancellationToken;

use super::{
    answer::Reply,
    exchange::{TemporaryFile, create_new},
    problem::Problem,
    state::Console,
};
use crate::{
    door::{body::ProxyError, decode::Table},
    duckdb::names::{identifier, literal},
};

/// Maximum time to wait for the next piece of a file.
const PIECE_TIMEOUT: Duration = Duration::from_secs(60);
/// Maximum length of a table's name in characters.
const MAX_NAME_CHARS: usize = 60;
/// Maximum number of names that are tried.
const MAX_NAMES: usize = 100;
/// Functions that read files, by the ending of the file's name.
const READERS: [(&str, &str); 7] = [
    (".csv", "read_csv"),
    (".tsv", "read_csv"),
    (".txt", "read_csv"),
    (".json", "read_json"),
    (".ndjson", "read_json"),
    (".jsonl", "read_json"),
    (".parquet", "read_parquet"),
];

/// Reader of a file and the name of its table, both from the file's name.
#[derive(Debug, PartialEq, Eq)]
struct Target {
    function: &'static str,
    /// Ending of the name, which tells DuckDB whether the file is compressed.
    ending: String,
    table: String,
}

impl Target {
    /// Reads a file's name. `None` if its ending is of no kind that DuckDB reads.
    fn of(file: &str) -> Option<Self> {
        let lower = file.to_lowercase();
        let (plain, zipped) = match lower.strip_suffix(".gz") {
            Some(plain) => (plain, ".gz"),
            None => (lower.as_str(), ""),
        };
        let (ending, function) = READERS.iter().find(|(ending, _)| plain.ends_with(ending))?;
        if *function == "read_parquet" && !zipped.is_empty() {
            return None;
        }
        let stem = plain.strip_suffix(ending)?;
        let words = stem.split(|c: char| !c.is_alphanumeric());
        let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
        let name: String = words.join("_").chars().take(MAX_NAME_CHARS).collect();
        Some(Self {
            function,
            ending: format!("{}{zipped}", &ending[1..]),
            table: if name.is_empty() {
                "file".to_owned()
            } else {
                name
            },
        })
    }
}

impl Console {
    /// Receives a file, and makes a table of it. `query` is the URL's, with the file's name.
    pub(super) async fn upload(
        self: &Arc<Self>,
        query: Option<&str>,
        body: Incoming,
    ) -> Result<Reply, Problem> {
        let exchange = self.exchange.as_ref().ok_or_else(Problem::no_files)?;
        let name = file_name(query.unwrap_or_default());
        let name = name.ok_or_else(|| Problem::invalid("the file has no name"))?;
        let target = Target::of(&name).ok_or_else(Problem::unknown_file_kind)?;
        let file = exchange.new_file(&target.ending).await;
        let path = file.path.clone();
        let created = spawn_blocking(move || create_new(&path)).await;
        let created = created.map_err(|_| Problem::unavailable())?;
        let created = created.map_err(|error| Problem::file_error(&error))?;
        receive(body, tokio::fs::File::from_std(created)).await?;
        let console = self.clone();
        let task = tokio::spawn(async move { console.load(file, &target, &name).await });
        task.await.map_err(|_| Problem::unavailable())?
    }

    /// Makes a table of a file. Goes on without the browser, because DuckDB does too.
    async fn load(
        &self,
        file: TemporaryFile,
        target: &Target,
        file_name: &str,
    ) -> Result<Reply, Problem> {
        let _room = self.wait_for_room(&CancellationToken::new()).await?;
        let path = literal(&file.path.to_string_lossy());
        let mut names = (1..=MAX_NAMES).map(|number| match number {
            1 => target.table.clone(),
            number => format!("{}_{number}", target.table),
        });
        let table = loop {
            let name = names.next();
            let name = name.ok_or_else(|| Problem::no_free_table(&target.table))?;
            let table = format!("work.main.{}", identifier(&name));
            let sql = format!("CREATE TABLE {table} AS FROM {}({path})", target.function);
            match self.client.execute(&sql).await {
                Ok(()) => break table,
                Err(problem) if problem.message.ends_with("already exists!") => {}
                Err(problem) => {
                    // The person knows the file by another name.
                    let hide = |text: &str| text.replace(&*file.path.to_string_lossy(), file_name);
                    return Err(Problem {
                        message: hide(&problem.message),
                        hint: problem.hint.as_deref().map(hide),
                        position: None,
                        ..problem
                    });
                }
            }
        };
        let count = format!("SELECT count(*)::VARCHAR FROM {table}");
        let read = |table: &Table<'_>| table.value(0, 0)?.parse::<u64>().ok();
        let rows = self.client.query(&count, read).await?;
        Ok(Reply::of(&json!({ "table": table, "rows": rows })))
    }
}

/// Writes a file as it comes. Only the disk limits its size.
async fn receive(mut body: Incoming, mut file: tokio::fs::File) -> Result<(), Problem> {
    loop {
        let frame = timeout(PIECE_TIMEOUT, body.frame()).await;
        let frame = frame.map_err(|_| ProxyError::TooSlow)?;
        let Some(frame) = frame else {
            break;
        };
        let frame = frame.map_err(|_| ProxyError::TooSlow)?;
        if let Ok(data) = frame.into_data() {
            let written = file.write_all(&data).await;
            written.map_err(|error| Problem::file_error(&error))?;
        }
    }
    file.flush()
        .await
        .map_err(|error| Problem::file_error(&error))
}

/// Returns the parameter `name` of a URL's query.
fn file_name(query: &str) -> Option<String> {
    let mut parameters = query.split('&');
    let value = parameters.find_map(|it| it.strip_prefix("name="))?;
    let mut decoded = Vec::new();
    let mut rest = value.as_bytes();
    loop {
        rest = match rest {
            [] => break,
            [b'%', high, low, after @ ..] => {
                let digit = |byte: &u8| char::from(*byte).to_digit(16);
                decoded.push(u8::try_from(digit(high)? * 16 + digit(low)?).ok()?);
                after
            }
            [b'+', after @ ..] => {
                decoded.push(b' ');
                after
            }
            [byte, after @ ..] => {
                decoded.push(*byte);
                after
            }
        };
    }
    let name = String::from_utf8(decoded).ok()?;
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_is_decoded() {
        for (query, expected) in [
            ("name=ducks.csv", Some("ducks.csv")),
            ("x=1&name=a%20b%C3%A9+c.csv", Some("a bé c.csv")),
            ("name=100%", Some("100%")),
            ("name=%zz", None),
            ("name=%ff", None),
            ("name=", None),
            ("", None),
        ] {
            assert_eq!(file_name(query).as_deref(), expected, "{query}");
        }
    }

    #[test]
    fn a_files_name_tells_its_format_and_its_table() {
        for (file, function, ending, table) in [
            ("Ducks 2024.CSV", "read_csv", "csv", "ducks_2024"),
            (
                "../../etc/é \"x\".json.gz",
                "read_json",
                "json.gz",
                "etc_é_x",
            ),
            ("a.b.ndjson", "read_json", "ndjson", "a_b"),
            (".parquet", "read_parquet", "parquet", "file"),
        ] {
            let (ending, table) = (ending.to_owned(), table.to_owned());
            let expected = Target {
                function,
                ending,
                table,
            };
            assert_eq!(Target::of(file), Some(expected), "{file}");
        }
        for file in ["ducks.xlsx", "csv", "x.parquet.gz", ""] {
            assert_eq!(Target::of(file), None, "{file}");
        }
    }
}
