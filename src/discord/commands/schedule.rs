//! `/duck schedule`, its form, and the buttons that open it.

use async_trait::async_trait;
use serenity::all::Message;
use tokio::time::timeout;

use super::{
    history::{READ_TIMEOUT, text},
    options::{Options, QUERY_CATALOG},
    spec::{CommandSpec, OptionKind, OptionSpec},
};
use crate::{
    discord::{
        bot::{AccessDenied, Bot, InteractionContext},
        buttons::PastQueryRef,
        call::{Answer, Answered, Call, CallOutcome, Command, deny, explain},
        forms::{Draft, Form},
        replies::{self, Reply, SCHEDULE_CHANGED, SCHEDULE_MADE, ScheduleView},
        responder::{InteractionClosed, Responder},
        schedule_form::{ScheduleDraft, ScheduleTarget},
    },
    history::{PastOutcome, QueryId},
    schedule::ScheduleId,
    service::{AskedQuery, NewSchedule, Rejection, ScheduleRejection},
};

const SPEC: CommandSpec = CommandSpec {
    name: "schedule",
    summary: "Run a query at recurring times, and post its results in a channel",
    details: "A form opens for the query, for when it runs, and for how its result is posted: as a table, \
        as a chart, or as a CSV file. **Schedule…** under the result of a query opens the form with that \
        query. Enter times like `every weekday at 9:00`, `mondays and thursdays 8:30`, `every 2 hours` or \
        `every month on the last day at 18:00`, or a cron expression with five fields. They hold in the time \
        zone that you name, also when the clocks change. With **Only if**, a result is only posted if it \
        has rows (`rows`), if its first value has come above or below a limit (`> 100`, `< 100`), or if it \
        differs from the last one (`changed`). Results are posted in the channel where you type the command, \
        or in `channel`; you and the bot must be allowed to post there. The query runs with your saved \
        credentials, reads only, and does not need a session. If a run fails, you get a direct message, and \
        nothing is posted; after three failures in a row the schedule is paused. It is also paused when you \
        replace or delete your credentials. `/duck schedules` lists your schedules.",
    options: &[CHANNEL, QUERY_CATALOG],
};

const CHANNEL: OptionSpec = OptionSpec {
    name: "channel",
    summary: "Channel for the results; without it, this one",
    kind: OptionKind::Channel,
};

pub(super) struct MakeSchedule;

#[async_trait]
impl Command for MakeSchedule {
    fn spec(&self) -> &'static CommandSpec {
        &SPEC
    }

    fn is_for(&self, call: &Call<'_>) -> bool {
        call.bot.service.allows_schedules()
    }

    /// Opens the form for people who have access, because a refusal after it would lose what they type.
    fn form(&self, bot: &Bot, context: &InteractionContext, options: Options<'_>) -> Option<Form> {
        let service = &bot.service;
        let catalog = options.text(QUERY_CATALOG.name);
        let is_admitted = bot.admit_member(context, context.member.as_ref()?).is_ok();
        if !is_admitted || !service.allows_schedules() || service.check_catalog(catalog).is_err() {
            return None;
        }
        let target = ScheduleTarget {
            channel: options
                .channel(CHANNEL.name)
                .unwrap_or_else(|| context.channel.into()),
            catalog: catalog.map(str::to_owned),
            replaces: None,
        };
        let draft = ScheduleDraft::new(String::new(), service.time_zone());
        Some(Form::Schedule(target, draft))
    }

    async fn run(&self, call: &Call<'_>, options: Options<'_>) -> Answered {
        let service = &call.bot.service;
        if !service.allows_schedules() {
            return Err(ScheduleRejection::Disabled.into());
        }
        service.check_catalog(options.text(QUERY_CATALOG.name))?;
        let reply = replies::schedule_needs_channel();
        Ok(Answer::Reply(reply, CallOutcome::Refused))
    }
}

/// Makes the schedule of a submitted form. If that fails, the reply shows what was typed.
pub(crate) async fn make(
    call: &Call<'_>,
    typed: ScheduleDraft,
    target: ScheduleTarget,
) -> Answered {
    let service = &call.bot.service;
    let new = NewSchedule {
        request: call.request.clone(),
        sql: typed.query.clone(),
        when: typed.when.clone(),
        zone: typed.zone.clone(),
        channel: target.channel,
        format: typed.format.clone(),
        condition: typed.condition.clone(),
        catalog: target.catalog.clone(),
        replaces: target.replaces.clone(),
    };
    let making = service.create_schedule(&call.who, &new);
    let (why, outcome) = match call.bot.shutdown.run_until_cancelled(making).await {
        Some(Ok((id, schedule))) => {
            let view = ScheduleView {
                id: &id,
                schedule: &schedule,
                sql: Some(&new.sql),
                is_owner: true,
            };
            let lead = match target.replaces {
                None => SCHEDULE_MADE,
                Some(_) => SCHEDULE_CHANGED,
            };
            return Ok(replies::schedule_card(lead, &view).into());
        }
        Some(Err(problem)) => explain(&problem),
        None => (replies::bot_restarted(), CallOutcome::Failed),
    };
    let is_kept = service.keeps_history();
    if is_kept && replies::is_long_draft(&why, &typed) {
        let query = AskedQuery {
            sql: typed.query.trim().to_owned(),
            catalog: target.catalog.clone(),
            since: service.now(),
            outcome: PastOutcome::NotRun,
        };
        service.remember_query(call.who.id, query).await;
    }
    let reply = replies::with_draft(why, &typed, target, is_kept);
    Ok(Answer::Reply(reply, outcome))
}

