//! `/duck describe`.

use async_trait::async_trait;

use super::{
    options::{OWN_SESSION, Options},
    spec::{CommandSpec, OptionKind, OptionSpec, Suggestions},
};
use crate::discord::{
    call::{Answer, Answered, Call, CallOutcome, Command},
    replies,
};

const SPEC: CommandSpec = CommandSpec {
    name: "describe",
    summary: "Show a table's columns",
    details: "Lists the columns with their DuckDB types.",
    options: &[TABLE, OWN_SESSION],
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
        let session = options.text(OWN_SESSION.name);
        let seen = service.find_session_to_query(&call.who, session)?;
        let (name, rows, room) = service.describe(&seen, table).await?;
        let catalog = service.catalog_name(&seen);
        let reply = replies::table_columns(&name, &catalog, &rows);
        Ok(Answer::QueryResult(reply, CallOutcome::Done, room))
    }
}
