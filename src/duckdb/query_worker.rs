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
    access,
    environment::{self, SessionConfig},
    names::literal,
    query::{Column, QueryError, QueryRequest, QueryResponse, Rows},
    query_tree::{Statement, classify, find_place, has_dotted_name, lists_tables},
    script::{self, ScriptStep, tables},
    secrets::Secrets,
    shell::{Answer, Exited, Shell},
    statement,
};
use crate::catalog::{client::ListingError, listing::Listing};

/// Table that holds the rows until they are read as text.
const RESULT_TABLE: &str = "temp.main.duckbot_answer";
/// Text before the query. Its length is the position that DuckDB reports for an error of `query()`.
const CREATE_PREFIX: &str = "CREATE TEMP TABLE duckbot_answer AS FROM ";

/// Maximum time to list the tables of a catalog.
const LISTING_TIME: Duration = Duration::from_secs(20);

/// Runs a query in a session with these variables.
///
/// # Errors
/// If DuckDB can't be started, the session's variables are not valid, or the disk is full.
pub async fn run(
    request: &QueryRequest,
    variables: &HashMap<String, String>,
) -> anyhow::Result<QueryResponse> {
    let limit = Duration::from_secs(request.timeout_seconds.into());
    match timeout(limit, answer(request, variables)).await {
        Ok(answer) => answer,
        // DuckDB was killed instead of asked to end, because a long query may be running.
        Err(_) => Ok(QueryResponse::TimedOut),
    }
}

async fn answer(
    request: &QueryRequest,
    variables: &HashMap<String, String>,
) -> anyhow::Result<QueryResponse> {
    let mut config = environment::read(variables)?;
    if request.list_tables {
        match access::list_tables(&config, variables, LISTING_TIME).await {
            Ok(listing) => {
                let secrets = Secrets::from_variables(variables);
                return Ok(QueryResponse::Rows(listed(&listing, request, &secrets)));
            }
            Err(error @ ListingError::Moved(_)) => {
                return Ok(QueryResponse::NoAccess {
                    what: tables::list_tables(&config.catalog.name).what,
                    error: error.to_string(),
                    failure: None,
                });
            }
            // DuckDB has the exact error.
            Err(_) => {}
        }
    }
    if let Some(answer) = attempt(request, &config, variables, Namespaces::Unknown).await? {
        return Ok(answer);
    }
    let listing = access::list_tables(&config, variables, LISTING_TIME).await;
    config.catalog.nested |= listing.is_ok_and(|listing| listing.nests);
    let answer = attempt(request, &config, variables, Namespaces::Listed).await?;
    Ok(answer.unwrap_or(QueryResponse::Exited))
}

/// Returns a listing as rows, without secret values.
fn listed(listing: &Listing, request: &QueryRequest, secrets: &Secrets) -> Rows {
    let mut answer = Rows {
        columns: ["schema_name", "table_name"].map(text_column).into(),
        more: !listing.is_complete,
        ..Rows::default()
    };
    let mut room = request.max_bytes as usize;
    for (namespace, table) in &listing.tables {
        let row = [namespace.join("."), table.clone()].map(|name| secrets.redact_values(&name));
        let left = room.checked_sub(row[0].len() + row[1].len());
        let Some(left) = left.filter(|_| answer.rows.len() < request.max_rows as usize) else {
            answer.more = true;
            break;
        };
        room = left;
        answer.rows.push(row.map(Some).into());
    }
    answer
}

fn text_column(name: &str) -> Column {
    Column {
        name: name.into(),
        kind: "VARCHAR".into(),
    }
}

/// DuckDB's knowledge of the catalog's namespaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Namespaces {
    /// DuckDB knows none. It takes a dot in a schema's name for the end of a level.
    Unknown,
    /// DuckDB has listed them.
    Listed,
}

/// Runs the request in a new DuckDB. Returns `None` if it may succeed once DuckDB knows the
/// namespaces. Then nothing was changed.
async fn attempt(
    request: &QueryRequest,
    config: &SessionConfig,
    variables: &HashMap<String, String>,
    namespaces: Namespaces,
) -> anyhow::Result<Option<QueryResponse>> {
    let secrets = Secrets::from_variables(variables);
    let folder = EmptyFolder::create_in(&config.home)?;
    let mut shell = Shell::start_isolated(&config.program, &folder.0, variables, secrets)?;
    let executed = execute(&mut shell, request, config, variables, namespaces).await;
    Ok(executed.unwrap_or(Some(QueryResponse::Exited)))
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
    namespaces: Namespaces,
) -> Result<Option<QueryResponse>, Exited> {
    let value = |name: &str| literal(variables.get(name).map_or("", String::as_str));
    let [limits, secret, attach, close] = script::query_steps(config, &value);
    let mut steps = vec![limits, secret, attach];
    if namespaces == Namespaces::Listed {
        steps.push(list_namespaces(config));
    }
    steps.push(close);
    for step in steps {
        for statement in &step.statements {
            if let Answer::Failed(error) = shell.query(statement).await? {
                let error = QueryError::read(&error, config);
                return Ok(Some(QueryResponse::NoAccess {
                    what: step.what,
                    error: error.to_string(),
                    failure: error.failure,
                }));
            }
        }
    }
    // DuckDB's own parser. It answers with a tree as JSON.
    let parse = format!("SELECT json_serialize_sql({});", literal(&request.sql));
    let tree = match shell.query(&parse).await? {
        Answer::Done(lines) => serde_json::from_str(&lines.concat()).unwrap_or_default(),
        Answer::Failed(error) => return Ok(Some(failed(&error, config))),
    };
    let is_unknown = namespaces == Namespaces::Unknown;
    let answer = match classify(&tree) {
        Statement::Select if is_unknown && lists_tables(&tree) => return Ok(None),
        Statement::Select => run_select(shell, request, config, &tree).await?,
        Statement::Other if request.allow_writes => {
            run_statement(shell, &request.sql, config).await?
        }
        Statement::Other => QueryResponse::NotSelect,
        Statement::Multiple(count) => QueryResponse::MultipleStatements(count),
        Statement::Invalid(wrong) => QueryResponse::Error(wrong),
    };
    let is_missing = matches!(&answer, QueryResponse::Error(wrong) if wrong.kind == "Catalog");
    if is_unknown && is_missing && has_dotted_name(&request.sql) {
        return Ok(None);
    }
    Ok(Some(answer))
}

fn failed(error: &str, config: &SessionConfig) -> QueryResponse {
    QueryResponse::Error(QueryError::read(error, config))
}

fn list_namespaces(config: &SessionConfig) -> ScriptStep {
    let name = &config.catalog.name;
    ScriptStep::new(
        format!("Listing the namespaces of {name}"),
        vec![tables::list_namespaces(name)],
    )
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
    // The command line can't read every name that a column can have.
    let names: Vec<_> = (1..=columns.len()).map(|it| format!("c{it}")).collect();
    let values: Vec<_> = names.iter().map(|it| format!("{it}::VARCHAR")).collect();
    let [values, names] = [values, names].map(|all| all.join(", "));
    let select = format!("SELECT json_array({values}) FROM {RESULT_TABLE} AS answer ({names});");
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
