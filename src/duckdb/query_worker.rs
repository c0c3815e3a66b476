//! Answers queries from the chat in a DuckDB of its own (`duckbot duckdb --ask`). That DuckDB has
//! an in-memory database, an environment without secrets, and no access to this machine's files.
//!
//! A request is one line of JSON on standard input, and its response one on standard output. Closing
//! the input interrupts the query. A DuckDB answers several queries one after the other if none
//! of them can have left anything behind.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::time::timeout;
use uuid::Uuid;

use super::{
    access, answer,
    decision::{Decision, Reading, decide},
    environment::{self, SessionConfig},
    examine,
    names::literal,
    parquet,
    query::{Column, Parquet, QueryError, QueryRequest, QueryResponse, Rows},
    query_tree::{ShortNames, has_dotted_name},
    script::{Access, ScriptStep, query, tables},
    secrets::Secrets,
    shell::{Answer, Exited, Shell},
};
use crate::catalog::{client::ListingError, listing::Listing};

/// Maximum time to list the tables of a catalog.
const LISTING_TIME: Duration = Duration::from_secs(20);

/// Answers queries in a session with these variables.
pub struct QueryWorker {
    config: SessionConfig,
    variables: HashMap<String, String>,
    /// DuckDB for the next query.
    kept: Option<Prepared>,
}

/// DuckDB's knowledge of the catalog's namespaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Namespaces {
    /// DuckDB knows none. It takes a dot in a schema's name for the end of a level.
    Unknown,
    /// DuckDB has listed them.
    Listed,
}

/// A DuckDB, and what was prepared in it.
struct Prepared {
    shell: Shell,
    /// `None` before the catalog is attached.
    access: Option<Access>,
    namespaces: Namespaces,
    /// The first two schemas, if they were listed.
    schemas: Option<Vec<String>>,
    /// Removed after DuckDB has ended, so this comes last.
    folder: WorkFolder,
}

/// Reasons why a query was not run.
enum Stopped {
    Exited,
    Answered(QueryResponse),
    Failed(anyhow::Error),
}

impl From<Exited> for Stopped {
    fn from(_: Exited) -> Self {
        Self::Exited
    }
}

impl From<anyhow::Error> for Stopped {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

impl QueryWorker {
    /// Creates a worker, which starts no DuckDB yet.
    ///
    /// # Errors
    /// If the session's variables are not valid.
    pub fn new(variables: HashMap<String, String>) -> anyhow::Result<Self> {
        Ok(Self {
            config: environment::read(&variables)?,
            variables,
            kept: None,
        })
    }

    /// Runs a query.
    ///
    /// # Errors
    /// If DuckDB can't be started, or the disk is full.
    pub async fn answer(&mut self, request: &QueryRequest) -> anyhow::Result<QueryResponse> {
        let limit = Duration::from_secs(request.timeout_seconds.into());
        match timeout(limit, self.list_or_run(request)).await {
            Ok(answer) => answer,
            // DuckDB was killed instead of asked to end, because a long query may be running.
            Err(_) => Ok(QueryResponse::TimedOut),
        }
    }

    /// Removes the result of the last query from the DuckDB that waits for the next one.
    pub async fn forget_result(&mut self) {
        if let Some(kept) = &mut self.kept
            && answer::forget(&mut kept.shell).await.is_err()
        {
            self.kept = None;
        }
    }

    async fn list_or_run(&mut self, request: &QueryRequest) -> anyhow::Result<QueryResponse> {
        if request.list_tables {
            match access::list_tables(&self.config, &self.variables, LISTING_TIME).await {
                Ok(listing) => {
                    let secrets = Secrets::from_variables(&self.variables);
                    return Ok(QueryResponse::Rows(listed(&listing, request, &secrets)));
                }
                Err(error @ ListingError::Moved(_)) => {
                    return Ok(QueryResponse::NoAccess {
                        what: tables::list_tables(&self.config.catalog.name).what,
                        error: error.to_string(),
                        failure: None,
                    });
                }
                // DuckDB has the exact error.
                Err(_) => {}
            }
        }
        match self.run(request).await {
            Ok(response) | Err(Stopped::Answered(response)) => Ok(response),
            Err(Stopped::Exited) => Ok(QueryResponse::Exited),
            Err(Stopped::Failed(error)) => Err(error),
        }
    }

