//! Runs a statement from the chat in a prepared DuckDB, and reads its result.

use tokio::time::Instant;

use super::{
    decision::Reading,
    environment::SessionConfig,
    query::{Column, QueryError, QueryRequest, QueryResponse, Rows},
    shell::{Answer, Exited, Shell},
    statement_text::{for_command_line, is_read_alike, may_return_rows},
};

/// Mode in which DuckDB's command line keeps a result, as the table `_`. It is no table of the database.
const KEEP_RESULT: &str = ".mode duckbox";
/// Statement after which `_` is not looked for in the catalog.
const RESET_DEFAULT: &str = "USE memory.main;";
/// Statements after which the last result is not kept any more.
const FORGET_RESULT: &str = ".mode duckbox\nSELECT NULL AS nothing LIMIT 0;\n.mode list";

pub(super) fn failed(error: &str, config: &SessionConfig) -> QueryResponse {
    QueryResponse::Error(QueryError::read(error, config))
}

/// Runs a statement that reads. `default` is the statement that made the catalog DuckDB's default, which it is
/// not afterwards.
pub(super) async fn read(
    shell: &mut Shell,
    reading: &Reading,
    default: Option<&str>,
    request: &QueryRequest,
    config: &SessionConfig,
) -> Result<QueryResponse, Exited> {
    let begin = Instant::now();
    let most = request.max_rows as usize;
    let reset = default.map_or("", |_| RESET_DEFAULT);
    let statement = reading.statement(most as u64 + 1);
    let run = format!("{KEEP_RESULT}\n{statement}\n{reset}");
    let describe = "SELECT column_name, column_type FROM (DESCRIBE FROM _);";
    let select = format!("FROM _ LIMIT {};", most + 1);
    let ([columns, table], is_whole) = match shell.query_tables(&run, [describe, &select]).await? {
        Answer::Done(tables) => tables,
        Answer::Failed(error) => {
            let error = QueryError::read(&error, config);
            return Ok(QueryResponse::Error(with_place(error, reading)));
        }
    };
    let milliseconds = begin.elapsed().as_millis() as u64;
    let mut columns: Vec<_> = columns.into_iter().filter_map(column).collect();
    if may_be_renamed(&columns) {
        restore_names(shell, reading, default.unwrap_or_default(), &mut columns).await?;
    }
    let mut rows = Room::new(
        Rows {
            columns,
            more: !is_whole || table.len() > most,
            milliseconds,
            ..Rows::default()
        },
        request,
    );
    let restore =
        |value: Option<String>| value.map(|value| reading.restore_text(&value, &request.sql));
    for row in table.into_iter().take(most) {
        if !rows.push(row.into_iter().map(restore).collect()) {
            break;
        }
    }
    Ok(QueryResponse::Rows(rows.answer))
}

/// Runs a text that is one statement, as the last one of this DuckDB.
pub(super) async fn run_last(
    mut shell: Shell,
    text: &str,
    request: &QueryRequest,
    config: &SessionConfig,
) -> Result<QueryResponse, Exited> {
    let types = result_types(&mut shell, text).await?;
    let begin = Instant::now();
    let (table, is_whole) = match shell.finish(&for_command_line(text)).await? {
        Answer::Done(result) => result,
        Answer::Failed(error) => return Ok(failed(&error, config)),
    };
    let milliseconds = begin.elapsed().as_millis() as u64;
    let mut table = table.into_iter();
    let Some(names) = table.next() else {
        return Ok(QueryResponse::Done { milliseconds });
    };
    let types = types.filter(|types| types.len() == names.len());
    let mut types = types.unwrap_or_default().into_iter();
    let column = |name: Option<String>| Column {
        name: name.unwrap_or_default(),
        kind: types.next().unwrap_or_default(),
    };
    let all = table.len();
    let mut rows = Room::new(
        Rows {
            columns: names.into_iter().map(column).collect(),
            more: !is_whole || all > request.max_rows as usize,
            milliseconds,
            ..Rows::default()
        },
        request,
    );
    for row in table.take(request.max_rows as usize) {
        if !rows.push(row) {
            break;
        }
    }
    Ok(QueryResponse::Rows(rows.answer))
}

/// Rows, and the room that is left for more.
struct Room {
    answer: Rows,
    bytes: usize,
    cells: usize,
}

