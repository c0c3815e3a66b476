//! `/duck list`.

use async_trait::async_trait;

use super::{
    options::Options,
    spec::{CommandSpec, OptionKind, OptionSpec},
};
use crate::{
    discord::{
        call::{Answered, Call, Command},
        replies::{self, AllSessions, ListEntry, MAX_LISTED},
    },
    session::{Observed, TrackedSession},
};

const SPEC: CommandSpec = CommandSpec {
    name: "list",
    summary: "Show your sessions, or everybody's",
    details: "Shows when each session will be stopped, and why. Buttons open, extend or stop your own \
        sessions. Only you see the answer. An admin's list of everybody's sessions also has the query \
        runners.",
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
        let runners = if all && call.who.is_admin {
            service.runners(None)
        } else {
            Vec::new()
        };
        let dry_run = service.is_dry_run();
        let stale = service.stale_since();
        let entry = |watched: TrackedSession| ListEntry {
            url: service.url(&watched.seen.record.id),
            due: service.scheduled_stop(&watched),
            watched,
        };
        let entries = async |mut sessions: Vec<Observed>| {
            let rest = sessions.split_off(MAX_LISTED.min(sessions.len()));
            let mut tracked = service.track(sessions).await;
            // They don't fit into the reply, so it does not wait for their doors.
            tracked.extend(service.last_usage(rest));
            tracked.into_iter().map(entry).collect::<Vec<_>>()
        };
        let (sessions, runners) = tokio::join!(entries(sessions), entries(runners));
        let all = all.then(|| AllSessions {
            total: service.total_for(&call.who),
        });
        let list = replies::list(&sessions, call.who.id, all, stale, dry_run);
        let list = replies::with_runners(list, &runners);
        Ok(replies::with_pause(list, service.known_pause().as_ref()).into())
    }
}
