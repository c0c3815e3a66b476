//! Consistent copies of the session's databases, made by DuckDB while they are used.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use super::files::{WorkFiles, remove};
use crate::{
    duckdb::{
        environment::SessionConfig,
        names::{identifier, literal},
        secrets::Secrets,
        shell::{Answer, Exited, Shell},
        table_text::Table,
    },
    work::{SaveFailureReason, StoreError},
};

/// Name of a copy while DuckDB writes it.
const COPY: &str = "duckbot_save";
/// Name of the notebooks while DuckDB's UI has not opened them.
const NOTEBOOKS: &str = "duckbot_notebooks";
/// Name that DuckDB's UI gives to the notebooks.
const UI: &str = "_duckdb_ui";

/// Copies in a folder of the session.
pub(super) struct Copies {
    pub database: PathBuf,
    /// `None` if DuckDB's UI has stored nothing.
    pub notebooks: Option<PathBuf>,
    pub tables: u32,
    pub notebook_count: u32,
}

/// Reasons why there are no copies.
pub(super) enum NotCopied {
    Exited(Exited),
    Failed(StoreError),
}

impl From<Exited> for NotCopied {
    fn from(exited: Exited) -> Self {
        Self::Exited(exited)
    }
}

impl From<std::io::Error> for NotCopied {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(StoreError::from_disk(error))
    }
}

fn failed(reason: SaveFailureReason, error: &str) -> NotCopied {
    let error = error.to_owned();
    NotCopied::Failed(StoreError { reason, error })
}

/// Failure of a statement. DuckDB's error may quote values of tables, and others may read the failure. So only
/// the session's log has the error.
fn refused(error: &str) -> NotCopied {
    eprintln!("duckbot: DuckDB could not copy: {error}");
    let is_full = ["No space left", "Disk quota", "max_temp_directory_size"];
    if is_full.iter().any(|part| error.contains(part)) {
        failed(SaveFailureReason::NoRoom, "the disk is full")
    } else {
        failed(SaveFailureReason::NotCopied, kind(error))
    }
}

fn not_read(why: &str) -> NotCopied {
    failed(SaveFailureReason::NotCopied, why)
}

/// Returns the kind of DuckDB's error, which has no values.
fn kind(error: &str) -> &str {
    let kind = error.split(':').next().unwrap_or_default().trim();
    let is_kind = |kind: &str| {
        kind.ends_with("Error") && kind.chars().all(|it| it.is_ascii_alphabetic() || it == ' ')
    };
    if is_kind(kind) { kind } else { "unknown error" }
}

/// Copies the session's database and the notebooks, and opens the copies to check them.
pub(super) async fn copy(
    shell: &mut Shell,
    files: &WorkFiles,
    config: &SessionConfig,
    variables: &HashMap<String, String>,
) -> Result<Copies, NotCopied> {
    // A save that was cut off may have left copies.
    let folder = files.make_copies_folder()?;
    check_room(files, config)?;
    let reader = Reader {
        config,
        variables,
        folder: folder.join("check"),
    };
    let database = folder.join("work.duckdb");
    copy_database(shell, &database, &reader).await?;
    let notebooks = folder.join("ui.duckdb");
    let notebooks = copy_notebooks(shell, files, &notebooks)
        .await?
        .then_some(notebooks);
    let [tables, notebook_count] = reader.count(&database, notebooks.as_deref()).await?;
    Ok(Copies {
        database,
        notebooks,
        tables,
        notebook_count,
    })
}

/// Tries to open a database that nothing has opened yet.
pub(super) async fn open(shell: &mut Shell, database: &Path) -> Result<Answer<()>, Exited> {
    let attached = shell
        .execute(&format!("ATTACH {} AS {NOTEBOOKS};", path(database)))
        .await?;
    let _ = shell
        .execute(&format!("DETACH DATABASE IF EXISTS {NOTEBOOKS};"))
        .await?;
    Ok(attached)
}

/// Refuses a copy for which the session's disk has no room. A Pod that fills its disk is evicted.
fn check_room(files: &WorkFiles, config: &SessionConfig) -> Result<(), NotCopied> {
    let disk = u64::from(config.disk.get()) << 20;
    let (used, needed) = (files.used(), files.size());
    if used + needed <= disk {
        return Ok(());
    }
    let mib = |bytes: u64| bytes.div_ceil(1 << 20);
    Err(NotCopied::Failed(StoreError {
        reason: SaveFailureReason::NoRoom,
        error: format!(
            "the copy needs up to {} MiB, and {} of {} MiB are used",
            mib(needed),
            mib(used),
            config.disk
        ),
    }))
}

