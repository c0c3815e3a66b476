//! Answers to direct messages that people write to the bot.

use serenity::all::Message;

use super::{
    bot::{Bot, InteractionContext},
    call::{deny, log_error},
    replies::{self, Reply},
};
use crate::{credentials::looks_like_a_key, session::OwnerId};

/// Answers a direct message. Warns if it contains credentials: a bot can't delete the message,
/// so they stay in the chat history.
pub(super) async fn answer(bot: &Bot, message: Message) {
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
        is_thread: false,
        user: message.author,
        member: None,
    };
    let mut reply = match bot.admit(&context).await {
        Ok(_) => match bot.service.credentials_info(author).await {
            Ok(Some(about)) => replies::direct_answer(&about, bot.service.checks_credentials()),
            Ok(None) => replies::direct_invitation(bot.service.required_credentials(None)),
            Err(error) => replies::failed(&error, &log_error(&error)),
        },
        Err(denied) => {
            let (denial, _) = deny(&denied);
            way_out(bot, author, denial).await
        }
    };
    if is_key {
        reply = replies::with_leak_warning(reply);
    }
    bot.direct.mark_open(author);
    if let Err(error) = bot.direct.send(author, &reply, None).await {
        log_error(&error);
    }
}

/// Adds a button that deletes the person's credentials or past queries to a denial, if they have any.
/// Deleting credentials deletes past queries, too.
async fn way_out(bot: &Bot, who: OwnerId, rejection: Reply) -> Reply {
    match bot.service.credentials_info(who).await {
        Ok(Some(_)) => replies::with_forget_button(rejection),
        _ => match bot.service.has_past_queries(who).await {
            Ok(true) => replies::with_delete_button(rejection),
            _ => rejection,
        },
    }
}
