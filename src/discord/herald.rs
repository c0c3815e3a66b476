//! The public side: one message per session, posted when it is ready, edited
//! when it ends.

use std::sync::Arc;

use async_trait::async_trait;
use serenity::{
    all::{ChannelId, CreateAllowedMentions, CreateMessage, EditMessage, Nonce, UserId},
    builder::Builder,
    http::Http,
};
use tracing::warn;

use super::{code, replies, responder::rows, status};
use crate::{
    fault::Fault,
    service::Herald,
    session::{Cause, Ending, MessageId, OwnerId, Record},
};

/// Unknown channel, missing access, missing permissions: nothing that waiting mends.
const NOWHERE: [isize; 3] = [10003, 50001, 50013];
/// Somebody deleted the message.
const UNKNOWN_MESSAGE: isize = 10008;

/// The channels in which sessions were asked for.
pub struct Channels {
    http: Arc<Http>,
}

impl Channels {
    /// Posts by this connection.
    pub fn new(http: Arc<Http>) -> Self {
        Self { http }
    }

    /// Posts once: Discord answers a repeated nonce with the message that it
    /// has (for a few minutes), so trying again after a crash doubles nothing.
    async fn post(
        &self,
        record: &Record,
        nonce: String,
        reply: &replies::Reply,
    ) -> Result<Option<MessageId>, Fault> {
        let message = CreateMessage::new()
            .content(&reply.text)
            .components(rows(reply))
            .allowed_mentions(only(record.owner))
            .nonce(Nonce::String(nonce))
            .enforce_nonce(true);
        let channel = ChannelId::new(record.channel.get());
        match message.execute(&*self.http, (channel, None)).await {
            Ok(message) => Ok(Some(message.id.get().into())),
            Err(error) if code(&error).is_some_and(|code| NOWHERE.contains(&code)) => {
                warn!(
                    session = %record.id, channel = %record.channel, code = code(&error),
                    "session {}: I may not write in its channel", record.id,
                );
                Ok(None)
            }
            Err(error) => Err(fault("posting a message", &error)),
        }
    }

    async fn edit(
        &self,
        record: &Record,
        message: MessageId,
        reply: &replies::Reply,
    ) -> Result<(), Fault> {
        let edit = EditMessage::new()
            .content(&reply.text)
            .components(rows(reply))
            .allowed_mentions(only(record.owner));
        let place = (
            ChannelId::new(record.channel.get()),
            message.get().into(),
            None,
        );
        match edit.execute(&*self.http, place).await {
            Ok(_) => Ok(()),
            Err(error) => match code(&error) {
                Some(code) if code == UNKNOWN_MESSAGE || NOWHERE.contains(&code) => Ok(()),
                _ => Err(fault("editing a message", &error)),
            },
        }
    }
}

#[async_trait]
impl Herald for Channels {
    async fn ready(&self, record: &Record, url: &str) -> Result<Option<MessageId>, Fault> {
        let nonce = format!("ready-{}", record.id);
        self.post(record, nonce, &replies::announcement(record, url))
            .await
    }

    async fn ended(&self, record: &Record, ending: &Ending) -> Result<(), Fault> {
        let reply = replies::ended(record, ending);
        if let Some(message) = record.announcement {
            self.edit(record, message, &reply).await?;
            // An edit notifies nobody. Whoever stopped it themselves knows.
            let is_expected = matches!(ending.cause, Cause::Stopped { by } if by == record.owner);
            if is_expected {
                return Ok(());
            }
        }
        let nonce = format!("ended-{}", record.id);
        self.post(record, nonce, &reply).await.map(|_| ())
    }
}

fn only(owner: OwnerId) -> CreateAllowedMentions {
    CreateAllowedMentions::new().users([UserId::new(owner.get())])
}

/// What serenity says of a failure holds the request's URL, which is not passed on.
pub fn fault(action: &str, error: &serenity::Error) -> Fault {
    Fault::Unavailable {
        action: action.to_owned(),
        why: match status(error) {
            Some(status) => format!("Discord answered {status} (code {:?})", code(error)),
            None => "Discord did not answer".to_owned(),
        },
    }
}
