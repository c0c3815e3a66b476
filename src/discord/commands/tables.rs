//! `/duck tables`.

use async_trait::async_trait;

use super::{
    options::{OWN_SESSION, Options, QUERY_CATALOG},
    place::find_place,
    spec::{CommandSpec, OptionKind, OptionSpec},
};
use crate::discord::{
    call::{Answer, Answered, Call, CallOutcome, Command},
    replies,
};

const SPEC: CommandSpec = CommandSpec {
    name: "tables",
    summary: "Show the tables that you can query",
    details: "Lists the tables of the catalog, by schema and name. A pattern matches \
        any part of a name; `*` matches any text. Names are as in SQL. The list can be up to a \
        minute old. It is not complete if the catalog needs more than 20 seconds; the reply then \
        says so. It needs no session.",
    options: &[PATTERN, OWN_SESSION, QUERY_CATALOG],
};

const PATTERN: OptionSpec = OptionSpec {
    name: "pattern",
    summary: "Part of a name, such as orders or sales.*",
    kind: OptionKind::Text,
};

pub(super) struct Tables;

#[async_trait]
impl Command for Tables {
    fn spec(&self) -> &'static CommandSpec {
        &SPEC
    }

    fn is_for(&self, call: &Call<'_>) -> bool {
        call.bot.service.answers_queries()
    }

    async fn run(&self, call: &Call<'_>, options: Options<'_>) -> Answered {
        let service = &call.bot.service;
        let place = find_place(call, options).await?;
        let seen = &place.seen;
        let all = service.tables(seen).await?;
        let catalog = service.catalog_name(seen);
        let pattern = options.text(PATTERN.name);
        let reply = || replies::tables(&seen.record, &catalog, &all, pattern);
        let small = Some(reply()).filter(|reply| reply.file.is_none());
        if let Some(reply) = small {
            return Ok(reply.into());
        }
        let room = service.large_answer_room().await?;
        Ok(Answer::QueryResult(reply(), CallOutcome::Done, room))
    }
}
