//! Handlers of commands, buttons, forms and autocomplete.
//!
//! Commands, buttons and forms are acknowledged or answered before anything else is done.

use std::{cell::Cell, sync::Arc, time::Instant};

use serenity::{
    all::{GuildId, Interaction, InteractionId, Member, Message, User, UserId},
    http::Http,
};
use tracing::{Instrument, debug, info_span, warn};

pub(super) use super::responder::{INTERACTION_LIFETIME, InteractionClosed, Responder};
pub(super) use crate::service::ServiceError;

use super::{
    access::{Caller, DenialReason, admit},
    buttons::{self, Button, Command},
    commands::start,
    direct::DirectMessages,
    errors::{discord_error, status},
    replies::{self, Reply},
};
use crate::{
    error::{Error, new_reference},
    metrics,
    service::{Rejection, Requester, Service},
    session::RequestId,
    settings,
    telemetry::AUDIT,
};

tokio::task_local! {
    /// Outcome of the current command, for its metric.
    static OUTCOME: Cell<&'static str>;
}

/// Handles interactions and direct messages.
pub(super) struct Handlers {
    pub http: Arc<Http>,
    pub settings: settings::Discord,
    pub service: Arc<Service>,
    pub direct: Arc<DirectMessages>,
}

/// Person who acts, and the place where they act.
pub(super) struct InteractionContext {
    pub guild: Option<GuildId>,
    pub channel: u64,
    /// Parent channel, if `channel` is a thread.
    pub parent: Option<u64>,
    pub user: User,
    pub member: Option<Member>,
}

impl InteractionContext {
    /// The person, with rights to nothing but what they own.
    fn unprivileged_requester(&self) -> Requester {
        Requester {
            id: self.user.id.get().into(),
            display_name: self.user.name.clone(),
            is_admin: false,
        }
    }
}

/// Builds the context of an interaction. A macro, because the three types of interactions have
/// equal fields but no common trait.
macro_rules! context {
    ($interaction:expr) => {
        InteractionContext {
            guild: $interaction.guild_id,
            channel: $interaction.channel_id.get(),
            parent: $interaction
                .channel
                .and_then(|it| it.parent_id)
                .map(|id| id.get()),
            user: $interaction.user,
            member: $interaction.member.map(|it| Member::clone(&it)),
        }
    };
}

/// Reason why nothing was done: the person lacks access, or their access could not be checked.
pub(super) enum AccessDenied {
    Reason(DenialReason),
    CheckFailed(Error),
}

impl Handlers {
    pub(super) fn new(
        http: Arc<Http>,
        settings: settings::Discord,
        service: Arc<Service>,
        direct: Arc<DirectMessages>,
    ) -> Self {
        Self {
            http,
            settings,
            service,
            direct,
        }
    }

    /// Handles one interaction, and records its outcome and duration.
    pub(super) async fn handle(&self, interaction: Interaction) {
        let interaction_id = interaction.id();
        let what = match &interaction {
            Interaction::Command(it) => {
                buttons::kind(&it.data).map_or("?", |kind| kind.spec().name)
            }
            Interaction::Component(_) => "button",
            Interaction::Modal(_) => "form",
            // Autocomplete is not counted: Discord sends an interaction for each key press.
            _ => return self.answer(interaction).await,
        };
        let begin = Instant::now();
        let answered = async {
            self.answer(interaction).await;
            OUTCOME.with(Cell::get)
        };
        // Log lines within this span carry the interaction's ID. Its target keeps the span, and so
        // the ID, on audit lines whatever the log filter is.
        let span = info_span!(target: AUDIT, "interaction", id = %interaction_id, what);
        let outcome = OUTCOME.scope(Cell::new("done"), answered);
        let outcome = outcome.instrument(span).await;
        metrics::record_command(what, outcome, begin.elapsed());
    }

    async fn answer(&self, interaction: Interaction) {
        let answered = match interaction {
            Interaction::Command(it) => {
                let responder = self.responder(it.id, &it.token);
                let request = RequestId(it.id.to_string());
                let command = buttons::command(&it.data);
                let context = context!(it);
                self.command(responder, &context, request, command).await
            }
            Interaction::Component(mut it) => {
                let responder = self.responder(it.id, &it.token);
                let request = RequestId(it.message.id.to_string());
                let button = Button::from_custom_id(&it.data.custom_id);
                let shown = std::mem::take(&mut it.message);
                let context = context!(it);
                self.press(responder, &context, request, button, &shown)
                    .await
            }
            Interaction::Modal(mut it) => {
                let responder = self.responder(it.id, &it.token);
                let rows = std::mem::take(&mut it.data.components);
                let id = &it.data.custom_id;
                match (buttons::form_catalog(id), buttons::sql_form(id)) {
                    (Some(catalog), _) => {
                        let typed = buttons::form(rows);
                        self.form(&responder, &context!(it), typed, catalog).await
                    }
                    (_, Some(how)) => {
                        let command = Command::Sql {
                            query: Some(buttons::question(rows)),
                            how,
                        };
                        let request = RequestId(it.id.to_string());
                        let context = context!(it);
                        self.command(responder, &context, request, Some(command))
                            .await
                    }
                    _ => responder.say(&replies::outdated()).await,
                }
            }
            Interaction::Autocomplete(it) => {
                let responder = self.responder(it.id, &it.token);
                let choices = self
                    .suggestions(it.user.id.get(), it.member.as_deref(), &it.data)
                    .await;
                responder.suggest(choices).await
            }
            _ => Ok(()),
        };
        if answered == Err(InteractionClosed) {
            debug!("an interaction can't be answered; nothing was done");
        }
    }

