//! The dispatch of interactions: acknowledges each one, checks access, calls the handler and
//! records the outcome.
//!
//! Commands, buttons and forms are acknowledged or answered before anything else is done.

use std::time::Instant;

use chrono::TimeDelta;
use serenity::all::{
    CommandData, CommandInteraction, ComponentInteraction, ComponentInteractionDataKind,
    Interaction, InteractionId, Member, Message, ModalInteraction,
};
use tracing::{Instrument, debug, info_span};

use super::{
    access::{Access, is_thread},
    bot::{AccessDenied, Bot, InteractionContext},
    buttons::Button,
    call::{Answer, Answered, Call, CallOutcome, Command, deny},
    charts::WantedChart,
    commands::{
        self, again, connect, describe, doctor, extend, forget, history, open, options::Options,
        reap, save, schedule, schedules, setup, share, sql, start, status, stop, with_credentials,
    },
    forms::{Form, SqlOptions, Submitted},
    replies,
    responder::{InteractionClosed, Responder},
    schedule_buttons::ScheduleButton,
    suggest::suggestions,
};
use crate::{metrics, session::RequestId, telemetry::AUDIT};

/// Builds the context of an interaction. A macro, because the three types of interactions have
/// equal fields but no common trait.
macro_rules! context {
    ($interaction:expr) => {
        InteractionContext {
            guild: $interaction.guild_id,
            channel: $interaction.channel_id.get(),
            parent: $interaction
                .channel
                .as_ref()
                .and_then(|it| it.parent_id)
                .map(|id| id.get()),
            is_thread: $interaction.channel.is_some_and(|it| is_thread(it.kind)),
            user: $interaction.user,
            member: $interaction.member.map(|it| Member::clone(&it)),
        }
    };
}

/// Handles one interaction, and records its outcome and duration.
pub(super) async fn handle(bot: &Bot, interaction: Interaction) {
    let what = match &interaction {
        Interaction::Command(it) => {
            chosen(&it.data).map_or("?", |(command, _)| command.spec().name)
        }
        Interaction::Component(_) => "button",
        Interaction::Modal(_) => "form",
        // Autocomplete is not counted: Discord sends an interaction for each key press.
        _ => {
            answer(bot, interaction).await;
            return;
        }
    };
    let begin = Instant::now();
    // Log lines within this span carry the interaction's ID. Its target keeps the span, and so
    // the ID, on audit lines whatever the log filter is.
    let span = info_span!(target: AUDIT, "interaction", id = %interaction.id(), what);
    let outcome = answer(bot, interaction).instrument(span).await;
    metrics::record_command(what, outcome.label(), begin.elapsed());
}

async fn answer(bot: &Bot, interaction: Interaction) -> CallOutcome {
    let answered = match interaction {
        Interaction::Command(it) => command(bot, it).await,
        Interaction::Component(it) => press(bot, it).await,
        Interaction::Modal(it) => submit(bot, it).await,
        Interaction::Autocomplete(it) => suggest(bot, it).await,
        _ => Ok(CallOutcome::Done),
    };
    answered.unwrap_or_else(|InteractionClosed| {
        debug!("an interaction can't be answered; nothing was done");
        CallOutcome::Done
    })
}

/// Finds the chosen command. Returns `None` if this version has no such command.
fn chosen(data: &CommandData) -> Option<(&'static dyn Command, Options<'_>)> {
    let options = Options::read(data)?;
    Some((commands::find(options.command())?, options))
}

async fn command(bot: &Bot, it: CommandInteraction) -> Result<CallOutcome, InteractionClosed> {
    let responder = responder(bot, it.id, &it.token);
    let Some((command, options)) = chosen(&it.data) else {
        return outdated(&responder).await;
    };
    // A form must be the first response, so access is checked when the form is submitted.
    let request = RequestId(it.id.to_string());
    let context = context!(it);
    if let Some(form) = command.form(bot, &context, options) {
        responder.open_form(bot.modal(&form)).await?;
        return Ok(CallOutcome::Done);
    }
    let pending = bot.pending_acks.begin();
    let form = if bot.pending_acks.are_many() {
        None
    } else {
        command.first_form(bot, &context, options).await
    };
    if let Some(form) = form {
        responder.open_form(bot.modal(&form)).await?;
        drop(pending);
        let who = context.user.id.get().into();
        command.form_opened(bot, who, options).await;
        return Ok(CallOutcome::Done);
    }
    drop(pending);
    responder.acknowledge().await?;
    Ok(
        match admit(bot, responder, context, request, command.access()).await {
            Ok(call) => call.run(command.run(&call, options)).await,
            Err(outcome) => outcome,
        },
    )
}

