//! `/duck stop`: asks for confirmation, stops the session, and reports when it is gone.

use async_trait::async_trait;
use parking_lot::Mutex;

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
    details: "The bot asks for confirmation first. If your admins have set that up, your notebooks and \
        tables are saved, and the next session in the same workspace begins with them. Otherwise, those \
        that are not saved elsewhere will be lost. If you have only one session, you can leave out its ID. \
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
        replies::stopping(&seen.record.id, Some(&seen))
    } else {
        replies::confirm_stop(&seen.record)
    };
    Ok(reply.into())
}

pub(crate) async fn stop(call: &Call<'_>, id: &SessionId) -> Answered {
    let service = &call.bot.service;
    service.stop(&call.who, id).await?;
    let last = Mutex::new(None);
    let (mut changes, mut all_changes) = (service.changes(), service.changes());
    // The record with the outcome of the save may be gone before the progress is shown.
    let observe = async {
        while let Some(seen) = service.session(id) {
            *last.lock() = Some(seen.record);
            if all_changes.changed().await.is_err() {
                break;
            }
        }
        std::future::pending().await
    };
    let show = async {
        let mut shown = None;
        while let Some(seen) = service.session(id) {
            let phase = seen.phase();
            if shown.replace(phase) != Some(phase) {
                let progress = replies::stopping(id, Some(&seen));
                call.responder.try_to_edit(&progress).await;
            }
            if !call.responder.wait_for_change(&mut changes).await {
                return Answer::Shown;
            }
        }
        replies::stopped(id, last.lock().as_deref(), call.who.id).into()
    };
    Ok(tokio::select! {
        biased;
        answer = observe => answer,
        answer = show => answer,
    })
}

pub(crate) fn keep(id: &SessionId) -> Answered {
    Ok(replies::session_kept(id).into())
}
