//! Counts of requests in progress: queries, tabs and pages. The contents of queries and answers are
//! not kept.

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
use tokio::sync::OwnedSemaphorePermit;

/// Time after which an answer that the browser does not read no longer counts as a running query.
const READ_TIMEOUT: TimeDelta = TimeDelta::minutes(1);
/// Time after which an answer that the browser does not read no longer occupies DuckDB. DuckDB
/// itself gives up after 5 s, or has written everything.
const UNREAD_TIMEOUT: TimeDelta = TimeDelta::seconds(10);

/// Path that interrupts the query of a connection.
pub const INTERRUPT_PATH: &str = "/ddb/interrupt";

/// Activity of a session, as a door serves it at `GET /activity` on its admin port.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activity {
    /// Number of running queries.
    pub queries: u32,
    /// Number of queries that wait until DuckDB has room. Doors of older images don't report it.
    #[serde(default)]
    pub queued: u32,
    /// Time at which the last query ended. `None` if none has ended since the door was started.
    pub last_query: Option<DateTime<Utc>>,
    /// Number of browser tabs that show the UI. An open tab does not count as use.
    pub tabs: u32,
    /// Time at which the door began to count. Earlier use is unknown.
    pub since: Option<DateTime<Utc>>,
    /// Number of requests since then. Doors of older images don't report it.
    #[serde(default)]
    pub requests: RequestCounts,
}

/// Numbers of requests, by outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestCounts {
    pub done: u64,
    /// Refused by the door's rules or limits.
    pub refused: u64,
    /// DuckDB or the door could not answer.
    pub failed: u64,
}

/// Counter of a door's requests.
#[derive(Clone)]
pub struct ActivityCounter {
    count: Arc<Mutex<Counts>>,
    since: DateTime<Utc>,
}

#[derive(Default)]
struct Counts {
    begun: u64,
    requests: HashMap<u64, Progress>,
    last_query: Option<DateTime<Utc>>,
}

struct Progress {
    kind: RequestKind,
    waiting_on: WaitingOn,
    /// Permission to occupy one of DuckDB's threads.
    permit: Option<OwnedSemaphorePermit>,
}

/// The side that must act next.
enum WaitingOn {
    /// Other requests, which must end first.
    Others,
    DuckDb,
    /// The browser has had data to read since this time.
    Browser(DateTime<Utc>),
}

/// Kinds of requests that are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestKind {
    /// A query.
    Query,
    /// An open tab, which listens for events.
    Tab,
    /// A file of the UI, which DuckDB fetches from elsewhere.
    Page,
    /// A request that DuckDB answers at once if its body is there, such as the tokens of a query.
    Other,
}

impl RequestKind {
    /// Classifies a request to DuckDB's UI. `policy` refuses other spellings of these paths. Returns
    /// `None` if DuckDB answers it at once.
    pub fn of(method: &Method, path: &str) -> Option<Self> {
        match (method, path) {
            (&Method::POST, "/ddb/run") => Some(Self::Query),
            (&Method::POST, INTERRUPT_PATH) => None,
            (&Method::POST, _) => Some(Self::Other),
            (&Method::GET, "/localEvents") => Some(Self::Tab),
            (_, "/info" | "/localToken") => None,
            _ => Some(Self::Page),
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
            last_query: count.last_query,
            since: Some(self.since),
            ..Activity::default()
        };
        for request in count.requests.values() {
            match (request.kind, &request.waiting_on) {
                (RequestKind::Page | RequestKind::Other, _) => {}
                (RequestKind::Tab, _) => activity.tabs += 1,
                (RequestKind::Query, WaitingOn::Others) => activity.queued += 1,
                (RequestKind::Query, WaitingOn::Browser(since)) if now - since >= READ_TIMEOUT => {
                    activity.last_query = activity.last_query.max(Some(*since));
                }
                (RequestKind::Query, _) => activity.queries += 1,
            }
        }
        activity
    }

    /// Records that the session was used at `at` in another way than through this door.
    pub fn record_use(&self, at: DateTime<Utc>) {
        let mut count = self.count.lock();
        count.last_query = count.last_query.max(Some(at));
    }

    /// Takes back the permits of answers that a browser does not read. `now` must be the current
    /// time.
    pub fn release_unread(&self, now: DateTime<Utc>) {
        for request in self.count.lock().requests.values_mut() {
            if matches!(request.waiting_on, WaitingOn::Browser(since) if now - since >= UNREAD_TIMEOUT)
            {
                request.permit = None;
            }
        }
    }

