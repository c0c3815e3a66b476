//! Runs statements.

use std::{pin::pin, sync::Arc, time::Instant};

use hyper::header::HeaderValue;
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, SemaphorePermit};
use tokio_util::sync::CancellationToken;

use super::{
    answer::{Reply, Rows, write_limited},
    client::Client,
    problem::{Problem, ProblemKind},
    results::{Column, MAX_ROWS, StoredResult, drop_sql},
    running::{MAX_NAME_BYTES, RunningTab, connection},
    sql_text::without_end,
    state::Console,
};
use crate::door::decode::Table;
use crate::duckdb::open::ATTACH_MEMORY;

/// Number of rows that are shown with a new result.
const FIRST_ROWS: u64 = 200;
/// Maximum size of the names and types of a result's columns together. The door keeps them.
const MAX_COLUMN_BYTES: usize = 512 << 10;
/// End of the name of a tab that shows previews of tables.
const PREVIEWS: &str = "-look";
/// Table in DuckDB's memory, whose only value is another one after each restart of DuckDB.
const MARK: &str = "memory.duckbot.duckdb";

#[derive(Deserialize)]
pub(super) struct RunInput {
    tab: String,
    cell: String,
    sql: String,
}

#[derive(Serialize)]
struct RunReply<'a> {
    result: &'a str,
    columns: &'a [Column],
    rows: u64,
    complete: bool,
    elapsed_ms: u64,
    first: Rows<'a>,
    started: &'a str,
}

/// Result of statements that ran.
struct Ran {
    result: Arc<StoredResult>,
    elapsed_ms: u64,
    /// Text of [`Console::make_ready`].
    started: String,
}

/// Connection on which statements run, and the table of their result.
#[derive(Clone, Copy)]
struct Target<'a> {
    connection: &'a HeaderValue,
    table: &'a str,
    cancelled: &'a CancellationToken,
}

#[derive(Deserialize)]
pub(super) struct TabInput {
    tab: String,
}

/// Guard that takes a statement out of the queue when its browser goes away.
struct LeaveQueue<'a> {
    client: &'a Client,
    connection: HeaderValue,
    /// Cancels what comes before the statement.
    waits: CancellationToken,
}

impl Drop for LeaveQueue<'_> {
    fn drop(&mut self) {
        self.waits.cancel();
        self.client.leave_queue(&self.connection);
    }
}

impl Console {
    /// Runs statements. They go on when the browser goes away, unless they still wait. `memory` is for the texts of
    /// those that wait.
    pub(super) async fn run(
        self: &Arc<Self>,
        input: RunInput,
        memory: Option<OwnedSemaphorePermit>,
    ) -> Result<Reply, Problem> {
        let connection = connection(&input.tab)?;
        if input.cell.len() > MAX_NAME_BYTES {
            return Err(Problem::invalid("the cell's name is too long"));
        }
        let running = self.running.begin(&input.tab);
        let running = running.ok_or_else(Problem::tab_is_busy)?;
        let waits = running.cancelled.child_token();
        let _leave = LeaveQueue {
            client: &self.client,
            connection: connection.clone(),
            waits: waits.clone(),
        };
        let console = self.clone();
        let task = tokio::spawn(async move {
            let started = Instant::now();
            let statement = console.run_statements(&input, memory, &connection, &running, &waits);
            let outcome = statement.await;
            // The page's own previews are not a person's statements.
            if !input.tab.ends_with(PREVIEWS) {
                let rows = outcome.as_ref().map(|ran| ran.result.rows);
                console.history.record(&input.sql, started.elapsed(), rows);
            }
            let ran = outcome?;
            drop(running);
            console.first_page(&ran).await
        });
        task.await.map_err(|_| Problem::unavailable())?
    }