async fn press(bot: &Bot, it: ComponentInteraction) -> Result<CallOutcome, InteractionClosed> {
    let responder = responder(bot, it.id, &it.token);
    let Some(button) = pressed(&it) else {
        return outdated(&responder).await;
    };
    if let Button::Edit(query) = &button {
        let presser = it.user.id.get().into();
        return history::edit(bot, &responder, presser, query, &it.message).await;
    }
    if let Some(form) = button.form() {
        responder.open_form(bot.modal(&form)).await?;
        return Ok(CallOutcome::Done);
    }
    let request = RequestId(it.message.id.to_string());
    let context = context!(it);
    if let Button::Schedule(query) = &button {
        return schedule::open(bot, &responder, &context, query, &it.message).await;
    }
    if let Button::Schedules(ScheduleButton::Change(id)) = &button {
        return schedule::change(bot, &responder, &context, id).await;
    }
    if let Button::Schedules(ScheduleButton::EditForm { target, stored }) = button {
        let stored = stored.as_ref();
        return schedule::edit(bot, &responder, &context, (target, stored), &it.message).await;
    }
    if button.has_separate_reply() {
        responder.acknowledge().await?;
    } else {
        responder.acknowledge_press().await?;
    }
    Ok(
        match admit(bot, responder, context, request, button.access()).await {
            Ok(call) => call.run(react(&call, button, &it.message)).await,
            Err(outcome) => outcome,
        },
    )
}

/// Finds the button that was pressed, or chosen in a menu. Returns `None` if this version has no such
/// button.
fn pressed(it: &ComponentInteraction) -> Option<Button> {
    Button::from_custom_id(match &it.data.kind {
        ComponentInteractionDataKind::StringSelect { values } => values.first()?,
        _ => &it.data.custom_id,
    })
}

async fn submit(bot: &Bot, it: ModalInteraction) -> Result<CallOutcome, InteractionClosed> {
    let responder = responder(bot, it.id, &it.token);
    let Some(form) = Form::from_custom_id(&it.data.custom_id) else {
        return outdated(&responder).await;
    };
    // Credentials are moved into secret strings before anything can wait or fail.
    let submitted = Submitted::read(form, it.data.components);
    responder.acknowledge().await?;
    let request = RequestId(it.id.to_string());
    let context = context!(it);
    let call = match admit(bot, responder, context, request, Access::Members).await {
        Ok(call) => call,
        Err(outcome) => return Ok(outcome),
    };
    let shown = it.message.as_deref();
    let answered = async {
        match submitted {
            Submitted::Credentials(typed, catalog) => setup::store(&call, &typed, catalog).await,
            Submitted::CredentialsFor(typed, goal) => {
                with_credentials::go_on(&call, &typed, goal, shown).await
            }
            Submitted::Sql(typed, how) => sql::query(&call, &typed, &how).await,
            Submitted::Schedule(typed, target) => schedule::make(&call, typed, target).await,
        }
    };
    Ok(call.run(answered).await)
}

async fn suggest(bot: &Bot, it: CommandInteraction) -> Result<CallOutcome, InteractionClosed> {
    let responder = responder(bot, it.id, &it.token);
    let data = it.data;
    let context = context!(it);
    let choices = suggestions(bot, &context, &data).await;
    responder.suggest(choices).await?;
    Ok(CallOutcome::Done)
}

