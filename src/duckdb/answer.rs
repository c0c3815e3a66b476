//! Runs a statement from the chat in a prepared DuckDB, and reads its result.

use serde_json::Value;
use tokio::time::Instant;

use super::{
    decision::Reading,
    environment::SessionConfig,
    query::{Column, QueryError, QueryRequest, QueryResponse, Rows},
    query_tree::find_place,
    shell::{Answer, Exited, Shell},
};

/// Mode in which DuckDB's command line keeps a result, as the table `_`. It is no table of the database.
const KEEP_RESULT: &str = ".mode duckbox";
/// Mode in which each row is a line.
const LINES: &str = ".mode list";
/// Statement after which `_` is not looked for in the catalog.
const RESET_DEFAULT: &str = "USE memory.main;";
/// Statement whose result replaces that of the query before.
const FORGET_RESULT: &str = "SELECT NULL AS nothing LIMIT 0;";

pub(super) fn failed(error: &str, config: &SessionConfig) -> QueryResponse {
    QueryResponse::Error(QueryError::read(error, config))
}

/// Runs a SELECT. If `uses_default`, the catalog is DuckDB's default, and is not afterwards.
pub(super) async fn read(
    shell: &mut Shell,
    reading: &Reading,
    uses_default: bool,
    request: &QueryRequest,
    config: &SessionConfig,
) -> Result<QueryResponse, Exited> {
    let begin = Instant::now();
    let most = request.max_rows as usize;
    let reset = if uses_default { RESET_DEFAULT } else { "" };
    let statement = reading.statement(most as u64 + 1);
    let run = format!("{KEEP_RESULT}\n{FORGET_RESULT}\n{statement}\n{LINES}\n{reset}");
    if let Answer::Failed(error) = shell.query(&run).await? {
        let error = QueryError::read(&error, config);
        return Ok(QueryResponse::Error(with_place(error, reading)));
    }
    let milliseconds = begin.elapsed().as_millis() as u64;
    let describe = "SELECT json_array(column_name, column_type) FROM (DESCRIBE FROM _);";
    let columns: Vec<_> = match shell.query(describe).await? {
        Answer::Done(lines) => lines.iter().filter_map(|line| parse_column(line)).collect(),
        Answer::Failed(error) => return Ok(failed(&error, config)),
    };
    // The command line can't read every name that a column can have.
    let names: Vec<_> = (1..=columns.len()).map(|it| format!("c{it}")).collect();
    let values: Vec<_> = names.iter().map(|it| format!("{it}::VARCHAR")).collect();
    let [values, names] = [values, names].map(|all| all.join(", "));
    let select = format!("SELECT json_array({values}) FROM _ AS answer ({names});");
    let lines = match shell.query(&select).await? {
        Answer::Done(lines) => lines,
        Answer::Failed(error) => return Ok(failed(&error, config)),
    };
    let mut rows = Room::new(
        Rows {
            columns,
            more: lines.len() > most,
            milliseconds,
            ..Rows::default()
        },
        request,
    );
    let restore =
        |value: Option<String>| value.map(|value| reading.restore_text(&value, &request.sql));
    for line in lines.iter().take(most) {
        // A row that was cut off is not valid JSON.
        let row = serde_json::from_str::<Vec<Option<String>>>(line).ok();
        let row = row.map(|row| row.into_iter().map(restore).collect());
        if !rows.push(line.len(), row) {
            break;
        }
    }
    Ok(QueryResponse::Rows(rows.answer))
}

/// Runs a line that is one statement, as the last one of this DuckDB.
pub(super) async fn run_last(
    shell: Shell,
    line: &str,
    request: &QueryRequest,
    config: &SessionConfig,
) -> Result<QueryResponse, Exited> {
    let begin = Instant::now();
    let (table, is_whole) = match shell.finish(line).await? {
        Answer::Done(result) => result,
        Answer::Failed(error) => return Ok(failed(&error, config)),
    };
    let milliseconds = begin.elapsed().as_millis() as u64;
    let mut table = table.into_iter();
    let Some(names) = table.next() else {
        return Ok(QueryResponse::Done { milliseconds });
    };
    let column = |name: Option<String>| Column {
        name: name.unwrap_or_default(),
        kind: String::new(),
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
        let bytes = row.iter().flatten().map(|value| value.len() + 3).sum();
        if !rows.push(bytes, Some(row)) {
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

    /// Adds a row of this size. Returns false if there is no room for it.
    fn push(&mut self, bytes: usize, row: Option<Vec<Option<String>>>) -> bool {
        let bytes = self.bytes.checked_sub(bytes);
        let cells = self.cells.checked_sub(self.answer.columns.len());
        let (Some(bytes), Some(cells), Some(row)) = (bytes, cells, row) else {
            self.answer.more = true;
            return false;
        };
        (self.bytes, self.cells) = (bytes, cells);
        self.answer.rows.push(row);
        true
    }
}

fn parse_column(line: &str) -> Option<Column> {
    let (name, kind) = serde_json::from_str(line).ok()?;
    Some(Column { name, kind })
}

/// Corrects the position of an error, and adds the schema of a missing table. For an unknown name,
/// DuckDB reports the position of `query()`, but the parse tree has the position of the name.
fn with_place(wrong: QueryError, reading: &Reading) -> QueryError {
    if wrong.position != Some(reading.position()) {
        return wrong;
    }
    let find = |tree: &Value, name: &String| find_place(tree, name);
    let place = wrong
        .name
        .as_ref()
        .and_then(|name| find(&reading.tree, name));
    QueryError {
        position: place
            .as_ref()
            .map(|(position, _)| *position + reading.offset),
        schema: place.and_then(|(_, schema)| schema),
        ..wrong
    }
}
