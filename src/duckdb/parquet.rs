//! Writes a result as a Parquet file. DuckDB does it, so that values keep their types.
//!
//! Parquet lacks some of DuckDB's types, and DuckDB writes others inexactly: a HUGEINT as DOUBLE, an
//! INTERVAL in milliseconds. So DuckDB reads the file back, and a column that differs becomes text.

use std::{
    fs, io,
    ops::Range,
    path::{Path, PathBuf},
};

use uuid::Uuid;

use super::{
    decision::Reading,
    names::{identifier, literal},
    query::{ChangedType, Parquet, ParquetFile, QueryError, QueryRequest, Rows},
    secrets::have_marks,
    shell::{Answer, Exited, Shell},
};

/// Maximum number of rows that are returned besides the file. No message has room for more.
const MAX_SHOWN_ROWS: usize = 200;
/// Type for integers of 128 bits. Parquet has none, and this one holds 38 digits.
const WIDEST_INTEGER: &str = "DECIMAL(38,0)";

/// Reasons why there is no file.
enum Failure {
    Exited,
    Failed(String),
}

impl From<Exited> for Failure {
    fn from(_: Exited) -> Self {
        Self::Exited
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Adds the file with these rows, which `shell` keeps as `_`, and leaves out rows that no message shows.
/// `folder` is one that DuckDB can write to.
pub(super) async fn add(
    rows: &mut Rows,
    shell: &mut Shell,
    reading: &Reading,
    folder: &Path,
    request: &QueryRequest,
) -> Result<(), Exited> {
    let parquet = match write(shell, rows, reading, folder, request).await {
        Ok(parquet) => parquet,
        Err(Failure::Failed(error)) => Parquet::Failed(error),
        Err(Failure::Exited) => return Err(Exited),
    };
    if let Parquet::File(_) = parquet {
        rows.rows.truncate(MAX_SHOWN_ROWS);
    }
    rows.parquet = Some(parquet);
    Ok(())
}

/// A column of the result, as SQL.
struct Exported {
    name: String,
    kind: String,
    /// Expression for its values.
    source: String,
    /// Expression for its values in the file.
    written: String,
}

impl Exported {
    fn new(at: usize, (name, kind): (String, String), reading: &Reading, sql: &str) -> Self {
        let source = reading.restored(&format!("c{}", at + 1), sql);
        let written = match without_wide_integers(&kind) {
            Some(exact) => format!("TRY_CAST({source} AS {exact})"),
            None => source.clone(),
        };
        Self {
            name,
            kind,
            source,
            written,
        }
    }

    fn write_as_text(&mut self) {
        self.written = format!("{}::VARCHAR", self.source);
    }
}

async fn write(
    shell: &mut Shell,
    rows: &Rows,
    reading: &Reading,
    folder: &Path,
    request: &QueryRequest,
) -> Result<Parquet, Failure> {
    let columns = types(shell, "_").await?;
    let names = columns.iter().flat_map(|(name, kind)| [name, kind]);
    let values = rows.rows.iter().flatten().flatten();
    if have_marks(names.chain(values).map(String::as_str)) {
        return Ok(Parquet::HasSecrets);
    }
    let columns = columns.into_iter().enumerate();
    let columns = columns.map(|(at, column)| Exported::new(at, column, reading, &request.sql));
    let file = ResultFile::create_in(folder)?;
    let mut export = Export {
        shell,
        columns: columns.collect(),
        rows: rows.rows.len(),
        file: &file,
    };
    export.write_exactly().await?;
    let in_file = types(export.shell, &file.literal()).await?;
    let changed = export.columns.into_iter().zip(in_file);
    let changed = changed.filter(|(column, (_, kind))| column.kind != *kind);
    let changed = changed.map(|(column, (_, in_file))| ChangedType {
        column: column.name,
        kind: column.kind,
        in_file,
    });
    Ok(match file.read(request.max_file_bytes())? {
        Some(content) => Parquet::File(ParquetFile {
            content,
            rows: rows.rows.len(),
            changed: changed.collect(),
        }),
        None => Parquet::TooLarge,
    })
}

struct Export<'a> {
    shell: &'a mut Shell,
    columns: Vec<Exported>,
    /// Number of rows to write.
    rows: usize,
    file: &'a ResultFile,
}

impl Export<'_> {
    /// Writes the file. A column that DuckDB can't write exactly becomes text.
    async fn write_exactly(&mut self) -> Result<(), Failure> {
        if let Err(Failure::Failed(_)) = self.write(0..self.columns.len()).await {
            // DuckDB does not say which column it can't write.
            for at in 0..self.columns.len() {
                match self.write(at..at + 1).await {
                    Err(Failure::Failed(_)) => self.columns[at].write_as_text(),
                    written => written?,
                }
            }
            self.write(0..self.columns.len()).await?;
        }
        let exact = self.compare().await?;
        if !exact.contains(&Some(false)) {
            return Ok(());
        }
        for (column, is_exact) in self.columns.iter_mut().zip(exact) {
            if is_exact == Some(false) {
                column.write_as_text();
            }
        }
        self.write(0..self.columns.len()).await
    }