    /// Runs statements, and keeps their result.
    async fn run_statements(
        &self,
        input: &RunInput,
        memory: Option<OwnedSemaphorePermit>,
        connection: &HeaderValue,
        running: &RunningTab,
        waits: &CancellationToken,
    ) -> Result<Ran, Problem> {
        let RunInput { tab, cell, sql } = input;
        let mut result = StoredResult::new(self.results.new_table(), tab, cell);
        let old = drop_sql(&self.results.take(tab, Some(cell)));
        let made_ready = self.make_ready(&old);
        let made_ready = waits.run_until_cancelled(made_ready).await;
        let made_ready = match made_ready.unwrap_or_else(|| Err(Problem::cancelled())) {
            Err(problem) if problem.kind != ProblemKind::Sql => return Err(problem),
            made_ready => made_ready,
        };
        let _room = self.wait_for_room(waits).await?;
        // At most as many texts as run are in memory further on.
        drop(memory);
        let begin = Instant::now();
        let table = result.table.as_str();
        let target = Target {
            connection,
            table,
            cancelled: &running.cancelled,
        };
        let started = match made_ready {
            Ok(started) => started,
            // The statement may be the one that mends it.
            Err(why) => {
                let ran = self.client.execute_on(connection, sql);
                self.run_to_end(connection, target.cancelled, ran).await?;
                return Err(why.without_result());
            }
        };
        if let Err(problem) = self.run_into(target, sql).await {
            let name = problem.same_column_name();
            self.run_with_own_names(target, sql, &name.ok_or(problem)?)
                .await?;
        }
        let elapsed_ms = u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.describe(&mut result).await?;
        let result = Arc::new(result);
        let dropped = self.results.store(result.clone());
        self.drop_tables(&dropped).await;
        Ok(Ran {
            result,
            elapsed_ms,
            started,
        })
    }

