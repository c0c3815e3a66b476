//! `/duck describe`.

use async_trait::async_trait;

use super::{
    first_form::{form_for, offer_form},
    options::{OWN_SESSION, Options, QUERY_CATALOG},
    place::{find_place, wait_until_ready},
    spec::{CommandSpec, OptionKind, OptionSpec, Suggestions},
};
use crate::{
    discord::{
        bot::{Bot, InteractionContext},
        call::{Answer, Answered, Call, CallOutcome, Command},
        forms::Form,
        goals::Goal,
        replies,
    },
    session::SessionId,
};

const SPEC: CommandSpec = CommandSpec {
    name: "describe",
    summary: "Show a table's columns, size and some rows",
    details: "Lists the columns with their DuckDB types and comments, the number of rows, and some of \
        them. The command needs no session. If one runs, a button shows statistics of each column, \
        which reads the whole table.",
    options: &[TABLE, OWN_SESSION, QUERY_CATALOG],
};

const TABLE: OptionSpec = OptionSpec {
    name: "table",
    summary: "Name of the table, such as sales.orders",
    kind: OptionKind::Required(Suggestions::Tables),
};

pub(super) struct Describe;

#[async_trait]
impl Command for Describe {
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
        let goal = Goal::Describe {
            table: options.text(TABLE.name)?.to_owned(),
            catalog: options.text(QUERY_CATALOG.name).map(str::to_owned),
        };
        form_for(bot, context, goal).await
    }

    async fn run(&self, call: &Call<'_>, options: Options<'_>) -> Answered {
        // Discord sends required options, unless another version registered the command.
        let Some(table) = options.text(TABLE.name) else {
            return Ok(replies::outdated().into());
        };
        let catalog = options.text(QUERY_CATALOG.name).map(str::to_owned);
        describe(call, table, options.text(OWN_SESSION.name), catalog).await
    }
}

/// Describes a table of a session or catalog.
pub(super) async fn describe(
    call: &Call<'_>,
    table: &str,
    session: Option<&str>,
    catalog: Option<String>,
) -> Answered {
    let service = &call.bot.service;
    let place = match find_place(call, session, catalog.as_deref()).await {
        Ok(place) => place,
        Err(problem) => {
            let table = table.to_owned();
            return offer_form(problem, Goal::Describe { table, catalog });
        }
    };
    let seen = &place.seen;
    let (name, rows, room) = service.describe(seen, table).await?;
    let catalog = service.catalog_name(seen);
    let columns = replies::table_columns(&name, &catalog, &rows);
    // A query runner may be gone when the button is pressed.
    let columns = if seen.record.is_runner() {
        columns
    } else {
        replies::with_statistics_button(columns, &seen.record.id, &name)
    };
    // The columns are there first. An edit that fails is made up for by the last one.
    let shown = call.responder.try_to_edit(&columns);
    let (details, _) = tokio::join!(service.table_details(seen, &name), shown);
    let reply = replies::with_details(columns, &details);
    Ok(Answer::QueryResult(reply, CallOutcome::Done, room))
}

/// Shows statistics of a table, whose name is as in SQL.
pub(crate) async fn statistics(call: &Call<'_>, id: &SessionId, table: &str) -> Answered {
    let service = &call.bot.service;
    let id = id.to_string();
    let place = service.find_query_place(&call.who, Some(&id), None).await?;
    let place = wait_until_ready(call, place, replies::runner_starting).await?;
    let seen = &place.seen;
    let (name, rows, room) = service.table_statistics(seen, table).await?;
    let reply = replies::table_statistics(&name, &service.catalog_name(seen), &rows);
    Ok(Answer::QueryResult(reply, CallOutcome::Done, room))
}
