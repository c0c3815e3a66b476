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
//! - `history`: the statements that ran
//! - `client`: the way to DuckDB, and limits of its answers
//! - `decode`: DuckDB's binary answers (pure)
//! - `answer`: the answers to the page
//! - `problem`: failures, in words
//! - `position`, `sql_text`: places in texts, and the ends of statements (pure)

mod answer;
mod catalog;
mod client;
pub mod decode;
mod editing;
mod history;
mod page;
mod position;
mod problem;
mod results;
mod run;
mod sql_text;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::{Method, Response, StatusCode, body::Incoming, http::request::Parts};
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::{
    sync::{OnceCell, Semaphore, SemaphorePermit},
    time::timeout,
};

use super::{body::Body, flow::Flow, pages::Page, policy::CONSOLE_PATH, ticket::random_token};
use answer::{Reply, respond};
use client::Client;
use history::History;
use page::Asset;
use problem::Problem;
use results::Results;
use run::Running;

/// Maximum size of a call's body.
const MAX_CALL_BYTES: usize = 4 << 20;
/// Size from which a call's body needs a permit.
const LARGE_CALL_BYTES: u64 = 256 << 10;
/// Number of calls with a large body at a time. The door has 64 MiB.
const MAX_LARGE_CALLS: usize = 2;
/// Maximum time to receive a call's body, and to wait for a permit for it.
const CALL_TIMEOUT: Duration = Duration::from_secs(20);

/// The console of one session.
pub(super) struct Console {
    session: String,
    owner: String,
    client: Client,
    results: Results,
    history: History,
    running: Running,
    /// Set once the results of an earlier door are dropped.
    prepared: OnceCell<()>,
    large_calls: Semaphore,
    editor: Option<Asset>,
    /// ID of this door's process.
    started: String,
}

impl Console {
    /// Creates the console. `editor` is the content of the bundled editor, if there is one.
    pub(super) fn new(session: &str, owner: &str, flow: Arc<Flow>, editor: Option<Bytes>) -> Self {
        Self {
            session: session.to_owned(),
            owner: owner.to_owned(),
            client: Client::new(flow),
            results: Results::new(),
            history: History::default(),
            running: Running::default(),
            prepared: OnceCell::new(),
            large_calls: Semaphore::new(MAX_LARGE_CALLS),
            editor: editor.map(|content| Asset::new("editor.js", content)),
            started: random_token(),
        }
    }

    /// Answers a request below [`CONSOLE_PATH`] that may pass.
    pub(super) async fn answer(self: &Arc<Self>, head: &Parts, body: Incoming) -> Response<Body> {
        let name = head.uri.path().strip_prefix(CONSOLE_PATH);
        let name = name
            .map(|it| it.trim_start_matches('/'))
            .unwrap_or_default();
        if head.method == Method::POST {
            return respond(self.call(name, head, body).await);
        }
        let asset = match name {
            "" => return page::index(),
            "editor.js" => self.editor.as_ref(),
            name => page::find(name),
        };
        match asset {
            Some(asset) => asset.respond(&head.headers),
            None => Page::refused(StatusCode::NOT_FOUND, "There is no such page.")
                .respond(&head.headers),
        }
    }

    /// The page itself, at another path.
    pub(super) fn index() -> Response<Body> {
        page::index()
    }

    async fn call(
        self: &Arc<Self>,
        name: &str,
        head: &Parts,
        body: Incoming,
    ) -> Result<Reply, Problem> {
        let (bytes, _permit) = self.receive(head, body).await?;
        match name {
            "info" => self.info().await,
            "run" => self.run(read(bytes)?).await,
            "rows" => self.rows(read(bytes)?).await,
            "value" => self.value(read(bytes)?).await,
            "cancel" => self.cancel(read(bytes)?).await,
            "close" => self.close(read(bytes)?).await,
            "tokens" => self.tokens(read(bytes)?).await,
            "complete" => self.complete(read(bytes)?).await,
            "databases" => self.databases().await,
            "tables" => self.tables(read(bytes)?).await,
            "columns" => self.columns(read(bytes)?).await,
            "history" => Ok(Reply::of(&json!({ "statements": self.history.all() }))),
            _ => Err(Problem::unknown_call()),
        }
    }

    /// Receives the body of a call. A large one keeps its permit until the call ends.
    async fn receive(
        &self,
        head: &Parts,
        body: Incoming,
    ) -> Result<(Bytes, Option<SemaphorePermit<'_>>), Problem> {
        let length = hyper::body::Body::size_hint(&body).exact();
        let permit = match length {
            Some(length) if length < LARGE_CALL_BYTES => None,
            _ => {
                let permit = timeout(CALL_TIMEOUT, self.large_calls.acquire()).await;
                let permit = permit.ok().and_then(Result::ok);
                Some(permit.ok_or_else(Problem::too_many_answers)?)
            }
        };
        let _ = head;
        let body = Limited::new(body, MAX_CALL_BYTES).collect();
        match timeout(CALL_TIMEOUT, body).await {
            Ok(Ok(body)) => Ok((body.to_bytes(), permit)),
            Ok(Err(error)) if error.is::<LengthLimitError>() => {
                Err(Problem::too_large("A request of this page", MAX_CALL_BYTES))
            }
            _ => Err(super::body::ProxyError::TooSlow.into()),
        }
    }

    async fn info(&self) -> Result<Reply, Problem> {
        Ok(Reply::of(&json!({
            "session": self.session,
            "owner": self.owner,
            "duckdb": self.client.version().await?,
            "duckdb_ui": false,
            "editor": self.editor.is_some(),
            "files": false,
            "started": self.started,
        })))
    }
}

fn read<T: DeserializeOwned>(bytes: Bytes) -> Result<T, Problem> {
    serde_json::from_slice(&bytes).map_err(|error| Problem::invalid(&error.to_string()))
}
