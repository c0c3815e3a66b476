//! One handler per thing that people do. Each acknowledges first.

mod credentials;
mod list;
mod open;
mod reaping;
mod setup;
mod sql;
mod start;
mod status;
mod stop;
mod suggest;

use std::{cell::Cell, sync::Arc, time::Instant};

use serenity::{
    all::{GuildId, Interaction, InteractionId, Member, Message, User, UserId},
    http::Http,
};
use tracing::{Instrument, debug, info_span, warn};

use super::{
    access::{Caller, DenialReason, admit},
    direct::DirectMessages,
    notifier::discord_error,
    parse::{self, Button, Command},
    replies::{self, Reply},
    responder::{INTERACTION_LIFETIME, InteractionClosed, Responder},
    status,
};
use crate::{
    error::{Error, new_reference},
    metrics,
    service::{Rejection, Requester, Service, ServiceError},
    session::RequestId,
    settings,
    telemetry::AUDIT,
};

tokio::task_local! {
    /// What has become of the command that is being answered.
    static OUTCOME: Cell<&'static str>;
}

/// Answers interactions.
pub struct Handlers {
    http: Arc<Http>,
    settings: settings::Discord,
    service: Arc<Service>,
    direct: Arc<DirectMessages>,
}

/// Who acts, and where.
struct InteractionContext {
    guild: Option<GuildId>,
    channel: u64,
    /// The channel that it is a thread of.
    parent: Option<u64>,
    user: User,
    member: Option<Member>,
}

impl InteractionContext {
    /// The person, with no right but over what is theirs.
    fn unprivileged_requester(&self) -> Requester {
        Requester {
            id: self.user.id.get().into(),
            display_name: self.user.name.clone(),
            is_admin: false,
        }
    }
}

/// The scene of an interaction; its three kinds have the same fields by name only.
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

/// Why nothing was done: somebody who may not, or Discord that does not say.
enum AccessDenied {
    Reason(DenialReason),
    CheckFailed(Error),
}

impl Handlers {
    /// Serves the guild of `settings` by means of `service`.
    pub fn new(
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

    /// Answers one interaction, and counts it.
    pub async fn handle(&self, interaction: Interaction) {
        let interaction_id = interaction.id();
        let what = match &interaction {
            Interaction::Command(it) => parse::kind(&it.data).map_or("?", |kind| kind.spec().name),
            Interaction::Component(_) => "button",
            Interaction::Modal(_) => "form",
            // Each key press is one.
            _ => return self.answer(interaction).await,
        };
        let begin = Instant::now();
        let answered = async {
            self.answer(interaction).await;
            OUTCOME.with(Cell::get)
        };
        // Each line that is logged meanwhile has the interaction's id; those of the audit always.
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
                let command = parse::command(&it.data);
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
                match (parse::form_catalog(id), parse::sql_form(id)) {
                    (Some(catalog), _) => {
                        let typed = parse::form(rows);
                        self.form(&responder, &context!(it), typed, catalog).await
                    }
                    (_, Some(how)) => {
                        let command = Command::Sql {
                            query: Some(parse::question(rows)),
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
            debug!("an interaction was left alone");
        }
    }

    async fn command(
        &self,
        responder: Responder,
        context: &InteractionContext,
        request: RequestId,
        command: Option<Command>,
    ) -> Result<(), InteractionClosed> {
        // A form can only be the first answer, so who may is asked when it comes back.
        if let Some(Command::Sql { query: None, how }) = &command {
            return responder.open_sql_form(how).await;
        }
        responder.acknowledge().await?;
        let admitted = match command {
            // Whoever asks may have their own keys forgotten, role or not.
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
            // A form can only be the first answer, so who may is asked when it comes back.
            Some(Button::OpenForm(catalog)) => {
                return responder.open_form(catalog.as_deref()).await;
            }
            None => return responder.say(&replies::outdated()).await,
            // It stands under a message that stays; the answer is for one.
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
            // As with the command.
            Some(Button::AskToForget | Button::Forget { .. } | Button::KeepKeys) => {
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
                    // It stands under two messages, in one or two sizes, and is one wish.
                    request: RequestId(format!("retry-{session}")),
                    size: Some(size),
                    catalog: Some(catalog),
                    another: false,
                };
                // Under the public message it stands before the place is free.
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
            Some(Button::LeaveAll) => responder.edit(&replies::left_alone()).await,
            Some(Button::Stop(id) | Button::StopNow(id)) => self.stop(&responder, &who, &id).await,
            Some(Button::Keep(id)) => responder.edit(&replies::kept(&id)).await,
            Some(Button::CheckKeys(catalog)) => self.check_keys(&responder, &who, catalog).await,
            Some(Button::Cancel(question)) => self.cancel(&responder, &who, &question).await,
            Some(Button::Share) => self.share(&responder, &who, context, shown).await,
            Some(Button::Restart) => self.restart(&responder, &who).await,
            Some(Button::AskToForget) => self.ask_to_forget(&responder, &who).await,
            Some(Button::Forget { stop }) => self.forget(&responder, &who, stop).await,
            Some(Button::KeepKeys) => responder.edit(&replies::keys_kept()).await,
            Some(Button::OpenForm(_)) | None => {}
        }
        Ok(())
    }

    fn responder(&self, id: InteractionId, token: &str) -> Responder {
        Responder::new(self.http.clone(), id, token)
    }

    /// Lets the person in, or says why not.
    async fn admit(&self, context: &InteractionContext) -> Result<Requester, AccessDenied> {
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
            // A direct message says nothing about the guild.
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
                _ => AccessDenied::CheckFailed(discord_error("asking who you are", &error)),
            })
    }
}

fn caller(member: &Member, channels: Vec<u64>) -> Caller {
    Caller {
        id: member.user.id.get(),
        display_name: member.display_name().to_owned(),
        roles: member.roles.iter().map(|role| role.get()).collect(),
        channels,
    }
}

fn deny(denied: AccessDenied) -> Reply {
    set_outcome("refused");
    match denied {
        AccessDenied::Reason(why) => replies::access_denied(&why),
        AccessDenied::CheckFailed(error) => replies::failed(&error, &log_error(&error)),
    }
}

/// Notes what became of the command that is being answered.
fn set_outcome(outcome: &'static str) {
    // Elsewhere (after a restart, say) nothing is counted.
    let _ = OUTCOME.try_with(|it| it.set(outcome));
}

/// Logs a fault, and returns the reference under which it stands in the log.
fn log_error(error: &Error) -> String {
    set_outcome("failed");
    let reference = new_reference();
    warn!(reference, %error, "a command failed [{reference}]");
    reference
}

/// What to say to somebody who is turned down.
fn refuse(rejection: &Rejection) -> Reply {
    set_outcome("refused");
    replies::refused(rejection)
}

/// What to say about a use case that did not work out.
fn explain(problem: &ServiceError) -> Reply {
    match problem {
        ServiceError::Rejected(rejection) => refuse(rejection),
        ServiceError::UnusableCredentials(troubles) => {
            set_outcome("refused");
            replies::no_longer_usable(troubles, None)
        }
        ServiceError::Failed(error) => replies::failed(error, &log_error(error)),
    }
}
