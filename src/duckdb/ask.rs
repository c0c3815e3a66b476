//! Asks a DuckDB that is there for one question only: in memory, without anything in its
//! environment, closed to this machine's files (`duckbot duckdb --ask`).
//!
//! The question comes by the standard input, as JSON in one line, and the answer goes to the
//! standard output in the same way. Whoever closes the input before that interrupts it.

use std::{collections::HashMap, time::Duration};

use serde_json::Value;
use tokio::time::{Instant, timeout};

use super::{
    environment::{self, Wanted},
    question::{Answer, Column, Question, Rows, Wrong},
    script::{self, identifier, literal},
    secrets::Secrets,
    shell::{Ended, Shell},
};

/// What holds the rows until they are taken out as text.
const RESULT: &str = "temp.main.duckbot_answer";
/// Where DuckDB says an error is if the whole question is at fault: where it is put in.
const CREATE: &str = "CREATE TEMP TABLE duckbot_answer AS FROM ";

/// What has no place says that it is at the largest number there is.
const MOST_LONG: usize = u32::MAX as usize;

/// Answers a question in a session with these variables.
///
/// # Errors
/// If DuckDB can't be started, or the session's variables are wrong.
pub async fn ask(
    question: &Question,
    variables: &HashMap<String, String>,
) -> anyhow::Result<Answer> {
    let wanted = environment::read(variables)?;
    let secrets = Secrets::among(variables);
    let limit = Duration::from_secs(question.seconds.into());
    let mut shell = Shell::alone(&wanted.program, variables, secrets)?;
    let answered = timeout(limit, converse(&mut shell, question, &wanted, variables)).await;
    // Not asked to: it may be in the middle of something long.
    drop(shell);
    Ok(match answered {
        Ok(Ok(answer)) => answer,
        Ok(Err(Ended)) => Answer::Ended,
        Err(_) => Answer::TooLong,
    })
}

async fn converse(
    shell: &mut Shell,
    question: &Question,
    wanted: &Wanted,
    variables: &HashMap<String, String>,
) -> Result<Answer, Ended> {
    let value = |name: &str| literal(variables.get(name).map_or("", String::as_str));
    for step in script::question(wanted, &value) {
        for statement in &step.statements {
            if let Err(error) = shell.asks(statement).await? {
                return Ok(Answer::NoAccess {
                    what: step.what,
                    error: Wrong::read(&error).to_string(),
                });
            }
        }
    }
    match classify(shell, &question.sql).await? {
        Kind::Select => rows(shell, question).await,
        Kind::Other if question.writes => does(shell, &question.sql).await,
        Kind::Other => Ok(Answer::NotSelect),
        Kind::Several(count) => Ok(Answer::Several(count)),
        Kind::Wrong(wrong) => Ok(Answer::Wrong(wrong)),
    }
}

enum Kind {
    Select,
    Other,
    Several(u32),
    Wrong(Wrong),
}

/// What DuckDB's own parser makes of it.
async fn classify(shell: &mut Shell, sql: &str) -> Result<Kind, Ended> {
    let statement = format!(
        "SELECT json_array(j->>'error_type', j->>'error_message', j->>'position', \
         json_array_length(j->'statements')) FROM (SELECT json_serialize_sql({}) AS j);",
        literal(sql)
    );
    type Said = (Option<String>, Option<String>, Option<String>, Option<u32>);
    let lines = match shell.asks(&statement).await? {
        Ok(lines) => lines,
        Err(error) => return Ok(Kind::Wrong(Wrong::read(&error))),
    };
    let said: Option<Said> = lines
        .first()
        .and_then(|line| serde_json::from_str(line).ok());
    Ok(match said {
        Some((Some(kind), _, _, _)) if kind == "not implemented" => Kind::Other,
        Some((Some(_), message, position, _)) => Kind::Wrong(Wrong {
            kind: "Parser".into(),
            message: message.unwrap_or_default(),
            position: position.and_then(|text| text.parse().ok()),
            ..Wrong::default()
        }),
        Some((None, _, _, Some(1))) => Kind::Select,
        Some((None, _, _, Some(count))) => Kind::Several(count),
        _ => Kind::Other,
    })
}