/// Calls the handler of a button.
async fn react(call: &Call<'_>, button: Button, shown: &Message) -> Answered {
    match button {
        // The form was the response.
        Button::OpenForm(_)
        | Button::OpenFormFor(_)
        | Button::Edit(_)
        | Button::Schedule(_)
        | Button::Schedules(ScheduleButton::EditForm { .. } | ScheduleButton::Change(_)) => {
            Ok(Answer::Shown)
        }
        Button::CheckCredentials(catalog) => setup::check(call, catalog).await,
        Button::AskToForget => forget::ask(call).await,
        Button::Forget { stop } => forget::forget(call, stop).await,
        Button::ForgetWork => forget::forget_work(call).await,
        Button::KeepCredentials => forget::keep(),
        Button::Restart => setup::restart(call).await,
        Button::StartAnother(options) => start::start_another(call, options).await,
        Button::Retry {
            session,
            owner,
            options,
        } => start::retry(call, &session, owner, options).await,
        Button::Open(id) => open::open(call, Some(&id.to_string())).await,
        Button::Status(id) => status::status(call, Some(&id.to_string())).await,
        Button::Examine(id) => {
            let id = id.map(|id| id.to_string());
            doctor::examine(call, id.as_deref()).await
        }
        Button::AskToStop(id) => stop::ask(call, Some(&id.to_string())),
        Button::Stop(id) | Button::StopNow(id) => stop::stop(call, &id).await,
        Button::Keep(id) => stop::keep(&id),
        Button::Log(id) => status::log(call, &id).await,
        Button::Statistics(id, table) => describe::statistics(call, &id, &table).await,
        Button::Connect(id) => connect::connect(call, Some(&id.to_string())).await,
        Button::Revoke(id) => connect::revoke(call, &id.to_string()).await,
        Button::Save(id) => save::save(call, Some(&id.to_string())).await,
        Button::Extend(id) => extend::extend(call, Some(&id.to_string()), None).await,
        Button::ExtendBy(id, seconds) => {
            let by = TimeDelta::try_seconds(seconds).unwrap_or(TimeDelta::MAX);
            extend::extend(call, Some(&id.to_string()), Some(by)).await
        }
        Button::Reap(digest) => reap::reap(call, &digest).await,
        Button::LeaveAll => reap::leave_all(),
        Button::Cancel {
            query,
            text,
            session,
            catalog,
        } => {
            let how = SqlOptions {
                session: session.map(|id| id.to_string()),
                catalog,
                ..SqlOptions::default()
            };
            again::cancel(call, &query, text.as_ref(), &how, shown)
        }
        Button::Share => share::share(call, shown).await,
        Button::RunAgain(query) => history::run_again(call, &query, shown, None).await,
        Button::Download(query, format) => {
            let file = history::Extra::File(format);
            history::run_again(call, &query, shown, Some(file)).await
        }
        Button::Chart(query) => {
            let chart = history::Extra::Chart(WantedChart::Best);
            history::run_again(call, &query, shown, Some(chart)).await
        }
        Button::DrawAs(choice) => history::draw_as(call, choice, shown).await,
        Button::ShowPastQuery(id) => history::show(call, Some(&id)).await,
        Button::DeleteHistory => history::delete(call).await,
        Button::Schedules(ScheduleButton::List(after)) => schedules::list(call, after).await,
        Button::Schedules(ScheduleButton::PauseAll) => schedules::pause_all(call, true).await,
        Button::Schedules(ScheduleButton::ResumeAll) => schedules::pause_all(call, false).await,
        Button::Schedules(ScheduleButton::Act { action, id, .. }) => {
            schedules::act(call, action, &id).await
        }
    }
}

/// Checks access and builds the call. Without access, shows the denial and returns its outcome.
async fn admit(
    bot: &Bot,
    responder: Responder,
    context: InteractionContext,
    request: RequestId,
    access: Access,
) -> Result<Call<'_>, CallOutcome> {
    let admitted = match access {
        Access::Members => bot.admit(&context).await,
        Access::Everybody => Ok(context.unprivileged_requester()),
        Access::Owners => match bot.admit(&context).await {
            Err(AccessDenied::Reason(_)) => Ok(context.unprivileged_requester()),
            admitted => admitted,
        },
    };
    match admitted {
        Ok(who) => Ok(Call {
            bot,
            responder,
            who,
            context,
            request,
        }),
        Err(denied) => {
            let (reply, outcome) = deny(&denied);
            responder.edit(&reply).await;
            Err(outcome)
        }
    }
}

async fn outdated(responder: &Responder) -> Result<CallOutcome, InteractionClosed> {
    responder.say(&replies::outdated()).await?;
    Ok(CallOutcome::Done)
}

fn responder(bot: &Bot, id: InteractionId, token: &str) -> Responder {
    Responder::new(bot.client.http(), bot.pending_acks.clone(), id, token)
}
