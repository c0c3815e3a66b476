//! `/duck status`, and its button for the session's log.

use async_trait::async_trait;

use super::{
    options::{Options, SESSION},
    spec::CommandSpec,
};
use crate::{
    discord::{
        call::{Answered, Call, Command},
        replies,
    },
    session::SessionId,
};

const SPEC: CommandSpec = CommandSpec {
    name: "status",
    summary: "Show details of a session",
    details: "Shows the session's cluster node, how often DuckDB was restarted and why, running \
        queries, memory use if it is measured, and the latest events from the cluster. A button \
        shows the last lines of DuckDB's log, without your credentials. Admins can see the \
        details of any session. Only you see the answer.",
    options: &[SESSION],
};

pub(super) struct Status;

#[async_trait]
impl Command for Status {
    fn spec(&self) -> &'static CommandSpec {
        &SPEC
    }

    async fn run(&self, call: &Call<'_>, options: Options<'_>) -> Answered {
        status(call, options.text(SESSION.name)).await
    }
}

pub(crate) async fn status(call: &Call<'_>, session: Option<&str>) -> Answered {
    let service = &call.bot.service;
    let status = service.status(&call.who, session).await?;
    let size = service.size_of(&status.watched.seen.record);
    let dry_run = service.is_dry_run();
    Ok(replies::status(&status, size, dry_run, call.who.id).into())
}

/// Shows the last lines that the session's DuckDB wrote.
pub(crate) async fn log(call: &Call<'_>, id: &SessionId) -> Answered {
    let (record, words) = call.bot.service.log(&call.who, id).await?;
    Ok(replies::log(&record, words).into())
}
