//! `/duck restore`: starts a session with an earlier save.

use async_trait::async_trait;

use super::{
    options::{Options, WORKSPACE, read_workspace},
    spec::{CommandSpec, OptionKind, OptionSpec, Suggestions},
    start::{self, CATALOG},
};
use crate::{
    discord::{
        call::{Answer, Answered, Call, CallOutcome, Command},
        replies,
        start_options::StartOptions,
    },
    service::{Rejection, Saves, ServiceError},
    session,
};

const SPEC: CommandSpec = CommandSpec {
    name: "restore",
    summary: "Start a session with an earlier save of your work",
    details: "Without a number, shows the saves of the workspace. The last three are kept, and the last \
        one of the session before. The session of the workspace must be stopped first; its work is saved \
        then, and becomes the newest save. Without `workspace`, this is about `main`.",
    options: &[SAVE, WORKSPACE, CATALOG],
};

pub(crate) const SAVE: OptionSpec = OptionSpec {
    name: "save",
    summary: "Number of the save",
    kind: OptionKind::Suggested(Suggestions::Saves),
};

pub(super) struct Restore;

#[async_trait]
impl Command for Restore {
    fn spec(&self) -> &'static CommandSpec {
        &SPEC
    }

    fn is_for(&self, call: &Call<'_>) -> bool {
        call.bot.service.saves_work()
    }

    async fn run(&self, call: &Call<'_>, options: Options<'_>) -> Answered {
        let refused = |reply| Ok(Answer::Reply(reply, CallOutcome::Refused));
        let workspace = match read_workspace(options) {
            Ok(workspace) => workspace.unwrap_or_default(),
            Err(reply) => return refused(reply),
        };
        let number = match options
            .text(SAVE.name)
            .map(|text| (text, text.trim().parse()))
        {
            Some((given, Err(_))) => return refused(replies::invalid_save(given)),
            Some((_, Ok(number))) => Some(number),
            None => None,
        };
        let options = StartOptions {
            catalog: options.text(CATALOG.name).map(str::to_owned),
            workspace: Some(workspace.clone()),
            restore: number.map_or(session::Restore::Latest, session::Restore::Save),
            ..StartOptions::default()
        };
        let service = &call.bot.service;
        let (who, catalog) = (call.who.id, options.catalog.as_deref());
        // The start says that the workspace is open.
        if number.is_some() && service.is_open(who, &workspace) {
            return start::start_another(call, options).await;
        }
        let saves = match service.saves(who, &workspace, catalog).await {
            Ok(saves) => saves,
            Err(ServiceError::Rejected(Rejection::Start(why))) => {
                return refused(replies::not_started(&why, options));
            }
            Err(problem) => return Err(problem),
        };
        let is_there = match &saves {
            Saves::Found(saves) => saves.iter().any(|save| Some(save.number) == number),
            Saves::NotKept(_) | Saves::Failed(_) => false,
        };
        if is_there {
            return start::start_another(call, options).await;
        }
        Ok(replies::saves(&saves, &workspace, number, &options).into())
    }
}