    async fn run(&mut self, request: &QueryRequest) -> Result<QueryResponse, Stopped> {
        // Dropping this future ends DuckDB, which may be busy.
        let (prepared, decision) = match self.kept.take() {
            Some(mut kept) => match decide(&mut kept.shell, &request.sql).await {
                Ok(decision) => (kept, decision),
                // It ended since the last query.
                Err(Exited) => self.start_and_decide(&request.sql).await?,
            },
            None => self.start_and_decide(&request.sql).await?,
        };
        match decision {
            Decision::Answered(response) => {
                self.kept = Some(prepared);
                Ok(response)
            }
            Decision::Statement {
                only_reads: false, ..
            } if !request.allow_writes => {
                self.kept = Some(prepared);
                Ok(QueryResponse::NotSelect)
            }
            Decision::Statement { text, only_reads } => {
                let access = access_for(only_reads, request);
                let mut prepared = self.attach(prepared, access).await?;
                self.set_default(&mut prepared, ShortNames::Table).await?;
                let Prepared {
                    shell,
                    folder: _folder,
                    ..
                } = prepared;
                let mut response = answer::run_last(shell, &text, request, &self.config).await?;
                if let QueryResponse::Rows(rows) = &mut response {
                    rows.has_effects = !only_reads;
                    rows.parquet = request.parquet.then_some(Parquet::NotSelect);
                }
                Ok(response)
            }
            Decision::Read(reading) => {
                let access = access_for(reading.only_reads(), request);
                let prepared = self.attach(prepared, access).await?;
                let (prepared, mut response) = self.read(prepared, &reading, request).await?;
                if let QueryResponse::Rows(rows) = &mut response {
                    rows.has_effects = request.allow_writes && !reading.only_reads();
                }
                if reading.leaves_nothing() {
                    self.kept = Some(prepared);
                }
                Ok(response)
            }
        }
    }

    async fn read(
        &mut self,
        mut prepared: Prepared,
        reading: &Reading,
        request: &QueryRequest,
    ) -> Result<(Prepared, QueryResponse), Stopped> {
        let is_unknown = |prepared: &Prepared| prepared.namespaces == Namespaces::Unknown;
        if is_unknown(&prepared) && reading.lists_tables() {
            prepared = self.learn_namespaces(prepared).await?;
        }
        let names = reading.short_names();
        loop {
            let default = self.set_default(&mut prepared, names).await?;
            let shell = &mut prepared.shell;
            let mut response =
                answer::read(shell, reading, default.as_deref(), request, &self.config).await?;
            if let QueryResponse::Rows(rows) = &mut response {
                if request.parquet {
                    parquet::add(rows, shell, reading, &prepared.folder.spill(), request).await?;
                }
                if let Some(question) = &request.examine {
                    rows.findings = Some(examine::examine(shell, question).await?);
                }
                let has_several = prepared.schemas.as_ref().is_some_and(|all| all.len() > 1);
                rows.lacks_default_schema = has_several && reading.lists_default_schema();
            }
            let is_missing =
                matches!(&response, QueryResponse::Error(wrong) if wrong.kind == "Catalog");
            if !is_missing || !is_unknown(&prepared) || !has_dotted_name(&request.sql) {
                return Ok((prepared, response));
            }
            prepared = self.learn_namespaces(prepared).await?;
        }
    }

    async fn start_and_decide(&self, sql: &str) -> Result<(Prepared, Decision), Stopped> {
        let mut prepared = self.start().await?;
        let decision = decide(&mut prepared.shell, sql).await?;
        Ok((prepared, decision))
    }

    /// Starts a DuckDB, which does not know the catalog yet.
    async fn start(&self) -> Result<Prepared, Stopped> {
        let folder = WorkFolder::create_in(&self.config.home)?;
        let secrets = Secrets::from_variables(&self.variables);
        let program = &self.config.program;
        let shell = Shell::start_isolated(program, &folder.0, &self.variables, secrets)
            .map_err(anyhow::Error::from)?;
        let limits = query::set_limits(&self.config, &folder.spill());
        let mut prepared = Prepared {
            shell,
            access: None,
            namespaces: Namespaces::Unknown,
            schemas: None,
            folder,
        };
        self.take_step(&mut prepared, &limits).await?;
        Ok(prepared)
    }