/// `query()` takes one SELECT and nothing else, so the text can't leave the place where it is.
async fn rows(shell: &mut Shell, question: &Question) -> Result<Answer, Ended> {
    let sql = literal(&question.sql);
    let begin = Instant::now();
    let most = question.rows;
    let create = format!("{CREATE}query({sql}) LIMIT {};", u64::from(most) + 1);
    if let Err(error) = shell.asks(&create).await? {
        return place(shell, &sql, Wrong::read(&error))
            .await
            .map(Answer::Wrong);
    }
    let milliseconds = begin.elapsed().as_millis() as u64;
    let describe = format!("SELECT json_array(column_name, column_type) FROM (DESCRIBE {RESULT});");
    let columns = shell.asks(&describe).await?;
    let columns: Vec<_> = columns
        .unwrap_or_default()
        .iter()
        .filter_map(|line| column(line))
        .collect();
    let values: Vec<_> = columns
        .iter()
        .map(|it| format!("{}::VARCHAR", identifier(&it.name)))
        .collect();
    let values = values.join(", ");
    let select = format!("SELECT json_array({values}) FROM {RESULT};");
    let lines = match shell.asks(&select).await? {
        Ok(lines) => lines,
        Err(error) => return Ok(Answer::Wrong(Wrong::read(&error))),
    };
    let mut answer = Rows {
        columns,
        more: lines.len() > most as usize,
        milliseconds,
        rows: Vec::new(),
    };
    let mut room = question.bytes as usize;
    for line in lines.iter().take(most as usize) {
        let Some(left) = room.checked_sub(line.len()) else {
            answer.more = true;
            break;
        };
        room = left;
        // One that was cut is none.
        let Ok(row) = serde_json::from_str(line) else {
            answer.more = true;
            break;
        };
        answer.rows.push(row);
    }
    Ok(Answer::Rows(answer))
}

fn column(line: &str) -> Option<Column> {
    let (name, kind) = serde_json::from_str(line).ok()?;
    Some(Column { name, kind })
}

/// Where in the question it is. What is wrong with a name, `query()` says of itself; where the
/// name stands, DuckDB's parser knows.
async fn place(shell: &mut Shell, sql: &str, wrong: Wrong) -> Result<Wrong, Ended> {
    if wrong.position != Some(CREATE.len()) {
        return Ok(wrong);
    }
    let parsed = shell
        .asks(&format!("SELECT json_serialize_sql({sql});"))
        .await?;
    let tree = parsed.unwrap_or_default().concat();
    let tree: Value = serde_json::from_str(&tree).unwrap_or_default();
    let name = wrong.name.as_deref();
    let position = name.and_then(|name| stands(&tree, name));
    Ok(Wrong { position, ..wrong })
}

/// Where a name stands first: columns, tables and functions have their places in the tree.
fn stands(tree: &Value, name: &str) -> Option<usize> {
    let is_it = |value: &Value| {
        value
            .as_str()
            .is_some_and(|it| it.eq_ignore_ascii_case(name))
    };
    match tree {
        Value::Array(all) => all.iter().find_map(|it| stands(it, name)),
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
                Some(place) if place < MOST_LONG && named.into_iter().any(is_it) => Some(place),
                _ => fields.values().find_map(|it| stands(it, name)),
            }
        }
        _ => None,
    }
}

/// DuckDB's parser knows it as a whole, so no quote is open at its end.
async fn does(shell: &mut Shell, sql: &str) -> Result<Answer, Ended> {
    let begin = Instant::now();
    let done = shell.asks(&format!("{sql}\n;")).await?;
    Ok(match done {
        Ok(_) => Answer::Done {
            milliseconds: begin.elapsed().as_millis() as u64,
        },
        Err(error) => Answer::Wrong(Wrong::read(&error)),
    })
}
