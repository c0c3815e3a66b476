//! `wait=ready`: reports the progress of a start as server-sent events.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::response::{
    IntoResponse, Response,
    sse::{Event, KeepAlive, Sse},
};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use super::{
    document::{ending_reason, session_document, started_document},
    state::Api,
};
use crate::{
    service::Requester,
    session::{Observed, Record, Stage, TrackedSession, Usage},
};

/// Time in which a session that was just claimed appears in the view, unless the view is out of
/// date. After that, the session is gone.
const APPEARANCE_TIMEOUT: Duration = Duration::from_secs(5);

/// Streams `progress` events, then one `ready` or `ended` event.
pub(super) fn stream_until_ready(api: Api, who: Requester, record: Arc<Record>) -> Response {
    let changes = api.service.changes();
    let follower = Follower {
        api,
        who,
        newest: record,
        changes,
        appears_until: Some(Instant::now() + APPEARANCE_TIMEOUT),
        last_progress: None,
    };
    let events = stream::unfold(Some(follower), async |follower| {
        let mut follower = follower?;
        let (name, data, is_last) = follower.next().await?;
        let event = Event::default().event(name).data(data.to_string());
        Some((Ok::<_, Infallible>(event), (!is_last).then_some(follower)))
    });
    Sse::new(events)
        .keep_alive(KeepAlive::default())
        .into_response()
}

struct Follower {
    api: Api,
    who: Requester,
    newest: Arc<Record>,
    changes: watch::Receiver<u64>,
    /// Time until which the view may not show the session yet. `None` once it has shown it.
    appears_until: Option<Instant>,
    last_progress: Option<Value>,
}

/// The state of a followed session.
#[derive(Debug, PartialEq, Eq)]
enum State {
    /// The view does not show the session yet.
    Unseen,
    Starting(Observed),
    Ready,
    /// The session has ended, for this reason.
    Ended(String),
}

impl State {
    /// Interprets a look at the view. `newest` is the newest record that is known. If `may_appear`,
    /// the view may not show the session yet.
    fn of(newest: &Record, seen: Option<Observed>, may_appear: bool) -> Self {
        match (&newest.stage, seen) {
            (Stage::Stopping { ending, .. }, _) => Self::Ended(ending_reason(ending)),
            (Stage::Running, Some(_)) => Self::Ready,
            (_, Some(seen)) => Self::Starting(seen),
            (_, None) if may_appear => Self::Unseen,
            (_, None) => Self::Ended("it is gone; the cause is unknown".to_owned()),
        }
    }
}

impl Follower {
    /// Waits for the next event. Returns its name, its data, and true if it is the last one; or
    /// `None` if the bot shuts down.
    async fn next(&mut self) -> Option<(&'static str, Value, bool)> {
        loop {
            self.changes.mark_unchanged();
            match self.look() {
                State::Unseen => {}
                State::Starting(seen) => {
                    let now = self.progress(seen);
                    if self.last_progress.as_ref() != Some(&now) {
                        self.last_progress = Some(now.clone());
                        return Some(("progress", now, false));
                    }
                }
                State::Ready => {
                    let started = started_document(&self.api, &self.who, &self.newest).await;
                    return Some(("ready", started, true));
                }
                State::Ended(why) => {
                    let ended = json!({ "session_id": self.newest.id, "ends_because": why });
                    return Some(("ended", ended, true));
                }
            }
            let until = self.appears_until;
            tokio::select! {
                changed = self.changes.changed() => changed.ok()?,
                () = sleep_until(until.unwrap_or_else(Instant::now)), if until.is_some() => {}
                () = self.api.shutdown.cancelled() => return None,
            }
        }
    }

    fn look(&mut self) -> State {
        let now = Instant::now();
        let seen = self.api.service.session(&self.newest.id);
        if let Some(seen) = &seen {
            self.newest = seen.record.clone();
            self.appears_until = None;
        } else if self.appears_until.is_some() && self.api.service.stale_since().is_some() {
            // While a watch is broken, the view shows nothing new.
            self.appears_until = Some(now + APPEARANCE_TIMEOUT);
        }
        let may_appear = self.appears_until.is_some_and(|until| now < until);
        State::of(&self.newest, seen, may_appear)
    }

    fn progress(&self, seen: Observed) -> Value {
        let watched = TrackedSession {
            seen,
            usage: Usage::Unknown,
            left: None,
            bot_started: self.api.service.now(),
        };
        let mut document = session_document(&self.api, &watched);
        // Without a warning, the stop time moves on with the current time. Each change of it would
        // be an event.
        document["stops"] = Value::Null;
        document
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{Cause, starting};

    fn seen(record: &Record) -> Option<Observed> {
        Some(Observed {
            record: Arc::new(record.clone()),
            uid: "u".into(),
            revision: "1".into(),
            pod: None,
            service: false,
            route: false,
        })
    }

    #[test]
    fn a_session_that_is_gone_before_the_first_look_has_ended() {
        let record = starting();
        assert_eq!(State::of(&record, None, true), State::Unseen);
        let gone = State::Ended("it is gone; the cause is unknown".into());
        assert_eq!(State::of(&record, None, false), gone);
    }

    #[test]
    fn a_session_starts_until_it_is_ready_or_ends() {
        let record = starting();
        let found = seen(&record).expect("a session");
        assert_eq!(
            State::of(&record, seen(&record), true),
            State::Starting(found)
        );
        let running = record.with_announcement(None, record.created, 0);
        assert_eq!(State::of(&running, seen(&running), false), State::Ready);
        let stopped = Cause::Stopped { by: record.owner };
        let stopping = record.with_ending(stopped, record.created);
        for (seen, may_appear) in [(seen(&stopping), false), (None, false), (None, true)] {
            let ended = State::Ended("it was stopped".into());
            assert_eq!(State::of(&stopping, seen, may_appear), ended);
        }
    }
}
