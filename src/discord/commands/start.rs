//! `/duck start`: claims a workspace, then follows the session until it is ready.

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
    options::{Options, WORKSPACE, read_workspace},
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
        start_options::StartOptions,
    },
    service::{
        Appearance, Rejection, Service, ServiceError, StartOutcome, StartRejection, StartRequest,
    },
    session::{Observed, OwnerId, Record, RequestId, Restore, SessionId, Stage, usual_start},
};

const SPEC: CommandSpec = CommandSpec {
    name: "start",
    summary: "Start your own DuckDB, attached to the team's tables",
    details: "If you have not entered credentials yet, a form for them opens first. The bot posts the \
        link in the channel when the session is ready. If you already have a session, the bot shows it \
        to you first. With `workspace`, it starts one there in any case: a workspace has its own tables \
        and notebooks, and is open in one session at a time. Without it, your session is in `main`, and a \
        second one in `main-2`.",
    options: &[SIZE, CATALOG, WORKSPACE, FRESH],
};

const SIZE: OptionSpec = OptionSpec {
    name: "size",
    summary: "Amount of CPU, memory and disk",
    kind: OptionKind::Suggested(Suggestions::Sizes),
};

pub(crate) const CATALOG: OptionSpec = OptionSpec {
    name: "catalog",
    summary: "Catalog with the tables to attach",
    kind: OptionKind::Suggested(Suggestions::Catalogs),
};

const FRESH: OptionSpec = OptionSpec {
    name: "fresh",
    summary: "Begin without saved work, which stays saved",
    kind: OptionKind::Flag,
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
        let goal = Goal::Start(read(options).ok()?);
        form_for(bot, context, goal).await
    }

    async fn run(&self, call: &Call<'_>, options: Options<'_>) -> Answered {
        match read(options) {
            Ok(options) => start(call, StartCall::new(call.request.clone(), options)).await,
            Err(reply) => Ok(Answer::Reply(reply, CallOutcome::Refused)),
        }
    }
}

/// Reads the options of the command.
fn read(options: Options<'_>) -> Result<StartOptions, Reply> {
    let restore = if options.flag(FRESH.name) {
        Restore::Nothing
    } else {
        Restore::Latest
    };
    Ok(StartOptions {
        size: options.text(SIZE.name).map(str::to_owned),
        catalog: options.text(CATALOG.name).map(str::to_owned),
        workspace: read_workspace(options)?,
        restore,
    })
}

/// Request for a start, and what its replies begin with.
struct StartCall {
    /// Origin of the request: the command, the message with the pressed button, or the session to
    /// retry. So pressing a button twice is one request.
    request: RequestId,
    options: StartOptions,
    another: bool,
    /// Text above each reply.
    before: String,
}

impl StartCall {
    fn new(request: RequestId, options: StartOptions) -> Self {
        Self {
            request,
            options,
            another: false,
            before: String::new(),
        }
    }
}

/// Starts a session for a person whose credentials were just stored. `before` says so.
pub(super) async fn start_after(
    call: &Call<'_>,
    options: StartOptions,
    before: String,
) -> Answered {
    let ask = StartCall {
        before,
        ..StartCall::new(call.request.clone(), options)
    };
    start(call, ask).await
}

/// Starts a session even if the person has one.
pub(crate) async fn start_another(call: &Call<'_>, options: StartOptions) -> Answered {
    let request = match options.restore {
        // A list of saves has a button for each.
        Restore::Save(number) => RequestId(format!("{}-{number}", call.request.0)),
        Restore::Latest | Restore::Nothing => call.request.clone(),
    };
    let ask = StartCall {
        another: true,
        ..StartCall::new(request, options)
    };
    start(call, ask).await
}

/// Starts a session like a failed one, for its owner.
pub(crate) async fn retry(
    call: &Call<'_>,
    failed: &SessionId,
    owner: OwnerId,
    mut options: StartOptions,
) -> Answered {
    if owner != call.who.id {
        return Ok(Answer::Reply(
            replies::not_your_button(owner),
            CallOutcome::Refused,
        ));
    }
    options.workspace.get_or_insert_default();
    // The button on the public message appears before the workspace is free.
    let _ = call.bot.service.wait_until_gone(failed).await;
    // The button may be on two messages, with two sizes, and is still one request.
    let request = RequestId(format!("retry-{failed}"));
    start(call, StartCall::new(request, options)).await
}

async fn start(call: &Call<'_>, ask: StartCall) -> Answered {
    let Call { bot, responder, .. } = call;
    let service = &*bot.service;
    let StartCall {
        request,
        options,
        another,
        before,
    } = ask;
    service.check_catalog(options.catalog.as_deref())?;
    let request = StartRequest {
        request,
        channel: Some(call.context.channel.into()),
        size: options.size.clone(),
        catalog: options.catalog.clone(),
        workspace: options.workspace.clone(),
        restore: options.restore,
        another,
        exact: false,
    };
    let mut outcome = service.start(&call.who, request.clone()).await;
    if let Some(ending) = ending_session(&outcome) {
        let mut reply = replies::waiting_for_workspace(&ending);
        reply.text.insert_str(0, &before);
        responder.try_to_edit(&reply).await;
        // If it is still there after the timeout, the next attempt says so.
        let _ = service.wait_until_gone(&ending).await;
        outcome = service.start(&call.who, request).await;
    }
    let (mut reply, outcome) = match outcome {
        Ok(StartOutcome::Starting(record)) => {
            let kept = keep(service, responder, &record);
            // A new record may not be in the view yet.
            let known = (record.stage != Stage::Starting).then(|| record.clone());
            let followed = follow(bot, responder, &record, known, &before);
            // The next bot process continues the reply.
            tokio::join!(kept, bot.shutdown.run_until_cancelled(followed));
            return Ok(Answer::Shown);
        }
        Ok(StartOutcome::AlreadyRunning { sessions, room }) => {
            let sessions = with_urls(service, sessions);
            let another = Button::StartAnother(options);
            let reply = replies::already_running(&sessions, room, another);
            (reply, CallOutcome::Done)
        }
        Err(ServiceError::Rejected(Rejection::Start(rejection))) => {
            let reply = replies::not_started(&rejection, options);
            (reply, CallOutcome::Refused)
        }
        Err(ServiceError::Failed(error)) => {
            let reply = replies::start_failed(&error, &log_error(&error));
            (reply, CallOutcome::Failed)
        }
        Err(refused) => return Err(refused),
    };
    reply.text.insert_str(0, &before);
    Ok(Answer::Reply(reply, outcome))
}

/// Returns the session whose end a start has to wait for.
fn ending_session(outcome: &Result<StartOutcome, ServiceError>) -> Option<SessionId> {
    match outcome {
        Err(ServiceError::Rejected(Rejection::Start(StartRejection::WorkspaceInUse {
            id,
            is_stopping: true,
            ..
        }))) => id.parse().ok(),
        _ => None,
    }
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
        let responder = Responder::restore(bot.client.http(), bot.pending_acks.clone(), &kept)?;
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
            (replies::ready(record, url), true)
        }
        Stage::Stopping { told, .. } => {
            let mut reply = final_reply(service, record);
            if !told {
                // The workspace is still in use, so a button to start again would have to wait.
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
