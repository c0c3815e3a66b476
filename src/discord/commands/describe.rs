//! `/duck describe`.

use async_trait::async_trait;

use super::{
    options::{OWN_SESSION, Options, QUERY_CATALOG},
    place::find_place,
    spec::{CommandSpec, OptionKind, OptionSpec, Suggestions},
};
use crate::discord::{
    call::{Answer, Answered, Call, CallOutcome, Command},
    replies,
};

const SPEC: CommandSpec = CommandSpec {
    name: "describe",
    summary: "Show a table's columns",
    details: "Lists the columns with their DuckDB types. It needs no session.",
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

    async fn run(&self, call: &Call<'_>, options: Options<'_>) -> Answered {
        // Discord sends required options, unless another version registered the command.
        let Some(table) = options.text(TABLE.name) else {
            return Ok(replies::outdated().into());
        };
        let service = &call.bot.service;
        let place = find_place(call, options).await?;
        let seen = &place.seen;
        let (name, rows, room) = service.describe(seen, table).await?;
        let catalog = service.catalog_name(seen);
        let reply = replies::table_columns(&name, &catalog, &rows);
        Ok(Answer::QueryResult(reply, CallOutcome::Done, room))
    }
}
