//! The form for credentials of a command that needs them: stores them, and goes on with the command.

use serenity::all::Message;

use super::{
    describe,
    setup::{self, Stored},
    sql, start, tables,
};
use crate::{
    credentials::CredentialsForm,
    discord::{
        buttons::Button,
        call::{Answer, Answered, Call, CallOutcome, explain},
        forms::SqlOptions,
        goals::Goal,
        replies::{self, Reply},
    },
    history::QueryId,
    service::ServiceError,
};

/// Stores the credentials of the submitted form, then goes on with `goal`. `shown` is the message with
/// the button that opened the form.
pub(crate) async fn go_on(
    call: &Call<'_>,
    typed: &CredentialsForm,
    goal: Goal,
    shown: Option<&Message>,
) -> Answered {
    let form = Button::OpenFormFor(goal.clone());
    // The next message with the button must show the query, too.
    let query = shown.and_then(|shown| replies::quoted_query(&shown.content));
    let with_query = |reply| match query {
        Some(sql) => replies::with_query(sql, reply),
        None => reply,
    };
    let stored = setup::try_to_store(call, typed, goal.catalog(), form).await?;
    let saved = match stored {
        Ok(Stored {
            outcome,
            note,
            required,
        }) => replies::saved(&outcome, note, required),
        Err(refused) => return Ok(with_query(refused).into()),
    };
    // Sessions that keep the previous credentials come first.
    if !saved.buttons.is_empty() {
        return Ok(with_query(saved).into());
    }
    let answered = match goal {
        Goal::Start(options) => {
            return start::start_after(call, options, saved.text + "\n").await;
        }
        Goal::Query {
            stored,
            catalog,
            share,
            format,
            chart,
        } => {
            let how = SqlOptions {
                session: None,
                catalog,
                share,
                file: format,
                chart,
                is_rerun: false,
            };
            run_query(call, stored.as_ref(), query, &how).await
        }
        Goal::Tables { pattern, catalog } => tables::tables(call, None, catalog, pattern).await,
        Goal::Describe { table, catalog } => describe::describe(call, &table, None, catalog).await,
    };
    let noted = |reply: Reply| replies::with_note(reply, &saved.text);
    Ok(match answered {
        Ok(Answer::Reply(reply, outcome)) => Answer::Reply(noted(reply), outcome),
        Ok(Answer::QueryResult(reply, outcome, room)) => {
            Answer::QueryResult(noted(reply), outcome, room)
        }
        Ok(Answer::Query {
            reply,
            outcome,
            room,
            query,
        }) => Answer::Query {
            reply: noted(reply),
            outcome,
            room,
            query,
        },
        Ok(Answer::Shown) => Answer::Shown,
        Err(problem) => {
            let (reply, outcome) = explain(&problem);
            Answer::Reply(noted(reply), outcome)
        }
    })
}

/// Runs the query in the person's history, or the one that the message showed.
async fn run_query(
    call: &Call<'_>,
    stored: Option<&QueryId>,
    shown: Option<&str>,
    how: &SqlOptions,
) -> Result<Answer, ServiceError> {
    let sql = match stored {
        Some(id) => call.bot.service.past_query(call.who.id, id).await?,
        None => shown.map(str::to_owned),
    };
    match sql {
        Some(sql) => sql::query(call, &sql, how).await,
        None => Ok(Answer::Reply(replies::query_gone(), CallOutcome::Refused)),
    }
}
