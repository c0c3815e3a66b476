//! The console: a page of the door's own for queries, with nothing from elsewhere.
//!
//! The page speaks JSON with the door, and the door SQL with DuckDB. A person's statements run on a connection
//! of their tab, and DuckDB keeps their result as a table in memory, of which the page asks for parts.
//!
//! - `page`: the page's files
//! - `run`: statements, and pages of their results
//! - `results`: the results that are kept
//! - `editing`: tokens and suggestions
//! - `catalog`: databases, tables and columns
//! - `notebooks`: the saved notebooks
//! - `chart`: charts of results, of the rows in `chart_points` (pure)
//! - `download`, `upload`: files, through the folder that DuckDB shares (`exchange`)
//! - `history`: the statements that ran
//! - `client`: the way to DuckDB, and limits of its answers
//! - `decode`: DuckDB's binary answers (pure)
//! - `answer`: the answers to the page
//! - `state`, `running`: the console's state
//! - `problem`: failures, in words
//! - `position`, `sql_text`: places in texts, and the ends of statements (pure)

mod answer;
mod catalog;
mod chart;
mod chart_points;
mod client;
pub mod decode;
mod download;
mod editing;
mod exchange;
mod history;
mod notebooks;
mod page;
mod position;
mod problem;
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
use tokio::{sync::SemaphorePermit, time::timeout};

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
/// Size from which a call's body needs a permit.
const LARGE_CALL_BYTES: u64 = 256 << 10;
/// Maximum time to receive a call's body, and to wait for a permit for it.
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
                    Page::refused(status, &problem.message).respond(&head.headers)
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
        let (bytes, _permit) = self.receive(body).await?;
        match name {
            "info" => self.info().await,
            "run" => self.run(read(&bytes)?).await,
            "rows" => self.rows(read(&bytes)?).await,
            "value" => self.value(read(&bytes)?).await,
            "cancel" => self.cancel(read(&bytes)?).await,
            "close" => self.close(read(&bytes)?).await,
            "tokens" => self.tokens(read(&bytes)?).await,
            "complete" => self.complete(read(&bytes)?).await,
            "databases" => self.databases().await,
            "tables" => self.tables(read(&bytes)?).await,
            "columns" => self.columns(read(&bytes)?).await,
            "notebooks" => self.notebooks().await,
            "notebook" => self.notebook(read(&bytes)?).await,
            "save" => self.save(read(&bytes)?).await,
            "delete" => self.delete(read(&bytes)?).await,
            "history" => {
                let permit = self.client.answer_permit(1).await?;
                Ok(Reply {
                    permit: Some(permit),
                    ..self.history.reply()
                })
            }
            "chart" => self.chart(read(&bytes)?).await,
            "download" => self.download(read(&bytes)?).await,
            _ => Err(Problem::unknown_call()),
        }
    }

    /// Receives the body of a call. A large one keeps its permit until the call ends.
    async fn receive(
        &self,
        body: Incoming,
    ) -> Result<(Bytes, Option<SemaphorePermit<'_>>), Problem> {
        let permit = match body.size_hint().exact() {
            Some(length) if length < LARGE_CALL_BYTES => None,
            _ => {
                let permit = timeout(CALL_TIMEOUT, self.large_calls.acquire()).await;
                Some(
                    permit
                        .ok()
                        .and_then(Result::ok)
                        .ok_or_else(Problem::too_many_calls)?,
                )
            }
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

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(bytes).map_err(|error| Problem::invalid(&error.to_string()))
}
