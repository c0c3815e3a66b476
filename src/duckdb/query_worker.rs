//! Runs one query from the chat in a DuckDB of its own (`duckbot duckdb --ask`). That DuckDB has
//! an in-memory database, an environment without secrets, and no access to this machine's files.
//!
//! The request is one line of JSON on standard input, and the response one on standard output.
//! Closing the input before that interrupts the query.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::Value;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use super::{
    environment::{self, SessionConfig},
    query::{Column, QueryError, QueryRequest, QueryResponse, Rows},
    script::{self, identifier, literal},
    secrets::Secrets,
    shell::{Answer, Exited, Shell},
    statement,
};

/// Table that holds the rows until they are read as text.
const RESULT_TABLE: &str = "temp.main.duckbot_answer";
/// Text before the query. Its length is the position that DuckDB reports for an error of `query()`.
const CREATE_PREFIX: &str = "CREATE TEMP TABLE duckbot_answer AS FROM ";

/// Positions from this value on mean that a node of the parse tree has no position.
const NO_LOCATION: usize = u32::MAX as usize;

/// Runs a query in a session with these variables.
///
/// # Errors
/// If DuckDB can't be started, the session's variables are not valid, or the disk is full.
pub async fn run(
    request: &QueryRequest,
    variables: &HashMap<String, String>,
) -> anyhow::Result<QueryResponse> {
    let config = environment::read(variables)?;
    let secrets = Secrets::from_variables(variables);
    let limit = Duration::from_secs(request.timeout_seconds.into());
    let folder = EmptyFolder::create_in(&config.home)?;
    let mut shell = Shell::start_isolated(&config.program, &folder.0, variables, secrets)?;
    let answered = timeout(limit, execute(&mut shell, request, &config, variables)).await;
    // Kill DuckDB instead of asking it to end, because a long query may be running.
    drop(shell);
    Ok(match answered {
        Ok(Ok(answer)) => answer,
        Ok(Err(Exited)) => QueryResponse::Exited,
        Err(_) => QueryResponse::TimedOut,
    })
}

/// Working folder of a DuckDB for one query; removed on drop. Without HOME, DuckDB looks for files
/// of its own in the working folder.
struct EmptyFolder(PathBuf);

impl EmptyFolder {
    fn create_in(home: &Path) -> io::Result<Self> {
        let path = home.join(format!(".duckdb/query-{}", Uuid::new_v4()));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }
}

impl Drop for EmptyFolder {
    fn drop(&mut self) {
        // A file that the owner put there meanwhile stays, and is removed with the session.
        let _ = fs::remove_dir(&self.0);
    }
}

async fn execute(
    shell: &mut Shell,
    request: &QueryRequest,
    config: &SessionConfig,
    variables: &HashMap<String, String>,
) -> Result<QueryResponse, Exited> {
    let value = |name: &str| literal(variables.get(name).map_or("", String::as_str));
    for step in script::query_steps(config, &value) {
        for statement in &step.statements {
            if let Answer::Failed(error) = shell.query(statement).await? {
                let error = QueryError::read(&error, config);
                return Ok(QueryResponse::NoAccess {
                    what: step.what,
                    error: error.to_string(),
                    failure: error.failure,
                });
            }
        }
    }
    // DuckDB's own parser. It answers with a tree as JSON.
    let parse = format!("SELECT json_serialize_sql({});", literal(&request.sql));
    let tree = match shell.query(&parse).await? {
        Answer::Done(lines) => serde_json::from_str(&lines.concat()).unwrap_or_default(),
        Answer::Failed(error) => return Ok(failed(&error, config)),
    };
    match classify(&tree) {
        Statement::Select => run_select(shell, request, config, &tree).await,
        Statement::Other if request.allow_writes => {
            run_statement(shell, &request.sql, config).await
        }
        Statement::Other => Ok(QueryResponse::NotSelect),
        Statement::Multiple(count) => Ok(QueryResponse::MultipleStatements(count)),
        Statement::Invalid(wrong) => Ok(QueryResponse::Error(wrong)),
    }
}

