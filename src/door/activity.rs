//! What goes on in a session, in numbers: nothing of what people ask or get.

use std::{
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use chrono::{DateTime, Utc};
use hyper::{
    Method,
    body::{Body, Frame, SizeHint},
};
use serde::{Deserialize, Serialize};

use crate::lock::lock;

/// What a door tells of its session, at `GET /activity` of its second port.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activity {
    /// Queries that run now.
    pub queries: u32,
    /// When the last query ended, if one ever did since the door was started.
    pub last_query: Option<DateTime<Utc>>,
    /// Browser tabs that show the UI. An open tab is no activity.
    pub tabs: u32,
}

/// Keeps count.
#[derive(Clone, Default)]
pub struct Counter {
    activity: Arc<Mutex<Activity>>,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A query that runs.
    Query,
    /// A tab that listens.
    Tab,
}

impl Kind {
    /// What a request to DuckDB's UI counts as.
    pub fn of(method: &Method, path: &str) -> Option<Self> {
        match (method, path) {
            (&Method::POST, "/ddb/run") => Some(Self::Query),
            (&Method::GET, "/localEvents") => Some(Self::Tab),
            _ => None,
        }
    }
}

impl Counter {
    /// How it stands.
    pub fn now(&self) -> Activity {
        lock(&self.activity).clone()
    }

    /// Counts one until what is returned is dropped.
    pub fn begin(&self, kind: Kind) -> Counted {
        let mut activity = lock(&self.activity);
        match kind {
            Kind::Query => activity.queries += 1,
            Kind::Tab => activity.tabs += 1,
        }
        Counted {
            counter: self.clone(),
            kind,
        }
    }
}

/// One that goes on.
pub struct Counted {
    counter: Counter,
    kind: Kind,
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut activity = lock(&self.counter.activity);
        match self.kind {
            Kind::Query => {
                activity.queries -= 1;
                activity.last_query = Some(Utc::now());
            }
            Kind::Tab => activity.tabs -= 1,
        }
    }
}

/// An answer that counts until its last byte is gone.
pub struct Watched<B> {
    /// What is sent.
    pub body: B,
    /// What it counts as.
    pub counted: Option<Counted>,
}

impl<B: Body + Unpin> Body for Watched<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
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
    fn what_begins_is_counted_until_it_ends() {
        let counter = Counter::default();
        assert_eq!(counter.now(), Activity::default());
        let (one, two) = (counter.begin(Kind::Query), counter.begin(Kind::Query));
        let tab = counter.begin(Kind::Tab);
        let now = counter.now();
        assert_eq!((now.queries, now.tabs, now.last_query), (2, 1, None));
        drop((one, tab));
        let now = counter.now();
        assert_eq!((now.queries, now.tabs), (1, 0));
        assert!(now.last_query.is_some());
        drop(two);
        assert_eq!(counter.now().queries, 0);
    }
}
