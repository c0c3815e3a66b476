//! Decides how a text from the chat is run. DuckDB's own parser says what it is.

use serde_json::Value;

use super::{
    names::literal,
    query::{QueryError, QueryResponse},
    query_tree::{Statement, classify},
    shell::{Answer, Exited, Shell},
    statement_text::{self, Rewritten},
};

/// Error of `query()` for a PIVOT whose columns depend on the data.
const DYNAMIC_PIVOT: &str = "PIVOT statements without explicit IN clauses";

/// A way to run a text.
pub(super) enum Decision {
    Read(Reading),
    /// The line is one statement. DuckDB accepts it neither in `query()` nor as a subquery.
    Statement {
        line: String,
        /// True if it changes nothing. Other statements may.
        only_reads: bool,
    },
    /// The text is not run.
    Answered(QueryResponse),
}

/// A SELECT, which `query()` accepts. It accepts nothing else, so the text can't escape from its
/// literal.
pub(super) struct Reading {
    /// Text before `FROM query()`, such as `EXPLAIN`.
    prefix: String,
    select: String,
    /// Position in the person's text, minus the position in `select`.
    pub(super) offset: usize,
    /// DuckDB's parse tree.
    pub(super) tree: Value,
}

impl Reading {
    /// Returns the statement that runs the text, for at most `most` rows.
    pub(super) fn statement(&self, most: u64) -> String {
        let Self { prefix, select, .. } = self;
        let select = literal(select);
        if prefix.is_empty() {
            format!("FROM query({select}) LIMIT {most};")
        } else {
            format!("{prefix} FROM query({select});")
        }
    }

    /// Replaces the statement in a plan, which may quote it, by the person's text.
    pub(super) fn restore_text(&self, plan: &str, typed: &str) -> String {
        if self.prefix.is_empty() {
            return plan.to_owned();
        }
        // DuckDB quotes it in one line, or in JSON.
        let one_line = |text: &str| text.replace('\n', " ");
        let json = |text: &str| {
            let text = Value::from(text).to_string();
            text[1..text.len() - 1].to_owned()
        };
        let statement = self.statement(0);
        plan.replace(&one_line(&statement), &one_line(typed))
            .replace(&json(&statement), &json(typed))
    }

    /// Returns an SQL expression that does to a value what [`Reading::restore_text`] does.
    pub(super) fn restored(&self, value: &str, typed: &str) -> String {
        if self.prefix.is_empty() {
            return value.to_owned();
        }
        let [statement, typed] = [&self.statement(0), typed].map(|text| text.replace('\n', " "));
        format!(
            "replace({value}::VARCHAR, {}, {})",
            literal(&statement),
            literal(&typed)
        )
    }

    /// Position that DuckDB reports for an error within `query()`.
    pub(super) fn position(&self) -> usize {
        let before = if self.prefix.is_empty() {
            0
        } else {
            self.prefix.len() + 1
        };
        before + "FROM ".len()
    }
}

/// Decides how to run `sql`. Runs nothing of it.
pub(super) async fn decide(shell: &mut Shell, sql: &str) -> Result<Decision, Exited> {
    let tree = match parse(shell, sql).await? {
        Ok(tree) => tree,
        Err(error) => return answered(QueryResponse::Error(error)),
    };
    match classify(&tree) {
        Statement::Select => {
            return Ok(Decision::Read(Reading {
                prefix: String::new(),
                select: sql.to_owned(),
                offset: 0,
                tree,
            }));
        }
        Statement::Multiple(count) => return answered(QueryResponse::MultipleStatements(count)),
        Statement::Empty => return answered(QueryResponse::Empty),
        Statement::Invalid(wrong) => return answered(QueryResponse::Error(wrong)),
        Statement::Other => {}
    }
    if let Some(Rewritten {
        prefix,
        select,
        offset,
    }) = statement_text::rewrite(sql)
    {
        let tree = parse(shell, &select).await?;
        if let Ok(tree) = tree
            && classify(&tree) == Statement::Select
        {
            return Ok(Decision::Read(Reading {
                prefix: prefix.trim_end().to_owned(),
                select,
                offset,
                tree,
            }));
        }
    }
    let Some(line) = statement_text::one_line(sql) else {
        return answered(QueryResponse::LineBreak);
    };
    // DuckDB reads the line, so the line is what is counted.
    if let Some(count) = statement_text::count_statements(&line) {
        match shell.query(&count).await? {
            Answer::Done(lines) => match lines.concat().trim().parse() {
                Ok(1) => {}
                // If DuckDB does not tell the number, the text is not run either.
                count => return answered(QueryResponse::MultipleStatements(count.unwrap_or(2))),
            },
            Answer::Failed(error) => {
                return answered(QueryResponse::Error(QueryError::parse(&error)));
            }
        }
    }
    if statement_text::begins_transaction(sql) {
        return answered(QueryResponse::NotCommitted);
    }
    let only_reads = is_dynamic_pivot(shell, &line).await?;
    Ok(Decision::Statement { line, only_reads })
}

fn answered(response: QueryResponse) -> Result<Decision, Exited> {
    Ok(Decision::Answered(response))
}

/// Returns DuckDB's parse tree as JSON, or the error of a text that DuckDB's parser never saw.
async fn parse(shell: &mut Shell, sql: &str) -> Result<Result<Value, QueryError>, Exited> {
    let parse = format!("SELECT json_serialize_sql({});", literal(sql));
    Ok(match shell.query(&parse).await? {
        Answer::Done(lines) => Ok(serde_json::from_str(&lines.concat()).unwrap_or_default()),
        Answer::Failed(error) => Err(QueryError::parse(&error)),
    })
}

/// Returns true if the text is a PIVOT, or a SELECT of one, whose columns depend on the data. DuckDB
/// runs it as several statements, so `query()` refuses it and says why. It says the same of a statement
/// that writes such a PIVOT, which can't be a subquery.
async fn is_dynamic_pivot(shell: &mut Shell, sql: &str) -> Result<bool, Exited> {
    let sql = sql.trim_end_matches(|c: char| c.is_whitespace() || c == ';');
    let query = format!("FROM query({});", literal(sql));
    let Answer::Failed(error) = shell.query(&query).await? else {
        return Ok(false);
    };
    if !QueryError::parse(&error).message.starts_with(DYNAMIC_PIVOT) {
        return Ok(false);
    }
    // The line break ends a comment.
    let tree = parse(shell, &format!("FROM (\n{sql}\n)")).await?;
    Ok(tree.is_ok_and(|tree| classify(&tree) == Statement::Other))
}
