//! `/duck stop`: asks for confirmation, stops the session, and reports when it is gone.

use async_trait::async_trait;

use super::{
    options::{Options, SESSION},
    spec::CommandSpec,
};
use crate::{
    discord::{
        call::{Answer, Answered, Call, Command},
        replies,
    },
    session::SessionId,
};

const SPEC: CommandSpec = CommandSpec {
    name: "stop",
    summary: "Stop one of your sessions",
    details: "The bot asks for confirmation first, because tables and notebooks that are not \
        saved elsewhere will be lost. If you have only one session, you can leave out its ID. \
        Admins can stop any session.",
    options: &[SESSION],
};

pub(super) struct Stop;

#[async_trait]
impl Command for Stop {
    fn spec(&self) -> &'static CommandSpec {
        &SPEC
    }

    async fn run(&self, call: &Call<'_>, options: Options<'_>) -> Answered {
        ask(call, options.text(SESSION.name))
    }
}

/// Asks whether to stop a session.
pub(crate) fn ask(call: &Call<'_>, session: Option<&str>) -> Answered {
    let seen = call.bot.service.find_to_stop(&call.who, session)?;
    let reply = if seen.record.is_stopping() {
        replies::stopping(&seen.record.id)
    } else {
        replies::confirm_stop(&seen.record)
    };
    Ok(reply.into())
}

pub(crate) async fn stop(call: &Call<'_>, id: &SessionId) -> Answered {
    let service = &call.bot.service;
    service.stop(&call.who, id).await?;
    call.responder.try_to_edit(&replies::stopping(id)).await;
    let mut changes = service.changes();
    while service.session(id).is_some() {
        if !call.responder.wait_for_change(&mut changes).await {
            return Ok(Answer::Shown);
        }
    }
    Ok(replies::stopped(id).into())
}

pub(crate) fn keep(id: &SessionId) -> Answered {
    Ok(replies::session_kept(id).into())
}
