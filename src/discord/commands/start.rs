//! `/duck start`: claims a slot, then follows the session until it is ready.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::TimeDelta;
use futures_util::{
    StreamExt,
    future::{self, join_all},
    stream,
};
use tokio::time::Instant;
use tracing::debug;

use super::{
    first_form::form_for,
    options::Options,
    spec::{CommandSpec, OptionKind, OptionSpec, Suggestions},
};
use crate::{
    discord::{
        bot::{Bot, InteractionContext},
        buttons::Button,
        call::{Answer, Answered, Call, CallOutcome, Command, log_error},
        forms::Form,
        goals::Goal,
        replies::{self, Reply},
        responder::{INTERACTION_LIFETIME, Responder},
    },
    service::{Appearance, Rejection, Service, ServiceError, StartOutcome, StartRequest},
    session::{Observed, OwnerId, Record, RequestId, SessionId, Stage, usual_start},
};

const SPEC: CommandSpec = CommandSpec {
    name: "start",
    summary: "Start your own DuckDB, attached to the team's tables",
    details: "If you have not entered credentials yet, a form for them opens first. The bot posts the \
        link in the channel when the session is ready. If you already have a session, the bot shows it \
        to you first.",
    options: &[SIZE, CATALOG],
};

const SIZE: OptionSpec = OptionSpec {
    name: "size",
    summary: "Amount of CPU, memory and disk",
    kind: OptionKind::Suggested(Suggestions::Sizes),
};

const CATALOG: OptionSpec = OptionSpec {
    name: "catalog",
    summary: "Catalog with the tables to attach",
    kind: OptionKind::Suggested(Suggestions::Catalogs),
};

/// Minimum time between two edits of a reply. Discord allows five edits in five seconds; the rest
/// is for other requests. Faster changes share one edit, but the final state never waits.
const EDIT_INTERVAL: Duration = Duration::from_millis(1200);

/// Maximum number of stored replies to load at a time after a restart.
const MAX_CONCURRENT_READS: usize = 8;

pub(super) struct Start;

#[async_trait]
impl Command for Start {
    fn spec(&self) -> &'static CommandSpec {
        &SPEC
    }

    async fn first_form(
        &self,
        bot: &Bot,
        context: &InteractionContext,
        options: Options<'_>,
    ) -> Option<Form> {
        let goal = Goal::Start {
            size: options.text(SIZE.name).map(str::to_owned),
            catalog: options.text(CATALOG.name).map(str::to_owned),
        };
        form_for(bot, context, goal).await
    }

    async fn run(&self, call: &Call<'_>, options: Options<'_>) -> Answered {
        let ask = StartOptions {
            request: call.request.clone(),
            size: options.text(SIZE.name).map(str::to_owned),
            catalog: options.text(CATALOG.name).map(str::to_owned),
            another: false,
            before: String::new(),
        };
        start(call, ask).await
    }
}

/// Options of a start.
struct StartOptions {
    /// Origin of the request: the command, the message with the pressed button, or the session to
    /// retry. So pressing a button twice is one request.
    request: RequestId,
    size: Option<String>,
    catalog: Option<String>,
    another: bool,
    /// Text above each reply.
    before: String,
}

/// Starts a session for a person whose credentials were just stored. `before` says so.
pub(super) async fn start_after(
    call: &Call<'_>,
    size: Option<String>,
    catalog: Option<String>,
    before: String,
) -> Answered {
    let ask = StartOptions {
        request: call.request.clone(),
        size,
        catalog,
        another: false,
        before,
    };
    start(call, ask).await
}

/// Starts a session even if the person has one.
pub(crate) async fn start_another(
    call: &Call<'_>,
    size: Option<String>,
    catalog: Option<String>,
) -> Answered {
    let ask = StartOptions {
        request: call.request.clone(),
        size,
        catalog,
        another: true,
        before: String::new(),
    };
    start(call, ask).await
}

/// Starts a session like a failed one, for its owner.
pub(crate) async fn retry(
    call: &Call<'_>,
    failed: &SessionId,
    owner: OwnerId,
    size: String,
    catalog: String,
) -> Answered {
    if owner != call.who.id {
        return Ok(Answer::Reply(
            replies::not_your_button(owner),
            CallOutcome::Refused,
        ));
    }
    let ask = StartOptions {
        // The button may be on two messages, with two sizes, and is still one request.
        request: RequestId(format!("retry-{failed}")),
        size: Some(size),
        catalog: Some(catalog),
        another: false,
        before: String::new(),
    };
    // The button on the public message appears before the slot is free.
    let _ = call.bot.service.wait_until_gone(failed).await;
    start(call, ask).await
}

async fn start(call: &Call<'_>, ask: StartOptions) -> Answered {
    let Call { bot, responder, .. } = call;
    let service = &*bot.service;
    service.check_catalog(ask.catalog.as_deref())?;
    let another = Button::StartAnother {
        size: ask.size.clone(),
        catalog: ask.catalog.clone(),
    };
    let request = StartRequest {
        request: ask.request,
        channel: Some(call.context.channel.into()),
        size: ask.size.clone(),
        catalog: ask.catalog.clone(),
        another: ask.another,
        exact: false,
    };
    let (mut reply, outcome) = match service.start(&call.who, request).await {
        Ok(StartOutcome::Starting(record)) => {
            let kept = keep(service, responder, &record);
            // A new record may not be in the view yet.
            let known = (record.stage != Stage::Starting).then(|| record.clone());
            let followed = follow(bot, responder, &record, known, &ask.before);
            // The next bot process continues the reply.
            tokio::join!(kept, bot.shutdown.run_until_cancelled(followed));
            return Ok(Answer::Shown);
        }
        Ok(StartOutcome::AlreadyRunning { sessions, room }) => {
            let sessions = with_urls(service, sessions);
            let reply = replies::already_running(&sessions, room, another);
            (reply, CallOutcome::Done)
        }
        Err(ServiceError::Rejected(Rejection::Start(rejection))) => {
            let reply = replies::not_started(&rejection, ask.size, ask.catalog);
            (reply, CallOutcome::Refused)
        }
        Err(ServiceError::Failed(error)) => {
            let reply = replies::start_failed(&error, &log_error(&error));
            (reply, CallOutcome::Failed)
        }
        Err(refused) => return Err(refused),
    };
    reply.text.insert_str(0, &ask.before);
    Ok(Answer::Reply(reply, outcome))
}

