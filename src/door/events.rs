//! Shared stream of DuckDB's events for all tabs. DuckDB would use a thread per tab, and ends the
//! streams of all but three tabs.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http_body_util::{BodyExt, StreamBody};
use hyper::{
    HeaderMap, Response,
    body::{Frame, Incoming},
};
use tokio::{
    sync::{Mutex, mpsc},
    time::timeout,
};

use super::{
    activity::{CountedBody, CountedRequest},
    body::{Body, BodyError, ProxyError},
    proxy::{DuckDbClient, counted_body},
};

/// Maximum number of messages that a tab may be behind. DuckDB sends one every few seconds.
const MAX_BEHIND: usize = 16;
/// Maximum number of tabs. One person has fewer. A new one is refused: an older one that is ended
/// connects again, and would end the next, without end.
const MAX_TABS: usize = 64;
/// Maximum time to open the stream. Until then, other tabs wait.
const OPEN_TIMEOUT: Duration = Duration::from_secs(5);

/// The shared stream, from the first tab on.
#[derive(Clone, Default)]
pub(super) struct Events {
    stream: Arc<Mutex<Option<Stream>>>,
}

struct Stream {
    headers: HeaderMap,
    tabs: Vec<mpsc::Sender<Bytes>>,
}

impl Events {
    /// Answers a tab with the events from now on. Its body ends with DuckDB's stream, and when the tab
    /// is too far behind. The UI then connects again.
    ///
    /// # Errors
    /// If there are too many tabs, or there is no stream yet and DuckDB does not answer.
    pub(super) async fn listen(
        &self,
        duckdb: &DuckDbClient,
        counted: CountedRequest,
    ) -> Result<Response<Body>, ProxyError> {
        let mut stream = self.stream.lock().await;
        let stream = match &mut *stream {
            Some(stream) => stream,
            none => {
                let opened = timeout(OPEN_TIMEOUT, duckdb.open_events()).await;
                let opened = opened.map_err(|_| ProxyError::Unavailable)??;
                let (head, body) = opened.into_parts();
                if !head.status.is_success() {
                    return Ok(Response::from_parts(
                        head,
                        counted_body(body, Some(counted)),
                    ));
                }
                tokio::spawn(self.clone().share(body));
                none.insert(Stream {
                    headers: head.headers,
                    tabs: Vec::new(),
                })
            }
        };
        stream.tabs.retain(|tab| !tab.is_closed());
        if stream.tabs.len() == MAX_TABS {
            return Err(ProxyError::Busy);
        }
        let (tab, mut messages) = mpsc::channel(MAX_BEHIND);
        stream.tabs.push(tab);
        let messages = stream::poll_fn(move |context| messages.poll_recv(context));
        let body = StreamBody::new(messages.map(|it| Ok::<_, BodyError>(Frame::data(it))));
        let counted = Some(counted);
        let mut answer = Response::new(CountedBody { body, counted }.boxed_unsync());
        *answer.headers_mut() = stream.headers.clone();
        Ok(answer)
    }

    /// Passes the stream to all tabs until DuckDB ends it. It stays open without tabs: if it were
    /// closed, DuckDB would hold its thread for up to 5 s more, beside the one of the next stream.
    async fn share(self, mut body: Incoming) {
        while let Some(Ok(frame)) = body.frame().await {
            // DuckDB writes each message as one chunk, so each frame is one message.
            let Ok(message) = frame.into_data() else {
                continue;
            };
            let mut stream = self.stream.lock().await;
            if let Some(stream) = &mut *stream {
                // A tab that is gone or too slow is dropped.
                stream
                    .tabs
                    .retain(|tab| tab.try_send(message.clone()).is_ok());
            }
        }
        *self.stream.lock().await = None;
    }
}
