//! `/duck tables`.

use async_trait::async_trait;

use super::{
    first_form::{form_for, offer_form},
    options::{OWN_SESSION, Options, QUERY_CATALOG},
    place::find_place,
    spec::{CommandSpec, OptionKind, OptionSpec},
};
use crate::discord::{
    bot::{Bot, InteractionContext},
    call::{Answer, Answered, Call, CallOutcome, Command},
    forms::Form,
    goals::Goal,
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

    async fn first_form(
        &self,
        bot: &Bot,
        context: &InteractionContext,
        options: Options<'_>,
    ) -> Option<Form> {
        if options.text(OWN_SESSION.name).is_some() {
            return None;
        }
        let goal = Goal::Tables {
            pattern: options.text(PATTERN.name).map(str::to_owned),
            catalog: options.text(QUERY_CATALOG.name).map(str::to_owned),
        };
        form_for(bot, context, goal).await
    }

    async fn run(&self, call: &Call<'_>, options: Options<'_>) -> Answered {
        let [catalog, pattern] =
            [QUERY_CATALOG.name, PATTERN.name].map(|it| options.text(it).map(str::to_owned));
        tables(call, options.text(OWN_SESSION.name), catalog, pattern).await
    }
}

/// Lists the tables of a session or catalog.
pub(super) async fn tables(
    call: &Call<'_>,
    session: Option<&str>,
    catalog: Option<String>,
    pattern: Option<String>,
) -> Answered {
    let service = &call.bot.service;
    let place = match find_place(call, session, catalog.as_deref()).await {
        Ok(place) => place,
        Err(problem) => return offer_form(problem, Goal::Tables { pattern, catalog }),
    };
    let seen = &place.seen;
    let all = service.tables(seen).await?;
    let catalog = service.catalog_name(seen);
    let reply = || replies::tables(&seen.record, &catalog, &all, pattern.as_deref());
    let small = Some(reply()).filter(|reply| reply.files.is_empty());
    if let Some(reply) = small {
        return Ok(reply.into());
    }
    let room = service.large_answer_room().await?;
    Ok(Answer::QueryResult(reply(), CallOutcome::Done, room))
}