/// Stores the reply's token, so that the next bot process can continue the reply. If that fails,
/// the reply stays as it is after a restart. The message in the channel is posted in any case.
async fn keep(service: &Service, responder: &Responder, record: &Record) {
    let kept = service.keep_reply(&record.id, &responder.save()).await;
    if let Err(error) = kept {
        debug!(session = %record.id, %error, "the reply won't continue after a restart");
    }
}

/// Continues the replies of the previous bot process that can still be edited. This includes
/// sessions that are ready or have failed, because their replies may not say so yet.
pub(crate) async fn resume_replies(bot: &Bot) {
    let service = &*bot.service;
    let oldest = service.now() - INTERACTION_LIFETIME;
    let mut recent = service.list(None);
    recent.retain(|seen| seen.record.created > oldest);
    let replies = recent.into_iter().map(async |seen| {
        let kept = service.kept_reply(&seen).await.ok().flatten()?;
        let responder = Responder::restore(bot.http.clone(), bot.pending_acks.clone(), &kept)?;
        Some((responder, seen.record))
    });
    let replies = stream::iter(replies).buffer_unordered(MAX_CONCURRENT_READS);
    let replies: Vec<_> = replies.filter_map(future::ready).collect().await;
    let followed = replies
        .iter()
        .map(|(responder, record)| follow(bot, responder, record, Some(record.clone()), ""));
    join_all(followed).await;
}

/// Shows each change of the session below `before`, until it is ready or has ended. `newest` is the newest
/// record that the view has shown, if it has shown any.
async fn follow(
    bot: &Bot,
    responder: &Responder,
    record: &Record,
    mut newest: Option<Arc<Record>>,
    before: &str,
) {
    let service = &*bot.service;
    let followed = bot.followed.begin(&record.id);
    let mut changes = service.changes();
    let mut appearance = match &newest {
        Some(_) => Appearance::seen(),
        None => Appearance::expected(Instant::now()),
    };
    let usual = usual_start(&service.list(None));
    let mut shown = None;
    let mut next_edit = Instant::now();
    loop {
        changes.mark_unchanged();
        let seen = service.session(&record.id);
        let now = Instant::now();
        let is_stale = service.stale_since().is_some();
        let is_gone = appearance.observe(seen.is_some(), is_stale, now);
        let (mut reply, is_last) = match &seen {
            Some(seen) => next_reply(service, seen, usual),
            None if is_gone => {
                let last = followed.ended().map(Arc::new);
                let reply = match last.as_ref().or(newest.as_ref()) {
                    Some(last) => final_reply(service, last),
                    None => replies::session_vanished(&record.id),
                };
                (reply, true)
            }
            None => (replies::progress(record, None, None), false),
        };
        reply.text.insert_str(0, before);
        newest = seen.map(|seen| seen.record).or(newest);
        let is_news = shown.as_ref() != Some(&reply);
        let is_too_soon = is_news && !is_last && now < next_edit;
        let mut is_late = is_too_soon;
        if is_news && !is_too_soon {
            if !responder.try_to_edit(&reply).await {
                // The next attempt shows the newest state.
                is_late = true;
            } else if is_last || responder.is_refused() {
                return;
            } else {
                shown = Some(reply);
            }
            next_edit = now + EDIT_INTERVAL;
        }
        let in_time = tokio::select! {
            in_time = responder.wait_for_change(&mut changes) => in_time,
            () = tokio::time::sleep_until(next_edit), if is_late => true,
            () = appearance.timeout() => true,
        };
        if !in_time {
            return;
        }
    }
}

/// Reply for the session's current state, and true if it is the last one.
fn next_reply(service: &Service, seen: &Observed, usual: Option<TimeDelta>) -> (Reply, bool) {
    let record = &seen.record;
    match &record.stage {
        Stage::Starting | Stage::Rescheduling(_) => {
            (replies::progress(record, seen.pod.as_ref(), usual), false)
        }
        Stage::Running => {
            let url = service.url(&record.id);
            let url = record.announcement.is_none().then_some(&*url);
            (replies::ready(&record.id, url), true)
        }
        Stage::Stopping { told, .. } => {
            let mut reply = final_reply(service, record);
            if !told {
                // The slot is still in use, so a button to start again would fail.
                reply.buttons.clear();
            }
            (reply, *told)
        }
    }
}

/// Reply for a session that is gone.
fn final_reply(service: &Service, record: &Record) -> Reply {
    match &record.stage {
        Stage::Stopping { ending, .. } => {
            let larger = service.larger_size(record, ending.cause.failure());
            replies::ended(record, ending, larger)
        }
        _ => replies::session_ended(&record.id),
    }
}

fn with_urls(service: &Service, sessions: Vec<Observed>) -> Vec<(Observed, String)> {
    let url = |seen: Observed| {
        let url = service.url(&seen.record.id);
        (seen, url)
    };
    sessions.into_iter().map(url).collect()
}
