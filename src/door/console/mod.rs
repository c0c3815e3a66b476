//! The console: a page of the door's own for queries, with nothing from elsewhere.
//!
//! The page speaks JSON with the door, and the door SQL with DuckDB. A person's statements run on a connection
//! of their tab, and DuckDB keeps their result as a table in memory, of which the page asks for parts.
//!
//! - `page`: the page's files
//! - `run`: statements
//! - `result_pages`: pages of their results
//! - `results`: the results that are kept
//! - `editing`: tokens and suggestions
//! - `catalog`: databases, tables and columns
//! - `notebooks`: the saved notebooks
//! - `chart`: charts of results, of the rows in `chart_points` (pure)
//! - `download`, `upload`: files, through the folder that DuckDB shares (`exchange`)
//! - `history`: the statements that ran
//! - `client`: the way to DuckDB, and limits of its answers
//! - `own_connections`: connections of the console's own statements
//! - `answer`: the answers to the page
//! - `state`, `running`: the console's state
//! - `problem`: failures, in words
//! - `position`, `sql_text`: places in texts, and the ends of statements (pure)

mod answer;
mod catalog;
mod chart;
mod chart_points;
mod client;
mod download;
mod editing;
mod exchange;
mod history;
mod notebooks;
mod own_connections;
mod page;
mod position;
mod problem;
mod result_pages;
mod results;
mod run;
mod running;
mod sql_text;
mod state;
mod upload;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::{
    Method, Response, StatusCode,
    body::{Body as _, Incoming},
    http::request::Parts,
};
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::{sync::OwnedSemaphorePermit, time::timeout};

use super::{
    body::{Body, ProxyError},
    page_check::PageCheck,
    pages::Page,
    policy::{CONSOLE_PATH, NO_PAGE},
};
use answer::{Reply, respond};
use problem::Problem;
pub(super) use state::{Console, ConsoleSettings};

/// Maximum size of a call's body.
const MAX_CALL_BYTES: usize = 4 << 20;
/// Size up to which a call's body needs no permit, so that it never waits. A door has 256 connections.
const SMALL_CALL_BYTES: usize = 16 << 10;
/// Maximum time to wait for memory for a call's body.
const MAX_MEMORY_WAIT: Duration = Duration::from_secs(10);
/// Maximum time to receive a call's body.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);

impl Console {
    /// Answers a request below [`CONSOLE_PATH`] that may pass.
    pub(super) async fn answer(self: &Arc<Self>, head: &Parts, body: Incoming) -> Response<Body> {
        let name = head.uri.path().strip_prefix(CONSOLE_PATH);
        let name = name
            .map(|it| it.trim_start_matches('/'))
            .unwrap_or_default();
        if head.method == Method::POST {
            return respond(match name {
                "upload" => self.upload(head.uri.query(), body).await,
                name => self.call(name, body).await,
            });
        }
        let file = name.strip_prefix("files/");
        if let (&Method::GET, Some(file)) = (&head.method, file) {
            return match self.send_file(file).await {
                Ok(answer) => answer,
                Err(problem) => {
                    // A browser would keep a page with status 200 as the file.
                    let status = match problem.status {
                        StatusCode::OK => StatusCode::GONE,
                        status => status,
                    };
                    Page::no_file(status, &problem.message, problem.outcome())
                        .respond(&head.headers)
                }
            };
        }
        let asset = match name {
            "" => return page::index(),
            "editor.js" => self.editor.as_ref(),
            name => page::find(name),
        };
        match asset {
            Some(asset) => asset.respond(&head.headers),
            None => Page::refused(StatusCode::NOT_FOUND, NO_PAGE).respond(&head.headers),
        }
    }

    /// The page itself, at another path.
    pub(super) fn index() -> Response<Body> {
        page::index()
    }

    async fn call(self: &Arc<Self>, name: &str, body: Incoming) -> Result<Reply, Problem> {
        let (bytes, memory) = self.receive(body).await?;
        match name {
            "info" => self.info().await,
            "run" => self.run(read(bytes)?, memory).await,
            "rows" => self.rows(read(bytes)?).await,
            "value" => self.value(read(bytes)?).await,
            "cancel" => self.cancel(read(bytes)?).await,
            "close" => self.close(read(bytes)?).await,
            "tokens" => self.tokens(read(bytes)?).await,
            "complete" => self.complete(read(bytes)?).await,
            "databases" => self.databases().await,
            "tables" => self.tables(read(bytes)?).await,
            "columns" => self.columns(read(bytes)?).await,
            "notebooks" => self.notebooks().await,
            "notebook" => self.notebook(read(bytes)?).await,
            "save" => self.save(read(bytes)?).await,
            "delete" => self.delete(read(bytes)?).await,
            "history" => {
                let permit = self.client.answer_permit(1).await?;
                Ok(Reply::large(self.history.json(), permit))
            }
            "chart" => self.chart(read(bytes)?).await,
            "download" => self.download(read(bytes)?).await,
            _ => Err(Problem::unknown_call()),
        }
    }

    /// Receives the body of a call. Its permit is for the memory of its content.
    async fn receive(
        &self,
        body: Incoming,
    ) -> Result<(Bytes, Option<OwnedSemaphorePermit>), Problem> {
        let length = body.size_hint().exact();
        let length = length.and_then(|it| usize::try_from(it).ok());
        // A longer one is refused below.
        let length = length.unwrap_or(MAX_CALL_BYTES).min(MAX_CALL_BYTES);
        let permit = if length <= SMALL_CALL_BYTES {
            None
        } else {
            let kib = u32::try_from(length.div_ceil(1 << 10)).unwrap_or(u32::MAX);
            let permit = self.bodies.clone().acquire_many_owned(kib);
            let permit = timeout(MAX_MEMORY_WAIT, permit).await;
            let permit = permit.ok().and_then(Result::ok);
            Some(permit.ok_or_else(Problem::too_many_calls)?)
        };
        let body = Limited::new(body, MAX_CALL_BYTES).collect();
        match timeout(CALL_TIMEOUT, body).await {
            Ok(Ok(body)) => Ok((body.to_bytes(), permit)),
            Ok(Err(error)) if error.is::<LengthLimitError>() => {
                Err(Problem::too_large("A request of this page", MAX_CALL_BYTES))
            }
            _ => Err(ProxyError::TooSlow.into()),
        }
    }

    async fn info(&self) -> Result<Reply, Problem> {
        if let Some(pages) = &self.pages {
            pages.refresh();
        }
        Ok(Reply::of(&json!({
            "session": self.session,
            "owner": self.owner,
            "duckdb": self.client.version().await?,
            "duckdb_ui": self.pages.as_ref().is_some_and(PageCheck::last),
            "editor": self.editor.is_some(),
            "files": self.exchange.is_some(),
            "started": self.make_ready("").await?,
        })))
    }
}

/// Parses a body. Its bytes are freed then.
fn read<T: DeserializeOwned>(bytes: Bytes) -> Result<T, Problem> {
    serde_json::from_slice(&bytes).map_err(|error| Problem::invalid(&error.to_string()))
}
