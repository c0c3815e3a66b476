//! `/duck forget`: asks for confirmation, and deletes the stored credentials and past queries.

use async_trait::async_trait;
use futures_util::future::join_all;

use super::{options::Options, spec::CommandSpec};
use crate::{
    discord::{
        access::Access,
        call::{Answer, Answered, Call, Command, explain},
        replies,
    },
    service::ServiceError,
};

const SPEC: CommandSpec = CommandSpec {
    name: "forget",
    summary: "Delete your saved S3 credentials and past queries",
    details: "The bot asks for confirmation first, and shows which sessions use the credentials. \
        Running sessions keep using them until they are stopped. Sessions that are still starting \
        are stopped, and so are query runners. Your past queries are deleted too. Your schedules \
        are paused, and stay until you delete them with `/duck schedules`. Saved notebooks and \
        tables stay, unless you delete them first with the button for it.",
    options: &[],
};

pub(super) struct Forget;

#[async_trait]
impl Command for Forget {
    fn spec(&self) -> &'static CommandSpec {
        &SPEC
    }

    /// Everybody may delete their own credentials, with or without a role.
    fn access(&self) -> Access {
        Access::Everybody
    }

    async fn run(&self, call: &Call<'_>, _: Options<'_>) -> Answered {
        ask(call).await
    }
}

/// Asks whether to delete the stored credentials.
pub(crate) async fn ask(call: &Call<'_>) -> Answered {
    let service = &call.bot.service;
    let reply = match service.credentials_info(call.who.id).await? {
        Some(about) => {
            let sessions = service.sessions_with_stored_credentials(call.who.id);
            let saves_work = service.saves_work() && about.s3.is_some();
            let reply = replies::confirm_forget(&about, &sessions, saves_work);
            let schedules = service.schedule_count(call.who.id).await;
            replies::with_kept_schedules(reply, schedules, true)
        }
        None if service.has_past_queries(call.who.id).await? => replies::only_queries(),
        None => replies::no_credentials(),
    };
    Ok(reply.into())
}

/// Deletes the credentials first, so that they are gone even if stopping the sessions fails.
pub(crate) async fn forget(call: &Call<'_>, stop: bool) -> Answered {
    let service = &call.bot.service;
    let running = service.forget_credentials(&call.who).await?;
    let schedules = service.schedule_count(call.who.id).await;
    let noted = |reply| replies::with_kept_schedules(reply, schedules, false);
    if !stop || running.is_empty() {
        return Ok(noted(replies::credentials_deleted(&running)).into());
    }
    let stopping = replies::stopping_all(&running);
    call.responder.try_to_edit(&stopping).await;
    let stopped = running
        .iter()
        .map(|seen| service.stop_and_wait(&call.who, &seen.record.id));
    let stopped: Result<(), ServiceError> = join_all(stopped).await.into_iter().collect();
    Ok(match stopped {
        Ok(()) => noted(replies::credentials_deleted(&[])).into(),
        Err(problem) => {
            let (reply, outcome) = explain(&problem);
            Answer::Reply(noted(replies::credentials_deleted_but(reply)), outcome)
        }
    })
}

/// Deletes all saved work. The credentials stay, because they are needed for it.
pub(crate) async fn forget_work(call: &Call<'_>) -> Answered {
    let progress = replies::deleting_work();
    call.responder.try_to_edit(&progress).await;
    let deletion = call.bot.service.delete_saved_work(&call.who).await?;
    Ok(replies::work_deletion(&deletion).into())
}

pub(crate) fn keep() -> Answered {
    Ok(replies::credentials_kept().into())
}
