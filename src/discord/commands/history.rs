//! `/duck history`, and the buttons that run or edit a past query.

use std::time::Duration;

use async_trait::async_trait;
use chart::Choice;
use serenity::all::Message;
use tokio::time::timeout;

use super::{again::query_of, options::Options, spec::CommandSpec, sql};
use crate::{
    discord::{
        access::Access,
        bot::Bot,
        buttons::PastQueryRef,
        call::{Answer, Answered, Call, CallOutcome, Command, explain},
        charts::WantedChart,
        file_format::FileFormat,
        forms::{Draft, Form, SqlOptions},
        replies::{self, Reply},
        responder::{InteractionClosed, Responder},
    },
    history::QueryId,
    service::ServiceError,
    session::OwnerId,
};

const SPEC: CommandSpec = CommandSpec {
    name: "history",
    summary: "Show your last queries, to run or edit them again",
    details: "Shows your last 25 queries with their outcomes. The bot keeps their texts, never their \
        results. Only you see them. **Delete all** deletes them, and so does `/duck forget`.",
    options: &[],
};

/// Maximum time to read a text before a form opens. A form must be the first response, within 3 s.
pub(super) const READ_TIMEOUT: Duration = Duration::from_secs(2);

pub(super) struct History;

#[async_trait]
impl Command for History {
    fn spec(&self) -> &'static CommandSpec {
        &SPEC
    }

    /// Everybody may see and delete what is stored about them, with or without a role.
    fn access(&self) -> Access {
        Access::Everybody
    }

    async fn run(&self, call: &Call<'_>, _: Options<'_>) -> Answered {
        show(call, None).await
    }
}

/// Shows the menu of the person's past queries, and the chosen one.
pub(crate) async fn show(call: &Call<'_>, chosen: Option<&QueryId>) -> Answered {
    let service = &call.bot.service;
    let queries = service.past_queries(call.who.id).await?;
    let chosen = chosen.map(|id| queries.iter().find(|query| query.id() == *id));
    Ok(match chosen {
        Some(None) => replies::query_gone().into(),
        chosen => {
            let keeps = service.keeps_history();
            replies::history(call.who.id, &queries, chosen.flatten(), keeps).into()
        }
    })
}

/// Reason to run a query again.
pub(crate) enum Extra {
    File(FileFormat),
    Chart(WantedChart),
}

/// Deletes the person's past queries.
pub(crate) async fn delete(call: &Call<'_>) -> Answered {
    call.bot.service.delete_history(&call.who).await?;
    Ok(replies::history_deleted().into())
}

/// Runs a past query again, for its rows or for an `extra`. `shown` is the message with the button.
pub(crate) async fn run_again(
    call: &Call<'_>,
    query: &PastQueryRef,
    shown: &Message,
    extra: Option<Extra>,
) -> Answered {
    let sql = match text(call.bot, call.who.id, query, shown).await? {
        Ok(sql) => sql,
        Err(reply) => return Ok(Answer::Reply(reply, CallOutcome::Refused)),
    };
    let mut how = place_of(call.bot, query);
    how.is_rerun = extra.is_some();
    match extra {
        Some(Extra::File(format)) => how.file = Some(format),
        Some(Extra::Chart(chart)) => how.chart = Some(chart),
        None => {}
    }
    sql::query(call, &sql, &how).await
}

/// Draws another chart of the result in `shown`, the message with the menu.
pub(crate) async fn draw_as(call: &Call<'_>, choice: Choice, shown: &Message) -> Answered {
    let Some(query) = query_of(shown) else {
        return Ok(Answer::Reply(replies::query_gone(), CallOutcome::Refused));
    };
    let chart = Extra::Chart(WantedChart::Choice(choice));
    run_again(call, &query, shown, Some(chart)).await
}

/// Returns the place of a past query: its session if that still exists, and its catalog.
fn place_of(bot: &Bot, query: &PastQueryRef) -> SqlOptions {
    let session = query.session.as_ref();
    let session = session.filter(|id| bot.service.exists(id));
    SqlOptions {
        session: session.map(ToString::to_string),
        catalog: query.catalog.clone(),
        ..SqlOptions::default()
    }
}

/// Opens the form with a past query. `shown` is the message with the button.
pub(crate) async fn edit(
    bot: &Bot,
    responder: &Responder,
    presser: OwnerId,
    query: &PastQueryRef,
    shown: &Message,
) -> Result<CallOutcome, InteractionClosed> {
    let read = timeout(READ_TIMEOUT, text(bot, presser, query, shown)).await;
    let (reply, outcome) = match read {
        Ok(Ok(Ok(sql))) if Draft::fits(&sql) => {
            let form = Form::Sql(place_of(bot, query), Draft::Query(sql));
            responder.open_form(bot.modal(&form)).await?;
            return Ok(CallOutcome::Done);
        }
        Ok(Ok(Ok(sql))) => (replies::too_long_to_edit(&sql), CallOutcome::Done),
        Ok(Ok(Err(reply))) => (reply, CallOutcome::Refused),
        Ok(Err(problem)) => explain(&problem),
        Err(_) => (replies::query_not_read_in_time(), CallOutcome::Failed),
    };
    responder.acknowledge().await?;
    responder.edit(&reply).await;
    Ok(outcome)
}

/// Returns the text of a past query, or a reply that says why the person can't have it.
pub(super) async fn text(
    bot: &Bot,
    presser: OwnerId,
    query: &PastQueryRef,
    shown: &Message,
) -> Result<Result<String, Reply>, ServiceError> {
    if query.owner != presser {
        return Ok(Err(replies::not_your_query(query.owner)));
    }
    let text = match &query.stored {
        None => replies::quoted_query(&shown.content).map(str::to_owned),
        Some(id) => bot.service.past_query(presser, id).await?,
    };
    Ok(text.ok_or_else(replies::query_gone))
}
