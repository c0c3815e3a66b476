//! `/duck start`: claims a slot, then follows the session until it is ready.

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;
use futures_util::{
    StreamExt,
    future::{self, join_all},
    stream,
};
use tokio::time::Instant;
use tracing::debug;

use crate::discord::interactions::{
    Handlers, INTERACTION_LIFETIME, Responder, explain, log_error, refuse,
};
use crate::{
    discord::{
        buttons::Button,
        replies::{self, Reply},
    },
    service::{Requester, ServiceError, StartOutcome, StartRequest},
    session::{Observed, Record, RequestId, Stage, usual_start},
};

/// Minimum time between two edits of a reply. Discord allows five edits in five seconds; the rest
/// is for other requests. Faster changes share one edit, but the final state never waits.
const EDIT_INTERVAL: Duration = Duration::from_millis(1200);

/// Maximum number of stored replies to load at a time after a restart.
const MAX_CONCURRENT_READS: usize = 8;

/// Options of a start.
pub(in crate::discord) struct StartOptions {
    /// Origin of the request: the command, the message with the pressed button, or the session to
    /// retry. So pressing a button twice is one request.
    pub request: RequestId,
    pub size: Option<String>,
    pub catalog: Option<String>,
    pub another: bool,
}

impl Handlers {
    pub(in crate::discord) async fn start(
        &self,
        responder: &Responder,
        who: &Requester,
        channel: u64,
        ask: StartOptions,
    ) {
        if let Err(unknown) = self.service.check_catalog(ask.catalog.as_deref()) {
            return responder.edit(&refuse(&unknown)).await;
        }
        let another = Button::StartAnother {
            size: ask.size.clone(),
            catalog: ask.catalog.clone(),
        };
        let request = StartRequest {
            request: ask.request,
            channel: Some(channel.into()),
            size: ask.size,
            catalog: ask.catalog,
            another: ask.another,
            exact: false,
        };
        match self.service.start(who, request).await {
            Ok(StartOutcome::Starting(record)) => {
                let kept = self.keep(responder, &record);
                // A new record may not be in the view yet.
                let known = (record.stage != Stage::Starting).then(|| record.clone());
                tokio::join!(kept, self.follow(responder, &record, known));
            }
            Ok(StartOutcome::AlreadyRunning { sessions, room }) => {
                let sessions = self.with_urls(sessions);
                let reply = replies::already_running(&sessions, room, another);
                responder.edit(&reply).await;
            }
            Err(ServiceError::Failed(error)) => {
                responder
                    .edit(&replies::start_failed(&error, &log_error(&error)))
                    .await;
            }
            Err(refused) => responder.edit(&explain(&refused)).await,
        }
    }

    /// Stores the reply's token, so that the next bot process can continue the reply. If that fails,
    /// the reply stays as it is after a restart. The message in the channel is posted in any case.
    async fn keep(&self, responder: &Responder, record: &Record) {
        let Some(seen) = self.service.runtime().session(&record.id) else {
            return;
        };
        let kept = self.service.replies().store(&seen, &responder.save()).await;
        if let Err(error) = kept {
            debug!(session = %record.id, %error, "the reply won't continue after a restart");
        }
    }

    /// Continues the replies of the previous bot process that can still be edited. This includes
    /// sessions that are ready or have failed, because their replies may not say so yet.
    pub(crate) async fn resume_replies(&self) {
        let oldest = self.service.now() - INTERACTION_LIFETIME;
        let mut recent = self.service.list(None);
        recent.retain(|seen| seen.record.created > oldest);
        let replies = recent.into_iter().map(async |seen| {
            let kept = self.service.replies().load(&seen).await.ok().flatten()?;
            let responder = Responder::restore(self.http.clone(), &kept)?;
            Some((responder, seen.record))
        });
        let replies = stream::iter(replies).buffer_unordered(MAX_CONCURRENT_READS);
        let replies: Vec<_> = replies.filter_map(future::ready).collect().await;
        let followed = replies
            .iter()
            .map(|(responder, record)| self.follow(responder, record, Some(record.clone())));
        join_all(followed).await;
    }

    /// Shows each change of the session until it is ready or has ended. `newest` is the newest
    /// record that the view has shown, if it has shown any.
    async fn follow(
        &self,
        responder: &Responder,
        record: &Record,
        mut newest: Option<Arc<Record>>,
    ) {
        let runtime = self.service.runtime();
        let mut changes = runtime.changes();
        let usual = usual_start(&self.service.list(None));
        let mut shown = None;
        let mut next_edit = Instant::now();
        loop {
            changes.mark_unchanged();
            let seen = runtime.session(&record.id);
            let (reply, is_last) = match (&seen, &newest) {
                (Some(seen), _) => self.next_reply(seen, usual),
                (None, None) => (replies::progress(record, None, None), false),
                (None, Some(last)) => (self.final_reply(last), true),
            };
            newest = seen.map(|seen| seen.record).or(newest);
            let now = Instant::now();
            let is_news = shown.as_ref() != Some(&reply);
            let is_too_soon = is_news && !is_last && now < next_edit;
            let mut is_late = is_too_soon;
            if is_news && !is_too_soon {
                if !responder.try_to_edit(&reply).await {
                    // The next attempt shows the newest state.
                    is_late = true;
                } else if is_last {
                    return;
                } else {
                    shown = Some(reply);
                }
                next_edit = now + EDIT_INTERVAL;
            }
            let in_time = tokio::select! {
                in_time = responder.wait_for_change(&mut changes) => in_time,
                () = tokio::time::sleep_until(next_edit), if is_late => true,
            };
            if !in_time {
                return;
            }
        }
    }

    /// Reply for the session's current state, and true if it is the last one.
    fn next_reply(&self, seen: &Observed, usual: Option<TimeDelta>) -> (Reply, bool) {
        let record = &seen.record;
        match &record.stage {
            Stage::Starting | Stage::Rescheduling(_) => {
                (replies::progress(record, seen.pod.as_ref(), usual), false)
            }
            Stage::Running => {
                let url = self.service.runtime().url(&record.id);
                (replies::ready(&record.id, &url), true)
            }
            Stage::Stopping { told, .. } => {
                let mut reply = self.final_reply(record);
                if !told {
                    // The slot is still in use, so a button to start again would fail.
                    reply.buttons.clear();
                }
                (reply, *told)
            }
        }
    }

    /// Reply for a session that is gone.
    fn final_reply(&self, record: &Record) -> Reply {
        match &record.stage {
            Stage::Stopping { ending, .. } => {
                let settings = self.service.settings();
                let larger = settings.larger_size(&record.size, ending.cause.failure());
                replies::ended(record, ending, larger)
            }
            _ => replies::session_ended(&record.id),
        }
    }

    pub(super) fn with_urls(&self, sessions: Vec<Observed>) -> Vec<(Observed, String)> {
        let url = |seen: Observed| {
            let url = self.service.runtime().url(&seen.record.id);
            (seen, url)
        };
        sessions.into_iter().map(url).collect()
    }
}
