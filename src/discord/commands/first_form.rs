//! Commands of people who have no credentials yet: the form that opens first, and the reply with a
//! button for it if that was not known in time.

use std::time::Duration;

use tokio::time::timeout;

use crate::{
    discord::{
        bot::{Bot, InteractionContext},
        call::{Answer, Answered, Call, CallOutcome},
        forms::{Form, SqlOptions},
        goals::Goal,
        replies::{self, Reply},
    },
    history::QueryId,
    service::{Rejection, ServiceError, StartRejection},
};

/// Maximum time to look whether a person has credentials. A form must be the first response, which
/// Discord wants within 3 s.
const FORM_TIMEOUT: Duration = Duration::from_secs(1);

/// Returns the form for credentials, if the person needs some for this goal and that is known in time.
pub(super) async fn form_for(bot: &Bot, context: &InteractionContext, goal: Goal) -> Option<Form> {
    if !goal.fits() {
        return None;
    }
    let who = bot.admit_member(context, context.member.as_ref()?).ok()?;
    let service = &bot.service;
    let needs = async {
        match &goal {
            Goal::Start(options) => {
                let (size, catalog) = (options.size.as_deref(), options.catalog.as_deref());
                let workspace = options.workspace.as_ref();
                service
                    .needs_credentials_to_start(&who, size, catalog, workspace)
                    .await
            }
            Goal::Query { .. } | Goal::Tables { .. } | Goal::Describe { .. } => {
                service
                    .needs_credentials_to_query(&who, goal.catalog())
                    .await
            }
        }
    };
    let needs = timeout(FORM_TIMEOUT, needs).await;
    needs
        .is_ok_and(|needs| needs)
        .then_some(Form::CredentialsFor(goal))
}

/// Answers a command that needs credentials with a button that goes on with it. Returns any other problem.
pub(super) fn offer_form(problem: ServiceError, goal: Goal) -> Answered {
    match problem {
        ServiceError::Rejected(Rejection::Start(why))
            if why.asks_for_credentials() && goal.fits() =>
        {
            let reply = replies::needs_credentials(&why, goal);
            Ok(Answer::Reply(reply, CallOutcome::Refused))
        }
        problem => Err(problem),
    }
}

/// Returns a reply to a query with a button for the form, which goes on with the query if its text is in
/// the reply or in the person's history.
pub(super) fn ask_for_credentials(
    call: &Call<'_>,
    sql: &str,
    how: &SqlOptions,
    why: &StartRejection,
) -> Reply {
    let goal = |stored| Goal::Query {
        stored,
        catalog: how.catalog.clone(),
        share: how.share,
        format: how.file,
        chart: how.chart.clone(),
    };
    let asking = |goal| replies::with_query(sql, replies::needs_credentials(why, goal));
    let reply = asking(goal(None));
    if how.is_rerun {
        // The button of the result asks for the file or the chart again.
        replies::with_query(sql, replies::refused(&why.clone().into()))
    } else if replies::quoted_query(&reply.text) == Some(sql) {
        reply
    } else if call.bot.service.keeps_history() {
        asking(goal(Some(QueryId::of(sql))))
    } else {
        replies::with_query(sql, replies::refused(&why.clone().into()))
    }
}