/// Copies the session's database.
async fn copy_database(shell: &mut Shell, to: &Path, reader: &Reader<'_>) -> Result<(), NotCopied> {
    let whole = format!("COPY FROM DATABASE work TO {COPY};");
    let error = match write(shell, to, &whole).await? {
        Answer::Done(()) => return Ok(()),
        Answer::Failed(error) => error,
    };
    // DuckDB copies a table before the one that it refers to (seen with 1.5.5).
    if !error.contains("foreign key") {
        return Err(refused(&error));
    }
    remove(to)?;
    let schema = format!("COPY FROM DATABASE work TO {COPY} (SCHEMA);");
    if let Answer::Failed(error) = write(shell, to, &schema).await? {
        return Err(refused(&error));
    }
    let inserts = reader.inserts(to).await?.join("\n");
    match write(shell, to, &format!("BEGIN;\n{inserts}\nCOMMIT;")).await? {
        Answer::Done(()) => Ok(()),
        Answer::Failed(error) => Err(refused(&error)),
    }
}

/// Copies the notebooks. Returns false if there are none.
async fn copy_notebooks(
    shell: &mut Shell,
    files: &WorkFiles,
    to: &Path,
) -> Result<bool, NotCopied> {
    let notebooks = files.notebooks();
    if !notebooks.exists() {
        return Ok(false);
    }
    let copied = write(shell, to, &format!("COPY FROM DATABASE {UI} TO {COPY};")).await?;
    let error = match copied {
        Answer::Done(()) => return Ok(true),
        Answer::Failed(error) => error,
    };
    if !error.contains("does not exist") {
        return Err(refused(&error));
    }
    // DuckDB's UI was not opened yet.
    remove(to)?;
    let statements = format!(
        "ATTACH {} AS {NOTEBOOKS} (READ_ONLY);\nCOPY FROM DATABASE {NOTEBOOKS} TO {COPY};",
        path(&notebooks)
    );
    let copied = write(shell, to, &statements).await?;
    let _ = shell
        .execute(&format!("DETACH DATABASE IF EXISTS {NOTEBOOKS};"))
        .await?;
    match copied {
        Answer::Done(()) => Ok(true),
        Answer::Failed(error) => Err(refused(&error)),
    }
}

/// Runs statements with a file attached as [`COPY`].
async fn write(shell: &mut Shell, to: &Path, statements: &str) -> Result<Answer<()>, Exited> {
    /// Error of a rollback after all has succeeded.
    const NOTHING_OPEN: &str =
        "TransactionContext Error: cannot rollback - no transaction is active";
    // One may be left from a save that failed.
    let detach = format!("DETACH DATABASE IF EXISTS {COPY};");
    let _ = shell.execute(&detach).await?;
    let attach = format!("ATTACH {} AS {COPY};", path(to));
    if let Answer::Failed(error) = shell.execute(&attach).await? {
        return Ok(Answer::Failed(error));
    }
    // A copy that fails leaves its transaction open, in which every statement fails.
    let answer = shell.execute(&format!("{statements}\nROLLBACK;")).await?;
    let answer = match answer {
        Answer::Failed(error) if error.trim() == NOTHING_OPEN => Answer::Done(()),
        Answer::Failed(error) => Answer::Failed(error),
        Answer::Done(()) => Answer::Failed("DuckDB did not end the transaction".to_owned()),
    };
    match (answer, shell.execute(&detach).await?) {
        (Answer::Done(()), detached) => Ok(detached),
        (failed, _) => Ok(failed),
    }
}

fn path(path: &Path) -> String {
    literal(&path.to_string_lossy())
}

/// Reads copies in a DuckDB of its own.
struct Reader<'a> {
    config: &'a SessionConfig,
    variables: &'a HashMap<String, String>,
    /// Work folder of that DuckDB.
    folder: PathBuf,
}