    /// Attaches the catalog, in another DuckDB if this one has attached it in another way.
    async fn attach(&self, prepared: Prepared, access: Access) -> Result<Prepared, Stopped> {
        let mut prepared = match prepared.access {
            Some(present) if present == access => return Ok(prepared),
            Some(_) => self.start().await?,
            None => prepared,
        };
        let value = |name: &str| literal(self.variables.get(name).map_or("", String::as_str));
        for step in query::attach(&self.config, access, &value) {
            self.take_step(&mut prepared, &step).await?;
        }
        prepared.access = Some(access);
        Ok(prepared)
    }

    async fn take_step(&self, prepared: &mut Prepared, step: &ScriptStep) -> Result<(), Stopped> {
        for statement in &step.statements {
            if let Answer::Failed(error) = prepared.shell.query(statement).await? {
                let error = QueryError::read(&error, &self.config);
                return Err(Stopped::Answered(QueryResponse::NoAccess {
                    what: step.what.clone(),
                    error: error.to_string(),
                    failure: error.failure,
                }));
            }
        }
        Ok(())
    }

    /// Makes DuckDB list the namespaces. It does so in another DuckDB if they turn out to be nested,
    /// which must be known when the catalog is attached.
    async fn learn_namespaces(&mut self, prepared: Prepared) -> Result<Prepared, Stopped> {
        let listing = access::list_tables(&self.config, &self.variables, LISTING_TIME).await;
        let listing = listing.ok();
        let mut prepared = prepared;
        if listing
            .as_ref()
            .is_some_and(|listing| listing.has_empty_name)
        {
            // DuckDB would be unusable.
            prepared.namespaces = Namespaces::Listed;
            return Ok(prepared);
        }
        if listing.is_some_and(|listing| listing.nests) && !self.config.catalog.nested {
            self.config.catalog.nested = true;
            let access = prepared.access.unwrap_or(Access::ReadOnly);
            prepared = self.attach(self.start().await?, access).await?;
        }
        let name = &self.config.catalog.name;
        let step = ScriptStep::new(
            format!("Listing the namespaces of {name}"),
            vec![tables::list_namespaces(name)],
        );
        self.take_step(&mut prepared, &step).await?;
        prepared.namespaces = Namespaces::Listed;
        Ok(prepared)
    }

    /// Makes the catalog the default for names without it, and its schema, if there is only one.
    /// Returns the statement that changed the default, if one did.
    async fn set_default(
        &self,
        prepared: &mut Prepared,
        names: ShortNames,
    ) -> Result<Option<String>, Stopped> {
        if names == ShortNames::None {
            return Ok(None);
        }
        let catalog = &self.config.catalog.name;
        if prepared.schemas.is_none() {
            let list = query::first_schemas(catalog);
            prepared.schemas = Some(match prepared.shell.query(&list).await? {
                Answer::Done(lines) => lines
                    .iter()
                    .filter_map(|it| answer::only_value(it))
                    .collect(),
                // The query itself tells the failure, if it matters.
                Answer::Failed(_) => Vec::new(),
            });
        }
        let schema = match (prepared.schemas.as_deref().unwrap_or_default(), names) {
            ([only], _) => only,
            // DuckDB has no default of a catalog alone. Names of tables alone are not meant.
            ([first, ..], ShortNames::Schema) => first,
            _ => return Ok(None),
        };
        let default = query::set_default(catalog, schema);
        let done = prepared.shell.execute(&default).await?;
        Ok((done == Answer::Done(())).then_some(default))
    }
}

/// Returns the access of a statement to the team's tables. Only what may change something can write.
fn access_for(only_reads: bool, request: &QueryRequest) -> Access {
    if request.allow_writes && !only_reads {
        Access::ReadWrite
    } else {
        Access::ReadOnly
    }
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

/// Working folder of a DuckDB, removed on drop. Without HOME, DuckDB looks for files of its own in the
/// working folder.
struct WorkFolder(PathBuf);

impl WorkFolder {
    fn create_in(home: &Path) -> anyhow::Result<Self> {
        let path = home.join(format!(".duckdb/query-{}", Uuid::new_v4()));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    /// Folder for what does not fit into memory, and for the file of a result. DuckDB can write to no
    /// other one.
    fn spill(&self) -> PathBuf {
        self.0.join("spill")
    }
}

impl Drop for WorkFolder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.spill());
        // A file that the owner put there meanwhile stays, and is removed with the session.
        let _ = fs::remove_dir(&self.0);
    }
}
