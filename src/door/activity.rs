//! Counts of running queries and open tabs. The contents of queries and answers are not kept.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use chrono::{DateTime, TimeDelta, Utc};
use hyper::{
    Method,
    body::{Body, Frame, SizeHint},
};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

/// Time after which an answer that the browser does not read no longer counts as a running query.
const READ_TIMEOUT: TimeDelta = TimeDelta::minutes(1);

/// Activity of a session, as a door serves it at `GET /activity` on its admin port.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activity {
    /// Number of running queries.
    pub queries: u32,
    /// Time at which the last query ended. `None` if none has ended since the door was started.
    pub last_query: Option<DateTime<Utc>>,
    /// Number of browser tabs that show the UI. An open tab does not count as use.
    pub tabs: u32,
    /// Time at which the door began to count. Earlier use is unknown.
    pub since: Option<DateTime<Utc>>,
}

/// Counter of a door's queries and tabs.
#[derive(Clone)]
pub struct ActivityCounter {
    count: Arc<Mutex<Counts>>,
    since: DateTime<Utc>,
}

#[derive(Default)]
struct Counts {
    begun: u64,
    queries: HashMap<u64, WaitingOn>,
    tabs: u32,
    last_query: Option<DateTime<Utc>>,
}

/// The side that must act next in a running query.
enum WaitingOn {
    DuckDb,
    /// The browser has had data to read since this time.
    Browser(DateTime<Utc>),
}

/// Kinds of requests that are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestKind {
    /// A running query.
    Query,
    /// An open tab, which listens for events.
    Tab,
}

impl RequestKind {
    /// Classifies a request to DuckDB's UI. Returns `None` if it is not counted.
    pub fn of(method: &Method, path: &str) -> Option<Self> {
        match (method, path) {
            (&Method::POST, "/ddb/run") => Some(Self::Query),
            (&Method::GET, "/localEvents") => Some(Self::Tab),
            _ => None,
        }
    }
}

impl ActivityCounter {
    /// Creates a counter that counts from `since` on.
    pub fn new(since: DateTime<Utc>) -> Self {
        Self {
            count: Arc::default(),
            since,
        }
    }

    /// Returns the counts at `now`, which must be the current time.
    pub fn snapshot(&self, now: DateTime<Utc>) -> Activity {
        let count = self.count.lock();
        let mut activity = Activity {
            queries: 0,
            last_query: count.last_query,
            tabs: count.tabs,
            since: Some(self.since),
        };
        for query in count.queries.values() {
            match query {
                WaitingOn::Browser(since) if now - since >= READ_TIMEOUT => {
                    activity.last_query = activity.last_query.max(Some(*since));
                }
                _ => activity.queries += 1,
            }
        }
        activity
    }

    /// Records that the session was used at `at` in another way than through this door.
    pub fn record_use(&self, at: DateTime<Utc>) {
        let mut count = self.count.lock();
        count.last_query = count.last_query.max(Some(at));
    }

    /// Counts a request until the returned guard is dropped.
    pub fn begin(&self, kind: RequestKind) -> CountedRequest {
        let mut count = self.count.lock();
        count.begun += 1;
        let number = count.begun;
        match kind {
            RequestKind::Query => {
                count.queries.insert(number, WaitingOn::DuckDb);
            }
            RequestKind::Tab => count.tabs += 1,
        }
        CountedRequest {
            count: self.count.clone(),
            kind,
            number,
        }
    }
}

/// Guard that keeps a request counted until it is dropped.
pub struct CountedRequest {
    count: Arc<Mutex<Counts>>,
    kind: RequestKind,
    number: u64,
}

impl CountedRequest {
    fn set_waiting_on(&self, whom: WaitingOn) {
        if let Some(query) = self.count.lock().queries.get_mut(&self.number) {
            *query = whom;
        }
    }
}

impl Drop for CountedRequest {
    fn drop(&mut self) {
        let mut count = self.count.lock();
        match self.kind {
            RequestKind::Tab => count.tabs -= 1,
            RequestKind::Query => {
                let ended = match count.queries.remove(&self.number) {
                    Some(WaitingOn::Browser(since)) if Utc::now() - since >= READ_TIMEOUT => since,
                    _ => Utc::now(),
                };
                count.last_query = count.last_query.max(Some(ended));
            }
        }
    }
}

/// Body of an answer whose request is counted until the body is dropped.
pub struct CountedBody<B> {
    pub body: B,
    /// Guard of the request, if it is counted.
    pub counted: Option<CountedRequest>,
}

impl<B: Body + Unpin> Body for CountedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Some(counted) = &self.counted {
            counted.set_waiting_on(match polled {
                Poll::Pending => WaitingOn::DuckDb,
                // hyper polls for the next frame only after it has buffered or sent this one.
                Poll::Ready(_) => WaitingOn::Browser(Utc::now()),
            });
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_counted_until_it_ends() {
        let since = Utc::now();
        let counter = ActivityCounter::new(since);
        let now = || counter.snapshot(Utc::now());
        let nothing = Activity {
            since: Some(since),
            ..Activity::default()
        };
        assert_eq!(now(), nothing);
        let (one, two) = (
            counter.begin(RequestKind::Query),
            counter.begin(RequestKind::Query),
        );
        let tab = counter.begin(RequestKind::Tab);
        assert_eq!((now().queries, now().tabs, now().last_query), (2, 1, None));
        drop((one, tab));
        assert_eq!((now().queries, now().tabs), (1, 0));
        assert!(now().last_query.is_some());
        drop(two);
        assert_eq!(now().queries, 0);
        let later = Utc::now() + TimeDelta::seconds(5);
        counter.record_use(later);
        counter.record_use(since);
        assert_eq!(
            now().last_query,
            Some(later),
            "the session was used in another way"
        );
    }

    #[test]
    fn an_answer_that_nobody_reads_stops_counting_as_a_query() {
        let counter = ActivityCounter::new(Utc::now());
        let query = counter.begin(RequestKind::Query);
        let since = Utc::now();
        let after = |seconds| counter.snapshot(since + TimeDelta::seconds(seconds));
        assert_eq!(after(7200).queries, 1, "a slow query keeps counting");
        query.set_waiting_on(WaitingOn::Browser(since));
        assert_eq!(after(59).queries, 1);
        assert_eq!((after(60).queries, after(60).last_query), (0, Some(since)));
        query.set_waiting_on(WaitingOn::DuckDb);
        assert_eq!(after(60).queries, 1, "the browser reads again");
        query.set_waiting_on(WaitingOn::Browser(since - TimeDelta::hours(1)));
        drop(query);
        assert_eq!(after(60).last_query, Some(since - TimeDelta::hours(1)));
    }
}
