//! `wait=ready`: reports the progress of a start as server-sent events.

use std::{convert::Infallible, sync::Arc};

use axum::response::{
    IntoResponse, Response,
    sse::{Event, KeepAlive, Sse},
};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::{sync::watch, time::Instant};

use super::{
    document::{session_document, started_document},
    problem::ending_reason,
    state::Api,
};
use crate::{
    service::{Appearance, Requester},
    session::{Observed, Record, Stage, TrackedSession, Usage},
};

/// Streams `progress` events, then one `ready` or `ended` event.
pub(super) fn stream_until_ready(api: Api, who: Requester, record: Arc<Record>) -> Response {
    let changes = api.service.changes();
    let follower = Follower {
        api,
        who,
        newest: record,
        changes,
        appearance: Appearance::expected(Instant::now()),
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
    appearance: Appearance,
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
    /// Interprets a look at the view. `newest` is the newest record that is known.
    fn of(newest: &Record, seen: Option<Observed>, is_gone: bool) -> Self {
        match (&newest.stage, seen) {
            (Stage::Stopping { ending, .. }, _) => Self::Ended(ending_reason(ending)),
            (Stage::Running, Some(_)) => Self::Ready,
            (_, Some(seen)) => Self::Starting(seen),
            (_, None) if is_gone => Self::Ended("It is gone; the cause is unknown.".to_owned()),
            (_, None) => Self::Unseen,
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
            tokio::select! {
                changed = self.changes.changed() => changed.ok()?,
                () = self.appearance.timeout() => {}
                () = self.api.shutdown.cancelled() => return None,
            }
        }
    }

    fn look(&mut self) -> State {
        let seen = self.api.service.session(&self.newest.id);
        if let Some(seen) = &seen {
            self.newest = seen.record.clone();
        }
        let is_stale = self.api.service.stale_since().is_some();
        let now = Instant::now();
        let is_gone = self.appearance.observe(seen.is_some(), is_stale, now);
        State::of(&self.newest, seen, is_gone)
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
        assert_eq!(State::of(&record, None, false), State::Unseen);
        let gone = State::Ended("It is gone; the cause is unknown.".into());
        assert_eq!(State::of(&record, None, true), gone);
    }

    #[test]
    fn a_session_starts_until_it_is_ready_or_ends() {
        let record = starting();
        let found = seen(&record).expect("a session");
        assert_eq!(
            State::of(&record, seen(&record), false),
            State::Starting(found)
        );
        let running = record.with_announcement(None, record.created, 0);
        assert_eq!(State::of(&running, seen(&running), false), State::Ready);
        let stopped = Cause::Stopped { by: record.owner };
        let stopping = record.with_ending(stopped, record.created);
        for (seen, is_gone) in [(seen(&stopping), false), (None, false), (None, true)] {
            let ended = State::Ended("It was stopped.".into());
            assert_eq!(State::of(&stopping, seen, is_gone), ended);
        }
    }
}