impl Reader<'_> {
    /// Counts tables and notebooks.
    async fn count(
        &self,
        database: &Path,
        notebooks: Option<&Path>,
    ) -> Result<[u32; 2], NotCopied> {
        // The console keeps its notebooks in the session's database, and DuckDB's UI in one of its own.
        let tables = "SELECT count(*) FROM duckdb_tables() WHERE database_name = 'copy' AND NOT internal \
             AND (schema_name, table_name) <> ('duckbot', 'notebooks');";
        // A copy has no deleted rows, so the sizes are exact.
        let notes = "SELECT coalesce(sum(estimated_size), 0) FROM duckdb_tables() \
             WHERE (database_name, schema_name, table_name) \
             IN (('copy', 'duckbot', 'notebooks'), ('notebooks', 'main', 'notebooks'));";
        let [tables, notes] = self.query(database, notebooks, [tables, notes]).await?;
        let number = |table: &Table| table.first()?.first()?.as_ref()?.parse().ok();
        let both = number(&tables).zip(number(&notes));
        let (tables, notes) =
            both.ok_or_else(|| not_read("DuckDB did not count the copied tables"))?;
        Ok([tables, notes])
    }

    /// Returns the statements that fill the tables of a copy without rows, in an order that keeps
    /// foreign keys valid.
    async fn inserts(&self, database: &Path) -> Result<Vec<String>, NotCopied> {
        // DuckDB marks generated columns only in the table's statement.
        let tables = "SELECT c.schema_name, c.table_name, list(c.column_name ORDER BY c.column_index)::JSON \
             FROM duckdb_columns() c JOIN duckdb_tables() t USING (database_name, schema_name, table_name) \
             WHERE database_name = 'copy' AND NOT t.internal \
             AND NOT contains(t.sql, c.column_name || ' ' || c.data_type || ' GENERATED ALWAYS AS') \
             AND NOT contains(t.sql, '\"' || replace(c.column_name, '\"', '\"\"') || '\" ' || c.data_type \
             || ' GENERATED ALWAYS AS') GROUP BY ALL ORDER BY ALL;";
        let references = "SELECT schema_name, table_name, referenced_table FROM duckdb_constraints() \
             WHERE database_name = 'copy' AND constraint_type = 'FOREIGN KEY';";
        let [tables, references] = self.query(database, None, [tables, references]).await?;
        let names = |row: &[Option<String>]| -> Option<[String; 3]> {
            let row: Vec<_> = row.iter().cloned().collect::<Option<_>>()?;
            row.try_into().ok()
        };
        let tables = tables.iter().filter_map(|row| names(row)).collect();
        let references: Vec<_> = references.iter().filter_map(|row| names(row)).collect();
        Ok(insert_statements(tables, &references))
    }

    async fn query(
        &self,
        database: &Path,
        notebooks: Option<&Path>,
        queries: [&str; 2],
    ) -> Result<[Table; 2], NotCopied> {
        fs::create_dir_all(&self.folder)?;
        let secrets = Secrets::from_variables(self.variables);
        let mut shell =
            Shell::start_isolated(&self.config.program, &self.folder, self.variables, secrets)?;
        let mut attach = format!(
            ".headers off\nSET memory_limit = '100MB'; SET threads = 1; ATTACH {} AS copy (READ_ONLY);",
            path(database)
        );
        if let Some(notebooks) = notebooks {
            attach += &format!(" ATTACH {} AS notebooks (READ_ONLY);", path(notebooks));
        }
        // The session's DuckDB has not ended if this one has.
        let answer = shell.query_tables(&attach, queries).await;
        // As long as it runs, nobody else can write to the copy.
        shell.end().await?;
        match answer.map_err(|Exited| not_read("DuckDB ended while it read the copy"))? {
            Answer::Done((tables, _)) => Ok(tables),
            Answer::Failed(error) => Err(refused(&error)),
        }
    }
}

/// Orders tables (schema, name, columns in JSON) after those that they refer to, and fills each.
fn insert_statements(mut tables: Vec<[String; 3]>, references: &[[String; 3]]) -> Vec<String> {
    let mut statements = Vec::new();
    while !tables.is_empty() {
        let refers = |[schema, name, _]: &[String; 3], other: &[String; 3]| {
            references.iter().any(|[from_schema, from, to]| {
                (from_schema, from) == (schema, name) && *to == other[1] && other[1] != *name
            })
        };
        let is_free = |table: &[String; 3]| !tables.iter().any(|other| refers(table, other));
        // Tables can't refer to each other in a circle, because the first one must exist.
        let next = tables.iter().position(is_free).unwrap_or(0);
        let [schema, name, columns] = tables.remove(next);
        let columns: Vec<String> = serde_json::from_str(&columns).unwrap_or_default();
        let columns: Vec<_> = columns.iter().map(|column| identifier(column)).collect();
        let columns = columns.join(", ");
        let table = format!("{}.{}", identifier(&schema), identifier(&name));
        statements.push(format!(
            "INSERT INTO {COPY}.{table} ({columns}) SELECT {columns} FROM work.{table};"
        ));
    }
    statements
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_kind_of_an_error_is_told() {
        let error =
            "Constraint Error: Duplicate key \"name: Ana\" violates primary key constraint.";
        assert_eq!(kind(error), "Constraint Error");
        assert_eq!(kind("INTERNAL Error: Ana"), "INTERNAL Error");
        for error in ["Ana", "Ana's Error: x", "", "Ana 1 Error: x"] {
            assert_eq!(kind(error), "unknown error");
        }
    }

    #[test]
    fn tables_are_filled_after_those_they_refer_to() {
        let table = |name: &str| ["main", name, r#"["id"]"#].map(str::to_owned);
        let refers = |from: &str, to: &str| ["main", from, to].map(str::to_owned);
        let statements = insert_statements(
            ["a", "b", "c"].map(table).into(),
            &[refers("a", "b"), refers("b", "c"), refers("c", "c")],
        );
        let order: Vec<_> = statements
            .iter()
            .map(|statement| statement.split('"').nth(3).expect("a name"))
            .collect();
        assert_eq!(order, ["c", "b", "a"]);
        assert_eq!(
            statements[0],
            r#"INSERT INTO duckbot_save."main"."c" ("id") SELECT "id" FROM work."main"."c";"#
        );
    }
}
