//! `/duck save`, and its button.

use async_trait::async_trait;

use super::{
    options::{OWN_SESSION, Options},
    spec::CommandSpec,
};
use crate::discord::{
    call::{Answer, Answered, Call, CallOutcome, Command},
    replies,
};

const SPEC: CommandSpec = CommandSpec {
    name: "save",
    summary: "Save the notebooks and tables of your session now",
    details: "Your work is also saved every few minutes and when a session ends, if this server's admins \
        have set that up. The next session in the same workspace begins with it. If you have only one \
        session, you can leave out its ID. Only you see the answer.",
    options: &[OWN_SESSION],
};

pub(super) struct Save;

#[async_trait]
impl Command for Save {
    fn spec(&self) -> &'static CommandSpec {
        &SPEC
    }

    fn is_for(&self, call: &Call<'_>) -> bool {
        call.bot.service.saves_work()
    }

    async fn run(&self, call: &Call<'_>, options: Options<'_>) -> Answered {
        save(call, options.text(OWN_SESSION.name)).await
    }
}

/// Saves the work of a session.
pub(crate) async fn save(call: &Call<'_>, session: Option<&str>) -> Answered {
    let service = &call.bot.service;
    let seen = service.find_to_save(&call.who, session)?;
    let record = &seen.record;
    call.responder.try_to_edit(&replies::saving(record)).await;
    let outcome = service.save_work(&call.who, &seen).await;
    let (reply, is_saved) = replies::save_outcome(record, outcome.as_ref());
    let outcome = if is_saved {
        CallOutcome::Done
    } else {
        CallOutcome::Refused
    };
    Ok(Answer::Reply(reply, outcome))
}
