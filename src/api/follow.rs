//! `wait=ready`: reports the progress of a start as server-sent events.

use std::{convert::Infallible, sync::Arc};

use axum::response::{
    IntoResponse, Response,
    sse::{Event, KeepAlive, Sse},
};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{
    Api,
    document::{ending_reason, session_document},
    sessions::started_document,
};
use crate::{
    service::Requester,
    session::{Observed, Record, Stage, TrackedSession, Usage},
};

/// Streams `progress` events, then one `ready` or `ended` event.
pub(super) fn stream_until_ready(api: Api, who: Requester, record: Arc<Record>) -> Response {
    let changes = api.service.runtime().changes();
    let follower = Follower {
        api,
        who,
        newest: record,
        changes,
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
    last_progress: Option<Value>,
}

impl Follower {
    /// Waits for the next event. Returns its name, its data, and true if it is the last one; or
    /// `None` if the bot shuts down.
    async fn next(&mut self) -> Option<(&'static str, Value, bool)> {
        loop {
            self.changes.mark_unchanged();
            let seen = self.api.service.runtime().session(&self.newest.id);
            if let Some(seen) = &seen {
                self.newest = seen.record.clone();
            }
            match (&self.newest.stage, seen) {
                (Stage::Running, Some(_)) => {
                    let started = started_document(&self.api, &self.who, &self.newest).await;
                    return Some(("ready", started, true));
                }
                (Stage::Stopping { ending, .. }, _) => {
                    return Some(("ended", self.ended(&ending_reason(ending)), true));
                }
                // The view has shown the session before, but never why it ended.
                (_, None) if self.last_progress.is_some() => {
                    return Some((
                        "ended",
                        self.ended("it is gone; the cause is unknown"),
                        true,
                    ));
                }
                // The view does not show the session yet.
                (_, None) => {}
                (_, Some(seen)) => {
                    let now = self.progress(seen);
                    if self.last_progress.as_ref() != Some(&now) {
                        self.last_progress = Some(now.clone());
                        return Some(("progress", now, false));
                    }
                }
            }
            tokio::select! {
                changed = self.changes.changed() => changed.ok()?,
                () = self.api.shutdown.cancelled() => return None,
            }
        }
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

    fn ended(&self, why: &str) -> Value {
        json!({ "session_id": self.newest.id, "ends_because": why })
    }
}
