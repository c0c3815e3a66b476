//! Can DuckDB fetch the pages of its UI from elsewhere?

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use http_body_util::{BodyExt, Limited};
use hyper::{HeaderMap, Request, Response, StatusCode, body::Body as _};
use parking_lot::Mutex;
use tokio::{sync::watch, time::timeout};

use super::{
    body::{Body, full_body},
    flow::Flow,
    pages::{FIRST_PAGE_TIMEOUT, Page},
};

/// Time for which a good check counts.
const GOOD_FOR: Duration = Duration::from_secs(3600);
/// Time for which a failed check counts.
const FAILED_FOR: Duration = Duration::from_secs(60);
/// Maximum time for which a person waits for the first check. After that, they get the console.
const MAX_WAIT: Duration = Duration::from_secs(3);

/// Start of the body that DuckDB sends with status 500 if it can't fetch the UI's pages.
const ASSETS_ERROR: &[u8] = b"Could not fetch";
/// Maximum size of an answer that is searched for [`ASSETS_ERROR`].
const MAX_ERROR_BYTES: usize = 16 << 10;

/// Checks, at most one at a time, whether the pages can be had.
#[derive(Clone)]
pub(super) struct PageCheck {
    flow: Arc<Flow>,
    state: Arc<Mutex<State>>,
    outcome: watch::Sender<Option<bool>>,
}

#[derive(Default)]
struct State {
    checked: Option<Instant>,
    is_checking: bool,
}

impl PageCheck {
    pub(super) fn new(flow: Arc<Flow>) -> Self {
        Self {
            flow,
            state: Arc::default(),
            outcome: watch::Sender::new(None),
        }
    }

    /// Returns the outcome of the last check. False before the first one has ended.
    pub(super) fn last(&self) -> bool {
        self.outcome.borrow().unwrap_or_default()
    }

    /// Returns the outcome of the last check, and begins a new one if that one is too old. Waits a moment for the
    /// first.
    pub(super) async fn are_available(&self) -> bool {
        self.refresh();
        let mut outcome = self.outcome.subscribe();
        let first = outcome.wait_for(Option::is_some);
        let known = timeout(MAX_WAIT, first).await.is_ok();
        known && self.last()
    }

    /// Begins a check in the background, unless the last one still counts.
    pub(super) fn refresh(&self) {
        let limit = if self.last() { GOOD_FOR } else { FAILED_FOR };
        let mut state = self.state.lock();
        let counts = state.checked.is_some_and(|at| at.elapsed() < limit);
        if counts || state.is_checking {
            return;
        }
        state.is_checking = true;
        let check = self.clone();
        tokio::spawn(async move {
            let fetched = timeout(FIRST_PAGE_TIMEOUT, check.flow.forward(first_page())).await;
            let is_there = matches!(fetched, Ok(Ok(page)) if page.status() == StatusCode::OK);
            check.record(is_there);
        });
    }

    /// Records that a page could, or could not, be fetched.
    pub(super) fn record(&self, is_there: bool) {
        *self.state.lock() = State {
            checked: Some(Instant::now()),
            is_checking: false,
        };
        self.outcome.send_replace(Some(is_there));
    }
}

fn first_page() -> Request<Body> {
    let mut request = Request::new(full_body(""));
    *request.uri_mut() = hyper::Uri::from_static("/");
    request
}

/// Passes DuckDB's error on. If DuckDB could not fetch the UI's pages, explains that instead.
pub(super) async fn explain_error(
    answer: Response<Body>,
    request: &HeaderMap,
    assets_unreachable: impl FnOnce() -> Response<Body>,
) -> Response<Body> {
    let (head, body) = answer.into_parts();
    let longest = body.size_hint().upper();
    if longest.is_none_or(|bytes| bytes > MAX_ERROR_BYTES as u64) {
        return Response::from_parts(head, body);
    }
    match Limited::new(body, MAX_ERROR_BYTES).collect().await {
        Ok(said) => {
            let said = said.to_bytes();
            if said.starts_with(ASSETS_ERROR) {
                assets_unreachable()
            } else {
                Response::from_parts(head, full_body(said))
            }
        }
        Err(_) => Page::unavailable().respond(request),
    }
}
