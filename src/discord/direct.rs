//! Direct messages, and a memory of people who accept none.
//!
//! Discord bans the bot's address for a while after 10,000 refused calls in ten minutes (developer
//! docs, "Rate Limits", "Invalid Request Limit").

use std::{collections::HashMap, sync::Arc, time::Duration};

use parking_lot::{Mutex, MutexGuard};
use serde_json::json;
use serenity::builder::Builder;
use tokio::time::Instant;

use super::{
    client::Client,
    errors::{count, discord_error, is_final},
    message::message,
    replies::Reply,
};
use crate::{error::Error, session::OwnerId};

/// Time to remember a refusal. People may change their mind.
const REFUSAL_TTL: Duration = Duration::from_secs(60 * 60);

/// Sends direct messages, except to people who refused one recently.
pub struct DirectMessages {
    client: Arc<Client>,
    refused: Mutex<HashMap<OwnerId, Instant>>,
}

impl DirectMessages {
    pub(super) fn new(client: Arc<Client>) -> Self {
        Self {
            client,
            refused: Mutex::default(),
        }
    }

    /// Sends a direct message. Returns its channel, or `None` if the person accepts none. For a few
    /// minutes, a repeated nonce sends no second message.
    pub async fn send(
        &self,
        to: OwnerId,
        reply: &Reply,
        nonce: Option<&str>,
    ) -> Result<Option<u64>, Error> {
        if self.has_refused(to) {
            return Ok(None);
        }
        let recipient = json!({ "recipient_id": to });
        let message = message(reply, nonce);
        let http = self.client.http();
        let sent = async {
            let channel = http.create_private_channel(&recipient).await?.id;
            let sent = message.execute(&*http, (channel, None)).await;
            count("direct_message", &sent);
            sent?;
            Ok(channel.get())
        };
        match sent.await {
            Ok(channel) => Ok(Some(channel)),
            // 50007: the person accepts none. 50278: no guild in common. Or the person is unknown.
            Err(error) if is_final(&error) => {
                self.refused().insert(to, Instant::now());
                Ok(None)
            }
            Err(error) => Err(discord_error("sending a direct message", &error)),
        }
    }

    fn has_refused(&self, person: OwnerId) -> bool {
        let mut refused = self.refused();
        refused.retain(|_, at| at.elapsed() < REFUSAL_TTL);
        refused.contains_key(&person)
    }

    /// Clears a refusal, because the person wrote a direct message to the bot.
    pub fn mark_open(&self, person: OwnerId) {
        self.refused().remove(&person);
    }

    fn refused(&self) -> MutexGuard<'_, HashMap<OwnerId, Instant>> {
        self.refused.lock()
    }
}
