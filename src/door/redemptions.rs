//! Submissions of tickets in progress. Anyone may submit a ticket, and send it slowly.

use std::{collections::VecDeque, time::Duration};

use http_body_util::{BodyExt, Limited};
use hyper::{
    Response, StatusCode,
    body::Incoming,
    header::{self, HeaderValue},
};
use parking_lot::Mutex;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    body::{Body, full_body},
    pages::Page,
    ticket::{MAX_TICKET_BYTES, TicketError},
};

/// Maximum number of tickets that are submitted at the same time.
const MAX_CONCURRENT_REDEMPTIONS: usize = 16;

/// Maximum time to receive a ticket.
const TICKET_TIMEOUT: Duration = Duration::from_secs(5);

/// The submissions, the oldest first.
#[derive(Default)]
pub(super) struct Redemptions(Mutex<VecDeque<CancellationToken>>);

impl Redemptions {
    /// Receives a ticket. Its content is not checked yet.
    ///
    /// # Errors
    /// Returns the page that says why there is none.
    pub(super) async fn receive(&self, body: Incoming) -> Result<String, Page> {
        let body = Limited::new(body, MAX_TICKET_BYTES).collect();
        let shown = tokio::time::timeout(TICKET_TIMEOUT, body);
        let (cancelled, _guard) = self.begin();
        match cancelled.run_until_cancelled(shown).await {
            None => Err(Page::busy()),
            Some(Err(_)) => Err(Page::too_slow()),
            Some(Ok(Err(_))) => Err(Page::rejected(TicketError::Forged)),
            Some(Ok(Ok(body))) => Ok(String::from_utf8_lossy(&body.to_bytes()).into_owned()),
        }
    }

    /// Registers the submission of a ticket until the returned guard is dropped. The token cancels the submission.
    /// At the limit, the oldest submission is cancelled, because a real ticket arrives at once.
    fn begin(&self) -> (CancellationToken, DropGuard) {
        let cancelled = CancellationToken::new();
        let mut redemptions = self.0.lock();
        redemptions.retain(|it| !it.is_cancelled());
        if redemptions.len() == MAX_CONCURRENT_REDEMPTIONS
            && let Some(oldest) = redemptions.pop_front()
        {
            oldest.cancel();
        }
        redemptions.push_back(cancelled.clone());
        (cancelled.clone(), cancelled.drop_guard())
    }
}

/// Answers a ticket that was accepted, with the cookie that the browser keeps.
pub(super) fn admit(cookie: &str) -> Response<Body> {
    let cookie = HeaderValue::try_from(cookie).expect("the cookie is ASCII");
    let mut answer = Response::new(full_body(""));
    *answer.status_mut() = StatusCode::NO_CONTENT;
    let headers = answer.headers_mut();
    headers.insert(header::SET_COOKIE, cookie);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