    /// Counts a request, which waits for others at first, until the returned guard is dropped.
    pub fn begin(&self, kind: RequestKind) -> CountedRequest {
        let mut count = self.count.lock();
        count.begun += 1;
        let number = count.begun;
        let request = Progress {
            kind,
            waiting_on: WaitingOn::Others,
            permit: None,
        };
        count.requests.insert(number, request);
        CountedRequest {
            count: self.count.clone(),
            number,
        }
    }
}

/// Guard that keeps a request counted until it is dropped.
pub struct CountedRequest {
    count: Arc<Mutex<Counts>>,
    number: u64,
}

impl CountedRequest {
    /// Marks the request as passed to DuckDB. Holds `permit` until the request ends.
    pub fn pass(&self, permit: OwnedSemaphorePermit) {
        self.update(|request| {
            request.waiting_on = WaitingOn::DuckDb;
            request.permit = Some(permit);
        });
    }

    fn set_waiting_on(&self, whom: WaitingOn) {
        self.update(|request| request.waiting_on = whom);
    }

    fn update(&self, change: impl FnOnce(&mut Progress)) {
        if let Some(request) = self.count.lock().requests.get_mut(&self.number) {
            change(request);
        }
    }
}

impl Drop for CountedRequest {
    fn drop(&mut self) {
        let mut count = self.count.lock();
        let ended = match count.requests.remove(&self.number) {
            Some(Progress {
                kind: RequestKind::Query,
                waiting_on,
                ..
            }) => match waiting_on {
                WaitingOn::Browser(since) if Utc::now() - since >= READ_TIMEOUT => since,
                _ => Utc::now(),
            },
            _ => return,
        };
        count.last_query = count.last_query.max(Some(ended));
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
    use tokio::sync::Semaphore;

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
        let (tab, page) = (
            counter.begin(RequestKind::Tab),
            counter.begin(RequestKind::Page),
        );
        assert_eq!((now().queries, now().queued, now().tabs), (0, 2, 1));
        one.set_waiting_on(WaitingOn::DuckDb);
        two.set_waiting_on(WaitingOn::DuckDb);
        drop(page);
        assert_eq!((now().queries, now().queued), (2, 0));
        assert_eq!(now().last_query, None);
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
    fn requests_are_classified_by_what_they_occupy() {
        let of = |method, path| RequestKind::of(&method, path);
        assert_eq!(of(Method::POST, "/ddb/run"), Some(RequestKind::Query));
        assert_eq!(of(Method::GET, "/localEvents"), Some(RequestKind::Tab));
        for path in ["/", "/config", "/assets/index.js"] {
            assert_eq!(of(Method::GET, path), Some(RequestKind::Page), "{path}");
        }
        assert_eq!(of(Method::HEAD, "/"), Some(RequestKind::Page));
        assert_eq!(of(Method::GET, "/info"), None);
        assert_eq!(of(Method::POST, "/ddb/interrupt"), None);
        for path in ["/ddb/tokenize", "/", "/info"] {
            assert_eq!(of(Method::POST, path), Some(RequestKind::Other), "{path}");
        }
    }

    #[test]
    fn the_activity_of_an_older_door_is_read() {
        let text = r#"{"queries":2,"last_query":null,"tabs":1,"since":null}"#;
        let activity: Activity = serde_json::from_str(text).expect("an activity");
        assert_eq!((activity.queries, activity.queued), (2, 0));
        assert_eq!(activity.requests, RequestCounts::default());
    }

    #[test]
    fn an_answer_that_nobody_reads_stops_counting_as_a_query() {
        let counter = ActivityCounter::new(Utc::now());
        let query = counter.begin(RequestKind::Query);
        query.set_waiting_on(WaitingOn::DuckDb);
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

    #[test]
    fn an_answer_that_nobody_reads_gives_its_permit_back() {
        let counter = ActivityCounter::new(Utc::now());
        let permits = Arc::new(Semaphore::new(1));
        let query = counter.begin(RequestKind::Query);
        query.pass(permits.clone().try_acquire_owned().expect("a permit"));
        let since = Utc::now();
        counter.release_unread(since + TimeDelta::hours(1));
        assert_eq!(permits.available_permits(), 0, "a slow query keeps it");
        query.set_waiting_on(WaitingOn::Browser(since));
        counter.release_unread(since + TimeDelta::seconds(9));
        assert_eq!(permits.available_permits(), 0);
        counter.release_unread(since + TimeDelta::seconds(10));
        assert_eq!(permits.available_permits(), 1);
        assert_eq!(counter.snapshot(since).queries, 1, "it still counts");
    }
}
