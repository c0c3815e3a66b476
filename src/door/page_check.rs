//! Can DuckDB fetch the pages of its UI from elsewhere?

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use hyper::{Request, StatusCode};
use parking_lot::Mutex;
use tokio::{sync::watch, time::timeout};

use super::{body::full_body, flow::Flow, pages::FIRST_PAGE_TIMEOUT};

/// Time for which a good check counts.
const GOOD_FOR: Duration = Duration::from_secs(3600);
/// Time for which a failed check counts.
const FAILED_FOR: Duration = Duration::from_secs(60);
/// Maximum time for which a person waits for the first check. After that, they get the console.
const MAX_WAIT: Duration = Duration::from_secs(3);

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

fn first_page() -> Request<super::body::Body> {
    let mut request = Request::new(full_body(""));
    *request.uri_mut() = hyper::Uri::from_static("/");
    request
}