    async fn command(
        &self,
        responder: Responder,
        context: &InteractionContext,
        request: RequestId,
        command: Option<Command>,
    ) -> Result<(), InteractionClosed> {
        // A form must be the first response, so access is checked when the form is submitted.
        if let Some(Command::Sql { query: None, how }) = &command {
            return responder.open_sql_form(how).await;
        }
        responder.acknowledge().await?;
        let admitted = match command {
            // Everybody may delete their own credentials, with or without a role.
            Some(Command::Forget) => Ok(context.unprivileged_requester()),
            _ => self.admit(context).await,
        };
        let who = match admitted {
            Ok(who) => who,
            Err(denied) => {
                responder.edit(&deny(denied)).await;
                return Ok(());
            }
        };
        match command {
            Some(Command::Setup { catalog }) => self.setup(&responder, &who, catalog).await,
            Some(Command::Forget) => self.ask_to_forget(&responder, &who).await,
            Some(Command::Start { size, catalog }) => {
                let ask = start::StartOptions {
                    request,
                    size,
                    catalog,
                    another: false,
                };
                self.start(&responder, &who, context.channel, ask).await;
            }
            Some(Command::Open { session }) => {
                self.open(&responder, &who, session.as_deref()).await;
            }
            Some(Command::Stop { session }) => {
                self.ask_to_stop(&responder, &who, session.as_deref()).await;
            }
            Some(Command::List { all }) => self.list(&responder, &who, all).await,
            Some(Command::Status { session }) => {
                self.status(&responder, &who, session.as_deref()).await;
            }
            Some(Command::Extend { session, by }) => {
                let (session, by) = (session.as_deref(), by.as_deref());
                self.extend(&responder, &who, session, by).await;
            }
            Some(Command::Sql { query, how }) => {
                let sql = query.unwrap_or_default();
                self.sql(&responder, &who, context, &sql, &how, &request.0)
                    .await;
            }
            Some(Command::Tables { pattern, session }) => {
                let told = self.tables(&who, pattern.as_deref(), session.as_deref());
                let reply = told.await.unwrap_or_else(|problem| explain(&problem));
                responder.edit(&reply).await;
            }
            Some(Command::Describe { table, session }) => {
                let told = self.describe(&who, &table, session.as_deref());
                let reply = told.await.unwrap_or_else(|problem| explain(&problem));
                responder.edit(&reply).await;
            }
            Some(Command::Report) => self.report(&responder, &who).await,
            Some(Command::Reap) => self.ask_to_reap(&responder, &who).await,
            Some(Command::Help) => responder.edit(&replies::help()).await,
            None => responder.edit(&replies::outdated()).await,
        }
        Ok(())
    }

