//! Limits the concurrent requests to DuckDB, and queues the others.
//!
//! DuckDB's UI server has 8 threads, or one less than the cores if that is more. A request holds a
//! thread from its first byte until its answer is sent. If all were held, nobody could interrupt a
//! query any more. So the door divides them: [`MAX_QUERIES`] and [`MAX_PAGES`], one for the events,
//! and the rest for requests that end at once. The bodies of these are received first, because
//! DuckDB would wait for them.

use std::{sync::Arc, time::Duration};

use http_body_util::BodyExt;
use hyper::{Request, Response, StatusCode, header::HeaderValue};
use tokio::{sync::Semaphore, time::timeout};

use super::{
    activity::{ActivityCounter, CountedRequest, INTERRUPT_PATH, RequestKind},
    answer::{self, QueryError},
    body::{Body, MAX_TEXT_BYTES, ProxyError, WaitingBodies, check_length, receive_body},
    events::Events,
    outcome::RequestOutcome,
    pages,
    proxy::DuckDbClient,
    queue::{MAX_QUEUED, NoPermit, Queue},
};

/// Maximum number of queries at DuckDB.
pub(super) const MAX_QUERIES: usize = 4;
/// Maximum number of pages that DuckDB fetches at once. A page whose server does not respond holds
/// a thread for half a minute.
const MAX_PAGES: usize = 2;
/// Maximum number of waiting pages. The UI has fewer.
const MAX_WAITING_PAGES: usize = 128;
/// Maximum number of other requests with a body. Tokens of 1 MiB take DuckDB 40 ms.
const MAX_OTHERS: usize = 1;
/// Maximum number of short requests at DuckDB: interrupts, `/info`. DuckDB's port queues only five
/// connections that it has not accepted. Linux drops further ones and tries again after 1 s, 3 s, 7 s and
/// so on, and a connection that was dropped each time fails.
const MAX_SHORT: usize = 4;
/// Maximum number of requests in progress, of all kinds. On one machine, all sessions share the
/// connections of one port, so one session must not need all of them.
const MAX_REQUESTS: usize = 128;
/// Time that a request beyond [`MAX_REQUESTS`] waits. Most requests take milliseconds.
const MAX_ROOM_WAIT: Duration = Duration::from_secs(1);
/// Maximum size of a short request's body. The UI sends none.
const MAX_SHORT_BYTES: usize = 4 << 10;
/// Header with the name of a connection in DuckDB.
pub(super) const CONNECTION: &str = "x-duckdb-ui-connection-name";

/// The way to DuckDB.
pub(super) struct Flow {
    duckdb: DuckDbClient,
    counter: ActivityCounter,
    queries: Queue,
    pages: Queue,
    others: Queue,
    short: Semaphore,
    bodies: WaitingBodies,
    events: Events,
    requests: Arc<Semaphore>,
}

impl Flow {
    pub(super) fn new(duckdb: DuckDbClient, counter: ActivityCounter) -> Self {
        Self {
            duckdb,
            queries: Queue::new(MAX_QUERIES, MAX_QUEUED, counter.clone()),
            pages: Queue::new(MAX_PAGES, MAX_WAITING_PAGES, counter.clone()),
            others: Queue::new(MAX_OTHERS, MAX_QUEUED, counter.clone()),
            short: Semaphore::new(MAX_SHORT),
            bodies: WaitingBodies::default(),
            events: Events::default(),
            requests: Arc::new(Semaphore::new(MAX_REQUESTS)),
            counter,
        }
    }

    /// Passes a request of a browser or of the console to DuckDB, and returns its answer. Requests that occupy DuckDB are counted,
    /// and wait until it has room.
    ///
    /// # Errors
    /// Forwards as [`DuckDbClient::forward`] does. Returns [`ProxyError::Busy`] if too many requests are in
    /// progress.
    pub(super) async fn forward(
        &self,
        request: Request<Body>,
    ) -> Result<Response<Body>, ProxyError> {
        let room = self.requests.clone().acquire_owned();
        let Ok(Ok(in_progress)) = timeout(MAX_ROOM_WAIT, room).await else {
            return Err(ProxyError::Busy);
        };
        let answer = self.forward_by_kind(request).await?;
        // The request is in progress until the body of its answer is dropped.
        let body = |body: Body| {
            body.map_err(move |error| {
                let _until_then = &in_progress;
                error
            })
        };
        Ok(answer.map(|it| body(it).boxed_unsync()))
    }

    async fn forward_by_kind(&self, request: Request<Body>) -> Result<Response<Body>, ProxyError> {
        check_length(request.headers())?;
        let (method, path) = (request.method(), request.uri().path());
        let (kind, queue) = match RequestKind::of(method, path) {
            Some(kind @ RequestKind::Query) => (kind, &self.queries),
            Some(kind @ RequestKind::Page) => (kind, &self.pages),
            Some(kind @ RequestKind::Other) => (kind, &self.others),
            Some(kind @ RequestKind::Tab) => {
                let counted = self.counter.begin(kind);
                return self.events.listen(&self.duckdb, counted).await;
            }
            None if path == INTERRUPT_PATH => return self.interrupt(request).await,
            None => return self.forward_short(request).await,
        };
        let counted = self.counter.begin(kind);
        let waiting = queue.wait(request.headers().get(CONNECTION).cloned());
        let (permit, request) = match kind {
            RequestKind::Query => self.bodies.receive_during(waiting, request).await?,
            _ => (waiting.await, request),
        };
        let error = match permit {
            Ok(permit) => {
                let request = match kind {
                    RequestKind::Other => receive_body(request, MAX_TEXT_BYTES).await?,
                    _ => request,
                };
                counted.pass(permit);
                return self.duckdb.forward(request, Some(counted)).await;
            }
            Err(NoPermit::Full) if kind != RequestKind::Query => {
                return Err(ProxyError::Busy);
            }
            Err(NoPermit::Full) => {
                let full = pages::queue_full();
                let mut answer = full.respond(StatusCode::SERVICE_UNAVAILABLE, request.headers());
                RequestOutcome::Refused("the queue is full").note(&mut answer);
                return Ok(answer);
            }
            Err(NoPermit::Interrupted) => QueryError::interrupted(),
        };
        Ok(error.respond(StatusCode::OK, request.headers()))
    }

    /// Interrupts a connection, wherever its query is.
    async fn interrupt(&self, request: Request<Body>) -> Result<Response<Body>, ProxyError> {
        let connection = request.headers().get(CONNECTION);
        let was_queued = connection.is_some_and(|name| self.queries.interrupt(name));
        match self.forward_short(request).await {
            // DuckDB does not know a connection whose first query was still waiting.
            Ok(answer) if was_queued && answer.status() == StatusCode::NOT_FOUND => {
                Ok(answer::empty())
            }
            answer => answer,
        }
    }

    /// Counts a query that waits for something else than this flow, until the result is dropped.
    pub(super) fn count_waiting(&self) -> CountedRequest {
        self.counter.begin(RequestKind::Query)
    }

    /// Takes a connection's queries out of the queue, but not the one that DuckDB runs.
    pub(super) fn leave_queue(&self, connection: &HeaderValue) {
        self.queries.interrupt(connection);
    }

    /// Forwards a request that DuckDB answers at once. Its body is received first, because DuckDB would
    /// wait for it.
    async fn forward_short(&self, request: Request<Body>) -> Result<Response<Body>, ProxyError> {
        let request = receive_body(request, MAX_SHORT_BYTES).await?;
        let _permit = self.short.acquire().await;
        self.duckdb.forward(request, None).await
    }
}
