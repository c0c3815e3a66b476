//! Direct messages, and remembering who takes none.
//!
//! Discord counts refused calls: 10,000 in ten minutes, and the bot's address
//! is banned for a while (developer docs, "Rate Limits", "Invalid Request Limit").

use std::{collections::HashMap, sync::Arc, time::Duration};

use parking_lot::{Mutex, MutexGuard};
use serde_json::json;
use serenity::{builder::Builder, http::Http};
use tokio::time::Instant;

use super::{
    notifier::{count, discord_error, is_final},
    replies::Reply,
    responder::message,
};
use crate::{error::Error, session::OwnerId};

/// How long a refusal is remembered: people do change their mind.
const REFUSAL_TTL: Duration = Duration::from_secs(60 * 60);

/// Sends direct messages.
pub struct DirectMessages {
    http: Arc<Http>,
    refused: Mutex<HashMap<OwnerId, Instant>>,
}

impl DirectMessages {
    /// Sends by this connection.
    pub fn new(http: Arc<Http>) -> Self {
        Self {
            http,
            refused: Mutex::default(),
        }
    }

    /// Sends a direct message; the channel that it is in, or `None` if the
    /// person takes none. The same nonce within minutes is the same message.
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
        let sent = async {
            let channel = self.http.create_private_channel(&recipient).await?.id;
            let sent = message.execute(&*self.http, (channel, None)).await;
            count("direct_message", &sent);
            sent?;
            Ok(channel.get())
        };
        match sent.await {
            Ok(channel) => Ok(Some(channel)),
            // 50007: takes none; 50278: no guild in common; or there is no such person.
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

    /// Forgets a refusal: the person wrote a direct message themselves.
    pub fn mark_open(&self, person: OwnerId) {
        self.refused().remove(&person);
    }

    fn refused(&self) -> MutexGuard<'_, HashMap<OwnerId, Instant>> {
        self.refused.lock()
    }
}
