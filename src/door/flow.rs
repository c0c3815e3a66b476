//! Limits the concurrent requests to DuckDB, and queues the others.
//!
//! DuckDB's UI server has 8 threads, or one less than the cores if that is more. A request holds a
//! thread from its first byte until its answer is sent. If all were held, nobody could interrupt a
//! query any more. So the door divides them: [`MAX_QUERIES`] and [`MAX_PAGES`], one for the events,
//! and the rest for requests that end at once.

use hyper::{Method, Request, Response, StatusCode, body::Incoming};

use super::{
    activity::{ActivityCounter, RequestKind},
    answer::{self, QueryError},
    events::Events,
    pages,
    proxy::{Body, DuckDbClient, ProxyError, check_length},
    queue::{MAX_QUEUED, NoPlace, Queue},
};

/// Maximum number of queries at DuckDB.
const MAX_QUERIES: usize = 4;
/// Maximum number of pages that DuckDB fetches at once. A page whose server does not respond holds
/// a thread for half a minute.
const MAX_PAGES: usize = 2;
/// Maximum number of waiting pages. The door accepts no more connections, so none is refused.
const MAX_WAITING_PAGES: usize = 256;
/// Path that interrupts the query of a connection.
const INTERRUPT_PATH: &str = "/ddb/interrupt";
/// Header with the name of a connection in DuckDB.
const CONNECTION: &str = "x-duckdb-ui-connection-name";

/// The way to DuckDB.
pub(super) struct Flow {
    duckdb: DuckDbClient,
    counter: ActivityCounter,
    queries: Queue,
    pages: Queue,
    events: Events,
}

impl Flow {
    pub(super) fn new(duckdb: DuckDbClient, counter: ActivityCounter) -> Self {
        Self {
            duckdb,
            queries: Queue::new(MAX_QUERIES, MAX_QUEUED, counter.clone()),
            pages: Queue::new(MAX_PAGES, MAX_WAITING_PAGES, counter.clone()),
            events: Events::default(),
            counter,
        }
    }

    /// Passes a request to DuckDB and returns its answer. Requests that occupy DuckDB are counted,
    /// and wait until it has room.
    ///
    /// # Errors
    /// As [`DuckDbClient::forward`].
    pub(super) async fn forward(
        &self,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, ProxyError> {
        check_length(request.headers())?;
        let (method, path) = (request.method(), request.uri().path());
        let (kind, queue) = match RequestKind::of(method, path) {
            Some(kind @ RequestKind::Query) => (kind, &self.queries),
            Some(kind @ RequestKind::Page) => (kind, &self.pages),
            Some(kind @ RequestKind::Tab) => {
                let counted = self.counter.begin(kind);
                return self.events.listen(&self.duckdb, counted).await;
            }
            None if method == Method::POST && path == INTERRUPT_PATH => {
                return self.interrupt(request).await;
            }
            None => return self.duckdb.forward(request, None).await,
        };
        let counted = self.counter.begin(kind);
        let headers = request.headers();
        let (status, error) = match queue.wait(headers.get(CONNECTION).cloned()).await {
            Ok(place) => {
                counted.pass(place);
                return self.duckdb.forward(request, Some(counted)).await;
            }
            Err(NoPlace::Full) if kind == RequestKind::Page => return Err(ProxyError::Unavailable),
            Err(NoPlace::Full) => (StatusCode::SERVICE_UNAVAILABLE, pages::queue_full()),
            Err(NoPlace::Interrupted) => (StatusCode::OK, QueryError::interrupted()),
        };
        Ok(error.respond(status, headers))
    }

    /// Interrupts a connection, wherever its query is.
    async fn interrupt(&self, request: Request<Incoming>) -> Result<Response<Body>, ProxyError> {
        let connection = request.headers().get(CONNECTION);
        let was_queued = connection.is_some_and(|name| self.queries.interrupt(name));
        match self.duckdb.forward(request, None).await {
            // DuckDB does not know a connection whose first query was still waiting.
            Ok(answer) if was_queued && answer.status() == StatusCode::NOT_FOUND => {
                Ok(answer::empty())
            }
            answer => answer,
        }
    }
}
