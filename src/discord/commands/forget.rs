//! Handlers for stored credentials (check, forget, restart of sessions), and for direct messages.

use futures_util::future::join_all;
use serenity::all::Message;

use crate::discord::interactions::{
    Handlers, InteractionContext, Responder, ServiceError, deny, explain, log_error,
};
use crate::{
    credentials::looks_like_a_key,
    discord::replies::{self, Reply},
    service::Requester,
    session::OwnerId,
};

impl Handlers {
    pub(in crate::discord) async fn check_credentials(
        &self,
        responder: &Responder,
        who: &Requester,
        catalog: Option<String>,
    ) {
        let reply = match self
            .service
            .check_credentials(who.id, catalog.as_deref())
            .await
        {
            Ok(about) => replies::credentials(&about, true, catalog),
            Err(ServiceError::UnusableCredentials(troubles)) => {
                replies::no_longer_usable(&troubles, catalog)
            }
            Err(problem) => explain(&problem),
        };
        responder.edit(&reply).await;
    }

    pub(in crate::discord) async fn ask_to_forget(&self, responder: &Responder, who: &Requester) {
        let reply = match self.service.credentials_info(who.id).await {
            Ok(Some(about)) => replies::confirm_forget(
                &about,
                &self.service.sessions_with_stored_credentials(who.id),
            ),
            Ok(None) => replies::no_credentials(),
            Err(error) => replies::failed(&error, &log_error(&error)),
        };
        responder.edit(&reply).await;
    }

    /// Deletes the credentials first, so that they are gone even if stopping the sessions fails.
    pub(in crate::discord) async fn forget(
        &self,
        responder: &Responder,
        who: &Requester,
        stop: bool,
    ) {
        let running = match self.service.forget_credentials(who).await {
            Ok(running) => running,
            Err(problem) => return responder.edit(&explain(&problem)).await,
        };
        if !stop || running.is_empty() {
            return responder
                .edit(&replies::credentials_deleted(&running))
                .await;
        }
        responder
            .try_to_edit(&replies::stopping_all(&running))
            .await;
        let stopped = running
            .iter()
            .map(|seen| self.service.stop_and_wait(who, &seen.record.id));
        let reply = match first_problem(join_all(stopped).await) {
            Some(problem) => replies::credentials_deleted_but(explain(&problem)),
            None => replies::credentials_deleted(&[]),
        };
        responder.edit(&reply).await;
    }

    /// Restarts sessions that use old credentials, each with the channel of its record.
    pub(in crate::discord) async fn restart(&self, responder: &Responder, who: &Requester) {
        let old = match self.service.sessions_with_old_credentials(who.id).await {
            Ok(old) => old,
            Err(problem) => return responder.edit(&explain(&problem)).await,
        };
        if old.is_empty() {
            responder.edit(&replies::nothing_to_restart()).await;
            return;
        }
        responder.try_to_edit(&replies::restarting(&old)).await;
        let restarted = old
            .iter()
            .map(|seen| self.service.restart(who, &seen.record));
        let reply = match first_problem(join_all(restarted).await) {
            Some(problem) => explain(&problem),
            None => replies::restarted(&old),
        };
        responder.edit(&reply).await;
    }

    /// Adds a button that deletes the person's credentials to a denial, if they have any.
    async fn way_out(&self, who: OwnerId, rejection: Reply) -> Reply {
        match self.service.credentials_info(who).await {
            Ok(Some(_)) => replies::with_forget_button(rejection),
            _ => rejection,
        }
    }

    /// Answers a direct message. Warns if it contains credentials: a bot can't delete the message,
    /// so they stay in the chat history.
    pub(crate) async fn direct_message(&self, message: Message) {
        if message.guild_id.is_some() || message.author.bot {
            return;
        }
        let author = message.author.id.get().into();
        // A file may be the one with credentials that cloud consoles offer for download.
        let is_key = looks_like_a_key(&message.content) || !message.attachments.is_empty();
        let context = InteractionContext {
            guild: None,
            channel: message.channel_id.get(),
            parent: None,
            user: message.author,
            member: None,
        };
        let mut reply = match self.admit(&context).await {
            Ok(_) => replies::setup_invitation(None),
            Err(denied) => self.way_out(author, deny(denied)).await,
        };
        if is_key {
            reply = replies::with_leak_warning(reply);
        }
        self.direct.mark_open(author);
        if let Err(error) = self.direct.send(author, &reply, None).await {
            log_error(&error);
        }
    }
}

fn first_problem(outcomes: Vec<Result<(), ServiceError>>) -> Option<ServiceError> {
    outcomes.into_iter().find_map(Result::err)
}
