//! Decides how a text from the chat is run. DuckDB's own parser says what it is.

use serde_json::Value;

use super::{
    names::literal,
    query::{QueryError, QueryResponse},
    query_tree::{self, ShortNames, Statement, classify},
    shell::{Answer, Exited, Shell},
    statement_text::{self, Rewritten},
};

/// Error of `query()` for a PIVOT whose columns depend on the data.
const DYNAMIC_PIVOT: &str = "PIVOT statements without explicit IN clauses";
/// Error of `EXPLAIN` for a PRAGMA that DuckDB replaces by a query.
const QUERY_PRAGMA: &str = "PRAGMA function does not have a function specified";

/// A way to run a text.
pub(super) enum Decision {
    Read(Reading),
    /// The text is one statement. DuckDB accepts it neither in `query()` nor as a subquery.
    Statement {
        text: String,
        /// True if it changes nothing. Other statements may.
        only_reads: bool,
    },
    /// The text is not run.
    Answered(QueryResponse),
}

/// A statement that reads.
pub(super) struct Reading {
    form: Form,
    /// Position in the person's text, minus the position in the text that DuckDB parses.
    pub(super) offset: usize,
    /// DuckDB's parse tree. Null if there is none.
    tree: Value,
}

enum Form {
    /// A SELECT, which `query()` accepts. It accepts nothing else, so the text can't escape from its
    /// literal.
    Query {
        /// Text before `FROM query()`, such as `EXPLAIN`.
        prefix: String,
        select: String,
    },
    /// A statement that `query()` does not accept. DuckDB's command line ends it where DuckDB's parser
    /// does.
    Statement(String),
}

impl Reading {
    /// Returns the statement that runs the text, for at most `most` rows if it is a query.
    pub(super) fn statement(&self, most: u64) -> String {
        match &self.form {
            Form::Query { prefix, select } if prefix.is_empty() => {
                format!("FROM query({}) LIMIT {most};", literal(select))
            }
            Form::Query { prefix, select } => format!("{prefix} FROM query({});", literal(select)),
            Form::Statement(text) => {
                format!("{}\n;", statement_text::for_command_line(text))
            }
        }
    }

    /// Returns the query for the names of the columns, of which several may be the same. `query()` does not
    /// have such names.
    pub(super) fn names(&self) -> Option<String> {
        let Form::Query { prefix, select } = &self.form else {
            return None;
        };
        let describe = literal(&format!("DESCRIBE {select}"));
        let names = format!("SELECT json_array(column_name) FROM query({describe});");
        prefix.is_empty().then_some(names)
    }

    /// Returns true if it certainly changes nothing outside of its DuckDB.
    pub(super) fn only_reads(&self) -> bool {
        match self.form {
            Form::Query { .. } => query_tree::only_reads(&self.tree),
            Form::Statement(_) => true,
        }
    }

    /// Returns true if it certainly leaves nothing behind in its DuckDB. A PIVOT leaves a type.
    pub(super) fn leaves_nothing(&self) -> bool {
        match &self.form {
            Form::Query { .. } => self.only_reads(),
            Form::Statement(text) => statement_text::pragma_name(text).is_some(),
        }
    }

    /// Returns the shortest form of the names of tables.
    pub(super) fn short_names(&self) -> ShortNames {
        match self.form {
            Form::Query { .. } => query_tree::short_names(&self.tree),
            Form::Statement(_) => ShortNames::Table,
        }
    }

    /// Returns true if it lists tables of all namespaces itself.
    pub(super) fn lists_tables(&self) -> bool {
        match &self.form {
            Form::Query { .. } => query_tree::lists_tables(&self.tree),
            Form::Statement(text) => {
                statement_text::pragma_name(text).as_deref() == Some("show_tables_expanded")
            }
        }
    }

    /// Returns true if it lists the tables of the default schema.
    pub(super) fn lists_default_schema(&self) -> bool {
        match &self.form {
            Form::Query { .. } => query_tree::lists_default_schema(&self.tree),
            Form::Statement(text) => {
                statement_text::pragma_name(text).as_deref() == Some("show_tables")
            }
        }
    }

    /// Finds the first position of a name, and its schema if it is a table's.
    pub(super) fn find_place(&self, name: &str) -> Option<(usize, Option<String>)> {
        query_tree::find_place(&self.tree, name)
    }

    /// Returns true if the result may quote the statement, as a plan does.
    fn quotes_text(&self) -> bool {
        matches!(&self.form, Form::Query { prefix, .. } if !prefix.is_empty())
    }

    /// Replaces the statement in a plan, which may quote it, by the person's text.
    pub(super) fn restore_text(&self, plan: &str, typed: &str) -> String {
        if !self.quotes_text() {
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
        if !self.quotes_text() {
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
    pub(super) fn position(&self) -> Option<usize> {
        let Form::Query { prefix, .. } = &self.form else {
            return None;
        };
        let before = match prefix.len() {
            0 => 0,
            length => length + 1,
        };
        Some(before + "FROM ".len())
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
                form: Form::Query {
                    prefix: String::new(),
                    select: sql.to_owned(),
                },
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
                form: Form::Query {
                    prefix: prefix.trim_end().to_owned(),
                    select,
                },
                offset,
                tree,
            }));
        }
    }
    let Some(text) = statement_text::in_one_piece(sql) else {
        return answered(QueryResponse::LineBreak);
    };
    // DuckDB reads this text, so its statements are counted.
    if let Some(count) = statement_text::count_statements(&text) {
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
    let is_read_alike = statement_text::is_read_alike(&text);
    let only_reads = is_dynamic_pivot(shell, &text).await?
        || is_read_alike && is_reading_pragma(shell, &text).await?;
    Ok(if only_reads && is_read_alike {
        Decision::Read(Reading {
            form: Form::Statement(text),
            offset: 0,
            tree: Value::Null,
        })
    } else {
        Decision::Statement { text, only_reads }
    })
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

/// Returns true if the text is a PRAGMA that reads. DuckDB replaces such a PRAGMA by a query: by one of a
/// function of the same name, or by one that has no parameters. `import_database` and `copy_database` have
/// parameters and no such function. Only the command line can run an EXPLAIN, and it must end the text
/// where DuckDB's parser does.
async fn is_reading_pragma(shell: &mut Shell, text: &str) -> Result<bool, Exited> {
    let Some(name) = statement_text::pragma_name(text) else {
        return Ok(false);
    };
    let Answer::Failed(error) = shell.query(&format!("EXPLAIN {text}\n;")).await? else {
        return Ok(false);
    };
    if QueryError::parse(&error).message != QUERY_PRAGMA {
        return Ok(false);
    }
    let [name, function] = [literal(&name), literal(&format!("pragma_{name}"))];
    let reads = format!(
        "SELECT count(*) FROM duckdb_functions() WHERE \
         function_type = 'pragma' AND function_name = {name} AND len(parameters) = 0 \
         OR function_type = 'table' AND function_name = {function};"
    );
    let answer = shell.query(&reads).await?;
    Ok(matches!(answer, Answer::Done(lines) if !matches!(lines.concat().trim(), "" | "0")))
}