fn failed(error: &str, config: &SessionConfig) -> QueryResponse {
    QueryResponse::Error(QueryError::read(error, config))
}

#[derive(Debug, PartialEq, Eq)]
enum Statement {
    Select,
    Other,
    Multiple(usize),
    Invalid(QueryError),
}

/// Classifies a parsed query. DuckDB returns a parse tree for SELECT only.
fn classify(tree: &Value) -> Statement {
    let text = |name: &str| tree[name].as_str().unwrap_or_default();
    match (text("error_type"), tree["statements"].as_array()) {
        ("", Some(statements)) if statements.len() == 1 => Statement::Select,
        ("", Some(statements)) => Statement::Multiple(statements.len()),
        ("" | "not implemented", _) => Statement::Other,
        _ => Statement::Invalid(QueryError {
            kind: "Parser".into(),
            message: text("error_message").into(),
            position: text("position").parse().ok(),
            ..QueryError::default()
        }),
    }
}

/// Runs a SELECT with `query()`, which accepts one SELECT and nothing else, so the text can't
/// escape from its literal.
async fn run_select(
    shell: &mut Shell,
    request: &QueryRequest,
    config: &SessionConfig,
    tree: &Value,
) -> Result<QueryResponse, Exited> {
    let sql = literal(&request.sql);
    let begin = Instant::now();
    let most = request.max_rows;
    let create = format!("{CREATE_PREFIX}query({sql}) LIMIT {};", u64::from(most) + 1);
    if let Answer::Failed(error) = shell.query(&create).await? {
        let error = QueryError::read(&error, config);
        return Ok(QueryResponse::Error(with_place(error, tree)));
    }
    let milliseconds = begin.elapsed().as_millis() as u64;
    let describe =
        format!("SELECT json_array(column_name, column_type) FROM (DESCRIBE {RESULT_TABLE});");
    let columns: Vec<_> = match shell.query(&describe).await? {
        Answer::Done(lines) => lines.iter().filter_map(|line| parse_column(line)).collect(),
        Answer::Failed(_) => Vec::new(),
    };
    let values: Vec<_> = columns
        .iter()
        .map(|it| format!("{}::VARCHAR", identifier(&it.name)))
        .collect();
    let values = values.join(", ");
    let select = format!("SELECT json_array({values}) FROM {RESULT_TABLE};");
    let lines = match shell.query(&select).await? {
        Answer::Done(lines) => lines,
        Answer::Failed(error) => return Ok(failed(&error, config)),
    };
    let mut answer = Rows {
        columns,
        more: lines.len() > most as usize,
        milliseconds,
        rows: Vec::new(),
    };
    let mut room = request.max_bytes as usize;
    let mut cells = request.max_cells as usize;
    for line in lines.iter().take(most as usize) {
        let (fits, cells_fit) = (
            room.checked_sub(line.len()),
            cells.checked_sub(answer.columns.len()),
        );
        let Some((left, cells_left)) = fits.zip(cells_fit) else {
            answer.more = true;
            break;
        };
        (room, cells) = (left, cells_left);
        // A row that was cut off is not valid JSON.
        let Ok(row) = serde_json::from_str(line) else {
            answer.more = true;
            break;
        };
        answer.rows.push(row);
    }
    Ok(QueryResponse::Rows(answer))
}

fn parse_column(line: &str) -> Option<Column> {
    let (name, kind) = serde_json::from_str(line).ok()?;
    Some(Column { name, kind })
}

/// Corrects the position of an error, and adds the schema of a missing table. For an unknown name,
/// DuckDB reports the position of `query()`, but the parse tree has the position of the name.
fn with_place(wrong: QueryError, tree: &Value) -> QueryError {
    if wrong.position != Some(CREATE_PREFIX.len()) {
        return wrong;
    }
    let name = wrong.name.as_deref();
    let place = name.and_then(|name| find_place(tree, name));
    QueryError {
        position: place.as_ref().map(|(position, _)| *position),
        schema: place.and_then(|(_, schema)| schema),
        ..wrong
    }
}

