//! What people do with keys that are kept: check, forget, and start their
//! sessions again with new ones. And what they write to the bot in private.

use futures_util::future::join_all;
use serenity::all::Message;

use super::{Handlers, Problem, Responder, Scene, explain, logged, turned_away};
use crate::{
    credentials::looks_like_a_key,
    discord::replies::{self, Reply},
    service::Requester,
};

impl Handlers {
    pub(super) async fn check_keys(
        &self,
        responder: &Responder,
        who: &Requester,
        catalog: Option<String>,
    ) {
        let reply = match self.service.check_keys(who.id, catalog.as_deref()).await {
            Ok(about) => replies::keys(&about, catalog),
            Err(Problem::Unusable(troubles)) => replies::no_longer_usable(&troubles, catalog),
            Err(problem) => explain(&problem),
        };
        responder.edit(&reply).await;
    }

    pub(super) async fn ask_to_forget(&self, responder: &Responder, who: &Requester) {
        let reply = match self.service.about_keys(who.id).await {
            Ok(Some(about)) => replies::confirm_forget(&about, &self.service.live(who.id)),
            Ok(None) => replies::nothing_kept(),
            Err(fault) => replies::failed(&fault, &logged(&fault)),
        };
        responder.edit(&reply).await;
    }

    /// Forgets the keys first: if stopping fails, that much is done.
    pub(super) async fn forget(&self, responder: &Responder, who: &Requester, stop: bool) {
        if let Err(fault) = self.service.forget_keys(who.id).await {
            responder
                .edit(&replies::failed(&fault, &logged(&fault)))
                .await;
            return;
        }
        let live = self.service.live(who.id);
        if !stop || live.is_empty() {
            responder.edit(&replies::forgotten(&live)).await;
            return;
        }
        responder.edit(&replies::stopping_all(&live)).await;
        let stopped = live
            .iter()
            .map(|seen| self.service.stop_and_wait(who, &seen.record.id));
        let reply = all_or_first(join_all(stopped).await, replies::forgotten(&[]));
        responder.edit(&reply).await;
    }

    /// Starts sessions with old keys again, each where it was asked for.
    pub(super) async fn restart(&self, responder: &Responder, who: &Requester) {
        let old = match self.service.with_old_keys(who.id).await {
            Ok(old) => old,
            Err(fault) => {
                responder
                    .edit(&replies::failed(&fault, &logged(&fault)))
                    .await;
                return;
            }
        };
        if old.is_empty() {
            responder.edit(&replies::nothing_to_restart()).await;
            return;
        }
        responder.edit(&replies::restarting(&old)).await;
        let restarted = old
            .iter()
            .map(|seen| self.service.restart(who, &seen.record));
        let reply = all_or_first(join_all(restarted).await, replies::restarted(&old));
        responder.edit(&reply).await;
    }

    /// Answers a text in a direct message: it can't be deleted by a bot, so a
    /// key in it is a key in a chat history.
    pub async fn direct_message(&self, message: Message) {
        if message.guild_id.is_some() || message.author.bot {
            return;
        }
        let author = message.author.id.get().into();
        let is_key = looks_like_a_key(&message.content);
        let scene = Scene {
            guild: None,
            channel: message.channel_id.get(),
            parent: None,
            user: message.author,
            member: None,
        };
        let reply = match self.admit(&scene).await {
            Ok(_) => replies::direct_message(is_key),
            Err(turned) => turned_away(turned),
        };
        self.direct.are_open(author);
        if let Err(fault) = self.direct.send(author, &reply).await {
            logged(&fault);
        }
    }
}

/// `done` if everything worked, else what is to be said about the first that didn't.
fn all_or_first<T>(outcomes: Vec<Result<T, Problem>>, done: Reply) -> Reply {
    match outcomes.into_iter().find_map(Result::err) {
        Some(problem) => explain(&problem),
        None => done,
    }
}