    /// Writes some of the columns, over the file of an earlier attempt.
    async fn write(&mut self, which: Range<usize>) -> Result<(), Failure> {
        let value = |it: &Exported| format!("{} AS {}", it.written, identifier(&it.name));
        let values: Vec<_> = self.columns[which].iter().map(value).collect();
        let copy = format!(
            "COPY (SELECT {} FROM _ AS answer ({}) LIMIT {}) TO {} (FORMAT parquet);",
            values.join(", "),
            self.names('c'),
            self.rows,
            self.file.literal()
        );
        lines(self.shell, &copy).await.map(drop)
    }

    /// Returns for each column whether the file has its exact values, as DuckDB prints them. `None` if
    /// there are no rows.
    async fn compare(&mut self) -> Result<Vec<Option<bool>>, Failure> {
        let same = self.columns.iter().enumerate().map(|(at, column)| {
            let source = &column.source;
            format!(
                "bool_and({source}::VARCHAR IS NOT DISTINCT FROM f{}::VARCHAR)",
                at + 1
            )
        });
        let same: Vec<_> = same.collect();
        let compare = format!(
            "SELECT json_array({}) FROM (FROM _ LIMIT {}) AS answer ({}) \
             POSITIONAL JOIN read_parquet({}) AS file ({});",
            same.join(", "),
            self.rows,
            self.names('c'),
            self.file.literal(),
            self.names('f'),
        );
        let lines = lines(self.shell, &compare).await?;
        serde_json::from_str(&lines.concat())
            .map_err(|_| Failure::Failed("the file can't be read back".to_owned()))
    }

    /// Names by which statements refer to the columns. DuckDB's command line can't read every real name.
    fn names(&self, prefix: char) -> String {
        let names = (1..=self.columns.len()).map(|at| format!("{prefix}{at}"));
        names.collect::<Vec<_>>().join(", ")
    }
}

/// Returns the names and types of the columns of `table`.
async fn types(shell: &mut Shell, table: &str) -> Result<Vec<(String, String)>, Failure> {
    let describe =
        format!("SELECT json_array(column_name, column_type) FROM (DESCRIBE FROM {table});");
    let lines = lines(shell, &describe).await?;
    let types = lines
        .iter()
        .filter_map(|line| serde_json::from_str(line).ok());
    Ok(types.collect())
}

async fn lines(shell: &mut Shell, statement: &str) -> Result<Vec<String>, Failure> {
    match shell.query(statement).await? {
        Answer::Done(lines) => Ok(lines),
        Answer::Failed(error) => Err(Failure::Failed(QueryError::parse(&error).to_string())),
    }
}

/// Returns the type with [`WIDEST_INTEGER`] for integers of 128 bits. `None` if it has none.
fn without_wide_integers(kind: &str) -> Option<String> {
    let mut exact = String::new();
    let mut quote = None;
    for part in kind.split_inclusive(|c: char| !c.is_alphanumeric() && c != '_') {
        let end = part.chars().next_back();
        let end = end.filter(|c| !c.is_alphanumeric() && *c != '_');
        let word = end.map_or(part, |end| &part[..part.len() - end.len_utf8()]);
        exact += match word {
            "HUGEINT" | "UHUGEINT" if quote.is_none() => WIDEST_INTEGER,
            word => word,
        };
        exact.extend(end);
        match (quote, end) {
            (None, Some('\'' | '"')) => quote = end,
            (Some(open), Some(close)) if open == close => quote = None,
            _ => {}
        }
    }
    (exact != kind).then_some(exact)
}

/// File that DuckDB writes, removed on drop.
struct ResultFile(PathBuf);

impl ResultFile {
    /// Chooses its name, and creates the folder.
    fn create_in(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        Ok(Self(folder.join(format!("{}.parquet", Uuid::new_v4()))))
    }

    fn literal(&self) -> String {
        literal(&self.0.to_string_lossy())
    }

    /// Returns the content, or `None` if it has more bytes.
    fn read(&self, max_bytes: u64) -> io::Result<Option<Vec<u8>>> {
        if fs::metadata(&self.0)?.len() > max_bytes {
            return Ok(None);
        }
        fs::read(&self.0).map(Some)
    }
}

impl Drop for ResultFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_types_of_wide_integers_are_replaced() {
        for (kind, exact) in [
            ("HUGEINT", Some("DECIMAL(38,0)")),
            ("UHUGEINT[]", Some("DECIMAL(38,0)[]")),
            (
                "STRUCT(\"HUGEINT\" MAP(VARCHAR, HUGEINT)[3], e ENUM('HUGEINT', 'it''s'))",
                Some(
                    "STRUCT(\"HUGEINT\" MAP(VARCHAR, DECIMAL(38,0))[3], e ENUM('HUGEINT', 'it''s'))",
                ),
            ),
            ("ENUM('HUGEINT')", None),
            ("BIGINT", None),
            ("STRUCT(HUGEINT_ BIGINT)", None),
        ] {
            assert_eq!(without_wide_integers(kind).as_deref(), exact, "{kind}");
        }
    }
}