/// Finds the first position of a name, and its schema if it is a table's. Columns, tables and
/// functions have positions in the tree.
fn find_place(tree: &Value, name: &str) -> Option<(usize, Option<String>)> {
    let is_it = |value: &Value| {
        value
            .as_str()
            .is_some_and(|it| it.eq_ignore_ascii_case(name))
    };
    match tree {
        Value::Array(all) => all.iter().find_map(|it| find_place(it, name)),
        Value::Object(fields) => {
            let last = fields
                .get("column_names")
                .and_then(|names| names.as_array()?.last());
            let named = last
                .into_iter()
                .chain(fields.get("table_name"))
                .chain(fields.get("function_name"));
            let place = fields.get("query_location").and_then(Value::as_u64);
            match place.and_then(|place| usize::try_from(place).ok()) {
                Some(place) if place < NO_LOCATION && named.into_iter().any(is_it) => {
                    let schema = fields.get("schema_name").and_then(Value::as_str);
                    let schema = schema.filter(|schema| !schema.is_empty());
                    Some((place, schema.map(str::to_owned)))
                }
                _ => fields.values().find_map(|it| find_place(it, name)),
            }
        }
        _ => None,
    }
}

/// Runs a text that is exactly one statement, other than SELECT. DuckDB has parsed it, so no quote
/// is open at its end.
async fn run_statement(
    shell: &mut Shell,
    sql: &str,
    config: &SessionConfig,
) -> Result<QueryResponse, Exited> {
    // The command line drops the first character of such a line break.
    let sql = sql.replace("\r\n", "\n");
    let sql = statement::trim(&sql);
    if let Some(count) = statement::count_statements(sql) {
        match shell.query(&count).await? {
            Answer::Done(lines) => match lines.concat().trim().parse() {
                Ok(1) => {}
                count => return Ok(QueryResponse::MultipleStatements(count.unwrap_or(2))),
            },
            Answer::Failed(error) => return Ok(failed(&error, config)),
        }
    }
    if !statement::is_read_as_one(sql) {
        return Ok(QueryResponse::Ambiguous);
    }
    let begin = Instant::now();
    let done = shell.query(&format!("{sql}\n;")).await?;
    let milliseconds = begin.elapsed().as_millis() as u64;
    if let Answer::Failed(error) = done {
        return Ok(failed(&error, config));
    }
    // It succeeds only if a transaction is open.
    Ok(match shell.execute("ROLLBACK;").await? {
        Answer::Done(()) => QueryResponse::NotCommitted,
        Answer::Failed(_) => QueryResponse::Done { milliseconds },
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    // Output of DuckDB 1.5.5.
    #[test]
    fn a_query_is_classified_by_its_tree() {
        assert_eq!(
            classify(&json!({"error": false, "statements": [{}]})),
            Statement::Select
        );
        assert_eq!(
            classify(&json!({"error": false, "statements": [{}, {}]})),
            Statement::Multiple(2)
        );
        let no_select = json!({"error": true, "error_type": "not implemented",
            "error_message": "Only SELECT statements can be serialized to json!"});
        assert_eq!(classify(&no_select), Statement::Other);
        assert_eq!(
            classify(&Value::Null),
            Statement::Other,
            "an empty tree is not a SELECT"
        );
        let wrong = json!({"error": true, "error_type": "parser", "position": "12",
            "error_message": "syntax error at or near \"1\""});
        let Statement::Invalid(wrong) = classify(&wrong) else {
            panic!("it is not valid SQL");
        };
        assert_eq!(wrong.position, Some(12));
        assert_eq!(
            wrong.to_string(),
            "Parser Error: syntax error at or near \"1\""
        );
    }

    #[test]
    fn the_first_position_of_a_name_is_found() {
        let tree = json!({"query_location": u64::MAX, "list": [
            {"class": "COLUMN_REF", "column_names": ["d", "Totl"], "query_location": 7},
            {"type": "BASE_TABLE", "schema_name": "zoo", "table_name": "duks", "query_location": 20},
        ]});
        assert_eq!(find_place(&tree, "totl"), Some((7, None)));
        assert_eq!(find_place(&tree, "duks"), Some((20, Some("zoo".into()))));
        assert_eq!(find_place(&tree, "d"), None);
    }
}