    async fn press(
        &self,
        responder: Responder,
        context: &InteractionContext,
        request: RequestId,
        button: Option<Button>,
        shown: &Message,
    ) -> Result<(), InteractionClosed> {
        match &button {
            // A form must be the first response, so access is checked when the form is submitted.
            Some(Button::OpenForm(catalog)) => {
                return responder.open_form(catalog.as_deref()).await;
            }
            None => return responder.say(&replies::outdated()).await,
            // The message with the button stays as it is. The person gets a separate private reply.
            Some(
                Button::Retry { .. }
                | Button::Open(_)
                | Button::Log(_)
                | Button::Extend(_)
                | Button::StopNow(_),
            ) => responder.acknowledge().await?,
            Some(_) => responder.acknowledge_press().await?,
        }
        let admitted = match button {
            // The same rule as for `/duck forget`.
            Some(Button::AskToForget | Button::Forget { .. } | Button::KeepCredentials) => {
                Ok(context.unprivileged_requester())
            }
            _ => self.admit(context).await,
        };
        let who = match admitted {
            Ok(who) => who,
            Err(denied) => {
                responder.edit(&deny(denied)).await;
                return Ok(());
            }
        };
        match button {
            Some(Button::StartAnother { size, catalog }) => {
                let ask = start::StartOptions {
                    request,
                    size,
                    catalog,
                    another: true,
                };
                self.start(&responder, &who, context.channel, ask).await;
            }
            Some(Button::Retry { owner, .. }) if owner != who.id => {
                responder
                    .edit(&refuse(&Rejection::NotYourButton(owner)))
                    .await;
            }
            Some(Button::Retry {
                session,
                size,
                catalog,
                ..
            }) => {
                let ask = start::StartOptions {
                    // The button may be on two messages, with two sizes, and is still one request.
                    request: RequestId(format!("retry-{session}")),
                    size: Some(size),
                    catalog: Some(catalog),
                    another: false,
                };
                // The button on the public message appears before the slot is free.
                let _ = self.service.wait_until_gone(&session).await;
                self.start(&responder, &who, context.channel, ask).await;
            }
            Some(Button::Open(id)) => self.open(&responder, &who, Some(&id.to_string())).await,
            Some(Button::Log(id)) => self.log(&responder, &who, &id).await,
            Some(Button::Extend(id)) => {
                self.extend(&responder, &who, Some(&id.to_string()), None)
                    .await;
            }
            Some(Button::Reap(digest)) => self.reap(&responder, &who, &digest).await,
            Some(Button::LeaveAll) => responder.edit(&replies::nothing_reaped()).await,
            Some(Button::Stop(id) | Button::StopNow(id)) => self.stop(&responder, &who, &id).await,
            Some(Button::Keep(id)) => responder.edit(&replies::session_kept(&id)).await,
            Some(Button::CheckCredentials(catalog)) => {
                self.check_credentials(&responder, &who, catalog).await
            }
            Some(Button::Cancel(question)) => self.cancel(&responder, &who, &question).await,
            Some(Button::Share) => self.share(&responder, &who, context, shown).await,
            Some(Button::Restart) => self.restart(&responder, &who).await,
            Some(Button::AskToForget) => self.ask_to_forget(&responder, &who).await,
            Some(Button::Forget { stop }) => self.forget(&responder, &who, stop).await,
            Some(Button::KeepCredentials) => responder.edit(&replies::credentials_kept()).await,
            Some(Button::OpenForm(_)) | None => {}
        }
        Ok(())
    }

    fn responder(&self, id: InteractionId, token: &str) -> Responder {
        Responder::new(self.http.clone(), id, token)
    }

    /// Checks the person's access. Returns them with their rights, or the reason for the denial.
    pub(super) async fn admit(
        &self,
        context: &InteractionContext,
    ) -> Result<Requester, AccessDenied> {
        let ours = GuildId::new(self.settings.guild);
        if context.guild.is_some_and(|guild| guild != ours) {
            return Err(AccessDenied::Reason(DenialReason::OtherGuild));
        }
        let channels = match context.guild {
            Some(_) => [Some(context.channel), context.parent]
                .into_iter()
                .flatten()
                .collect(),
            None => Vec::new(),
        };
        let caller = match &context.member {
            Some(member) => caller(member, channels),
            // Direct messages contain no membership.
            None => caller(&self.member(ours, context.user.id).await?, channels),
        };
        admit(&self.settings, &caller).map_err(AccessDenied::Reason)
    }

    async fn member(&self, guild: GuildId, user: UserId) -> Result<Member, AccessDenied> {
        self.http
            .get_member(guild, user)
            .await
            .map_err(|error| match status(&error) {
                Some(404) => AccessDenied::Reason(DenialReason::NotAMember),
                _ => AccessDenied::CheckFailed(discord_error("looking up a member", &error)),
            })
    }
}

pub(super) fn caller(member: &Member, channels: Vec<u64>) -> Caller {
    Caller {
        id: member.user.id.get(),
        display_name: member.display_name().to_owned(),
        roles: member.roles.iter().map(|role| role.get()).collect(),
        channels,
    }
}

pub(super) fn deny(denied: AccessDenied) -> Reply {
    set_outcome("refused");
    match denied {
        AccessDenied::Reason(why) => replies::access_denied(&why),
        AccessDenied::CheckFailed(error) => replies::failed(&error, &log_error(&error)),
    }
}

/// Sets the outcome of the current command.
pub(super) fn set_outcome(outcome: &'static str) {
    // Outside of a command, such as for replies resumed after a restart, nothing is counted.
    let _ = OUTCOME.try_with(|it| it.set(outcome));
}

/// Logs an error, and returns its reference.
pub(super) fn log_error(error: &Error) -> String {
    set_outcome("failed");
    let reference = new_reference();
    warn!(reference, %error, "a command failed [{reference}]");
    reference
}

/// Reply for a rejection.
pub(super) fn refuse(rejection: &Rejection) -> Reply {
    set_outcome("refused");
    replies::refused(rejection)
}

/// Reply for a failed use case. Logs an [`Error`].
pub(super) fn explain(problem: &ServiceError) -> Reply {
    match problem {
        ServiceError::Rejected(rejection) => refuse(rejection),
        ServiceError::UnusableCredentials(troubles) => {
            set_outcome("refused");
            replies::no_longer_usable(troubles, None)
        }
        ServiceError::Failed(error) => replies::failed(error, &log_error(error)),
    }
}