    /// Waits for room for a statement that may be long.
    pub(super) async fn wait_for_room(
        &self,
        waits: &CancellationToken,
    ) -> Result<SemaphorePermit<'_>, Problem> {
        let _waiting = self.client.count_waiting();
        let room = waits.run_until_cancelled(self.room.acquire()).await;
        room.and_then(Result::ok).ok_or_else(Problem::cancelled)
    }

    async fn run_into(&self, target: Target<'_>, sql: &str) -> Result<(), Problem> {
        let (connection, table) = (target.connection, target.table);
        let ran = self.client.run_into(connection, sql, table, MAX_ROWS + 1);
        self.run_to_end(connection, target.cancelled, ran).await
    }

    /// Runs statements to their end, and interrupts them when they are cancelled.
    pub(super) async fn run_to_end(
        &self,
        connection: &HeaderValue,
        cancelled: &CancellationToken,
        ran: impl Future<Output = Result<(), Problem>>,
    ) -> Result<(), Problem> {
        let mut ran = pin!(ran);
        match cancelled.run_until_cancelled(&mut ran).await {
            Some(outcome) => outcome,
            None => self.client.interrupt_until_ended(connection, ran).await,
        }
    }

    /// Runs a query once more inside of another one, which gives its columns names of their own.
    async fn run_with_own_names(
        &self,
        target: Target<'_>,
        sql: &str,
        name: &str,
    ) -> Result<(), Problem> {
        const BEFORE: &str = "SELECT * FROM (";
        let query = format!("{BEFORE}{}\n)", without_end(sql));
        self.run_into(target, &query).await.map_err(|mut problem| {
            problem.position = problem.position.and_then(|it| it.checked_sub(BEFORE.len()));
            match problem.kind {
                // Only a single query can be inside of another one.
                ProblemKind::Sql if problem.exception == "Parser" => Problem::same_names(name),
                _ => problem,
            }
        })
    }

    /// Reads the columns and the number of rows of a new result, and drops the row beyond the maximum.
    async fn describe(&self, result: &mut StoredResult) -> Result<(), Problem> {
        let table = result.sql_name();
        let sql = format!(
            "SELECT column_name, column_type, (SELECT count(*) FROM {table})::VARCHAR \
             FROM (DESCRIBE {table})"
        );
        let read = |table: &Table<'_>| {
            let text = |row, column| table.value(row, column).unwrap_or_default().to_owned();
            let columns = (0..table.rows()).map(|row| Column {
                name: text(row, 0),
                kind: text(row, 1),
            });
            (columns.collect(), text(0, 2).parse::<u64>().ok())
        };
        let (columns, rows) = self.client.query(&sql, read).await?;
        let rows = rows.ok_or_else(|| Problem::unreadable("it has no number of rows"))?;
        let columns: Vec<Column> = columns;
        let size: usize = columns.iter().map(|it| it.name.len() + it.kind.len()).sum();
        if size > MAX_COLUMN_BYTES {
            self.client.execute(&format!("DROP TABLE {table}")).await?;
            return Err(Problem::columns_too_large(MAX_COLUMN_BYTES));
        }
        result.columns = columns;
        result.rows = rows.min(MAX_ROWS);
        result.is_complete = rows <= MAX_ROWS;
        if !result.is_complete && !result.hides_rowid() {
            let sql = format!("DELETE FROM {table} WHERE rowid >= {MAX_ROWS}");
            self.client.execute(&sql).await?;
        }
        Ok(())
    }

    async fn first_page(&self, ran: &Ran) -> Result<Reply, Problem> {
        let result = &ran.result;
        let write = |rows: Rows<'_>, most| {
            let reply = RunReply {
                result: &result.table,
                columns: &result.columns,
                rows: result.rows,
                complete: result.is_complete,
                elapsed_ms: ran.elapsed_ms,
                first: rows,
                started: &ran.started,
            };
            write_limited(&reply, most)
        };
        self.page(result, (0, FIRST_ROWS), None, write).await
    }

    /// Cancels the statement of a tab.
    pub(super) async fn cancel(&self, input: TabInput) -> Result<Reply, Problem> {
        let connection = connection(&input.tab)?;
        // A statement of before a restart of the door is known to DuckDB only.
        if !self.running.cancel(&input.tab) {
            self.client.interrupt(&connection).await?;
        }
        Ok(Reply::empty())
    }

    /// Drops the results of a tab that was closed.
    pub(super) async fn close(&self, input: TabInput) -> Result<Reply, Problem> {
        let dropped = self.results.take(&input.tab, None);
        self.drop_tables(&dropped).await;
        Ok(Reply::empty())
    }

    /// Drops result tables. A failure is ignored: then DuckDB is gone, or they are.
    async fn drop_tables(&self, tables: &[String]) {
        if !tables.is_empty() {
            let _ = self.client.execute(&drop_sql(tables)).await;
        }
    }

    /// Makes DuckDB ready to keep results, and runs `drop`, which drops old ones. Returns a text that is another
    /// one after a restart of DuckDB or of the door.
    pub(super) async fn make_ready(&self, drop: &str) -> Result<String, Problem> {
        let _other_calls_wait = self.making_ready.lock().await;
        // Drops the results of an earlier door. A person may have detached their database.
        let sql = format!("{ATTACH_MEMORY} DROP SCHEMA IF EXISTS memory.duckbot CASCADE");
        let prepare = self.prepared.get_or_try_init(|| self.client.execute(&sql));
        prepare.await?;
        // A result's table is made after its statements have run. Without its schema, it would be lost.
        let sql = format!(
            "{ATTACH_MEMORY} CREATE SCHEMA IF NOT EXISTS memory.duckbot; {drop} CREATE TABLE IF NOT EXISTS {MARK} AS \
             SELECT uuid()::VARCHAR AS started; FROM {MARK}"
        );
        let read = |table: &Table<'_>| table.value(0, 0).map(str::to_owned);
        Ok(self.client.query(&sql, read).await?.unwrap_or_default())
    }
}
