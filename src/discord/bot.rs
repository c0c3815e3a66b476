//! The bot's parts, and the access check.

use std::sync::Arc;

use serenity::all::{CreateModal, GuildId, Member, Permissions, User, UserId};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    access::{Caller, DenialReason, admit, missing_to_post},
    client::Client,
    direct::DirectMessages,
    drawing::DrawingQueue,
    errors::{discord_error, status},
    followed::FollowedStarts,
    forms::Form,
    responder::PendingAcks,
};
use crate::{
    error::Error,
    leadership::Term,
    service::{Requester, Service},
    settings,
};

/// The parts that handlers need.
pub(super) struct Bot {
    pub client: Arc<Client>,
    /// Client for files that are attached to messages.
    pub files: reqwest::Client,
    pub settings: settings::Discord,
    pub service: Arc<Service>,
    /// Time in which this bot may act.
    pub term: Term,
    pub direct: Arc<DirectMessages>,
    pub pending_acks: PendingAcks,
    pub followed: FollowedStarts,
    pub drawings: Arc<DrawingQueue>,
    /// Cancelled when the bot is told to end, or its term ends.
    pub shutdown: CancellationToken,
    /// Interactions that are being handled.
    pub handlers: TaskTracker,
}

/// Person who acts, and the place where they act.
pub(super) struct InteractionContext {
    pub guild: Option<GuildId>,
    pub channel: u64,
    /// Parent of `channel`: the channel of a thread, or a category.
    pub parent: Option<u64>,
    pub is_thread: bool,
    pub user: User,
    pub member: Option<Member>,
}

impl InteractionContext {
    /// The person, with rights to nothing but what they own.
    pub(super) fn unprivileged_requester(&self) -> Requester {
        Requester {
            id: self.user.id.get().into(),
            display_name: self.user.name.clone(),
            is_admin: false,
        }
    }

    /// Returns the permissions that the person lacks to post here themselves.
    pub(super) fn missing_to_post(&self, has_file: bool) -> Permissions {
        // Nobody else reads a direct message.
        if self.guild.is_none() {
            return Permissions::empty();
        }
        let held = self.member.as_ref().and_then(|member| member.permissions);
        let held = held.unwrap_or(Permissions::empty());
        missing_to_post(held, self.is_thread, has_file)
    }
}

/// Reason why nothing was done: the person lacks access, or their access could not be checked.
pub(super) enum AccessDenied {
    Reason(DenialReason),
    CheckFailed(Error),
}

impl Bot {
    /// Builds a form as Discord shows it.
    pub(super) fn modal(&self, form: &Form) -> CreateModal {
        form.modal(self.service.required_credentials(form.catalog()))
    }

    /// Checks the person's access. Returns them with their rights.
    ///
    /// # Errors
    /// Returns the reason for the denial.
    pub(super) async fn admit(
        &self,
        context: &InteractionContext,
    ) -> Result<Requester, AccessDenied> {
        let admitted = match &context.member {
            Some(member) => self.admit_member(context, member),
            // Direct messages contain no membership.
            None => self.admit_member(context, &self.member(context.user.id).await?),
        };
        admitted.map_err(AccessDenied::Reason)
    }

    /// Checks the access of a member whose roles are known. Asks nobody.
    ///
    /// # Errors
    /// Returns the reason for the denial.
    pub(super) fn admit_member(
        &self,
        context: &InteractionContext,
        member: &Member,
    ) -> Result<Requester, DenialReason> {
        if context.guild.is_some_and(|guild| guild != self.guild()) {
            return Err(DenialReason::OtherGuild);
        }
        let channels = match context.guild {
            Some(_) => [Some(context.channel), context.parent]
                .into_iter()
                .flatten()
                .collect(),
            None => Vec::new(),
        };
        let caller = Caller {
            id: member.user.id.get(),
            display_name: member.display_name().to_owned(),
            roles: member.roles.iter().map(|role| role.get()).collect(),
            channels,
        };
        admit(&self.settings, &caller)
    }

    fn guild(&self) -> GuildId {
        GuildId::new(self.settings.guild)
    }

    async fn member(&self, user: UserId) -> Result<Member, AccessDenied> {
        let member = self.client.http().get_member(self.guild(), user).await;
        member.map_err(|error| match status(&error) {
            Some(404) => AccessDenied::Reason(DenialReason::NotAMember),
            _ => AccessDenied::CheckFailed(discord_error("looking up a member", &error)),
        })
    }
}
