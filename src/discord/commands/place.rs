//! The place where a command's queries run: it is found, and started if necessary.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    discord::{
        call::Call,
        replies::{self, Reply},
    },
    service::{LookupRejection, PlaceState, QueryPlace, ServiceError},
    session::{Observed, Pod},
};

/// Minimum time between two edits of a reply. Discord allows five edits in five seconds.
const EDIT_INTERVAL: Duration = Duration::from_millis(1200);

/// A place that is ready. Hold it as long as its queries run.
pub(super) struct ReadyPlace {
    pub(super) seen: Observed,
    _place: QueryPlace,
}

/// Finds the place for queries in this session or catalog, and waits until it is ready.
pub(super) async fn find_place(
    call: &Call<'_>,
    session: Option<&str>,
    catalog: Option<&str>,
) -> Result<ReadyPlace, ServiceError> {
    let place = call
        .bot
        .service
        .find_query_place(&call.who, session, catalog);
    wait_until_ready(call, place.await?, replies::runner_starting).await
}

/// Waits until a place is ready. `progress` is the reply for its Pod meanwhile.
pub(super) async fn wait_until_ready(
    call: &Call<'_>,
    mut place: QueryPlace,
    progress: impl Fn(Option<&Pod>) -> Reply,
) -> Result<ReadyPlace, ServiceError> {
    let service = &call.bot.service;
    let mut changes = service.changes();
    let (mut shown, mut next_edit) = (None, Instant::now());
    loop {
        changes.mark_unchanged();
        let pod = match service.place_state(&mut place)? {
            PlaceState::Ready(seen) => {
                return Ok(ReadyPlace {
                    seen: *seen,
                    _place: place,
                });
            }
            PlaceState::Starting(pod) => pod,
        };
        let reply = progress(pod.as_ref());
        let is_news = shown.as_ref() != Some(&reply);
        let now = Instant::now();
        if is_news && now >= next_edit {
            if call.responder.try_to_edit(&reply).await {
                shown = Some(reply);
            }
            next_edit = now + EDIT_INTERVAL;
        }
        let is_late = is_news && now < next_edit;
        let in_time = tokio::select! {
            in_time = call.responder.wait_for_change(&mut changes) => in_time,
            () = tokio::time::sleep_until(next_edit), if is_late => true,
            () = place.timeout() => true,
        };
        if !in_time {
            // The reply can't be edited any more.
            return Err(LookupRejection::NotReady(place.id().clone()).into());
        }
    }
}
