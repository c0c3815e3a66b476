//! `/duck list`.

use async_trait::async_trait;

use super::{
    options::Options,
    spec::{CommandSpec, OptionKind, OptionSpec},
};
use crate::discord::{
    call::{Answered, Call, Command},
    replies::{self, ListEntry},
};

const SPEC: CommandSpec = CommandSpec {
    name: "list",
    summary: "Show your sessions, or everybody's",
    details: "Shows when each session will be stopped, and why. Only you see the answer.",
    options: &[ALL],
};

const ALL: OptionSpec = OptionSpec {
    name: "all",
    summary: "Show everybody's sessions",
    kind: OptionKind::Flag,
};

pub(super) struct List;

#[async_trait]
impl Command for List {
    fn spec(&self) -> &'static CommandSpec {
        &SPEC
    }

    async fn run(&self, call: &Call<'_>, options: Options<'_>) -> Answered {
        let all = options.flag(ALL.name);
        let service = &call.bot.service;
        let sessions = service.list((!all).then_some(call.who.id));
        let dry_run = service.is_dry_run();
        let stale = service.stale_since();
        let sessions = service.track(sessions).await;
        let sessions = sessions.into_iter().map(|watched| ListEntry {
            url: service.url(&watched.seen.record.id),
            due: service.scheduled_stop(&watched),
            watched,
        });
        let sessions: Vec<_> = sessions.collect();
        Ok(replies::list(&sessions, all, stale, dry_run).into())
    }
}