/// Opens the form with a past query, for the channel where the button was pressed. `shown` is the message
/// with the button.
pub(crate) async fn open(
    bot: &Bot,
    responder: &Responder,
    context: &InteractionContext,
    query: &PastQueryRef,
    shown: &Message,
) -> Result<CallOutcome, InteractionClosed> {
    let presser = context.user.id.get().into();
    let read = async {
        if let Some(refused) = refuse(bot, context) {
            return Err(refused);
        }
        match text(bot, presser, query, shown).await {
            Ok(Ok(sql)) if Draft::fits(&sql) => {
                let target = ScheduleTarget {
                    channel: context.channel.into(),
                    catalog: query.catalog.clone(),
                    replaces: None,
                };
                let draft = ScheduleDraft::new(sql, bot.service.time_zone());
                Ok(Form::Schedule(target, draft))
            }
            Ok(Ok(_)) => Err((replies::too_long_to_schedule(), CallOutcome::Refused)),
            Ok(Err(reply)) => Err((reply, CallOutcome::Refused)),
            Err(problem) => Err(explain(&problem)),
        }
    };
    open_when_read(bot, responder, read).await
}

/// Opens the form with the values of a schedule. The submitted one replaces it.
pub(crate) async fn change(
    bot: &Bot,
    responder: &Responder,
    context: &InteractionContext,
    id: &ScheduleId,
) -> Result<CallOutcome, InteractionClosed> {
    let presser = context.user.id.get().into();
    let read = async {
        if let Some(refused) = refuse(bot, context) {
            return Err(refused);
        }
        let found = bot.service.schedule_to_change(presser, id).await;
        let (schedule, sql) = found.map_err(|problem| explain(&problem))?;
        let target = ScheduleTarget {
            channel: schedule.channel,
            catalog: Some(schedule.catalog.clone()),
            replaces: Some(id.clone()),
        };
        Ok(Form::Schedule(target, ScheduleDraft::of(&schedule, sql)))
    };
    open_when_read(bot, responder, read).await
}

/// Opens the form with what a rejected one had. `shown` is the message that shows it, and `stored` its query
/// if the message shows only a part.
pub(crate) async fn edit(
    bot: &Bot,
    responder: &Responder,
    context: &InteractionContext,
    (target, stored): (ScheduleTarget, Option<&QueryId>),
    shown: &Message,
) -> Result<CallOutcome, InteractionClosed> {
    let presser = context.user.id.get().into();
    let read = async {
        let gone = || (replies::outdated(), CallOutcome::Refused);
        let mut draft = replies::draft_in(&shown.content).ok_or_else(gone)?;
        if let Some(id) = stored {
            let query = bot.service.past_query(presser, id).await;
            // The other inputs are worth keeping without it, too.
            draft.query = query.map_err(|why| explain(&why))?.unwrap_or_default();
        } else if !shown.attachments.is_empty() {
            draft.query = String::new();
        }
        Ok(Form::Schedule(target, draft))
    };
    open_when_read(bot, responder, read).await
}

/// Opens a form whose values are read in time, or replies why not.
async fn open_when_read(
    bot: &Bot,
    responder: &Responder,
    read: impl Future<Output = Result<Form, (Reply, CallOutcome)>>,
) -> Result<CallOutcome, InteractionClosed> {
    let (reply, outcome) = match timeout(READ_TIMEOUT, read).await {
        Ok(Ok(form)) => {
            responder.open_form(bot.modal(&form)).await?;
            return Ok(CallOutcome::Done);
        }
        Ok(Err(refused)) => refused,
        Err(_) => (replies::query_not_read_in_time(), CallOutcome::Failed),
    };
    responder.acknowledge().await?;
    responder.edit(&reply).await;
    Ok(outcome)
}

/// Returns a reply to people for whom the form does not open, because sending it would be refused.
fn refuse(bot: &Bot, context: &InteractionContext) -> Option<(Reply, CallOutcome)> {
    if !bot.service.allows_schedules() {
        let why = Rejection::Schedule(ScheduleRejection::Disabled);
        return Some((replies::refused(&why), CallOutcome::Refused));
    }
    let Some(member) = context.member.as_ref() else {
        return Some((replies::schedule_needs_channel(), CallOutcome::Refused));
    };
    let denied = bot.admit_member(context, member).err()?;
    Some(deny(&AccessDenied::Reason(denied)))
}