impl Room {
    fn new(answer: Rows, request: &QueryRequest) -> Self {
        Self {
            answer,
            bytes: request.max_bytes as usize,
            cells: request.max_cells as usize,
        }
    }

    /// Adds a row. Returns false if there is no room for it. That is so for one that was cut off.
    fn push(&mut self, row: Vec<Option<String>>) -> bool {
        let size = row.iter().flatten().map(|value| value.len() + 3).sum();
        let columns = self.answer.columns.len();
        let bytes = self.bytes.checked_sub(size);
        let cells = self.cells.checked_sub(columns);
        let (Some(bytes), Some(cells), true) = (bytes, cells, row.len() == columns) else {
            self.answer.more = true;
            return false;
        };
        (self.bytes, self.cells) = (bytes, cells);
        self.answer.rows.push(row);
        true
    }
}

/// Removes the last result from a DuckDB, so that the next query can't read it.
pub(super) async fn forget(shell: &mut Shell) -> Result<(), Exited> {
    shell.execute(FORGET_RESULT).await.map(drop)
}

/// Reads a column from a row with its name and its type.
fn column(row: Vec<Option<String>>) -> Option<Column> {
    let [name, kind] = row.try_into().ok()?;
    Some(Column {
        name: name?,
        kind: kind?,
    })
}

/// Returns true if DuckDB may have renamed a column, because another one has its name.
fn may_be_renamed(columns: &[Column]) -> bool {
    let is_number = |text: &str| text.bytes().all(|digit| digit.is_ascii_digit());
    let has = |name: &str| {
        let mut names = columns.iter().map(|it| &it.name);
        names.any(|it| it.to_lowercase() == name.to_lowercase())
    };
    columns.iter().any(|column| {
        let parts = column.name.rsplit_once('_');
        parts.is_some_and(|(name, number)| is_number(number) && has(name))
    })
}

/// Gives columns the names that they have in the query.
async fn restore_names(
    shell: &mut Shell,
    reading: &Reading,
    default: &str,
    columns: &mut [Column],
) -> Result<(), Exited> {
    let Some(names) = reading.names() else {
        return Ok(());
    };
    let names = format!("{default}\n{names}\n{RESET_DEFAULT}");
    // Not every query can be described. The columns of the others have different names.
    let Answer::Done(names) = shell.query(&names).await? else {
        return Ok(());
    };
    let names: Vec<_> = names.iter().filter_map(|it| only_value(it)).collect();
    if names.len() == columns.len() {
        for (column, name) in columns.iter_mut().zip(names) {
            column.name = name;
        }
    }
    Ok(())
}

/// Returns the value of a row that is an array of one text.
pub(super) fn only_value(line: &str) -> Option<String> {
    let [value] = serde_json::from_str(line).ok()?;
    Some(value)
}

/// Returns the types of the columns that a statement returns, if they are known. Does not run it.
async fn result_types(shell: &mut Shell, text: &str) -> Result<Option<Vec<String>>, Exited> {
    if !may_return_rows(text) || !is_read_alike(text) {
        return Ok(None);
    }
    const NAME: &str = "the statement";
    let prepare = format!("PREPARE \"{NAME}\" AS {text}\n;");
    if let Answer::Failed(_) = shell.query(&prepare).await? {
        return Ok(None);
    }
    let list = format!(
        "SELECT to_json(result_types) FROM duckdb_prepared_statements() WHERE name = '{NAME}';\n\
         DEALLOCATE \"{NAME}\";"
    );
    Ok(match shell.query(&list).await? {
        Answer::Done(lines) => serde_json::from_str(&lines.concat()).ok(),
        Answer::Failed(_) => None,
    })
}

/// Corrects the position of an error, and adds the schema of a missing table. For an unknown name,
/// DuckDB reports the position of `query()`, but the parse tree has the position of the name.
fn with_place(wrong: QueryError, reading: &Reading) -> QueryError {
    if wrong.position != reading.position() {
        return wrong;
    }
    let place = wrong
        .name
        .as_ref()
        .and_then(|name| reading.find_place(name));
    QueryError {
        position: place
            .as_ref()
            .map(|(position, _)| *position + reading.offset),
        schema: place.and_then(|(_, schema)| schema),
        ..wrong
    }
}
